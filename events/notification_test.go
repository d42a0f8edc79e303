package events_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/uuid"

	"handoff/events"
)

func record() events.Record {
	return events.Record{
		Header: events.Header{
			Stream: uuid.MustParse("5d0c1f7e-1c58-8b1e-9a55-0d3d1a2b3c4d"), Version: 2, Kind: events.KindConversation, Type: "EscalationRouted",
			Schema: 1, Tenant: "default", Connection: "support", Time: 1_795_338_612_123_456_789, Commit: "c1", Causation: "cause",
			Correlation: "correlation", Actor: "principal", Key: "key.0", Trace: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		},
		Clear: []byte(`{"number":1}`), Sealed: []byte("sealed-bytes"), SealedSum: events.SumSealed([]byte("sealed-bytes")), Position: 7,
	}
}

func TestNotificationSurvivesJSON(t *testing.T) {
	t.Parallel()
	want := events.Notify(record())
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got events.Notification
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("after a round trip = %+v, want %+v", got, want)
	}
}

func TestNotificationHoldsTheClearPartAndReferencesOnly(t *testing.T) {
	t.Parallel()
	data, err := json.Marshal(events.Notify(record()))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":"5d0c1f7e-1c58-8b1e-9a55-0d3d1a2b3c4d@2","stream":"5d0c1f7e-1c58-8b1e-9a55-0d3d1a2b3c4d","version":2,` +
		`"kind":"conversation","type":"EscalationRouted","schema":1,"tenant":"default","connection":"support",` +
		`"time":"2026-11-22T09:10:12.123456789Z","commit":"c1","causation":"cause","correlation":"correlation","actor":"principal",` +
		`"trace":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","position":7,"clear":{"number":1}}`
	if string(data) != want {
		t.Errorf("notification = %s\nwant %s", data, want)
	}
	if strings.Contains(string(data), "sealed") || strings.Contains(string(data), "key.0") {
		t.Errorf("notification tells of the private part: %s", data)
	}
}

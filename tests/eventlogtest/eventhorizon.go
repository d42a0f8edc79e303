package eventlogtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	eh "github.com/looplab/eventhorizon"
	"github.com/looplab/eventhorizon/eventstore"
	"github.com/looplab/eventhorizon/mocks"

	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/eventlog/ehstore"
)

const aggregateType = mocks.AggregateType

var ehstores = map[string]func(*testing.T, eventlog.Log){
	"eventhorizon: its acceptance test passes": func(t *testing.T, log eventlog.Log) {
		eventstore.AcceptanceTest(t, newStore(log, Tenant), t.Context())
	},
	"eventhorizon: a save never replaces history": func(t *testing.T, log eventlog.Log) {
		store, id := newStore(log, Tenant), newStream()
		if err := store.Save(t.Context(), occurred(id, 1, 3), 0); err != nil {
			t.Fatal(err)
		}
		for version, saved := range map[int][]eh.Event{0: occurred(id, 1, 1), 1: occurred(id, 2, 2), 2: occurred(id, 3, 9), 5: occurred(id, 6, 1)} {
			err := store.Save(t.Context(), saved, version)
			failed, ok := errors.AsType[*eh.EventStoreError](err)
			if !ok || !errors.Is(err, eh.ErrEventConflictFromOtherSave) || failed.AggregateID != id {
				t.Errorf("Save at %d = %v, want %v", version, err, eh.ErrEventConflictFromOtherSave)
			}
		}
		wantEvents(t, store, id, 1, 3)
	},
	"eventhorizon: a save at version 5 of an unknown aggregate is refused": func(t *testing.T, log eventlog.Log) {
		store, id := newStore(log, Tenant), newStream()
		if err := store.Save(t.Context(), occurred(id, 6, 1), 5); !errors.Is(err, eh.ErrEventConflictFromOtherSave) {
			t.Errorf("Save = %v, want %v", err, eh.ErrEventConflictFromOtherSave)
		}
		if _, err := store.LoadFrom(t.Context(), id, 1); !errors.Is(err, eh.ErrAggregateNotFound) {
			t.Errorf("LoadFrom = %v, want %v", err, eh.ErrAggregateNotFound)
		}
	},
	"eventhorizon: no event is nil from any version": func(t *testing.T, log eventlog.Log) {
		store, id := newStore(log, Tenant), newStream()
		if err := store.Save(t.Context(), occurred(id, 1, 5), 0); err != nil {
			t.Fatal(err)
		}
		for from := range 8 {
			wantEvents(t, store, id, from, 5)
		}
	},
	"eventhorizon: of two saves at once one is refused": func(t *testing.T, log eventlog.Log) {
		store, id := newStore(log, Tenant), newStream()
		var refused atomic.Int32
		together(t, 2, func(int) error {
			err := store.Save(t.Context(), occurred(id, 1, 2), 0)
			if errors.Is(err, eh.ErrEventConflictFromOtherSave) {
				refused.Add(1)
				return nil
			}
			return err
		})
		if refused.Load() != 1 {
			t.Errorf("%d saves were refused, want 1", refused.Load())
		}
		wantEvents(t, store, id, 1, 2)
	},
	"eventhorizon: a tenant finds no other's aggregates": func(t *testing.T, log eventlog.Log) {
		id := newStream()
		if err := newStore(log, Tenant).Save(t.Context(), occurred(id, 1, 1), 0); err != nil {
			t.Fatal(err)
		}
		other := newStore(log, "other")
		for from := range 4 {
			if _, err := other.LoadFrom(t.Context(), id, from); !errors.Is(err, eh.ErrAggregateNotFound) {
				t.Errorf("LoadFrom(%d) = %v, want %v", from, err, eh.ErrAggregateNotFound)
			}
		}
		if err := other.Save(t.Context(), occurred(id, 2, 1), 1); err == nil {
			t.Error("Save to another tenant's aggregate = nil")
		}
		wantEvents(t, newStore(log, Tenant), id, 1, 1)
	},
}

func newStore(log eventlog.Log, tenant string) *ehstore.Store {
	var n atomic.Int64
	return ehstore.New(log, mockCodec{}, tenant, func() string { return fmt.Sprintf("save-%p-%d", &n, n.Add(1)) })
}

// occurred returns count events of one aggregate from a version on.
func occurred(id events.StreamID, version, count int) []eh.Event {
	all := make([]eh.Event, count)
	for i := range all {
		all[i] = eh.NewEvent(mocks.EventType, &mocks.EventData{Content: fmt.Sprint(version + i)}, time.Unix(int64(i), 5),
			eh.ForAggregate(aggregateType, id, version+i))
	}
	return all
}

// wantEvents fails the test unless the events from a version up to last are
// loaded, and none is nil.
func wantEvents(t *testing.T, store eh.EventStore, id events.StreamID, from, last int) {
	t.Helper()
	got, err := store.LoadFrom(t.Context(), id, from)
	first := max(from, 1)
	if err != nil || len(got) != max(0, last-first+1) {
		t.Fatalf("LoadFrom(%d) = %d events, %v, want %d", from, len(got), err, last-first+1)
	}
	for i, e := range got {
		if e == nil || e.Version() != first+i || e.AggregateID() != id {
			t.Errorf("LoadFrom(%d) yields %v as number %d", from, e, i)
		}
	}
}

// mockCodec encodes the events of eventhorizon's mocks.
type mockCodec struct{}

type mockEvent struct {
	Data     *mocks.EventData
	Metadata map[string]any
}

// Encode implements ehstore.Codec.
func (mockCodec) Encode(e eh.Event) ([]byte, int, error) {
	data, _ := e.Data().(*mocks.EventData)
	b, err := json.Marshal(mockEvent{Data: data, Metadata: e.Metadata()})
	return b, 1, err
}

// Decode implements ehstore.Codec.
func (mockCodec) Decode(r events.Record) (eh.EventData, map[string]any, error) {
	var e mockEvent
	if err := json.Unmarshal(r.Clear, &e); err != nil {
		return nil, nil, err
	}
	if e.Data == nil {
		return nil, e.Metadata, nil
	}
	return e.Data, e.Metadata, nil
}

package ehstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	eh "github.com/looplab/eventhorizon"

	"handoff/events"
	"handoff/infra/eventlog/ehstore"
	"handoff/infra/eventlog/memlog"
)

// What a store does with a log that works is tested by tests/eventlogtest.

var errCodec = errors.New("no such event")

// codec fails where it is told to.
type codec struct{ encode, decode error }

func (c codec) Encode(eh.Event) ([]byte, int, error) { return []byte(`{}`), 1, c.encode }

func (c codec) Decode(events.Record) (eh.EventData, map[string]any, error) { return nil, nil, c.decode }

func TestFailuresAreToldAsEventhorizonDoes(t *testing.T) {
	t.Parallel()
	log, id := memlog.New(), uuid.New()
	open := func(c codec) *ehstore.Store { return ehstore.New(log, c, "default", uuid.NewString) }
	saved := []eh.Event{eh.NewEvent("Happened", nil, time.Unix(1, 0), eh.ForAggregate("thing", id, 1))}
	ended, cancel := context.WithCancel(t.Context())
	cancel()

	wantError(t, open(codec{encode: errCodec}).Save(t.Context(), saved, 0), errCodec, eh.EventStoreOpSave)
	wantError(t, open(codec{}).Save(ended, saved, 0), context.Canceled, eh.EventStoreOpSave)
	if err := open(codec{}).Save(t.Context(), saved, 0); err != nil {
		t.Fatal(err)
	}
	_, err := open(codec{decode: errCodec}).Load(t.Context(), id)
	wantError(t, err, errCodec, eh.EventStoreOpLoad)
	_, err = open(codec{}).Load(ended, id)
	wantError(t, err, context.Canceled, eh.EventStoreOpLoad)
}

func wantError(t *testing.T, err, want error, op eh.EventStoreOperation) {
	t.Helper()
	failed, ok := errors.AsType[*eh.EventStoreError](err)
	if !ok || failed.Op != op || !errors.Is(err, want) {
		t.Errorf("error = %v, want a %s of %v", err, op, want)
	}
}

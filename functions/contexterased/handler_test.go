package contexterased_test

import (
	"context"
	"errors"
	"testing"

	"handoff/events"
	"handoff/functions/contexterased"
	"handoff/tests/functiontest"
)

func TestWhatACrashLeftHalfDone(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	stream := b.Stream(events.KindConversation, "store-bot", "c-1")
	n := b.GiveTo(stream, events.KindConversation, "store-bot", b.Raised(1, "Refund"), &events.ContextErased{Generation: 0})
	b.Twice((&contexterased.Handler{Ledger: b.Ledger, Destroyer: b.Keys}).Handle, n)
	for o, err := range b.Ledger.ReadOpen(t.Context(), stream) {
		if err != nil {
			t.Fatal(err)
		}
		if o.HasSealed() && !o.Erased {
			t.Errorf("%s can still be opened", o.ID())
		}
	}
}

// stubborn destroys nothing.
type stubborn struct{ err error }

func (s stubborn) Destroy(context.Context, string, events.KeyID) error { return s.err }

func TestAKeyThatStaysIsTriedAgain(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	stream := b.Stream(events.KindConversation, "store-bot", "c-1")
	n := b.GiveTo(stream, events.KindConversation, "store-bot", b.Raised(1, "Refund"), &events.ContextErased{Generation: 0})
	broken := errors.New("the table is away")
	if err := (&contexterased.Handler{Ledger: b.Ledger, Destroyer: stubborn{broken}}).Handle(t.Context(), n); !errors.Is(err, broken) {
		t.Errorf("error = %v, want %v", err, broken)
	}
}

func TestTheSampleEvent(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	h := &contexterased.Handler{Ledger: b.Ledger, Destroyer: stubborn{errors.New("nothing is to be destroyed")}}
	if err := h.Handle(t.Context(), functiontest.Sample(t, "ContextErased")); err != nil || b.Count() != 0 {
		t.Errorf("a fact of an unknown stream led to %v and %d facts, want nothing", err, b.Count())
	}
}

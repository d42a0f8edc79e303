package disconnected_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"testing"

	"handoff/domain/connection"
	"handoff/events"
	"handoff/functions/disconnected"
	"handoff/tests/functiontest"
)

// around is what the function has around it, and remembers what was asked.
type around struct {
	open     []events.StreamID
	position int64
	settled  []events.StreamID
	released []connection.Held
	forgot   int
	fail     error
}

func (a *around) Open(_ context.Context, _, _ string, position int64) iter.Seq2[events.StreamID, error] {
	a.position = position
	return func(yield func(events.StreamID, error) bool) {
		for _, s := range a.open {
			if !yield(s, nil) {
				return
			}
		}
	}
}

func (a *around) Settle(_ context.Context, _ events.Notification, stream events.StreamID) error {
	a.settled = append(a.settled, stream)
	if a.fail != nil && len(a.settled) == 1 {
		return a.fail
	}
	return nil
}

func (a *around) Release(_ context.Context, _ events.Notification, _ int, held connection.Held) error {
	a.released = append(a.released, held)
	return nil
}

func (a *around) Forget(context.Context, events.Notification) error {
	a.forgot++
	return nil
}

func handler(b *functiontest.Bench, a *around) *disconnected.Handler {
	return &disconnected.Handler{Ledger: b.Ledger, Escalations: a, Settler: a, Applications: a}
}

func given(b *functiontest.Bench, facts ...events.Fact) events.Notification {
	b.Helper()
	b.Give("store-bot", functiontest.Ready("store-bot", functiontest.Rules)...)
	n := b.Give("store-bot", &events.Disconnected{Policy: events.PolicyDrain, Deadline: &b.Clock})
	if len(facts) > 0 {
		b.Give("store-bot", facts...)
	}
	n.Position = 7
	return n
}

func TestOpenEscalationsAreSettledAndTheIDIsGivenBack(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	one, two := b.Stream(events.KindConversation, "1"), b.Stream(events.KindConversation, "2")
	a := &around{open: []events.StreamID{one, two}}
	b.Twice(handler(b, a).Handle, given(b))
	if want := []events.StreamID{one, two, one, two}; !slices.Equal(a.settled, want) {
		t.Errorf("settled %v, want %v", a.settled, want)
	}
	if a.position != 7 {
		t.Errorf("open escalations were listed as of position %d, want 7", a.position)
	}
	if len(a.released) != 2 || a.released[0].ApplicationID != "app-store-bot" {
		t.Errorf("released %v, want app-store-bot each time", a.released)
	}
}

func TestOneThatFailsDoesNotKeepTheOthers(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	a := &around{open: []events.StreamID{b.Stream(events.KindConversation, "1"), b.Stream(events.KindConversation, "2")}, fail: errors.New("out of luck")}
	if err := handler(b, a).Handle(t.Context(), given(b)); !errors.Is(err, a.fail) {
		t.Errorf("error = %v, want %v", err, a.fail)
	}
	if len(a.settled) != 2 {
		t.Errorf("settled %d, want both", len(a.settled))
	}
}

func TestAConnectionThatIsBackKeepsEverything(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	a := &around{open: []events.StreamID{b.Stream(events.KindConversation, "1")}}
	b.Twice(handler(b, a).Handle, given(b, functiontest.Requested("store-bot")))
	if len(a.settled)+len(a.released)+a.forgot > 0 {
		t.Errorf("settled %v and released %v, want nothing", a.settled, a.released)
	}
}

func TestTheSampleEvent(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	if err := handler(b, new(around)).Handle(t.Context(), functiontest.Sample(t, "Disconnected")); err != nil || b.Count() != 0 {
		t.Errorf("a fact of an unknown stream led to %v and %d facts, want nothing", err, b.Count())
	}
}

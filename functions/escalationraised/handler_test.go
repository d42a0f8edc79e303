package escalationraised_test

import (
	"testing"
	"time"

	"handoff/events"
	"handoff/functions/escalationraised"
	"handoff/tests/functiontest"
)

func handler(b *functiontest.Bench) *escalationraised.Handler {
	return &escalationraised.Handler{Ledger: b.Ledger, Streams: b.Keys, Router: b.Rules, Now: b.Now, Drain: time.Hour}
}

// conversation gives facts to the stream of a conversation of store-bot.
func conversation(b *functiontest.Bench, facts ...events.Fact) events.Notification {
	b.Helper()
	return b.GiveTo(b.Stream(events.KindConversation, "store-bot", "c"), events.KindConversation, "store-bot", facts...)
}

func routed() *events.EscalationRouted {
	return &events.EscalationRouted{Number: 1, Connection: "store-bot", ConnectionVersion: 6, Queue: events.Queue{ID: "refunds"}}
}

func TestARaisedEscalationIsRouted(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	b.Give("store-bot", functiontest.Ready("store-bot", functiontest.Rules)...)
	n := conversation(b, b.Raised(1, "Refund"))
	b.Twice(handler(b).Handle, n)
	f, _ := b.Last(n.Stream).(*events.EscalationRouted)
	if f == nil || f.Queue.ID != "refunds" || f.Connection != "store-bot" || f.ConnectionVersion != 6 || f.Moved {
		t.Errorf("route = %+v, want refunds by store-bot@6", f)
	}
}

func TestAnEscalationThatWasRoutedInlineStaysPut(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	b.Give("store-bot", functiontest.Ready("store-bot", functiontest.Rules)...)
	n := conversation(b, b.Raised(1, "Weather"), routed())
	b.Twice(handler(b).Handle, n)
	b.Want(n.Stream, "EscalationRaised", "EscalationRouted")
}

func TestAnEscalationRaisedDuringADisconnectDrains(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	deadline := b.Clock.Add(10 * time.Minute)
	b.Give("store-bot", functiontest.Ready("store-bot", functiontest.Rules)...)
	n := conversation(b, b.Raised(1, "Refund"), routed())
	b.Give("store-bot", &events.Disconnected{Policy: events.PolicyDrain, Deadline: &deadline})
	b.Twice(handler(b).Handle, n)
	f, _ := b.Last(n.Stream).(*events.EscalationDeadlineSet)
	if f == nil || !f.Deadline.Equal(deadline) || f.Code != escalationraised.CodeDisconnected {
		t.Errorf("last fact = %+v, want the disconnect's deadline", b.Last(n.Stream))
	}
}

func TestAnEscalationRaisedDuringADisconnectMoves(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	b.Give("store-bot", functiontest.Ready("store-bot", functiontest.Rules)...)
	b.Give("other-bot", functiontest.Ready("other-bot", functiontest.OtherRules)...)
	n := conversation(b, b.Raised(1, "Refund"), routed())
	b.Give("store-bot", &events.Disconnected{Policy: events.PolicyMove, Target: "other-bot"})
	b.Twice(handler(b).Handle, n)
	f, _ := b.Last(n.Stream).(*events.EscalationRouted)
	if f == nil || f.Queue.ID != "elsewhere" || f.Connection != "other-bot" || !f.Moved {
		t.Errorf("route = %+v, want elsewhere by other-bot", f)
	}
}

func TestAMoveFollowsATargetThatMovedToo(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	b.Give("store-bot", functiontest.Ready("store-bot", functiontest.Rules)...)
	b.Give("other-bot", functiontest.Ready("other-bot", functiontest.Rules)...)
	b.Give("third-bot", functiontest.Ready("third-bot", functiontest.OtherRules)...)
	n := conversation(b, b.Raised(1, "Refund"), routed())
	b.Give("store-bot", &events.Disconnected{Policy: events.PolicyMove, Target: "other-bot"})
	b.Give("other-bot", &events.Disconnected{Policy: events.PolicyMove, Target: "third-bot"})
	b.Twice(handler(b).Handle, n)
	b.Want(n.Stream, "EscalationRaised", "EscalationRouted", "EscalationRouted")
	if f, _ := b.Last(n.Stream).(*events.EscalationRouted); f == nil || f.Connection != "third-bot" {
		t.Errorf("route = %+v, want one by third-bot", f)
	}
}

func TestAMoveWithoutAReadyTargetEndsWithADeadline(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]*events.Disconnected{
		"the target was disconnected":         {Policy: events.PolicyDrain, Deadline: new(time.Time)},
		"the two point at each other":         {Policy: events.PolicyMove, Target: "store-bot"},
		"the target of the target is nothing": {Policy: events.PolicyMove, Target: "no-bot"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := functiontest.New(t)
			b.Give("store-bot", functiontest.Ready("store-bot", functiontest.Rules)...)
			b.Give("other-bot", functiontest.Ready("other-bot", functiontest.OtherRules)...)
			n := conversation(b, b.Raised(1, "Refund"), routed())
			b.Give("store-bot", &events.Disconnected{Policy: events.PolicyMove, Target: "other-bot"})
			b.Give("other-bot", end)
			b.Twice(handler(b).Handle, n)
			b.Want(n.Stream, "EscalationRaised", "EscalationRouted", "EscalationDeadlineSet")
			if f, _ := b.Last(n.Stream).(*events.EscalationDeadlineSet); f == nil || f.Code != escalationraised.CodeNoTarget {
				t.Errorf("last fact = %+v, want a deadline with %s", b.Last(n.Stream), escalationraised.CodeNoTarget)
			}
		})
	}
}

func TestAMoveToNowhereEndsWithADeadline(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	b.Give("store-bot", functiontest.Ready("store-bot", functiontest.Rules)...)
	n := conversation(b, b.Raised(1, "Refund"), routed())
	b.Give("store-bot", &events.Disconnected{Policy: events.PolicyMove, Target: "no-bot"})
	b.Twice(handler(b).Handle, n)
	if f, _ := b.Last(n.Stream).(*events.EscalationDeadlineSet); f == nil || f.Code != escalationraised.CodeNoTarget {
		t.Errorf("last fact = %+v, want a deadline with %s", b.Last(n.Stream), escalationraised.CodeNoTarget)
	}
}

func TestAnEndedEscalationIsLeftAlone(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	b.Give("store-bot", functiontest.Ready("store-bot", functiontest.Rules)...)
	n := conversation(b, b.Raised(1, "Refund"), &events.EscalationCompleted{Number: 1})
	b.Twice(handler(b).Handle, n)
	b.Want(n.Stream, "EscalationRaised", "EscalationCompleted")
}

func TestTheSampleEvent(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	if err := handler(b).Handle(t.Context(), functiontest.Sample(t, "EscalationRaised")); err != nil || b.Count() != 0 {
		t.Errorf("a fact of an unknown stream led to %v and %d facts, want nothing", err, b.Count())
	}
}

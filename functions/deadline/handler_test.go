package deadline_test

import (
	"testing"
	"time"

	"handoff/events"
	"handoff/functions/deadline"
	"handoff/tests/functiontest"
)

func given(b *functiontest.Bench, facts ...events.Fact) events.StreamID {
	b.Helper()
	return b.GiveTo(b.Stream(events.KindConversation, "c"), events.KindConversation, "store-bot", facts...).Stream
}

func TestAnEscalationEndsAtItsDeadlineAndNotBefore(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	stream := given(b, b.Raised(1, "Refund"))
	h := &deadline.Handler{Ledger: b.Ledger, Now: b.Now}
	for _, step := range []struct {
		wait time.Duration
		want []string
	}{
		{24*time.Hour - 1, []string{"EscalationRaised"}},
		{1, []string{"EscalationRaised", "EscalationExpired"}},
		{time.Hour, []string{"EscalationRaised", "EscalationExpired"}},
	} {
		b.Clock = b.Clock.Add(step.wait)
		if err := h.Handle(t.Context(), stream, 1); err != nil {
			t.Fatal(err)
		}
		b.Want(stream, step.want...)
	}
}

func TestADeadlineWithACodeFails(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	stream := given(b, b.Raised(1, "Refund"), &events.EscalationDeadlineSet{Number: 1, Deadline: b.Clock, Code: "connection-disconnected"})
	if err := (&deadline.Handler{Ledger: b.Ledger, Now: b.Now}).Handle(t.Context(), stream, 1); err != nil {
		t.Fatal(err)
	}
	if f, _ := b.Last(stream).(*events.EscalationFailed); f == nil || f.Code != "connection-disconnected" {
		t.Errorf("last fact = %+v, want EscalationFailed with the code", b.Last(stream))
	}
}

func TestTheTimerOfAnEarlierEscalationDoesNotEndALaterOne(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	stream := given(b, b.Raised(1, "Refund"), &events.EscalationCompleted{Number: 1}, b.Raised(2, "Refund"))
	b.Clock = b.Clock.AddDate(0, 0, 2)
	if err := (&deadline.Handler{Ledger: b.Ledger, Now: b.Now}).Handle(t.Context(), stream, 1); err != nil {
		t.Fatal(err)
	}
	b.Want(stream, "EscalationRaised", "EscalationCompleted", "EscalationRaised")
}

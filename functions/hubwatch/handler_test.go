package hubwatch_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"handoff/domain/escid"
	"handoff/domain/hubrecord"
	"handoff/events"
	"handoff/functions/hubwatch"
	"handoff/tests/functiontest"
)

// changed answers with records.
type changed func(since time.Time) ([]hubrecord.Record, time.Time, error)

func (c changed) Changed(_ context.Context, _, _ string, since time.Time) ([]hubrecord.Record, time.Time, error) {
	return c(since)
}

var q = events.HubQueue{ID: "q1", Name: "refunds"}

// given is an escalation in queue refunds, and a handler that sees records of it.
func given(t *testing.T) (*functiontest.Bench, events.StreamID) {
	t.Helper()
	b := functiontest.New(t)
	stream := b.Stream(events.KindConversation, "store-bot", "c")
	routed := &events.EscalationRouted{Number: 1, Connection: "store-bot", Queue: events.Queue{ID: "refunds"}}
	b.GiveTo(stream, events.KindConversation, "store-bot", b.Raised(1, "Refund"), routed)
	return b, stream
}

func handler(b *functiontest.Bench, records ...hubrecord.Record) *hubwatch.Handler {
	return &hubwatch.Handler{
		Ledger: b.Ledger, Refs: b.Keys, Log: slog.New(slog.DiscardHandler),
		Records: changed(func(since time.Time) ([]hubrecord.Record, time.Time, error) {
			return records, since.Add(time.Minute), nil
		}),
	}
}

func look(b *functiontest.Bench, records ...hubrecord.Record) {
	b.Helper()
	for range 2 { // records come again
		next, err := handler(b, records...).Look(b.Context(), functiontest.Tenant, "store-bot", b.Clock)
		if err != nil || !next.Equal(b.Clock.Add(time.Minute)) {
			b.Fatalf("next look from %s, %v; want a minute later", next, err)
		}
	}
}

func TestWhatTheHubDoesBecomesFacts(t *testing.T) {
	t.Parallel()
	b, stream := given(t)
	id := escid.Of(stream, 1)
	look(b, hubrecord.Record{Escalation: id, Status: hubrecord.Open, Queue: q})
	look(b, hubrecord.Record{Escalation: id, Status: hubrecord.Active, Queue: q, Agent: "u-77"})
	look(b, hubrecord.Record{Escalation: id, Status: hubrecord.Closed, Reason: hubrecord.ByAgent, Queue: q, Agent: "u-77"})
	b.Want(stream, "EscalationRaised", "EscalationRouted", "EscalationQueued", "RouteConfirmed", "EscalationAccepted", "HumanAgentJoined", "EscalationCompleted")
	for o, err := range b.Ledger.ReadOpen(t.Context(), stream) {
		if err != nil {
			t.Fatal(err)
		}
		if f, ok := o.Fact.(*events.HumanAgentJoined); ok && (f.Agent.ID != "u-77" || f.Ref == "" || f.Ref == "u-77") {
			t.Errorf("joined = %+v, want the agent sealed and a hash in the clear", f)
		}
	}
}

func TestAHubThatWentSeveralStepsIsMadeUpFor(t *testing.T) {
	t.Parallel()
	b, stream := given(t)
	other := events.HubQueue{ID: "q2", Name: "General"}
	look(b, hubrecord.Record{Escalation: escid.Of(stream, 1), Status: hubrecord.WrapUp, Queue: other, Agent: "u-77"})
	b.Want(stream, "EscalationRaised", "EscalationRouted", "EscalationQueued", "RouteOverruled", "EscalationAccepted", "HumanAgentJoined", "EscalationCompleted")
}

func TestAnOverflowFailsTheEscalation(t *testing.T) {
	t.Parallel()
	b, stream := given(t)
	look(b, hubrecord.Record{Escalation: escid.Of(stream, 1), Status: hubrecord.Closed, Reason: hubrecord.ByOverflow, Queue: q})
	if f, _ := b.Last(stream).(*events.EscalationFailed); f == nil || f.Code != "closed-by-overflow" {
		t.Errorf("last fact = %+v, want a failure by overflow", b.Last(stream))
	}
}

func TestWhatIsUnknownOrNotOursIsLeftAlone(t *testing.T) {
	t.Parallel()
	b, stream := given(t)
	elsewhere := b.GiveTo(b.Stream(events.KindConversation, "bank-bot", "c"), events.KindConversation, "bank-bot", b.Raised(1, "Loan")).Stream
	before := b.Count()
	look(b,
		hubrecord.Record{Status: hubrecord.Active, Agent: "u-77"},
		hubrecord.Record{Escalation: escid.Of(stream, 1), Status: "8", Agent: "u-77"},
		hubrecord.Record{Escalation: escid.Of(stream, 1), Status: hubrecord.Active, WithBot: true, Queue: q},
		hubrecord.Record{Escalation: escid.Of(stream, 2), Status: hubrecord.Active, Agent: "u-77"},
		hubrecord.Record{Escalation: escid.Of(elsewhere, 1), Status: hubrecord.Active, Agent: "u-77"},
		hubrecord.Record{Escalation: escid.Of(b.Stream(events.KindConversation, "none"), 1), Status: hubrecord.Active, Agent: "u-77"},
		hubrecord.Record{Escalation: "esc_nonsense", Status: hubrecord.Active, Agent: "u-77"},
	)
	if after := b.Count(); after != before {
		t.Errorf("%d facts were appended, want none", after-before)
	}
}

func TestAHubThatIsDownKeepsTheWatermark(t *testing.T) {
	t.Parallel()
	b, _ := given(t)
	h, down := handler(b), errors.New("429")
	h.Records = changed(func(time.Time) ([]hubrecord.Record, time.Time, error) { return nil, time.Time{}, down })
	if next, err := h.Look(t.Context(), functiontest.Tenant, "store-bot", b.Clock); !errors.Is(err, down) || !next.Equal(b.Clock) {
		t.Errorf("next look from %s, %v; want the same watermark and the error", next, err)
	}
}

func TestALogThatFailsKeepsTheWatermark(t *testing.T) {
	t.Parallel()
	b, stream := given(t)
	ctx, cancel := context.WithCancel(t.Context())
	h := handler(b, hubrecord.Record{Escalation: escid.Of(stream, 1), Status: hubrecord.Open, Queue: q})
	cancel()
	if next, err := h.Look(ctx, functiontest.Tenant, "store-bot", b.Clock); err == nil || !next.Equal(b.Clock) {
		t.Errorf("next look from %s, %v; want the same watermark and an error", next, err)
	}
	b.Want(stream, "EscalationRaised", "EscalationRouted")
	if !hubwatch.Wants(events.Hub{Type: "omnichannel"}) || hubwatch.Wants(events.Hub{Type: "generic"}) {
		t.Error("only a hub that keeps records is watched")
	}
}

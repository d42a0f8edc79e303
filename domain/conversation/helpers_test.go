package conversation_test

import (
	"strconv"
	"time"

	"handoff/domain/conversation"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/tests/scenario"
)

// All tests tell of one Monday morning.
func at(minute int) time.Time { return time.Date(2026, 3, 2, 9, minute, 0, 0, time.UTC) }

func private() *events.Context {
	return &events.Context{ConversationID: scenario.Private, LastPhrase: scenario.Private}
}

// raised is an escalation that expires at 9:50.
func raised(number int, request, fingerprint string) *events.EscalationRaised {
	return &events.EscalationRaised{
		Number: number, RaisedAt: at(0), ExpiresAt: at(50), Reason: "customer_asked",
		Request: events.Request{ID: request, Fingerprint: fingerprint, Format: "plain"},
		Counts:  events.Counts{Messages: 2}, Context: private(),
	}
}

func routed(number int, connection string) *events.EscalationRouted {
	return &events.EscalationRouted{
		Number: number, Connection: connection, ConnectionVersion: 7, DecidedAt: at(1),
		Queue: events.Queue{ID: "refunds"}, Priority: 60, Route: events.Route{RuleSet: "sha256:1", Rule: "refunds", Outcomes: "="},
		Misses: []byte(`["` + scenario.Private + `"]`),
	}
}

func moved(number int, connection string) *events.EscalationRouted {
	f := routed(number, connection)
	f.Moved = true
	return f
}

func added(number int, request, fingerprint string) *events.EscalationContextAdded {
	r := raised(number, request, fingerprint)
	return &events.EscalationContextAdded{Number: number, Request: r.Request, Counts: r.Counts, Context: r.Context}
}

func deadline(number int, minute int, code string) *events.EscalationDeadlineSet {
	return &events.EscalationDeadlineSet{Number: number, Deadline: at(minute), Code: code}
}

func pending(number int, request, fingerprint string) *events.EscalationRaised {
	f := raised(number, request, fingerprint)
	f.TranscriptPending = true
	return f
}

// raise is a hand-off as it comes in: its number is not decided yet.
func raise(request, fingerprint string) conversation.Raise {
	return conversation.Raise{Fact: *raised(0, request, fingerprint)}
}

func refused(c conversation.Raise) conversation.Raise {
	c.Refusal = fault.New(fault.Conflict, "connection-disconnected", "It is disconnected.")
	return c
}

func strict(c conversation.Raise) conversation.Raise {
	c.Strict = true
	return c
}

func toQueue(c conversation.Raise, connection string) conversation.Raise {
	c.Route = routed(0, connection)
	return c
}

// given is a history.
func given(facts ...events.Fact) []events.Fact { return facts }

// ended is n escalations that were raised by requests r1, r2, … and expired.
func ended(n int) (facts []events.Fact) {
	for i := 1; i <= n; i++ {
		facts = append(facts, raised(i, "r"+strconv.Itoa(i), "f"+strconv.Itoa(i)), &events.EscalationExpired{Number: i})
	}
	return facts
}

// additions are n repeats of escalation 1 by other requests with other bodies.
func additions(n int) (facts []events.Fact) {
	for i := 1; i <= n; i++ {
		facts = append(facts, added(1, "s"+strconv.Itoa(i), "g"+strconv.Itoa(i)))
	}
	return facts
}

package conversation_test

import (
	"testing"

	eh "github.com/looplab/eventhorizon"
	"pgregory.net/rapid"

	"handoff/domain/conversation"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/tests/scenario"
)

func TestLaws(t *testing.T) {
	t.Parallel()
	scenario.Laws(t, conversation.Decider, commands(), promises)
}

// promises is what a conversation is at any time.
func promises(t *rapid.T, s conversation.State, facts []events.Fact) {
	number, open := 0, 0
	for _, f := range facts {
		switch f := f.(type) {
		case *events.EscalationRaised:
			number, open = number+1, open+1
			if f.Number != number {
				t.Fatalf("escalation %d follows escalation %d", f.Number, number-1)
			}
		case *events.EscalationCompleted, *events.EscalationFailed, *events.EscalationExpired:
			open--
		}
		if open < 0 || open > 1 {
			t.Fatalf("%d escalations are open at once", open)
		}
	}
	if _, isOpen := s.Open(); isOpen != (open == 1) || s.Version != len(facts) || s.Last.Number != number {
		t.Fatalf("state: open %t, version %d, number %d; want %t, %d, %d", isOpen, s.Version, s.Last.Number, open == 1, len(facts), number)
	}
	if len(s.Requests) > conversation.MaxRequests || len(s.Earlier) > conversation.MaxEarlier || len(s.Last.Fingerprints) > conversation.MaxFingerprints {
		t.Fatalf("the state grew to %d requests, %d escalations, %d fingerprints", len(s.Requests), len(s.Earlier), len(s.Last.Fingerprints))
	}
	for i, e := range s.Earlier {
		if e.Status.Open() || e.Number != number-1-i || e.Fingerprints != nil {
			t.Fatalf("earlier escalation %d is number %d, %s, with %d fingerprints", i, e.Number, e.Status, len(e.Fingerprints))
		}
	}
	ids := map[string]bool{}
	for _, r := range s.Requests {
		if ids[r.ID] || r.ID == "" || r.Number < 1 || r.Number > number || s.Repeats(r.ID) != r.Number {
			t.Fatalf("request %+v is kept twice, has no id, or belongs to no escalation", r)
		}
		ids[r.ID] = true
	}
}

var (
	numbers     = rapid.OneOf(rapid.IntRange(1, 3), rapid.IntRange(-1, 14))
	requests    = rapid.OneOf(rapid.SampledFrom([]string{"", "r1", "r2"}), rapid.StringMatching(`r[0-9][0-9]?`))
	prints      = rapid.OneOf(rapid.SampledFrom([]string{"", "f1", "f2"}), rapid.StringMatching(`f[0-9][0-9]?`))
	codes       = rapid.SampledFrom([]string{"", "drained", "stuck"})
	connections = rapid.SampledFrom([]string{"", "store", "bank"})
	minutes     = rapid.IntRange(-5, 65)
	statuses    = rapid.SampledFrom([]conversation.Status{"", "raised", "routed", "accepted", "completed", "failed", "expired", "lost"})
)

// commands are all that there are, with values from pools so small that they
// meet again. Ends come often, or nothing else would.
func commands() *rapid.Generator[eh.Command] {
	raising := rapid.Custom(func(t *rapid.T) eh.Command { return anyRaise(t) })
	ending := rapid.Custom(func(t *rapid.T) eh.Command {
		return conversation.Report{Number: numbers.Draw(t, "number"), Status: statuses.Draw(t, "status"), Words: &events.Words{Message: scenario.Private}}
	})
	expiring := rapid.Custom(func(t *rapid.T) eh.Command {
		return conversation.Expire{Number: rapid.IntRange(0, 20).Draw(t, "number"), Now: at(60)}
	})
	rest := rapid.Custom(func(t *rapid.T) eh.Command { return anyOther(t) })
	return rapid.OneOf(raising, raising, ending, expiring, rest, rest)
}

func anyRaise(t *rapid.T) eh.Command {
	c := raise(requests.Draw(t, "request"), prints.Draw(t, "fingerprint"))
	c.Strict = rapid.Bool().Draw(t, "strict")
	c.Fact.TranscriptPending = rapid.Bool().Draw(t, "pending")
	c.Fact.ExpiresAt = at(minutes.Draw(t, "expires"))
	if rapid.Bool().Draw(t, "with route") {
		c.Route = routed(numbers.Draw(t, "number"), connections.Draw(t, "connection"))
	}
	if rapid.IntRange(0, 5).Draw(t, "refused") == 0 {
		c.Refusal = fault.New(fault.Conflict, "connection-disconnected", "")
	}
	return c
}

func anyOther(t *rapid.T) eh.Command {
	number := numbers.Draw(t, "number")
	switch rapid.IntRange(0, 6).Draw(t, "kind") {
	case 0:
		return conversation.Route{Fact: *routed(number, connections.Draw(t, "connection"))}
	case 1:
		return conversation.Move{Fact: *routed(number, connections.Draw(t, "connection"))}
	case 2:
		return conversation.SetDeadline{Fact: *deadline(number, minutes.Draw(t, "minute"), codes.Draw(t, "code"))}
	case 3:
		return conversation.Expire{Number: number, Now: at(minutes.Draw(t, "minute"))}
	case 4:
		return conversation.StoreTranscript{Fact: events.TranscriptStored{Number: number, Transcript: &events.Transcript{URL: scenario.Private}}}
	case 5:
		return conversation.MissTranscript{Fact: events.TranscriptMissing{Number: number, Code: "timeout"}}
	}
	return conversation.Erase{Reason: codes.Draw(t, "reason")}
}

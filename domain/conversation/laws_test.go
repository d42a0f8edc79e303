package conversation_test

import (
	"fmt"
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
	scenario.Laws(t, conversation.Decider, command, promises)
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
	if _, erased := last(facts).(*events.ContextErased); erased && (len(s.Last.Fingerprints) > 0 || s.Last.Pending || s.Sealed) {
		t.Fatalf("after an erasure the state knows fingerprints %q, waits for a transcript: %t", s.Last.Fingerprints, s.Last.Pending)
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

func last(facts []events.Fact) events.Fact {
	if len(facts) == 0 {
		return nil
	}
	return facts[len(facts)-1]
}

// Whatever comes, the state stays as small as it promises.
func TestStateStaysSmall(t *testing.T) {
	t.Parallel()
	history := append(ended(3*conversation.MaxRequests), raised(97, "r97", "f97"))
	for i := range 3 * conversation.MaxFingerprints {
		history = append(history, added(97, fmt.Sprint("s", i), fmt.Sprint("g", i)))
	}
	s := conversation.Decider.Fold(conversation.State{}, history...)
	if len(s.Requests) != conversation.MaxRequests || len(s.Earlier) != conversation.MaxEarlier || len(s.Last.Fingerprints) != conversation.MaxFingerprints {
		t.Errorf("the state has %d requests, %d escalations, %d fingerprints", len(s.Requests), len(s.Earlier), len(s.Last.Fingerprints))
	}
	if e, ok := s.Escalation(96); !ok || e.Status != conversation.Expired {
		t.Errorf("escalation 96 = %+v, %t; want the newest of the earlier ones", e, ok)
	}
}

var (
	requests    = rapid.OneOf(rapid.SampledFrom([]string{"", "r1", "r2"}), rapid.StringMatching(`r[0-9][0-9]`))
	prints      = rapid.OneOf(rapid.SampledFrom([]string{"", "f1", "f2"}), rapid.StringMatching(`f[0-9][0-9]`))
	codes       = rapid.SampledFrom([]string{"", "drained", "stuck"})
	connections = rapid.SampledFrom([]string{"", "store", "bank"})
	minutes     = rapid.IntRange(-5, 65)
	statuses    = rapid.SampledFrom([]conversation.Status{"completed", "failed", "accepted", "", "raised", "routed", "expired", "lost"})
)

// command draws from values so few that they meet again. Hand-offs and ends
// come often, or nothing else would.
func command(t *rapid.T, s conversation.State) eh.Command {
	number := s.Last.Number - rapid.SampledFrom([]int{0, 0, 0, 1, 2, 9, -1}).Draw(t, "back")
	switch rapid.IntRange(0, 16).Draw(t, "command") {
	case 0, 1, 2, 3:
		return anyRaise(t)
	case 4:
		return conversation.Report{Number: number, Status: statuses.Draw(t, "status"), Words: &events.Words{Message: scenario.Private}}
	case 5, 6:
		return conversation.Expire{Number: number, Now: at(minutes.Draw(t, "minute"))}
	case 7:
		return conversation.Route{Fact: *routed(number, connections.Draw(t, "connection"))}
	case 8:
		return conversation.Move{Fact: *routed(number, connections.Draw(t, "connection"))}
	case 9, 10:
		return conversation.SetDeadline{Fact: *deadline(number, minutes.Draw(t, "minute"), codes.Draw(t, "code"))}
	case 11:
		return conversation.StoreTranscript{Fact: events.TranscriptStored{Number: number, Transcript: &events.Transcript{URL: scenario.Private}}}
	case 12:
		return conversation.MissTranscript{Fact: events.TranscriptMissing{Number: number, Code: "timeout"}}
	case 13:
		return conversation.Read{Fact: events.ContextRead{Number: number, Ref: prints.Draw(t, "reading"), Until: at(minutes.Draw(t, "until"))}}
	case 14, 15:
		return anyObservation(t, number)
	}
	return conversation.Erase{Reason: codes.Draw(t, "reason")}
}

func anyObservation(t *rapid.T, number int) eh.Command {
	o := conversation.Observation{
		Queue: events.HubQueue{ID: rapid.SampledFrom([]string{"", refunds, general}).Draw(t, "hub queue")}, Accepted: rapid.Bool().Draw(t, "accepted"),
		End: rapid.SampledFrom([]conversation.Status{"", "", "", conversation.Completed, conversation.Failed}).Draw(t, "end"),
	}
	if rapid.Bool().Draw(t, "with agent") {
		o.Agent, o.AgentRef = scenario.Private, prints.Draw(t, "agent")
	}
	return conversation.Observe{Number: number, Seen: o}
}

func anyRaise(t *rapid.T) eh.Command {
	c := raise(requests.Draw(t, "request"), prints.Draw(t, "fingerprint"))
	c.Strict = rapid.Bool().Draw(t, "strict")
	c.Fact.TranscriptPending = rapid.Bool().Draw(t, "pending")
	c.Fact.ExpiresAt = at(minutes.Draw(t, "expires"))
	if rapid.Bool().Draw(t, "with route") {
		c.Route = routed(0, connections.Draw(t, "connection"))
	}
	if rapid.IntRange(0, 9).Draw(t, "refused") == 9 {
		c.Refusal = fault.New(fault.Conflict, "connection-disconnected", "")
	}
	return c
}

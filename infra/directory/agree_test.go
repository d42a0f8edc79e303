package directory_test

import (
	"testing"
	"time"

	eh "github.com/looplab/eventhorizon"
	"pgregory.net/rapid"

	"handoff/domain/conversation"
	"handoff/domain/escid"
	"handoff/domain/listing"
	"handoff/events"
)

// TestTheListSaysWhatTheDeciderKnows lets a conversation decide commands at
// random and compares its state with the row of each escalation.
func TestTheListSaysWhatTheDeciderKnows(t *testing.T) {
	t.Parallel()
	h, n := open(t), 0
	rapid.Check(t, func(r *rapid.T) {
		n++
		id := stream(n)
		var s conversation.State
		for range rapid.IntRange(1, 15).Draw(r, "commands") {
			facts, err := conversation.Decider.Decide(s, command(r, s.Last.Number))
			if err != nil {
				continue
			}
			h.talk(t, "bot-0", id, facts...)
			s = conversation.Decider.Fold(s, facts...)
		}
		for _, e := range append(s.Earlier, s.Last) {
			if e.Number > 0 {
				agree(t, e, h.one(t, escid.Of(id, e.Number)))
			}
		}
	})
}

// command draws a command about the last escalation or the next.
func command(r *rapid.T, last int) eh.Command {
	connection := rapid.SampledFrom([]string{"bot-0", "bot-1", "bot-2"}).Draw(r, "connection")
	queue := rapid.SampledFrom([]string{"billing", "general"}).Draw(r, "queue")
	switch rapid.IntRange(0, 8).Draw(r, "command") {
	case 0, 1:
		return conversation.Raise{Fact: *raised(0)}
	case 2:
		return conversation.Raise{Fact: *raised(0), Route: routed(0, "bot-0", queue)}
	case 3:
		return conversation.Route{Fact: *routed(last, connection, queue)}
	case 4:
		return conversation.Move{Fact: *routed(last, connection, queue)}
	case 5:
		return conversation.SetDeadline{Fact: events.EscalationDeadlineSet{Number: last, Deadline: at(50), Code: "drained"}}
	case 6:
		return conversation.Expire{Number: last, Now: at(rapid.IntRange(0, 300).Draw(r, "minute"))}
	case 7:
		return conversation.Erase{}
	default:
		status := rapid.SampledFrom([]conversation.Status{conversation.Accepted, conversation.Completed, conversation.Failed}).Draw(r, "status")
		return conversation.Report{Number: last, Status: status, Code: "reported"}
	}
}

func agree(t *testing.T, e conversation.Escalation, row listing.Escalation) {
	t.Helper()
	by := row.RoutedBy
	if by == "" && e.Connection != "" {
		by = row.Connection
	}
	type known struct {
		status, connection, rule, code string
		queue                          events.Queue
		priority                       int
		fallback                       bool
		raisedAt, deadline             time.Time
	}
	got := known{row.Status, by, row.Rule, row.Code, row.Queue, row.Priority, row.Fallback, row.RaisedAt, row.Deadline}
	want := known{string(e.Status), e.Connection, e.Rule, e.Code, e.Queue, e.Priority, e.Fallback, e.RaisedAt, e.Deadline}
	if got != want {
		t.Errorf("row of escalation %d = %+v\nstate %+v", e.Number, got, want)
	}
}

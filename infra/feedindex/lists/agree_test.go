package lists_test

import (
	"slices"
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
// random and compares its state with the row of each escalation, with what is
// listed as open, and where.
func TestTheListSaysWhatTheDeciderKnows(t *testing.T) {
	t.Parallel()
	n := 0
	rapid.Check(t, func(r *rapid.T) {
		h := open(t)
		n++
		id := stream(n)
		var s conversation.State
		for range rapid.IntRange(1, 15).Draw(r, "commands") {
			facts, err := conversation.Decider.Decide(s, command(r, s.Last.Number))
			if err != nil || len(facts) == 0 {
				continue
			}
			h.commit(t, "default", "bot-0", events.KindConversation, id, facts...)
			s = conversation.Decider.Fold(s, facts...)
		}
		for _, e := range append(s.Earlier, s.Last) {
			if e.Number > 0 {
				row, err := h.Escalation(t.Context(), "default", escid.Of(id, e.Number))
				if err != nil {
					r.Fatal(err)
				}
				agree(r, e, row)
				listed(r, h, e, row)
			}
		}
		openHere(r, h, s, id)
	})
}

// command draws a command about the last escalation or the next.
func command(r *rapid.T, last int) eh.Command {
	connection := rapid.SampledFrom([]string{"bot-0", "bot-1", "bot-2"}).Draw(r, "connection")
	queue := rapid.SampledFrom([]string{"billing", "general"}).Draw(r, "queue")
	switch rapid.IntRange(0, 9).Draw(r, "command") {
	case 0, 1:
		return conversation.Raise{Fact: *raised(0)}
	case 2:
		return conversation.Raise{Fact: *raised(0), Route: routed(0, "bot-0", queue)}
	case 3:
		return conversation.Route{Fact: *routed(last, connection, queue)}
	case 4, 5:
		return conversation.Move{Fact: *routed(last, connection, queue)}
	case 6:
		return conversation.SetDeadline{Fact: events.EscalationDeadlineSet{Number: last, Deadline: at(50), Code: "drained"}}
	case 7:
		return conversation.Expire{Number: last, Now: at(rapid.IntRange(0, 300).Draw(r, "minute"))}
	case 8:
		return conversation.Erase{}
	default:
		status := rapid.SampledFrom([]conversation.Status{conversation.Accepted, conversation.Completed, conversation.Failed}).Draw(r, "status")
		return conversation.Report{Number: last, Status: status, Code: "reported"}
	}
}

func agree(r *rapid.T, e conversation.Escalation, row listing.Escalation) {
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
		r.Errorf("row of escalation %d = %+v\nstate %+v", e.Number, got, want)
	}
}

// listed checks that an escalation is listed once where it belongs, and nowhere
// else.
func listed(r *rapid.T, h *house, e conversation.Escalation, row listing.Escalation) {
	for _, connection := range []string{"", "bot-0", "bot-1", "bot-2"} {
		for _, status := range []string{"", "open", row.Status} {
			rows, next, err := h.Escalations(r.Context(), listing.EscalationQuery{Tenant: "default", Connection: connection, Status: status})
			if err != nil || next != "" {
				r.Fatalf("list of %q: next = %q, %v", connection, next, err)
			}
			want := 0
			if (connection == "" || connection == "bot-0" || connection == row.RoutedBy) && (status != "open" || e.Status.Open()) {
				want = 1
			}
			got := 0
			for _, l := range rows {
				if l.ID == row.ID {
					got++
				}
			}
			if got != want {
				r.Errorf("escalation %d (%s, by %q) is %d times in the list of %q with status %q, want %d", e.Number, row.Status, row.RoutedBy, got, connection, status, want)
			}
		}
	}
}

// openHere checks that an open escalation is open on one connection only.
func openHere(r *rapid.T, h *house, s conversation.State, id events.StreamID) {
	e, isOpen := s.Open()
	home := e.Connection
	if home == "" {
		home = "bot-0"
	}
	for _, connection := range []string{"bot-0", "bot-1", "bot-2"} {
		var got []events.StreamID
		for found, err := range h.Open(r.Context(), "default", connection, 0) {
			if err != nil {
				r.Fatal(err)
			}
			got = append(got, found)
		}
		var want []events.StreamID
		if isOpen && connection == home {
			want = []events.StreamID{id}
		}
		if !slices.Equal(got, want) {
			r.Errorf("open on %s = %v, want %v (escalation %d is %s, on %s)", connection, got, want, e.Number, e.Status, home)
		}
	}
}

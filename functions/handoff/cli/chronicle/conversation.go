package chronicle

import (
	"fmt"
	"slices"
	"strings"

	"handoff/events"
)

func numberOf(f events.Fact) int {
	switch f := f.(type) {
	case *events.EscalationRaised:
		return f.Number
	case *events.EscalationContextAdded:
		return f.Number
	case *events.EscalationRouted:
		return f.Number
	case *events.EscalationDeadlineSet:
		return f.Number
	case *events.EscalationAccepted:
		return f.Number
	case *events.EscalationCompleted:
		return f.Number
	case *events.EscalationFailed:
		return f.Number
	case *events.EscalationExpired:
		return f.Number
	case *events.TranscriptStored:
		return f.Number
	case *events.TranscriptMissing:
		return f.Number
	case *events.ContextRead:
		return f.Number
	case *events.EscalationQueued:
		return f.Number
	case *events.RouteConfirmed:
		return f.Number
	case *events.RouteOverruled:
		return f.Number
	case *events.HumanAgentJoined:
		return f.Number
	case *events.HubCommanded:
		return f.Number
	case *events.BotTold:
		return f.Number
	}
	return 0
}

func (t *Teller) conversation(f events.Fact) string {
	switch f := f.(type) {
	case *events.EscalationRaised:
		return "raised" + colon(f.Topic, f.Channel, f.Language, f.Reason) + "; " + counts(f.Counts) +
			when(f.TranscriptPending, "; the transcript is read from a URL")
	case *events.EscalationContextAdded:
		return "asked for again, with something new: " + counts(f.Counts)
	case *events.EscalationRouted:
		return routed(f)
	case *events.EscalationDeadlineSet:
		return fmt.Sprintf("fails at %s unless it ends before (%s)", t.time(f.Deadline), f.Code)
	case *events.EscalationAccepted:
		return "accepted by a human agent" + colon(f.Code)
	case *events.EscalationCompleted:
		return "completed" + colon(f.Code)
	case *events.EscalationFailed:
		return "failed" + colon(f.Code)
	case *events.EscalationExpired:
		return "expired: nobody ended it in time"
	case *events.TranscriptStored:
		return "has its transcript: " + number(f.Messages, "message")
	case *events.TranscriptMissing:
		return "goes without its transcript: " + f.Code
	case *events.ContextRead:
		return "had its context read by the link that ends at " + t.time(f.Until)
	case *events.ContextErased:
		return "erased: everything private up to here is unreadable for ever" + because(f.Reason)
	}
	return t.relayed(f)
}

func routed(f *events.EscalationRouted) string {
	why := fmt.Sprintf("because of rule %q", f.Route.Rule)
	if f.Route.Fallback {
		why = "the fallback queue, because no rule matched"
	}
	queue := f.Queue.ID
	if f.Queue.Name != "" && f.Queue.Name != f.Queue.ID {
		queue = fmt.Sprintf("%s (%s)", f.Queue.ID, f.Queue.Name)
	}
	verb := "routed to "
	if f.Moved {
		verb = "routed again, by the rules of " + f.Connection + ", to "
	}
	return fmt.Sprintf("%s%s, %s; priority %d%s", verb, queue, why, f.Priority, list(", skills ", f.Skills))
}

func counts(c events.Counts) string {
	return number(c.Messages, "message") + ", " + number(c.Variables, "variable")
}

func number(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}

// colon joins what is there, behind a colon.
func colon(parts ...string) string {
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	return when(len(parts) > 0, ": "+strings.Join(parts, ", "))
}

package conversation

import (
	"fmt"
	"slices"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/fault"
	"handoff/events"
)

func decide(s State, cmd eh.Command) ([]events.Fact, error) {
	switch c := cmd.(type) {
	case Raise:
		return raise(s, c)
	case Route:
		return route(s, c)
	case Move:
		return move(s, c)
	case SetDeadline:
		return setDeadline(s, c)
	case Report:
		return report(s, c)
	case Expire:
		return expire(s, c)
	case StoreTranscript:
		return transcript(s, c.Fact.Number, &c.Fact)
	case MissTranscript:
		return transcript(s, c.Fact.Number, &c.Fact)
	case Erase:
		return erase(s, c)
	default:
		return nil, fmt.Errorf("conversation: unknown command %s", cmd.CommandType())
	}
}

func raise(s State, c Raise) ([]events.Fact, error) {
	r := c.Fact.Request
	seen, known := s.seen(r.ID)
	if known && c.Strict && seen.Fingerprint != "" && seen.Fingerprint != r.Fingerprint {
		return nil, fault.New(fault.Unprocessable, "idempotency-key-reused",
			"This Idempotency-Key came before with another body. Use a new key for a new request.")
	}
	if n := s.Repeats(r.ID); n > 0 {
		return repeat(s, c, n), nil
	}
	if c.Refusal != nil {
		return nil, c.Refusal
	}
	raised := c.Fact
	raised.Number = s.Last.Number + 1
	facts := []events.Fact{&raised}
	if c.Route != nil {
		routed := *c.Route
		routed.Number = raised.Number
		facts = append(facts, &routed)
	}
	return facts, nil
}

// repeat adds what a repeated hand-off says that is new to the open escalation.
func repeat(s State, c Raise, number int) []events.Fact {
	e, open := s.Open()
	if !open || e.Number != number || slices.Contains(e.Fingerprints, c.Fact.Request.Fingerprint) {
		return nil
	}
	return []events.Fact{&events.EscalationContextAdded{
		Number: number, Request: c.Fact.Request, Counts: c.Fact.Counts, CustomerRefs: c.Fact.CustomerRefs, Context: c.Fact.Context,
	}}
}

func route(s State, c Route) ([]events.Fact, error) {
	e, open := s.Open()
	if !open || e.Number != c.Fact.Number || e.Status != Raised {
		return nil, nil
	}
	return []events.Fact{&c.Fact}, nil
}

func move(s State, c Move) ([]events.Fact, error) {
	e, open := s.Open()
	if !open || e.Number != c.Fact.Number || e.Connection == c.Fact.Connection {
		return nil, nil
	}
	f := c.Fact
	f.Moved = true
	return []events.Fact{&f}, nil
}

// setDeadline only ever brings a deadline forward.
func setDeadline(s State, c SetDeadline) ([]events.Fact, error) {
	e, open := s.Open()
	if !open || e.Number != c.Fact.Number || e.DeadlineCode == c.Fact.Code {
		return nil, nil
	}
	f := c.Fact
	if e.Deadline.Before(f.Deadline) {
		f.Deadline = e.Deadline
	}
	return []events.Fact{&f}, nil
}

func report(s State, c Report) ([]events.Fact, error) {
	e, ok := s.Escalation(c.Number)
	if !ok {
		return nil, fault.New(fault.NotFound, "escalation-not-found", "There is no such escalation.")
	}
	if e.Status == c.Status {
		return nil, nil
	}
	if !e.Status.Open() {
		return nil, fault.Newf(fault.Conflict, "escalation-ended", "The escalation is %s already and can't become %s.", e.Status, c.Status)
	}
	switch c.Status {
	case Accepted:
		return []events.Fact{&events.EscalationAccepted{Number: c.Number, Code: c.Code, Words: c.Words}}, nil
	case Completed:
		return []events.Fact{&events.EscalationCompleted{Number: c.Number, Code: c.Code, Words: c.Words}}, nil
	case Failed:
		return []events.Fact{&events.EscalationFailed{Number: c.Number, Code: c.Code, Words: c.Words}}, nil
	}
	return nil, fault.Newf(fault.Unprocessable, "state-unknown", "A hub reports accepted, failed or completed, not %q.", c.Status).At("/state")
}

func expire(s State, c Expire) ([]events.Fact, error) {
	e, open := s.Open()
	if !open || e.Number != c.Number || c.Now.Before(e.Deadline) {
		return nil, nil
	}
	if e.DeadlineCode != "" {
		return []events.Fact{&events.EscalationFailed{Number: e.Number, Code: e.DeadlineCode}}, nil
	}
	return []events.Fact{&events.EscalationExpired{Number: e.Number}}, nil
}

// transcript records what became of a transcript by URL, once.
func transcript(s State, number int, f events.Fact) ([]events.Fact, error) {
	if s.Last.Number != number || !s.Last.Pending {
		return nil, nil
	}
	return []events.Fact{f}, nil
}

func erase(s State, c Erase) ([]events.Fact, error) {
	if s.Last.Number == 0 {
		return nil, fault.New(fault.NotFound, "escalation-not-found", "There is no such escalation.")
	}
	if !s.Sealed {
		return nil, nil
	}
	return []events.Fact{&events.ContextErased{Generation: s.Erasures, Reason: c.Reason}}, nil
}

package conversation

import (
	"slices"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/fault"
	"handoff/domain/relay"
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
		return settleTranscript(s, c.Fact.Number, &c.Fact)
	case MissTranscript:
		return settleTranscript(s, c.Fact.Number, &c.Fact)
	case Erase:
		return erase(s, c)
	case Read:
		return read(s, c)
	case Observe:
		return observe(s, c)
	default:
		return relay.Decide(s.Relay, s.openNumber(), cmd)
	}
}

func raise(s State, c Raise) ([]events.Fact, error) {
	r := c.Fact.Request
	seen, known := s.seen(r.ID)
	if known && (seen.Fingerprint == r.Fingerprint || seen.Fingerprint == "") {
		return nil, nil // the same, or erased: a late repeat must not bring it back
	}
	if known && c.Strict {
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
	check := s.Relay.Checked()
	if check != nil {
		raised.Reason, raised.ExpiresAt = events.ReasonCheck, check.Until
	}
	facts := []events.Fact{&raised}
	if c.Route != nil {
		routed := *c.Route
		routed.Number = raised.Number
		if check != nil {
			routed.Queue = check.Queue
		}
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
	return []events.Fact{e.destined(c.Fact)}, nil
}

// destined returns a route, which for what a check raised leads to its queue.
// The rule that decided is told all the same: that is part of what is checked.
func (e Escalation) destined(f events.EscalationRouted) *events.EscalationRouted {
	if e.Check != nil {
		f.Queue = *e.Check
	}
	return &f
}

func move(s State, c Move) ([]events.Fact, error) {
	e, open := s.Open()
	if !open || e.Number != c.Fact.Number || e.Connection == c.Fact.Connection {
		return nil, nil
	}
	f := e.destined(c.Fact)
	f.Moved = true
	return []events.Fact{f}, nil
}

// setDeadline only ever brings a deadline forward. One that is later still gives
// the code with which an escalation fails that would have expired.
func setDeadline(s State, c SetDeadline) ([]events.Fact, error) {
	e, open := s.Open()
	f, sooner := c.Fact, c.Fact.Deadline.Before(e.Deadline)
	if !open || e.Number != f.Number || !sooner && (e.DeadlineCode != "" || f.Code == "") {
		return nil, nil
	}
	if !sooner {
		f.Deadline = e.Deadline
	}
	return []events.Fact{&f}, nil
}

func report(s State, c Report) ([]events.Fact, error) {
	f, err := reported(c)
	if err != nil {
		return nil, err
	}
	e, ok := s.Escalation(c.Number)
	switch {
	case c.Number < 1 || c.Number > s.Last.Number:
		return nil, fault.New(fault.NotFound, "escalation-not-found", "There is no such escalation.")
	case !ok:
		return nil, fault.Newf(fault.Conflict, "escalation-ended", "The escalation ended long ago and can't become %s.", c.Status)
	case e.Status == c.Status:
		return nil, nil
	case !e.Status.Open():
		return nil, fault.Newf(fault.Conflict, "escalation-ended", "The escalation is %s already and can't become %s.", e.Status, c.Status)
	}
	return []events.Fact{f}, nil
}

func reported(c Report) (events.Fact, error) {
	switch c.Status {
	case Accepted:
		return &events.EscalationAccepted{Number: c.Number, Code: c.Code, Words: c.Words}, nil
	case Completed:
		return &events.EscalationCompleted{Number: c.Number, Code: c.Code, Words: c.Words}, nil
	case Failed:
		return &events.EscalationFailed{Number: c.Number, Code: c.Code, Words: c.Words}, nil
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

// settleTranscript records what became of a transcript by URL, once. The next
// escalation may have been raised meanwhile.
func settleTranscript(s State, number int, f events.Fact) ([]events.Fact, error) {
	if e, ok := s.Escalation(number); !ok || !e.Pending {
		return nil, nil
	}
	return []events.Fact{f}, nil
}

func erase(s State, c Erase) ([]events.Fact, error) {
	if s.Last.Number == 0 && s.Relay == nil {
		return nil, fault.New(fault.NotFound, "escalation-not-found", "There is no such escalation.")
	}
	if !s.Sealed {
		return nil, nil
	}
	return []events.Fact{&events.ContextErased{Generation: s.Erasures, Reason: c.Reason}}, nil
}

// read records a reading once.
func read(s State, c Read) ([]events.Fact, error) {
	switch {
	case c.Fact.Number < 1 || c.Fact.Number > s.Last.Number:
		return nil, fault.New(fault.NotFound, "escalation-not-found", "There is no such escalation.")
	case s.Read == c.Fact.Ref:
		return nil, nil
	case s.Reads >= MaxReads:
		return nil, fault.New(fault.RateLimited, "context-read-too-often",
			"The context was read by its links more often than people do. Whoever has a key of the agent hub reads it with that.")
	}
	return []events.Fact{&c.Fact}, nil
}

package conversation

import (
	"slices"
	"strings"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/fault"
	"handoff/events"
)

// Observe takes what the hub's own record says of an escalation. The hub may
// have gone several steps since the last look; those that were missed are made
// up for, as far as the record tells.
type Observe struct {
	To
	Number int
	Seen   Observation
}

// Observation is what a record of the hub says. Its zero value says nothing.
type Observation struct {
	// Queue is where the hub has it; empty where it is not known, or where it
	// is still the bot's.
	Queue events.HubQueue
	// Agent and AgentRef are the human agent who has it, if any.
	Agent    string
	AgentRef string
	// Accepted says that a human agent took it, whoever has it now.
	Accepted bool
	// End is Completed or Failed where the hub ended it, and Code why.
	End  Status
	Code string
}

// CommandType implements eventhorizon's Command.
func (Observe) CommandType() eh.CommandType { return "Observe" }

// observe adds the facts that are missing, in the order in which they must have
// happened. What the state knows already, and whatever is said of an escalation
// that ended, is nothing new.
func observe(s State, c Observe) ([]events.Fact, error) {
	if c.Number < 1 || c.Number > s.Last.Number {
		return nil, fault.New(fault.NotFound, "escalation-not-found", "There is no such escalation.")
	}
	e, open := s.Open()
	if !open || e.Number != c.Number {
		return nil, nil
	}
	facts := e.queued(c.Seen.Queue)
	accepted := c.Seen.Accepted || c.Seen.End == Completed
	if accepted && e.Status != Accepted {
		facts = append(facts, &events.EscalationAccepted{Number: e.Number, Code: CodeObserved})
	}
	if c.Seen.AgentRef != "" && c.Seen.AgentRef != e.Agent {
		facts = append(facts, &events.HumanAgentJoined{Number: e.Number, Ref: c.Seen.AgentRef, Agent: &events.HumanAgent{ID: c.Seen.Agent}})
	}
	switch c.Seen.End {
	case Completed:
		facts = append(facts, &events.EscalationCompleted{Number: e.Number, Code: c.Seen.Code})
	case Failed:
		facts = append(facts, &events.EscalationFailed{Number: e.Number, Code: c.Seen.Code})
	}
	return facts, nil
}

// CodeObserved is the code of what was read in the hub's records.
const CodeObserved = "hub-record"

// queued says where the hub has the escalation, if that is new, and the first
// time whether it is where it was to be. Later moves are the human agents'.
func (e Escalation) queued(q events.HubQueue) (facts []events.Fact) {
	if q.ID == "" || normalID(q.ID) == normalID(e.HubQueue) {
		return nil
	}
	facts = append(facts, &events.EscalationQueued{Number: e.Number, Queue: q})
	switch {
	case e.Judged || e.Queue.ID == "":
	case meant(e.Queue, q):
		facts = append(facts, &events.RouteConfirmed{Number: e.Number, Queue: q})
	default:
		facts = append(facts, &events.RouteOverruled{Number: e.Number, Queue: q, Decided: e.Queue})
	}
	return facts
}

// meant reports whether a queue of the hub is the one that was decided on. A
// rules file may name it by the hub's id or by its name there.
func meant(decided events.Queue, q events.HubQueue) bool {
	names := []string{decided.HubQueue}
	if decided.HubQueue == "" {
		names = []string{decided.ID, decided.Name}
	}
	return slices.ContainsFunc(names, func(name string) bool {
		name = normalID(name)
		return name != "" && (name == normalID(q.ID) || name == normalID(q.Name))
	})
}

// observed folds what the hub's records say.
func (e Escalation) observed(f events.Fact) Escalation {
	switch f := f.(type) {
	case *events.EscalationQueued:
		e.HubQueue = f.Queue.ID
	case *events.RouteConfirmed, *events.RouteOverruled:
		e.Judged = true
	case *events.HumanAgentJoined:
		e.Agent = f.Ref
	}
	return e
}

// normalID returns a hub's id or name as it is compared: ids are written with
// or without braces, and in any case.
func normalID(id string) string { return strings.ToLower(strings.Trim(strings.TrimSpace(id), "{}")) }

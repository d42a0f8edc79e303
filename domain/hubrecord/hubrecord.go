// Package hubrecord says what a conversation record of an agent hub means for
// the escalation that it is about.
//
// A record is a state, not a history: between two looks at it the hub may have
// gone several steps. What it does not say, or says in words that are not known,
// stays unknown and means nothing.
package hubrecord

import (
	"handoff/domain/conversation"
	"handoff/events"
)

// Record is what a hub's record says of a conversation. Its zero value says
// nothing.
type Record struct {
	ID string // the hub's, for the log
	// Escalation is the id that Handoff gave the escalation, as it stands in
	// the record; empty: the conversation is none of ours, or was not handed
	// over.
	Escalation string
	Status     Status
	// Reason is the hub's for the status, in kebab-case.
	Reason string
	// Queue is where the conversation stands, or stood last.
	Queue events.HubQueue
	// Agent is the human agent who has it or had it last; empty: none.
	Agent string
	// WithBot says that the bot has it, still or again. Then Queue is the bot's.
	WithBot bool
}

// Status is where a conversation stands in the hub.
type Status string

// The statuses. Another one is unknown.
const (
	Open      Status = "open" // waits for somebody
	Active    Status = "active"
	Waiting   Status = "waiting" // for the customer
	WrapUp    Status = "wrap-up" // the human agent finishes; the customer has gone
	Resolved  Status = "resolved"
	Closed    Status = "closed"
	Scheduled Status = "scheduled"
)

// The reasons that tell how a closed conversation ended. With every other one it
// counts whether a human agent had it.
const (
	ByOverflow        = "closed-by-overflow"
	ByFailure         = "closed-by-failure"
	CustomerLeftQueue = "customer-left-queue"
	CustomerLeft      = "customer-left"
	ByAgent           = "ended-by-agent"
	WrappedUp         = "moved-to-wrap-up"
	WrappedUpByOther  = "customer-moved-to-wrap-up"
)

// Observation returns what a record says of its escalation.
func (r Record) Observation() conversation.Observation {
	o := conversation.Observation{}
	if !r.known() {
		return o
	}
	if !r.WithBot {
		o.Queue, o.Agent, o.Accepted = r.Queue, r.Agent, r.Agent != ""
	}
	if o.End = r.end(o.Accepted); o.End != "" {
		o.Code = r.Reason
	}
	if o.End == conversation.Failed && o.Code == "" {
		o.Code = "hub-closed"
	}
	return o
}

func (r Record) known() bool {
	switch r.Status {
	case Open, Active, Waiting, WrapUp, Resolved, Closed, Scheduled:
		return true
	}
	return false
}

// end returns how it ended, or "" where it has not, as far as the hub tells.
func (r Record) end(accepted bool) conversation.Status {
	switch r.Status {
	case WrapUp, Resolved:
		return conversation.Completed
	case Closed:
	default:
		return ""
	}
	switch r.Reason {
	case ByOverflow, ByFailure, CustomerLeftQueue:
		return conversation.Failed
	case CustomerLeft, ByAgent, WrappedUp, WrappedUpByOther:
		return conversation.Completed
	}
	if accepted {
		return conversation.Completed
	}
	return conversation.Failed
}

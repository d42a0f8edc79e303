package conversation

import (
	"time"

	eh "github.com/looplab/eventhorizon"
	"github.com/looplab/eventhorizon/uuid"

	"handoff/events"
)

// To addresses a command to a conversation's stream.
type To uuid.UUID

// AggregateID implements eventhorizon's Command.
func (t To) AggregateID() uuid.UUID { return uuid.UUID(t) }

// AggregateType implements eventhorizon's Command.
func (To) AggregateType() eh.AggregateType { return eh.AggregateType(events.KindConversation) }

// Raise hands a conversation over to human agents.
type Raise struct {
	To
	// Fact is what is recorded for a new escalation; its number is decided.
	Fact events.EscalationRaised
	// Route is the decision where a new escalation goes, or nil where it is
	// left to functions/escalationraised.
	Route *events.EscalationRouted
	// Refusal is why no new escalation may be made, or nil. Repeats of an
	// escalation are answered all the same.
	Refusal error
	// Strict refuses a request id that comes with another body, as the
	// Idempotency-Key draft demands; otherwise it counts as a repeat.
	Strict bool
}

// Route sends an escalation to a queue, if it is not routed yet.
type Route struct {
	To
	Fact events.EscalationRouted
}

// Move routes an open escalation again, by the rules of another connection.
type Move struct {
	To
	Fact events.EscalationRouted
}

// SetDeadline changes when an open escalation ends by itself.
type SetDeadline struct {
	To
	Fact events.EscalationDeadlineSet
}

// Report is what the hub says of an escalation.
type Report struct {
	To
	Number int
	Status Status // Accepted, Failed or Completed
	Code   string
	Words  *events.Words
}

// Expire ends an escalation whose deadline has come.
type Expire struct {
	To
	Number int
	Now    time.Time
}

// StoreTranscript adds a transcript that was read from the bot's URL.
type StoreTranscript struct {
	To
	Fact events.TranscriptStored
}

// MissTranscript gives up on a transcript.
type MissTranscript struct {
	To
	Fact events.TranscriptMissing
}

// Erase records that everything private so far is to be unreadable. The caller
// destroys the key of the generation that the fact names.
type Erase struct {
	To
	Reason string
}

// Read records that the context of an escalation is shown to whoever has a link
// to it. Its faults are escalation-not-found and context-read-too-often.
type Read struct {
	To
	Fact events.ContextRead
}

// CommandType implements eventhorizon's Command.
func (Read) CommandType() eh.CommandType { return "Read" }

// CommandType implements eventhorizon's Command.
func (Raise) CommandType() eh.CommandType { return "Raise" }

// CommandType implements eventhorizon's Command.
func (Route) CommandType() eh.CommandType { return "Route" }

// CommandType implements eventhorizon's Command.
func (Move) CommandType() eh.CommandType { return "Move" }

// CommandType implements eventhorizon's Command.
func (SetDeadline) CommandType() eh.CommandType { return "SetDeadline" }

// CommandType implements eventhorizon's Command.
func (Report) CommandType() eh.CommandType { return "Report" }

// CommandType implements eventhorizon's Command.
func (Expire) CommandType() eh.CommandType { return "Expire" }

// CommandType implements eventhorizon's Command.
func (StoreTranscript) CommandType() eh.CommandType { return "StoreTranscript" }

// CommandType implements eventhorizon's Command.
func (MissTranscript) CommandType() eh.CommandType { return "MissTranscript" }

// CommandType implements eventhorizon's Command.
func (Erase) CommandType() eh.CommandType { return "Erase" }

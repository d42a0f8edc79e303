package relay

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

// Take takes what the hub says of a customer: that the bot is to begin, and
// perhaps a message. It begins a session where none is under way.
type Take struct {
	To
	Ref     string // of the activity; empty: it can't be recognised again
	At      time.Time
	LookAt  time.Time
	Channel string
	Opening events.RelayOpening
	// CustomerRefs find the conversation by its customer.
	CustomerRefs []string
	Message      *events.Message // nil: none
	// Check is the check whose mark the hub had at the beginning, or nil. Its
	// session is set here. Where it begins no session, nothing is taken.
	Check *events.CheckRecognised
}

// Begin records a conversation with the bot, or its new token.
type Begin struct {
	To
	Fact events.BotConversationOpened
}

// Lose records that the conversation with the bot can't be gone on with.
type Lose struct {
	To
	Session int
	Opened  int // version of the fact with the session that was lost
	Code    string
}

// Hear takes what the bot's conversation has that is new.
type Hear struct {
	To
	Session int
	Opened  int // version of the fact with the session in which it was heard
	After   int // version of the fact with the watermark after which it was; 0: from the beginning
	// Heard are the bot's messages, and echoes of our own, in their order.
	Heard     []Utterance
	Watermark string // empty: as before
	Ended     bool   // the bot ended the conversation
	At        time.Time
	LookAt    time.Time
}

// Utterance is one message in the bot's conversation.
type Utterance struct {
	Ref string
	// Echo is the number of the customer's message that this is; 0: it is the
	// bot's own.
	Echo    int
	Message events.Message
}

// Notify takes a message of our own to the customer, once for each ref.
type Notify struct {
	To
	Ref     string
	At      time.Time
	LookAt  time.Time
	Message events.Message
}

// Pass records that a side has a message.
type Pass struct {
	To
	Fact events.MessageRelayed
}

// Drop records that a message can't be passed on.
type Drop struct {
	To
	Fact events.MessagesRefused
}

// Rest records when the relay is looked at again.
type Rest struct {
	To
	Fact events.RelayRested
}

// Leave takes the voice from the bot where no escalation can be raised.
type Leave struct {
	To
	Fact events.BotLeft
}

// Command records what the hub was told. A relay whose bot left without an
// escalation, or whose bot ended the conversation, is over then.
type Command struct {
	To
	Fact events.HubCommanded
}

// Told records what the bot was told.
type Told struct {
	To
	Fact events.BotTold
}

// Finish ends the session.
type Finish struct {
	To
	Fact events.RelayEnded
}

// CommandType implements eventhorizon's Command.
func (Take) CommandType() eh.CommandType { return "Take" }

// CommandType implements eventhorizon's Command.
func (Begin) CommandType() eh.CommandType { return "Begin" }

// CommandType implements eventhorizon's Command.
func (Lose) CommandType() eh.CommandType { return "Lose" }

// CommandType implements eventhorizon's Command.
func (Hear) CommandType() eh.CommandType { return "Hear" }

// CommandType implements eventhorizon's Command.
func (Notify) CommandType() eh.CommandType { return "Notify" }

// CommandType implements eventhorizon's Command.
func (Pass) CommandType() eh.CommandType { return "Pass" }

// CommandType implements eventhorizon's Command.
func (Drop) CommandType() eh.CommandType { return "Drop" }

// CommandType implements eventhorizon's Command.
func (Rest) CommandType() eh.CommandType { return "Rest" }

// CommandType implements eventhorizon's Command.
func (Leave) CommandType() eh.CommandType { return "Leave" }

// CommandType implements eventhorizon's Command.
func (Command) CommandType() eh.CommandType { return "Command" }

// CommandType implements eventhorizon's Command.
func (Told) CommandType() eh.CommandType { return "Told" }

// CommandType implements eventhorizon's Command.
func (Finish) CommandType() eh.CommandType { return "Finish" }

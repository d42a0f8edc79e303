package relay

import (
	"encoding/json"
	"time"

	"handoff/domain/intake"
	"handoff/events"
)

// Link names the connection whose bot and hub are meant, and the conversation
// that is relayed between them, where it is known.
type Link struct {
	Tenant, Connection string
	Conversation       events.StreamID
}

// Kind is what an activity of the hub is about.
type Kind string

// The kinds. Everything else that hubs send is of no concern to a relay.
const (
	Starts Kind = "starts" // a customer is given to the bot
	Speaks Kind = "speaks" // the customer said something
	Leaves Kind = "leaves" // the conversation is over, or the bot is out of it
)

// Inbound is what the hub says of a conversation, from a sender that was
// authenticated.
type Inbound struct {
	Kind Kind
	// ID is the activity's, by which its repeat is known.
	ID      string
	Channel string
	Address events.HubAddress
	// Customer is who the hub says the person is, or nil.
	Customer  *events.Customer
	Variables map[string]json.RawMessage
	Message   *events.Message // of Speaks
	// Check is set by who opens the mark among the variables, where it is a good
	// one; nil: the customer is one.
	Check *events.CheckRecognised
}

// Opening is what a conversation with a bot begins with.
type Opening struct {
	UserID    string // who the customer is to the bot: a pseudonym
	Variables map[string]json.RawMessage
	// Greet asks the bot to begin; without it the customer does.
	Greet bool
}

// BotConversation is a conversation with a bot, and when its token ends; zero:
// never.
type BotConversation struct {
	events.BotSession
	Expires time.Time
}

// ToBot is what a bot is told; one of its fields but Mark is set.
type ToBot struct {
	// Mark comes back with the message when the conversation is listened to,
	// so that it is known whether a message arrived whose answer did not.
	Mark    string
	Message *events.Message
	State   string // of its escalation: accepted, completed or failed
	Ended   bool   // the conversation is over
}

// Heard is what a bot's conversation has after a watermark.
type Heard struct {
	Spoken []Spoken // in their order
	// Watermark is after these; empty: as before.
	Watermark string
	// Followed says that somebody calls when the bot says more, so that nobody
	// need wait for it.
	Followed bool
}

// Spoken is one thing that was said in a bot's conversation.
type Spoken struct {
	ID   string
	Mark string // of our own; empty: the bot said it

	Message *events.Message
	// HandOff is the bot giving up, and Unreadable why its hand-off can't be
	// read.
	HandOff    *intake.HandOff
	Unreadable error
	Ended      bool // the bot ended the conversation
}

// Escalation is what a hub is told to find a human agent with. Its zero value
// leaves everything to the hub.
type Escalation struct {
	ID, Queue, ContextURL string
	Summary               string // for human agents, never for the customer
	Topic, Language       string
	Bot                   events.Bot
	Context               events.Context
}

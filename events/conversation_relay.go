package events

import (
	"encoding/json"
	"time"
)

// The sides between which a relay passes messages.
const (
	SideBot      = "bot"
	SideCustomer = "customer" // reached through the hub
	SideHandoff  = "handoff"
	SideHub      = "hub"
)

// RelayStarted says that the hub gave a customer to the bot, through Handoff:
// from here on Handoff passes messages on between the two. A conversation of
// the hub may be taken up again later; sessions are numbered 1, 2, ….
type RelayStarted struct {
	Session int       `json:"session"`
	At      time.Time `json:"at"`
	// Number is the escalation that is open already, of which the hub was not
	// told yet; 0 where the bot has the voice.
	Number       int      `json:"number,omitempty"`
	Channel      string   `json:"channel,omitempty"` // as the hub calls it: lcw, msteams
	Ref          string   `json:"ref,omitempty"`     // keyed hash of the id of the activity that began it, where it was no message
	Variables    int      `json:"variables"`         // how many the hub told
	CustomerRefs []string `json:"customer_refs,omitempty"`
	// LookAt is when the relay is to be looked at, even if nothing happens.
	// Every fact of a relay that has it replaces the one before.
	LookAt time.Time `json:"look_at,omitzero"`

	Opening *RelayOpening `json:"-"`
}

// RelayOpening is what the hub said at the beginning.
type RelayOpening struct {
	Address   HubAddress                 `json:"address"`
	Variables map[string]json.RawMessage `json:"variables,omitempty"`
}

// HubAddress is where a customer is reached in a hub. The service URL is one
// that the hub proved to be its own.
type HubAddress struct {
	ServiceURL     string `json:"service_url"`
	ConversationID string `json:"conversation_id"`
	ChannelID      string `json:"channel_id,omitempty"`
	BotID          string `json:"bot_id,omitempty"` // what the hub calls our side
	CustomerID     string `json:"customer_id,omitempty"`
	CustomerName   string `json:"customer_name,omitempty"`
	Record         string `json:"record,omitempty"` // the hub's own record of the conversation
}

// BotConversationOpened says that there is a conversation with the bot, a new
// one or the same with a new token.
type BotConversationOpened struct {
	Session   int       `json:"session"`
	Renewed   bool      `json:"renewed"` // the same conversation
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	LookAt    time.Time `json:"look_at,omitzero"`

	Bot *BotSession `json:"-"`
}

// BotSession is what is needed to go on with a conversation with the bot.
type BotSession struct {
	BaseURL        string `json:"base_url,omitempty"`
	ConversationID string `json:"conversation_id"`
	Token          string `json:"token"`
	UserID         string `json:"user_id,omitempty"` // what the bot calls the customer
}

// BotConversationLost says that the conversation with the bot can't be gone on
// with; the next message opens a new one.
type BotConversationLost struct {
	Session int    `json:"session"`
	Code    string `json:"code"`
}

// MessagesTaken says that messages of one side are on disk, to be passed on.
type MessagesTaken struct {
	Session int    `json:"session"`
	From    string `json:"from"` // customer, bot, or handoff for a notice of our own
	// First is the number of the first message; those to one side are numbered
	// 1, 2, … in the order in which they are passed on.
	First int `json:"first"`
	// Refs are keyed hashes of the messages' ids, one for each message.
	Refs []string  `json:"refs,omitempty"`
	At   time.Time `json:"at"`
	// Ended says that the bot ended the conversation after these.
	Ended bool `json:"ended,omitempty"`
	// Watermarked says that it is said where to go on listening to the bot.
	Watermarked bool      `json:"watermarked,omitempty"`
	LookAt      time.Time `json:"look_at,omitzero"`

	Said *Said `json:"-"`
}

// Said is what was said, and how to go on.
type Said struct {
	Messages []Message `json:"messages,omitempty"`
	// Address is where the customer is now; of the customer's messages only.
	Address *HubAddress `json:"address,omitempty"`
	// Watermark is after which of the bot's activities these come.
	Watermark string `json:"watermark,omitempty"`
}

// MessageRelayed says that the other side has a message.
type MessageRelayed struct {
	Session  int       `json:"session"`
	To       string    `json:"to"` // bot or customer
	Sequence int       `json:"sequence"`
	At       time.Time `json:"at"`
	LookAt   time.Time `json:"look_at,omitzero"`
}

// MessagesRefused says that messages are not passed on, and why: their side
// does not have the voice, or they can't be passed on.
type MessagesRefused struct {
	Session int      `json:"session"`
	From    string   `json:"from"`
	Refs    []string `json:"refs,omitempty"`
	// Sequence is the number of the message where it was taken before, else 0.
	Sequence int    `json:"sequence,omitempty"`
	Code     string `json:"code"`
	// Watermarked is as in MessagesTaken.
	Watermarked bool `json:"watermarked,omitempty"`

	Said *Said `json:"-"`
}

// RelayRested says that nothing more is expected now.
type RelayRested struct {
	Session int       `json:"session"`
	LookAt  time.Time `json:"look_at,omitzero"`
}

// BotLeft says that the bot lost the voice without an escalation, because none
// could be raised. The hub is asked to find a human agent by itself.
type BotLeft struct {
	Session int       `json:"session"`
	At      time.Time `json:"at"`
	Code    string    `json:"code"`
}

// HubCommanded says that the hub was told what becomes of the conversation.
type HubCommanded struct {
	Session int    `json:"session"`
	Number  int    `json:"number,omitempty"` // of the escalation, or 0
	Command string `json:"command"`          // escalate or end
	// Omitted counts the variables that the hub can't take as they are.
	Omitted int `json:"omitted,omitempty"`

	Details *CommandDetails `json:"-"`
}

// The commands to a hub.
const (
	CommandEscalate = "escalate"
	CommandEnd      = "end"
)

// CommandDetails says what of the context did not reach the hub as it was.
type CommandDetails struct {
	Omissions []Omission `json:"omissions,omitempty"`
}

// Omission is one variable that the hub can't take as it is.
type Omission struct {
	Name string `json:"name"`
	Code string `json:"code"`
}

// BotTold says that the bot was told what became of its escalation, or that it
// could not be told.
type BotTold struct {
	Session int    `json:"session"`
	Number  int    `json:"number,omitempty"`
	State   string `json:"state"`          // accepted, completed, failed, or ended for the conversation
	Code    string `json:"code,omitempty"` // why the bot could not be told
}

// RelayEnded says that no message is passed on any more in this session.
type RelayEnded struct {
	Session int    `json:"session"`
	By      string `json:"by"` // hub, bot or handoff
	Code    string `json:"code,omitempty"`
}

// FactType implements Fact.
func (*RelayStarted) FactType() string { return "RelayStarted" }

// FactType implements Fact.
func (*BotConversationOpened) FactType() string { return "BotConversationOpened" }

// FactType implements Fact.
func (*BotConversationLost) FactType() string { return "BotConversationLost" }

// FactType implements Fact.
func (*MessagesTaken) FactType() string { return "MessagesTaken" }

// FactType implements Fact.
func (*MessageRelayed) FactType() string { return "MessageRelayed" }

// FactType implements Fact.
func (*MessagesRefused) FactType() string { return "MessagesRefused" }

// FactType implements Fact.
func (*RelayRested) FactType() string { return "RelayRested" }

// FactType implements Fact.
func (*BotLeft) FactType() string { return "BotLeft" }

// FactType implements Fact.
func (*HubCommanded) FactType() string { return "HubCommanded" }

// FactType implements Fact.
func (*BotTold) FactType() string { return "BotTold" }

// FactType implements Fact.
func (*RelayEnded) FactType() string { return "RelayEnded" }

// Private implements Confidential.
func (f *RelayStarted) Private() any { return fill(&f.Opening) }

// HasPrivate implements Confidential.
func (f *RelayStarted) HasPrivate() bool { return f.Opening != nil }

// Private implements Confidential.
func (f *BotConversationOpened) Private() any { return fill(&f.Bot) }

// HasPrivate implements Confidential.
func (f *BotConversationOpened) HasPrivate() bool { return f.Bot != nil }

// Private implements Confidential.
func (f *MessagesTaken) Private() any { return fill(&f.Said) }

// HasPrivate implements Confidential.
func (f *MessagesTaken) HasPrivate() bool { return f.Said != nil }

// Private implements Confidential.
func (f *MessagesRefused) Private() any { return fill(&f.Said) }

// HasPrivate implements Confidential.
func (f *MessagesRefused) HasPrivate() bool { return f.Said != nil }

// Private implements Confidential.
func (f *HubCommanded) Private() any { return fill(&f.Details) }

// HasPrivate implements Confidential.
func (f *HubCommanded) HasPrivate() bool { return f.Details != nil }

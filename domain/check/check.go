package check

import (
	"time"

	"handoff/events"
)

// MaxSay is how many bytes of text a check may say to the bot.
const MaxSay = 500

// DefaultSay is what a check says where nobody says otherwise: in most bots one
// of the phrases that lead to the topic Escalate.
const DefaultSay = "I want to talk to a person"

// DefaultQueue is the id of the queue for checks where the rules name none.
const DefaultQueue = "test"

// Plan says what is wanted of a check. Its zero value leaves everything to the
// connection's rules.
type Plan struct {
	Say   string `json:"phrase,omitempty"`
	Queue string `json:"queue,omitempty"` // id of one of the rules' queues
	// ToPeople allows a queue that is not for tests, and a hub that chooses its
	// queue without asking Handoff.
	ToPeople bool `json:"to_people,omitempty"`
}

// Begun is a check whose chat is open in the hub.
type Begun struct {
	ID   string `json:"id"`
	Path string `json:"path"` // relay or advise
	// Chat is how to look at the chat and how to close it.
	Chat string `json:"chat"`
	// Record is the hub's record of the conversation, as far as it told.
	Record string `json:"record,omitempty"`
	// Say and Queue are of the path relay only: to a bot that is connected
	// without Handoff nothing can be said.
	Say   string       `json:"phrase,omitempty"`
	Queue events.Queue `json:"queue,omitzero"`
	// OpenedAt is when the hub had the chat, and Until when the check ends by
	// itself.
	OpenedAt time.Time `json:"opened_at"`
	Until    time.Time `json:"until"`
	// After is the position in the log after which its facts come.
	After int64 `json:"after"`
}

// Seen is how the hub has a chat now.
type Seen struct {
	At time.Time `json:"at"`
	// State is Open, Active, Waiting, WrapUp or Closed, or what else the hub
	// says; empty: the hub does not know the chat.
	State string `json:"state,omitempty"`
	// Record is the hub's, and Queue the one where it stands, if that is known.
	Record string          `json:"record,omitempty"`
	Queue  events.HubQueue `json:"queue,omitzero"`
	// WithBot says that the connection's bot has it, WithPerson that a human
	// agent does. Both are false where the record is not to be found yet.
	WithBot    bool `json:"with_bot,omitempty"`
	WithPerson bool `json:"with_person,omitempty"`
}

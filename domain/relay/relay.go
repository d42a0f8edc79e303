// Package relay decides what Handoff does where it stands between a bot and the
// customer channel of an agent hub ("bot as agent"): which message goes where
// and in which order, who has the voice, and what the two sides are told.
//
// Nothing is passed on before it is on disk, and what is on disk is owed: Owed
// says from the state alone what is to be done next, so that whoever was killed
// in the middle is continued by the next who looks.
//
// One voice: the bot has it from the beginning of a session until an escalation
// is raised in the conversation, or none could be. From then on it belongs to
// the hub; what the bot still says is refused, and so is what the customer
// would still say to it.
//
// The state holds nothing private: hashes of ids, numbers, and the versions of
// the facts that hold what was said.
package relay

import (
	"slices"
	"time"

	"handoff/events"
)

// What the state keeps at most.
const (
	// MaxWaiting is how many messages wait for one side.
	MaxWaiting = 64
	// MaxTaken is how many messages of the bot's are taken at once; a bot that
	// says more does not talk to a person.
	MaxTaken = 48
	// MaxSeen is how many messages are recognised when they come again.
	MaxSeen = 64
)

// Phase is who has the voice.
type Phase string

// The phases of a session.
const (
	WithBot Phase = "bot"
	WithHub Phase = "hub"
	Over    Phase = "over"
)

// State is the relay's part of a conversation. Its zero value is one that is
// not relayed.
type State struct {
	Session int   `json:"session"` // 0: never
	Phase   Phase `json:"phase,omitempty"`
	// Began is when the session did.
	Began   time.Time `json:"began,omitzero"`
	Channel string    `json:"channel,omitempty"`
	// Opening and Address are the versions of the facts that have what the hub
	// said at the beginning, and where the customer is now; 0: erased.
	Opening int `json:"opening,omitempty"`
	Address int `json:"address,omitempty"`
	// Check is what says that the customer of this session is none, or nil.
	Check *events.CheckRecognised `json:"check,omitempty"`

	Bot  Bot  `json:"bot,omitzero"`
	To   Lane `json:"to_bot,omitzero"`
	Back Lane `json:"to_customer,omitzero"`
	// Seen are the refs of the last messages of both sides, newest last. They
	// outlive a session.
	Seen []string `json:"seen,omitempty"`

	// Number is the escalation that took the voice from the bot; 0 if there is
	// none: with phase hub, Code then says why the bot left.
	Number int `json:"number,omitempty"`
	// Raised is when the voice was taken, Routed whether a queue is decided.
	Raised time.Time `json:"raised,omitzero"`
	Routed bool      `json:"routed,omitempty"`
	// Commanded says that the hub was told to escalate in this session;
	// CommandedLast the last escalation of which it was told in any.
	Commanded     bool `json:"commanded,omitempty"`
	CommandedLast int  `json:"commanded_last,omitempty"`
	// Tell are the states of the escalation of which the bot is to be told.
	Tell []string `json:"tell,omitempty"`
	// Settled says that the escalation reached its end.
	Settled bool   `json:"settled,omitempty"`
	Code    string `json:"code,omitempty"`

	LookAt time.Time `json:"look_at,omitzero"`
}

// Bot is the conversation with the bot.
type Bot struct {
	Opened  int       `json:"opened,omitempty"` // version of the fact with the session; 0: none
	Expires time.Time `json:"expires,omitzero"`
	Heard   int       `json:"heard,omitempty"` // version of the fact with the watermark; 0: from the beginning
	Greeted bool      `json:"greeted,omitempty"`
	// Asked is when the bot got the first message that it has not answered.
	Asked time.Time `json:"asked,omitzero"`
	// Spoke is when it said or got something last.
	Spoke time.Time `json:"spoke,omitzero"`
	Ended bool      `json:"ended,omitempty"` // it ended the conversation
}

// Lane is what goes to one side.
type Lane struct {
	Taken   int       `json:"taken,omitempty"` // number of the last message
	Waiting []Waiting `json:"waiting,omitempty"`
}

// Waiting is a message that is owed to a side: the message at an index of the
// fact with a version.
type Waiting struct {
	Sequence int       `json:"sequence"`
	Version  int       `json:"version"`
	Index    int       `json:"index,omitempty"`
	At       time.Time `json:"at"`
}

// Active reports whether a session is under way.
func (s *State) Active() bool { return s != nil && s.Session > 0 && s.Phase != Over }

// Checked returns the check whose session is under way, or nil.
func (s *State) Checked() *events.CheckRecognised {
	if !s.Active() {
		return nil
	}
	return s.Check
}

// Knows reports whether a message with that ref came before.
func (s *State) Knows(ref string) bool { return s != nil && ref != "" && slices.Contains(s.Seen, ref) }

// LookAt returns the instant at which the relay is to be looked at again after
// a fact, zero for never, and whether the fact says anything about that. The
// last fact of a stream that says something counts.
func LookAt(f events.Fact) (at time.Time, says bool) {
	switch f := f.(type) {
	case *events.RelayStarted:
		return f.LookAt, true
	case *events.BotConversationOpened:
		return f.LookAt, true
	case *events.MessagesTaken:
		return f.LookAt, true
	case *events.MessageRelayed:
		return f.LookAt, true
	case *events.RelayRested:
		return f.LookAt, true
	case *events.RelayEnded:
		return time.Time{}, true
	}
	return time.Time{}, false
}

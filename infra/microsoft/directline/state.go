package directline

import (
	"log/slog"
	"slices"
	"strings"
	"time"

	"handoff/infra/microsoft/activity"
)

// maxSeen is how many ids a State remembers. A watermark that lags makes a few
// activities come again, never hundreds.
const maxSeen = 256

// State is a conversation with a bot. It holds a token: store it sealed. It
// shows the token to nobody but encoding/json. The zero value is no
// conversation.
type State struct {
	Base           string    `json:"base"` // of Direct Line, in the bot's region
	ConversationID string    `json:"conversation_id"`
	Token          string    `json:"token"`
	Expires        time.Time `json:"expires"`
	// UserID is who the customer is to the bot. What comes from it is our own
	// words, given back.
	UserID string `json:"user_id"`
	// Watermark is opaque: how far the conversation was read.
	Watermark string `json:"watermark,omitempty"`
	// Seen are the last ids that were read, without the conversation's own.
	Seen []string `json:"seen,omitempty"`
}

// String names the conversation without its token.
func (s State) String() string { return "Direct Line conversation " + s.ConversationID }

// GoString is String.
func (s State) GoString() string { return s.String() }

// LogValue is the conversation's id.
func (s State) LogValue() slog.Value { return slog.StringValue(s.ConversationID) }

// Take returns the activities of a set that are new, and the state after them.
// A set without a watermark leaves the one that is known; an activity whose id
// was seen is a repeat; what the state's user said is left out. It is pure.
func (s State) Take(set activity.Set) (State, []activity.Activity) {
	if set.Watermark != "" {
		s.Watermark = set.Watermark
	}
	var fresh []activity.Activity
	seen := slices.Clone(s.Seen)
	for _, a := range set.Activities {
		id := strings.TrimPrefix(a.ID(), s.ConversationID)
		if id != "" && slices.Contains(seen, id) {
			continue
		}
		if id != "" {
			seen = append(seen, id)
		}
		if s.UserID == "" || a.From() != s.UserID {
			fresh = append(fresh, a)
		}
	}
	s.Seen = slices.Clone(seen[max(0, len(seen)-maxSeen):])
	return s, fresh
}

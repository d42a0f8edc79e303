// Package intake turns what a bot says when it gives up into one shape,
// whatever its dialect, and holds it to the limits that all dialects share.
//
// It promises that nothing is cut silently: a field over its limit is refused
// with a pointer to it, a field that Handoff does not know is kept under
// extensions, and a well-known bot variable that fills a field stays among the
// variables. Lengths count characters (Unicode code points), as a form does;
// only the texts inside variables count bytes.
//
// This package reads the plain dialect; other dialects are adapters that fill a
// HandOff. All of it is pure: the same bytes give the same hand-off.
package intake

import (
	"encoding/json"
	"fmt"
	"time"

	"handoff/events"
)

// The dialects of a hand-off.
const (
	FormatPlain        = "plain"
	FormatBotFramework = "botframework"
)

// HandOff is what a bot says when it gives up. The zero value says nothing. It
// is not safe for concurrent use while it is changed.
type HandOff struct {
	RaisedAt time.Time // zero: not said; the time of receipt is meant
	Reason   string
	Topic    string
	Language string // as written
	Channel  string
	Bot      events.Bot
	// RequestID is the dialect's own id of the request (of an activity), or
	// empty where the dialect has none.
	RequestID string
	Format    string
	// Context is everything personal, the bot's conversation id included.
	Context events.Context

	// Locate turns a pointer in the plain dialect into one that the caller can
	// follow in what was sent. Nil means that it was sent in the plain dialect.
	Locate func(pointer string) string

	// filled has, for each field that a variable filled, the variable's name.
	filled map[string]string
}

// said is what a repeat of a hand-off is compared by.
type said struct {
	Reason   string         `json:"reason,omitempty"`
	Topic    string         `json:"topic,omitempty"`
	Language string         `json:"language,omitempty"`
	Channel  string         `json:"channel,omitempty"`
	Bot      events.Bot     `json:"bot,omitzero"`
	Context  events.Context `json:"context"`
}

// Canonical returns bytes that are equal for two hand-offs that say the same,
// for the fingerprint that tells whether a repeat says anything new. White
// space and the order of fields and variables do not matter, nor does when a
// request was made or what its id is, for those change when a bot merely tries
// again. Inside a variable the order of names counts.
//
// It panics on a HandOff that holds raw values which are no JSON; no parser
// returns one.
func (h *HandOff) Canonical() []byte {
	s := said{Reason: h.Reason, Topic: h.Topic, Language: h.Language, Channel: h.Channel, Bot: h.Bot, Context: h.Context}
	s.Context.RequestID = ""
	b, err := json.Marshal(s)
	if err != nil {
		panic(fmt.Sprintf("intake: a hand-off that no parser returns: %v", err))
	}
	return b
}

// Counts returns the sizes of the context, for people who may not see it.
func (h *HandOff) Counts() events.Counts {
	c := events.Counts{Variables: len(h.Context.Variables)}
	if h.Context.Transcript != nil {
		c.Messages = len(h.Context.Transcript.Messages)
	}
	return c
}

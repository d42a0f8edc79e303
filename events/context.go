package events

import (
	"encoding/json"
	"time"
)

// Context is everything personal that the bot knew when it gave up. It is
// always sealed. Limits are those of the intake; see package conversation.
type Context struct {
	ConversationID string `json:"conversation_id"`
	// RequestID is the id that the request gave itself in its own dialect (the
	// id of an activity). The clear part has only its keyed hash.
	RequestID       string                     `json:"request_id,omitempty"`
	Topics          []string                   `json:"topics,omitempty"`
	LastPhrase      string                     `json:"last_phrase,omitempty"`
	Phrases         []string                   `json:"phrases,omitempty"`
	MessageToAgent  string                     `json:"message_to_agent,omitempty"`
	Summary         string                     `json:"summary,omitempty"`
	Customer        *Customer                  `json:"customer,omitempty"`
	Variables       map[string]json.RawMessage `json:"variables,omitempty"`
	VariableChanges []VariableChange           `json:"variable_changes,omitempty"`
	Transcript      *Transcript                `json:"transcript,omitempty"`
	Wishes          *Wishes                    `json:"wishes,omitempty"`
	// Extensions are the fields of the request that Handoff does not know,
	// kept as they came and emitted again.
	Extensions map[string]json.RawMessage `json:"extensions,omitempty"`
}

// Customer is the person who talked to the bot, as the bot knew them.
type Customer struct {
	ID       string `json:"id,omitempty"`
	Name     string `json:"name,omitempty"`
	Email    string `json:"email,omitempty"`
	Phone    string `json:"phone,omitempty"`
	Verified bool   `json:"verified,omitempty"` // the bot's claim, not ours
	PageURL  string `json:"page_url,omitempty"`
	TimeZone string `json:"time_zone,omitempty"` // IANA name
}

// Bot is the bot as it named itself in a request.
type Bot struct {
	ID      string `json:"id,omitempty"`
	Name    string `json:"name,omitempty"`
	Version string `json:"version,omitempty"`
}

// VariableChange is one assignment of a variable, so that an overwritten value
// stays visible.
type VariableChange struct {
	Name  string          `json:"name"`
	Value json.RawMessage `json:"value,omitempty"`
	Topic string          `json:"topic,omitempty"`
	At    *time.Time      `json:"at,omitempty"`
}

// Transcript is what was said, inline or at a URL that is yet to be read.
type Transcript struct {
	Messages []Message `json:"messages,omitempty"`
	URL      string    `json:"url,omitempty"`
	// Complete is the bot's claim that no message is missing.
	Complete bool `json:"complete,omitempty"`
	// Extensions are what a transcript file held beside its messages.
	Extensions map[string]json.RawMessage `json:"extensions,omitempty"`
}

// Who wrote a message.
const (
	FromCustomer   = "customer"
	FromBot        = "bot"
	FromHumanAgent = "human_agent"
	FromSystem     = "system"
)

// Message is one turn of a transcript.
type Message struct {
	ID string `json:"id,omitempty"`
	// At is the time of the message, and AtText the time as it was written
	// where that is not the RFC 3339 form of At.
	At          *time.Time   `json:"at,omitempty"`
	AtText      string       `json:"at_text,omitempty"`
	From        string       `json:"from"`
	Name        string       `json:"name,omitempty"`
	Text        string       `json:"text,omitempty"`
	Attachments []Attachment `json:"attachments,omitempty"`
	// Extensions are fields of the message that Handoff does not know.
	Extensions map[string]json.RawMessage `json:"extensions,omitempty"`
}

// Attachment is a file that came with a message, by reference.
type Attachment struct {
	URL         string `json:"url,omitempty"`
	ContentType string `json:"content_type,omitempty"`
	Name        string `json:"name,omitempty"`
	Bytes       int64  `json:"bytes,omitempty"`
	// Content is an attachment that travelled inside the message (a card).
	Content json.RawMessage `json:"content,omitempty"`
	// Extensions are fields of the attachment that Handoff does not know.
	Extensions map[string]json.RawMessage `json:"extensions,omitempty"`
}

// Wishes are what the bot would like; the rules decide.
type Wishes struct {
	Queue    string   `json:"queue,omitempty"`
	Skills   []string `json:"skills,omitempty"`
	Priority *int     `json:"priority,omitempty"`
}

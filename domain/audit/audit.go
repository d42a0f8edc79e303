// Package audit names what an auditor is shown: a connection as it was at an
// instant, why an escalation went where it went, and whether the log is whole.
package audit

import (
	"time"

	"handoff/domain/connection"
	"handoff/domain/conversation"
	"handoff/events"
)

// Why explains a route in words and numbers.
type Why struct {
	EscalationID string       `json:"escalation_id"`
	Queue        events.Queue `json:"queue"`
	Rule         string       `json:"rule,omitempty"`
	Fallback     bool         `json:"fallback"`
	RuleSet      string       `json:"rule_set"`
	Connection   string       `json:"connection_id"`
	Version      int          `json:"connection_version"`
	DecidedAt    time.Time    `json:"decided_at"`
	Evaluator    string       `json:"evaluator"`
	TimeZones    string       `json:"time_zones"`
	// Sentence says it in one sentence; Lines say of each rule how it fared.
	Sentence string   `json:"sentence"`
	Lines    []string `json:"lines"`
	// Erased: the customer's values are gone from the lines.
	Erased bool `json:"erased,omitempty"`
	// Moved: the escalation came from a connection that was disconnected.
	Moved bool `json:"moved,omitempty"`
	// Hub is what the hub really chose, where it keeps records.
	Hub     *conversation.HubChoice `json:"hub,omitempty"`
	Earlier []Why                   `json:"earlier,omitempty"` // decisions before this one
}

// Past is a connection at an instant.
type Past struct {
	At         time.Time        `json:"at"`
	Position   int64            `json:"position"` // of the last fact that counts
	Facts      int64            `json:"facts"`
	Connection connection.State `json:"connection"`
	Open       int              `json:"open"`
	// MovedAway counts those raised here that another connection had by then.
	// They are not among the open ones, and the other connection's past does
	// not have them: it is told from the history of the one they began at.
	MovedAway   int              `json:"moved_away,omitempty"`
	Queues      map[string]int   `json:"queues,omitempty"` // open escalations by queue
	Escalations []PastEscalation `json:"escalations"`      // open ones, oldest first
	// More says that there are more open escalations than are listed.
	More bool `json:"more,omitempty"`
}

// PastEscalation is an escalation at an instant.
type PastEscalation struct {
	ID         string                  `json:"id"`
	Escalation conversation.Escalation `json:"escalation"`
}

// Verified is the outcome of a verification.
type Verified struct {
	OK       bool  `json:"ok"`
	Facts    int64 `json:"facts"`
	Streams  int64 `json:"streams"`
	Position int64 `json:"position"`
	// Head is one hash over all streams, their versions and their hashes.
	Head     string   `json:"head"`
	Problems []Breach `json:"problems,omitempty"`
	// Against is how an earlier head compares: same, grown or broken; empty
	// where none was given.
	Against string `json:"against,omitempty"`
}

// Breach says where something breaks.
type Breach struct {
	Fact     string `json:"fact,omitempty"`
	Stream   string `json:"stream,omitempty"`
	Position int64  `json:"position,omitempty"`
	Code     string `json:"code"` // chain-broken, gap, state-differs, blob-missing, head-differs, …
	Detail   string `json:"detail"`
}

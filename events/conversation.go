package events

import (
	"encoding/json"
	"time"
)

// EscalationRaised says that a conversation left the bot, with all that the bot
// knew in its private part.
type EscalationRaised struct {
	Number    int       `json:"number"` // 1 for the first escalation of the conversation
	RaisedAt  time.Time `json:"raised_at"`
	ExpiresAt time.Time `json:"expires_at"`
	Reason    string    `json:"reason,omitempty"`
	Topic     string    `json:"topic,omitempty"`
	Language  string    `json:"language,omitempty"`
	Channel   string    `json:"channel,omitempty"`
	Bot       Bot       `json:"bot,omitzero"`
	Request   Request   `json:"request"`
	Counts    Counts    `json:"counts"`
	// CustomerRefs are keyed hashes of the customer's id, e-mail and phone
	// number, by which all conversations of one customer are found and erased.
	CustomerRefs []string `json:"customer_refs,omitempty"`
	// TranscriptPending says that the transcript is at a URL not yet read.
	TranscriptPending bool `json:"transcript_pending,omitempty"`

	Context *Context `json:"-"`
}

// Request is what makes a request the same when it comes again. Both values
// are keyed hashes; neither says anything without its key.
type Request struct {
	// ID is the keyed hash of the request's own id (webhook-id,
	// Idempotency-Key or activity id); empty if it had none.
	ID string `json:"id,omitempty"`
	// Fingerprint is the hash of its body under the key of the conversation.
	Fingerprint string `json:"fingerprint"`
	// Format is the dialect it came in: plain or botframework.
	Format string `json:"format"`
}

// Counts are sizes of a context, for people who may not see it.
type Counts struct {
	Messages  int `json:"messages"`
	Variables int `json:"variables"`
}

// EscalationContextAdded adds what a repeated hand-off said that was new.
type EscalationContextAdded struct {
	Number       int      `json:"number"`
	Request      Request  `json:"request"`
	Counts       Counts   `json:"counts"`
	CustomerRefs []string `json:"customer_refs,omitempty"`

	Context *Context `json:"-"`
}

// EscalationRouted says which queue an escalation goes to and why.
type EscalationRouted struct {
	Number int `json:"number"`
	// Connection is the one whose rules and endpoints apply: the conversation's
	// own, or the one that it moved to.
	Connection        string    `json:"connection"`
	ConnectionVersion int       `json:"connection_version"`
	DecidedAt         time.Time `json:"decided_at"`
	Moved             bool      `json:"moved,omitempty"`
	Queue             Queue     `json:"queue"`
	Priority          int       `json:"priority"`
	Skills            []string  `json:"skills,omitempty"`
	Route             Route     `json:"route"`

	// Misses are the rules that were nearly met, with the customer's values.
	Misses json.RawMessage `json:"-"`
}

// Queue names a queue of human agents.
type Queue struct {
	ID       string `json:"id"`
	Name     string `json:"name,omitempty"`
	HubQueue string `json:"hub_queue,omitempty"`
}

// Route is the clear part of an explanation.
type Route struct {
	RuleSet   string `json:"rule_set"` // sha256:…
	Rule      string `json:"rule,omitempty"`
	RuleIndex int    `json:"rule_index"` // -1: no rule matched
	Fallback  bool   `json:"fallback"`
	// Outcomes says of each rule how it fared; see package routing.
	Outcomes  string `json:"outcomes"`
	Evaluator string `json:"evaluator"`
	TimeZones string `json:"time_zones"`
}

// EscalationDeadlineSet changes the instant at which an open escalation ends by
// itself, and says with which code it then fails.
type EscalationDeadlineSet struct {
	Number   int       `json:"number"`
	Deadline time.Time `json:"deadline"`
	Code     string    `json:"code"`
}

// EscalationAccepted says that a human agent took the conversation.
type EscalationAccepted struct {
	Number int    `json:"number"`
	Code   string `json:"code,omitempty"`
	Words  *Words `json:"-"`
}

// EscalationCompleted says that the human agent finished.
type EscalationCompleted struct {
	Number int    `json:"number"`
	Code   string `json:"code,omitempty"`
	Words  *Words `json:"-"`
}

// EscalationFailed says that nobody could serve the customer.
type EscalationFailed struct {
	Number int    `json:"number"`
	Code   string `json:"code"`
	Words  *Words `json:"-"`
}

// Words are what a human agent or hub wrote about an escalation.
type Words struct {
	Message string `json:"message,omitempty"`
}

// EscalationExpired says that an escalation reached its deadline still open.
type EscalationExpired struct {
	Number int `json:"number"`
}

// TranscriptStored adds the transcript that was read from the bot's URL.
type TranscriptStored struct {
	Number   int `json:"number"`
	Messages int `json:"messages"`

	Transcript *Transcript `json:"-"`
}

// TranscriptMissing says that the transcript could not be read, and why.
type TranscriptMissing struct {
	Number int    `json:"number"`
	Code   string `json:"code"`
}

// ContextRead says that somebody followed a link to the context of an
// escalation. Who that was is not known: whoever has the link may read.
type ContextRead struct {
	Number int       `json:"number"`
	Until  time.Time `json:"until"` // when the link ends
	Ref    string    `json:"ref"`   // drawn at random for this one reading
}

// ContextErased says that the key of everything private in the conversation so
// far is destroyed.
type ContextErased struct {
	Generation int    `json:"generation"` // of the key, from 0
	Reason     string `json:"reason,omitempty"`
}

// FactType implements Fact.
func (*EscalationRaised) FactType() string { return "EscalationRaised" }

// FactType implements Fact.
func (*EscalationContextAdded) FactType() string { return "EscalationContextAdded" }

// FactType implements Fact.
func (*EscalationRouted) FactType() string { return "EscalationRouted" }

// FactType implements Fact.
func (*EscalationDeadlineSet) FactType() string { return "EscalationDeadlineSet" }

// FactType implements Fact.
func (*EscalationAccepted) FactType() string { return "EscalationAccepted" }

// FactType implements Fact.
func (*EscalationCompleted) FactType() string { return "EscalationCompleted" }

// FactType implements Fact.
func (*EscalationFailed) FactType() string { return "EscalationFailed" }

// FactType implements Fact.
func (*EscalationExpired) FactType() string { return "EscalationExpired" }

// FactType implements Fact.
func (*TranscriptStored) FactType() string { return "TranscriptStored" }

// FactType implements Fact.
func (*TranscriptMissing) FactType() string { return "TranscriptMissing" }

// FactType implements Fact.
func (*ContextRead) FactType() string { return "ContextRead" }

// FactType implements Fact.
func (*ContextErased) FactType() string { return "ContextErased" }

// Private implements Confidential.
func (f *EscalationRaised) Private() any { return fill(&f.Context) }

// HasPrivate implements Confidential.
func (f *EscalationRaised) HasPrivate() bool { return f.Context != nil }

// Private implements Confidential.
func (f *EscalationContextAdded) Private() any { return fill(&f.Context) }

// HasPrivate implements Confidential.
func (f *EscalationContextAdded) HasPrivate() bool { return f.Context != nil }

// Private implements Confidential.
func (f *EscalationRouted) Private() any { return &f.Misses }

// HasPrivate implements Confidential.
func (f *EscalationRouted) HasPrivate() bool { return len(f.Misses) > 0 }

// Private implements Confidential.
func (f *EscalationAccepted) Private() any { return fill(&f.Words) }

// HasPrivate implements Confidential.
func (f *EscalationAccepted) HasPrivate() bool { return f.Words != nil }

// Private implements Confidential.
func (f *EscalationCompleted) Private() any { return fill(&f.Words) }

// HasPrivate implements Confidential.
func (f *EscalationCompleted) HasPrivate() bool { return f.Words != nil }

// Private implements Confidential.
func (f *EscalationFailed) Private() any { return fill(&f.Words) }

// HasPrivate implements Confidential.
func (f *EscalationFailed) HasPrivate() bool { return f.Words != nil }

// Private implements Confidential.
func (f *TranscriptStored) Private() any { return fill(&f.Transcript) }

// HasPrivate implements Confidential.
func (f *TranscriptStored) HasPrivate() bool { return f.Transcript != nil }

// fill returns *p and makes it first where it is nil.
func fill[T any](p **T) *T {
	if *p == nil {
		*p = new(T)
	}
	return *p
}

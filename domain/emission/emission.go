// Package emission turns facts into the events that Handoff sends: CloudEvents
// 1.0 whose data has a JSON Schema for each type.
//
// An event's id names the fact, so it is the same however often and wherever
// the event is sent, and its sequence orders the events of one conversation.
// The same fact gives the same event, with one exception that is meant: once a
// conversation's context is erased, what is left of it is sent, and says so.
package emission

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"handoff/domain/conversation"
	"handoff/domain/escid"
	"handoff/events"
)

// The types of events.
const (
	Routed        = "handoff.escalation.routed.v1"
	ContextAdded  = "handoff.escalation.context_added.v1"
	Accepted      = "handoff.escalation.accepted.v1"
	Completed     = "handoff.escalation.completed.v1"
	Failed        = "handoff.escalation.failed.v1"
	Expired       = "handoff.escalation.expired.v1"
	ContextErased = "handoff.context.erased.v1"
)

// Types returns all types of events.
func Types() []string {
	return []string{Routed, ContextAdded, Accepted, Completed, Failed, Expired, ContextErased}
}

// TypeOf returns the type of event that a fact leads to, or "" for none.
func TypeOf(f events.Fact) string {
	switch f.(type) {
	case *events.EscalationRouted:
		return Routed
	case *events.EscalationContextAdded, *events.TranscriptStored:
		return ContextAdded
	case *events.EscalationAccepted:
		return Accepted
	case *events.EscalationCompleted:
		return Completed
	case *events.EscalationFailed:
		return Failed
	case *events.EscalationExpired:
		return Expired
	case *events.ContextErased:
		return ContextErased
	}
	return ""
}

// TranscriptWait is how long a full routed event waits for a transcript that is
// at a URL.
const TranscriptWait = 10 * time.Second

// TranscriptLate reports whether a transcript came too late to be part of the
// routed event, and so makes an event of its own. It leaves a margin: an event
// that is said twice is better than one that is not said.
func TranscriptLate(routed, stored time.Time) bool {
	return stored.Sub(routed) > TranscriptWait/2
}

// Mode is how much an event carries.
type Mode string

// The modes. Thin events have links in place of what the customer said.
const (
	Thin Mode = "thin"
	Full Mode = "full"
)

// Input is a fact with what must be known of its escalation.
type Input struct {
	Stream  events.StreamID
	Version int
	At      time.Time
	Trace   string // W3C traceparent, or empty
	Fact    events.Fact
	// Connection is the one whose endpoints get the event, and Home the one
	// that the conversation belongs to.
	Connection, Home string
	// View is the escalation as it was at the fact; for ContextErased the last
	// one. Its Erased makes the event thin.
	View conversation.View
}

// Event is a CloudEvent (CloudEvents 1.0.2 §3). It is a plain value.
type Event struct {
	ID           string // unique, and the same on every attempt
	Source       string
	Type         string
	Subject      string
	Time         time.Time
	DataSchema   string
	Sequence     string // orders the events of a conversation, as text too
	PartitionKey string
	TraceParent  string // or empty
	Data         []byte // JSON
	Erased       bool   // the context was left out, because it is erased
}

// Attribute is a context attribute with its value as text.
type Attribute struct{ Name, Value string }

// Attributes returns the attributes other than datacontenttype that are set.
func (e Event) Attributes() []Attribute {
	a := []Attribute{
		{"specversion", "1.0"},
		{"id", e.ID},
		{"source", e.Source},
		{"type", e.Type},
		{"subject", e.Subject},
		{"time", e.Time.UTC().Format(time.RFC3339Nano)},
		{"dataschema", e.DataSchema},
		{"sequence", e.Sequence},
		{"partitionkey", e.PartitionKey},
	}
	if e.TraceParent != "" {
		a = append(a, Attribute{"traceparent", e.TraceParent})
	}
	return a
}

// MarshalJSON returns the event in structured mode (CloudEvents JSON format
// 1.0.2), for buses and files.
func (e Event) MarshalJSON() ([]byte, error) {
	m := map[string]any{"datacontenttype": "application/json", "data": json.RawMessage(e.Data)}
	for _, a := range e.Attributes() {
		m[a.Name] = a.Value
	}
	return json.Marshal(m)
}

// Builder builds events whose links begin with a base URL. Its zero value makes
// relative links. It is safe for concurrent use.
type Builder struct {
	Base string // such as https://handoff.example, without a slash at the end
}

// Build returns the event of a fact that TypeOf knows.
func (b Builder) Build(in Input, mode Mode) (Event, error) {
	typ := TypeOf(in.Fact)
	if typ == "" {
		return Event{}, fmt.Errorf("emission: %s leads to no event", in.Fact.FactType())
	}
	subject := escid.Of(in.Stream, in.View.Number)
	data, err := json.Marshal(b.data(in, typ, mode == Full && !in.View.Erased))
	if err != nil {
		return Event{}, fmt.Errorf("encode %s of %s: %w", typ, subject, err)
	}
	return Event{
		ID: EventID(in.Stream, in.View.Number, in.Version), Source: "/connections/" + in.Connection, Type: typ, Subject: subject,
		Time: in.At.UTC(), DataSchema: b.Base + SchemaPath(typ), Sequence: fmt.Sprintf("%010d", in.Version),
		PartitionKey: in.Stream.String(), TraceParent: in.Trace, Data: data, Erased: in.View.Erased,
	}, nil
}

// EventID returns the id of the event of a conversation's fact.
func EventID(stream events.StreamID, number, version int) string {
	return escid.Of(stream, number) + "@" + strconv.Itoa(version)
}

package conversation

import (
	"handoff/domain/escid"
	"handoff/events"
)

// Answer is what a bot is told about its hand-off. It is flat, so that a maker
// of bots without code can paste it as sample data.
type Answer struct {
	EscalationID string `json:"escalation_id"`
	Status       Status `json:"status"`
	Queue        string `json:"queue,omitempty"`
	QueueName    string `json:"queue_name,omitempty"`
	Rule         string `json:"rule,omitempty"`
	// Duplicate says that the escalation was there before this request.
	Duplicate bool `json:"duplicate"`
}

// AnswerOf returns the answer about one of a conversation's escalations.
func AnswerOf(stream events.StreamID, e Escalation, duplicate bool) Answer {
	return Answer{
		EscalationID: escid.Of(stream, e.Number), Status: e.Status, Queue: e.Queue.ID, QueueName: e.Queue.Name,
		Rule: e.Rule, Duplicate: duplicate,
	}
}

// Sending identifies a hand-off over repeated sendings.
type Sending struct {
	// Key is the Idempotency-Key, else the webhook-id or activity id; it may
	// be empty.
	Key string
	// Strict: Key is an Idempotency-Key, which refuses another body.
	Strict bool
	Trace  string // W3C traceparent of the caller
}

// Erasure says what is to be erased, by one of its fields, and why.
type Erasure struct {
	Escalation    string `json:"escalation_id,omitempty"`
	CustomerID    string `json:"customer_id,omitempty"`
	CustomerEmail string `json:"customer_email,omitempty"`
	CustomerPhone string `json:"customer_phone,omitempty"`
	Reason        string `json:"reason,omitempty"`
}

// Erased says what was erased.
type Erased struct {
	Conversations int `json:"conversations"`
	Facts         int `json:"facts"` // whose private part is unreadable now
}

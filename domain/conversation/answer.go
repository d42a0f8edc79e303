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

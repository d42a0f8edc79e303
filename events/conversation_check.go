package events

import "time"

// ReasonCheck is the reason of an escalation that an end-to-end check raised.
// No bot may give it.
const ReasonCheck = "check"

// CheckRecognised says that the customer of a session is none: somebody had
// Handoff open the chat to see whether everything works. What is raised in the
// session goes to the queue of the check, whatever the rules say.
type CheckRecognised struct {
	Session int       `json:"session"`
	ID      string    `json:"id"`
	By      string    `json:"by"` // principal who asked for it
	Queue   Queue     `json:"queue"`
	Until   time.Time `json:"until"` // when what is left of it ends by itself
}

// FactType implements Fact.
func (*CheckRecognised) FactType() string { return "CheckRecognised" }

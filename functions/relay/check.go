package relay

import (
	"encoding/json"
	"maps"

	"handoff/domain/check"
	"handoff/domain/relay"
	"handoff/events"
)

// checked returns what the hub says with what the mark of a check says, where
// the chat has one that Handoff signed. Then the customer, who is none, says at
// once what the check is to say to the bot. The mark goes no further. What a
// customer made up stays a variable like any other.
func (h *Handler) checked(l relay.Link, in relay.Inbound) (relay.Inbound, error) {
	var text string
	if in.Kind == relay.Starts {
		_ = json.Unmarshal(in.Variables[check.Variable], &text) // what is no text is no mark
	}
	mark, ok, err := check.Open(l.Tenant, l.Connection, text, h.Keys.Ref, h.Now())
	if err != nil || !ok {
		return in, err
	}
	in.Variables = maps.Clone(in.Variables)
	delete(in.Variables, check.Variable)
	in.Message = &events.Message{ID: mark.ID, From: events.FromCustomer, Name: "Handoff check", Text: mark.Say}
	in.Check = &events.CheckRecognised{ID: mark.ID, By: mark.By, Queue: mark.Queue, Until: mark.Until}
	return in, nil
}

// Package deadline ends escalations whose deadline has come: no state waits for
// ever. It is started by a durable timer.
package deadline

import (
	"context"
	"fmt"
	"time"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/conversation"
	"handoff/events"
	"handoff/infra/eventlog"
)

// Handler ends escalations. It is safe for concurrent use.
type Handler struct {
	Ledger *eventlog.Ledger
	Now    func() time.Time
}

// Handle ends an escalation if it is open and due: as expired, or as failed
// where its deadline was set with a code. Called early or twice it does nothing.
func (h *Handler) Handle(ctx context.Context, stream events.StreamID, number int) error {
	s, err := eventlog.State(ctx, h.Ledger, conversation.Decider, stream)
	if err != nil {
		return fmt.Errorf("end escalation %d of %s: %w", number, stream, err)
	}
	_, err = eventlog.Execute(ctx, h.Ledger, conversation.Decider, s.Home, eventlog.Origin{Actor: "function:deadline"},
		func(conversation.State) (eh.Command, error) {
			return conversation.Expire{To: conversation.To(stream), Number: number, Now: h.Now()}, nil
		})
	if err != nil {
		return fmt.Errorf("end escalation %d of %s: %w", number, stream, err)
	}
	return nil
}

// Package channelenabled answers ChannelEnabled: it checks that everything the
// connection needs at its hub is there, and opens it for escalations.
package channelenabled

import (
	"context"
	"fmt"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/connection"
	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/steps"
)

// Hub looks at the hub's side of a connection.
type Hub interface {
	// CheckReady returns nil if escalations can be served, or a fault that
	// says what is missing and what to do.
	CheckReady(ctx context.Context, c connection.State) error
}

// Handler answers ChannelEnabled. It may be called any number of times with the
// same fact, and is safe for concurrent use.
type Handler struct {
	Ledger *eventlog.Ledger
	Hub    Hub
}

// Handle carries out the step; see steps.Run for what becomes of failures.
func (h *Handler) Handle(ctx context.Context, n events.Notification) error {
	step := steps.Step{Name: connection.StepReady, Function: "channelenabled", From: connection.ChannelEnabled}
	_, err := steps.Run(ctx, h.Ledger, n, step, func(ctx context.Context, c connection.State) (eh.Command, error) {
		if err := h.Hub.CheckReady(ctx, c); err != nil {
			return nil, fmt.Errorf("check the hub: %w", err)
		}
		return connection.MakeReady{To: connection.To(n.Stream), Session: c.Session}, nil
	})
	return err
}

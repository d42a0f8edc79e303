// Package appregistered answers AppRegistered: it sees to it that the channel
// between the connection's bot and its hub is on, and enables it only if it is
// off.
package appregistered

import (
	"context"
	"fmt"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/connection"
	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/steps"
)

// Channels switches channels on.
type Channels interface {
	// EnsureChannel looks the channel up and enables it if it is off. It may
	// be called again and then finds the channel on.
	EnsureChannel(ctx context.Context, c connection.State) (events.ChannelEnabled, error)
}

// Handler answers AppRegistered. It may be called any number of times with the
// same fact, and is safe for concurrent use.
type Handler struct {
	Ledger   *eventlog.Ledger
	Channels Channels
}

// Handle carries out the step; see steps.Run for what becomes of failures.
func (h *Handler) Handle(ctx context.Context, n events.Notification) error {
	step := steps.Step{Name: connection.StepChannel, Function: "appregistered", From: connection.AppRegistered}
	_, err := steps.Run(ctx, h.Ledger, n, step, func(ctx context.Context, c connection.State) (eh.Command, error) {
		enabled, err := h.Channels.EnsureChannel(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("enable channel: %w", err)
		}
		return connection.EnableChannel{To: connection.To(n.Stream), Session: c.Session, Fact: enabled}, nil
	})
	return err
}

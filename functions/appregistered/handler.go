// Package appregistered answers AppRegistered: it sees to it that what the hub
// sends arrives at Handoff, and that the channel between the connection's bot
// and its hub is on, which it enables only if it is off.
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
	// EnsureEndpoint has messages of the hub sent to Handoff, and says where
	// they went before. It may be called again and then finds it so. Hubs that
	// send none get nil.
	EnsureEndpoint(ctx context.Context, c connection.State) (*events.MessagingEndpointSet, error)
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

const function = "appregistered"

// Handle carries out the two steps; see steps.Run for what becomes of failures.
// The channel is on only once it leads to Handoff.
func (h *Handler) Handle(ctx context.Context, n events.Notification) error {
	arrives, err := h.endpoint(ctx, n)
	if err != nil || !arrives {
		return err
	}
	return h.channel(ctx, n)
}

// endpoint sees to the endpoint and reports whether the next step may be taken.
func (h *Handler) endpoint(ctx context.Context, n events.Notification) (arrives bool, err error) {
	arrives = true
	step := steps.Step{Name: connection.StepEndpoint, Function: function, From: connection.AppRegistered}
	_, err = steps.Run(ctx, h.Ledger, n, step, func(ctx context.Context, c connection.State) (eh.Command, error) {
		cmd := connection.SetMessagingEndpoint{To: connection.To(n.Stream)} // of no session: it changes nothing
		f, err := h.Channels.EnsureEndpoint(ctx, c)
		if err != nil {
			arrives = false
			return nil, fmt.Errorf("set the messaging endpoint: %w", err)
		}
		if f != nil {
			cmd.Session, cmd.Fact = c.Session, *f
		}
		return cmd, nil
	})
	return arrives, err
}

func (h *Handler) channel(ctx context.Context, n events.Notification) error {
	step := steps.Step{Name: connection.StepChannel, Function: function, From: connection.AppRegistered}
	_, err := steps.Run(ctx, h.Ledger, n, step, func(ctx context.Context, c connection.State) (eh.Command, error) {
		enabled, err := h.Channels.EnsureChannel(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("enable channel: %w", err)
		}
		return connection.EnableChannel{To: connection.To(n.Stream), Session: c.Session, Fact: enabled}, nil
	})
	return err
}

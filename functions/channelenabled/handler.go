// Package channelenabled answers ChannelEnabled: it sees to it that the
// connection has its user in the hub and, where somebody allowed that, the rules
// by which the hub obeys Handoff; checks that everything else it needs there is
// there too; and opens it for escalations.
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
	// AddRules gives the hub the rules by which it obeys Handoff, if that is
	// allowed. It may be called again and then finds them. Where nothing is new
	// it returns nil.
	AddRules(ctx context.Context, c connection.State) (*events.HubRulesSet, error)
}

// Handler answers ChannelEnabled. It may be called any number of times with the
// same fact, and is safe for concurrent use.
type Handler struct {
	Ledger *eventlog.Ledger
	Hub    Hub
	Users  steps.Users // nil: no hub knows users
}

const function = "channelenabled"

// Handle carries out the steps; see steps.Run for what becomes of failures.
// Then it disables the users of earlier sessions that are of no use any more.
func (h *Handler) Handle(ctx context.Context, n events.Notification) error {
	for _, step := range []func(context.Context, events.Notification) (done bool, err error){h.enable, h.obey} {
		if done, err := step(ctx, n); err != nil || !done {
			return err
		}
	}
	if err := h.open(ctx, n); err != nil || h.Users == nil {
		return err
	}
	return steps.Leave(ctx, h.Ledger, h.Users, n, function)
}

// enable sees to the connection's user and reports whether the next step may be
// taken.
func (h *Handler) enable(ctx context.Context, n events.Notification) (enabled bool, err error) {
	if h.Users == nil {
		return true, nil
	}
	enabled = true
	step := steps.Step{Name: connection.StepUser, Function: function, From: connection.ChannelEnabled}
	_, err = steps.Run(ctx, h.Ledger, n, step, func(ctx context.Context, c connection.State) (eh.Command, error) {
		cmd := connection.EnableUser{To: connection.To(n.Stream)} // of no session: it changes nothing
		f, err := h.Users.EnableUser(ctx, c)
		if err != nil {
			enabled = false
			return nil, fmt.Errorf("enable user: %w", err)
		}
		if f != nil {
			cmd.Session, cmd.Fact = c.Session, *f
		}
		return cmd, nil
	})
	return enabled, err
}

// obey sees to the hub's rules and reports whether the next step may be taken.
func (h *Handler) obey(ctx context.Context, n events.Notification) (obeys bool, err error) {
	obeys = true
	step := steps.Step{Name: connection.StepHubRules, Function: function, From: connection.ChannelEnabled}
	_, err = steps.Run(ctx, h.Ledger, n, step, func(ctx context.Context, c connection.State) (eh.Command, error) {
		cmd := connection.SetHubRules{To: connection.To(n.Stream)} // of no session: it changes nothing
		f, err := h.Hub.AddRules(ctx, c)
		if err != nil {
			obeys = false
			return nil, fmt.Errorf("add rules to the hub: %w", err)
		}
		if f != nil {
			cmd.Session, cmd.Fact = c.Session, *f
		}
		return cmd, nil
	})
	return obeys, err
}

func (h *Handler) open(ctx context.Context, n events.Notification) error {
	step := steps.Step{Name: connection.StepReady, Function: function, From: connection.ChannelEnabled}
	_, err := steps.Run(ctx, h.Ledger, n, step, func(ctx context.Context, c connection.State) (eh.Command, error) {
		if err := h.Hub.CheckReady(ctx, c); err != nil {
			return nil, fmt.Errorf("check the hub: %w", err)
		}
		return connection.MakeReady{To: connection.To(n.Stream), Session: c.Session}, nil
	})
	return err
}

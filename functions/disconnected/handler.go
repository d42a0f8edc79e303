// Package disconnected answers Disconnected: it disables the connection's user
// in the hub, gives the application id back, has the secrets forgotten unless
// conversations may still finish, and applies the disconnect's policy to every escalation that is still open.
//
// An escalation that is raised while this runs is settled from the other side,
// by escalationraised, which reads the connection again after it was raised.
package disconnected

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"handoff/domain/connection"
	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/steps"
)

// Escalations lists what is open.
type Escalations interface {
	// Open yields the conversations whose open escalation belongs to the
	// connection, as of the given position of the log at least.
	Open(ctx context.Context, tenant, connection string, position int64) iter.Seq2[events.StreamID, error]
}

// Settler applies a connection's policy to one conversation.
type Settler interface {
	Settle(ctx context.Context, n events.Notification, stream events.StreamID) error
}

// Releaser gives application ids back, and has the secrets of a disconnected
// connection forgotten.
type Releaser interface {
	Release(ctx context.Context, n events.Notification, session int, held connection.Held) error
	Forget(ctx context.Context, n events.Notification) error
}

// Handler answers Disconnected. It may be called any number of times with the
// same fact, and is safe for concurrent use.
type Handler struct {
	Ledger       *eventlog.Ledger
	Escalations  Escalations
	Settler      Settler
	Applications Releaser
	Users        steps.Users // nil: no hub knows users
}

// Handle settles what the connection left open. A connection that was connected
// again meanwhile keeps its id and its escalations.
func (h *Handler) Handle(ctx context.Context, n events.Notification) error {
	c, err := eventlog.State(ctx, h.Ledger, connection.Decider, n.Stream)
	if err != nil {
		return err
	}
	if c.State.Status != connection.Disconnected {
		return nil
	}
	// A hub that is down must not keep customers waiting.
	return errors.Join(h.leave(ctx, n, c.State), h.settle(ctx, n, c.State.ID))
}

// leave gives back what the connection held. An id whose user could not be
// disabled is kept: the hub would take the next connection for this one.
func (h *Handler) leave(ctx context.Context, n events.Notification, c connection.State) error {
	if h.Users != nil {
		if err := steps.Leave(ctx, h.Ledger, h.Users, n, "disconnected"); err != nil {
			return fmt.Errorf("disconnect %s: %w", c.ID, err)
		}
		after, err := eventlog.State(ctx, h.Ledger, connection.Decider, n.Stream)
		if err != nil {
			return fmt.Errorf("disconnect %s: %w", c.ID, err)
		}
		c.Users = after.State.Users
	}
	for _, held := range c.Reservations() {
		kept := slices.ContainsFunc(c.Unused(), func(u connection.User) bool { return u.Held == held })
		if kept {
			continue
		}
		if err := h.Applications.Release(ctx, n, c.Session, held); err != nil {
			return fmt.Errorf("disconnect %s: %w", c.ID, err)
		}
	}
	// Without its secrets nobody could disable its users any more, nor speak in
	// conversations that may still finish: of those, functions/hubwatch sees the
	// end.
	if len(c.Unused()) > 0 || c.Draining() {
		return nil
	}
	return h.Applications.Forget(ctx, n)
}

// settle goes through all of them even if one fails; what failed is tried
// again with all the others, which by then are settled.
func (h *Handler) settle(ctx context.Context, n events.Notification, id string) error {
	var failed []error
	for stream, err := range h.Escalations.Open(ctx, n.Tenant, id, n.Position) {
		if err != nil {
			return fmt.Errorf("disconnect %s: list open escalations: %w", id, err)
		}
		if err := h.Settler.Settle(ctx, n, stream); err != nil {
			failed = append(failed, err)
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("disconnect %s: %w", id, errors.Join(failed...))
	}
	return nil
}

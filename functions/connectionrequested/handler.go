// Package connectionrequested answers ConnectionRequested: it finds or makes the
// application id of the connection in its hub, and reserves it, so that no
// other connection of any tenant has the same one in that organisation.
package connectionrequested

import (
	"context"
	"fmt"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/connection"
	"handoff/domain/reservation"
	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/steps"
)

const function = "connectionrequested"

// Applications finds or makes application ids at the hub.
type Applications interface {
	// EnsureApplication returns the application id for a connection. Called
	// again for the same connection it returns the same id.
	EnsureApplication(ctx context.Context, c connection.State) (id string, created bool, err error)
}

// Streams names the streams of reservations, which belong to no tenant.
type Streams interface {
	SystemStreamID(kind events.Kind, parts ...string) events.StreamID
}

// Handler answers ConnectionRequested. It may be called any number of times
// with the same fact, and is safe for concurrent use.
type Handler struct {
	Ledger       *eventlog.Ledger
	Applications Applications
	Streams      Streams
}

// Handle carries out the step; see steps.Run for what becomes of failures.
func (h *Handler) Handle(ctx context.Context, n events.Notification) error {
	var reserved connection.Held
	step := steps.Step{Name: connection.StepApplication, Function: function, From: connection.Requested}
	c, err := steps.Run(ctx, h.Ledger, n, step, func(ctx context.Context, c connection.State) (eh.Command, error) {
		id, created, err := h.Applications.EnsureApplication(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("find application: %w", err)
		}
		reserved = connection.Held{HubType: c.Hub.Type, Organisation: c.Hub.Organisation, ApplicationID: id}
		if err := h.reserve(ctx, n, c.Session, reserved); err != nil {
			return nil, fmt.Errorf("reserve application: %w", err)
		}
		return connection.RegisterApp{To: connection.To(n.Stream), Session: c.Session, Fact: events.AppRegistered{
			HubType: reserved.HubType, Organisation: reserved.Organisation, ApplicationID: id, Created: created,
		}}, nil
	})
	if err != nil {
		return err
	}
	return h.tidy(ctx, n, c, reserved)
}

// tidy gives back what the connection does not hold after all: ids of earlier
// attempts, and this one if the connection was disconnected meanwhile.
func (h *Handler) tidy(ctx context.Context, n events.Notification, c connection.State, reserved connection.Held) error {
	for _, held := range append(c.Reservations(), reserved) {
		inUse := c.Active() && held.ApplicationID == c.ApplicationID && held.Organisation == c.Hub.Organisation && held.HubType == c.Hub.Type
		if inUse || held.ApplicationID == "" || c.Status == connection.Requested {
			continue
		}
		if err := h.Release(ctx, n, c.Session, held); err != nil {
			return err
		}
	}
	return nil
}

func (h *Handler) reserve(ctx context.Context, n events.Notification, session int, held connection.Held) error {
	return h.change(ctx, n, held, func(to reservation.To) eh.Command {
		return reservation.Reserve{To: to, Fact: events.Reserved{
			HubType: held.HubType, Organisation: held.Organisation, ApplicationID: held.ApplicationID,
			Tenant: n.Tenant, Connection: n.Connection, Session: session,
		}}
	})
}

// Release gives an application id back, if the connection of n holds it, and
// not for a later session than the given one.
func (h *Handler) Release(ctx context.Context, n events.Notification, session int, held connection.Held) error {
	return h.change(ctx, n, held, func(to reservation.To) eh.Command {
		return reservation.Release{To: to, Fact: events.Released{Tenant: n.Tenant, Connection: n.Connection, Session: session}}
	})
}

func (h *Handler) change(ctx context.Context, n events.Notification, held connection.Held, cmd func(reservation.To) eh.Command) error {
	stream := h.Streams.SystemStreamID(events.KindReservation, held.HubType, held.Organisation, held.ApplicationID)
	_, err := eventlog.Execute(ctx, h.Ledger, reservation.Decider, eventlog.Stream{ID: stream}, eventlog.Because(n, function),
		func(reservation.State) (eh.Command, error) { return cmd(reservation.To(stream)), nil })
	if err != nil {
		return fmt.Errorf("change the reservation of %s: %w", held.ApplicationID, err)
	}
	return nil
}

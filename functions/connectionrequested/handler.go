// Package connectionrequested answers ConnectionRequested: it looks at the hub
// before anything is changed there, finds or makes the application id of the
// connection, and reserves it, so that no other connection of any tenant has the
// same one in that organisation.
package connectionrequested

import (
	"context"
	"fmt"
	"slices"

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
	// ForgetSecrets removes the secrets that were made for a disconnected
	// connection's application, and forgets all of the connection. It may be
	// called again. Hubs without secrets get nil.
	ForgetSecrets(ctx context.Context, c connection.State) (*events.HubSecretsForgotten, error)
}

// Inspector looks at a hub before anything is changed there.
type Inspector interface {
	// Inspect changes nothing. Everything that is not as it should be is a
	// finding; an error means that it could not look. Hubs at which there is
	// nothing to look at get nil.
	Inspect(ctx context.Context, c connection.State) (*connection.Inspection, error)
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
	Inspector    Inspector // nil: there is nothing to look at
	Streams      Streams
}

// Handle carries out the two steps; see steps.Run for what becomes of failures.
func (h *Handler) Handle(ctx context.Context, n events.Notification) error {
	seen, goOn, err := h.inspect(ctx, n)
	if err != nil || !goOn {
		return err
	}
	return h.register(ctx, n, seen)
}

// inspect looks at the hub. It returns the application id, if that is known now,
// and whether what was seen lets the connection go on.
func (h *Handler) inspect(ctx context.Context, n events.Notification) (application string, goOn bool, err error) {
	if h.Inspector == nil {
		return "", true, nil
	}
	looked := false
	step := steps.Step{Name: connection.StepPrerequisites, Function: function, From: connection.Requested}
	c, err := steps.Run(ctx, h.Ledger, n, step, func(ctx context.Context, c connection.State) (eh.Command, error) {
		cmd := connection.CheckPrerequisites{To: connection.To(n.Stream)} // of no session: it changes nothing
		seen, err := h.Inspector.Inspect(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("look at the hub: %w", err)
		}
		looked = true
		if seen != nil {
			application, cmd.Session, cmd.Bot = seen.ApplicationID, c.Session, seen.Bot
			cmd.Fact = events.PrerequisitesChecked{ApplicationID: seen.ApplicationID, TokenTenant: seen.TokenTenant, Findings: seen.Findings}
		}
		return cmd, nil
	})
	return application, c.Status != connection.Requested || looked && !c.Blocked(), err
}

// register finds or makes the application. One that is known before is reserved
// before anything is changed at the hub.
func (h *Handler) register(ctx context.Context, n events.Notification, known string) error {
	var reserved []connection.Held
	reserve := func(ctx context.Context, c connection.State, id string) error {
		held := connection.Held{HubType: c.Hub.Type, Organisation: c.Hub.Organisation, ApplicationID: id}
		reserved = append(reserved, held)
		return h.reserve(ctx, n, c.Session, held)
	}
	step := steps.Step{Name: connection.StepApplication, Function: function, From: connection.Requested}
	c, err := steps.Run(ctx, h.Ledger, n, step, func(ctx context.Context, c connection.State) (eh.Command, error) {
		if known != "" {
			if err := reserve(ctx, c, known); err != nil {
				return nil, fmt.Errorf("reserve application: %w", err)
			}
		}
		id, created, err := h.Applications.EnsureApplication(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("find application: %w", err)
		}
		if id != known {
			if err := reserve(ctx, c, id); err != nil {
				return nil, fmt.Errorf("reserve application: %w", err)
			}
		}
		return connection.RegisterApp{To: connection.To(n.Stream), Session: c.Session, Fact: events.AppRegistered{
			HubType: c.Hub.Type, Organisation: c.Hub.Organisation, ApplicationID: id, Created: created,
		}}, nil
	})
	if err != nil {
		return err
	}
	return h.tidy(ctx, n, c, reserved)
}

// tidy gives back what the connection does not hold after all: ids of earlier
// attempts, and this one if the connection was disconnected meanwhile. An id
// whose user still works in the hub is kept until that is disabled.
func (h *Handler) tidy(ctx context.Context, n events.Notification, c connection.State, reserved []connection.Held) error {
	if c.Status == connection.Requested {
		return nil
	}
	for _, held := range append(c.Reservations(), reserved...) {
		works := slices.ContainsFunc(c.Users, func(u connection.User) bool { return u.Held == held })
		if c.Uses(held) || works || held.ApplicationID == "" {
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

// Forget has the secrets of a connection that was disconnected forgotten; see
// steps.Run for what becomes of failures.
func (h *Handler) Forget(ctx context.Context, n events.Notification) error {
	step := steps.Step{Name: connection.StepForget, Function: function, From: connection.Disconnected}
	_, err := steps.Run(ctx, h.Ledger, n, step, func(ctx context.Context, c connection.State) (eh.Command, error) {
		cmd := connection.ForgetSecrets{To: connection.To(n.Stream)} // of no session: it changes nothing
		if c.Forgotten {
			return cmd, nil
		}
		f, err := h.Applications.ForgetSecrets(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("forget secrets: %w", err)
		}
		if f != nil {
			cmd.Session, cmd.Fact = c.Session, *f
		}
		return cmd, nil
	})
	return err
}

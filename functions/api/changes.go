package api

import (
	"context"
	"fmt"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/events"
)

// HubChanges changes at a hub what somebody allowed. Whatever is as it has to be
// stays so, and may be asked for again.
type HubChanges interface {
	// EnsureEndpoint has messages of the hub sent to Handoff; nil: it sends none.
	EnsureEndpoint(ctx context.Context, c connection.State) (*events.MessagingEndpointSet, error)
	// AddRules gives the hub the rules by which it obeys Handoff; nil: nothing is
	// new.
	AddRules(ctx context.Context, c connection.State) (*events.HubRulesSet, error)
}

// HubSecretRotator renews the secret of a connection's application id.
type HubSecretRotator interface {
	// RotateSecret stores a new secret that works, and removes the one before.
	RotateSecret(ctx context.Context, c connection.State) (*events.ApplicationSecretRotated, error)
}

// carryOut makes the changes at the hub that a plan allows of a connection that
// is ready. Of others the functions of connecting make them.
func (h *Handler) carryOut(ctx context.Context, by identity.Principal, c connected, p connection.Plan) (connection.State, error) {
	if h.Hubs == nil || c.Status != connection.Ready || p.Omnichannel == nil {
		return c.State, nil
	}
	c.Tenant = by.Tenant
	to := connection.To(c.stream.ID)
	if p.Omnichannel.TakeOverEndpoint {
		f, err := h.Hubs.EnsureEndpoint(ctx, c.State)
		if err != nil {
			return c.State, fmt.Errorf("take over the endpoint of %s: %w", c.ID, err)
		}
		if f != nil {
			if c.State, err = h.change(ctx, by, c, connection.SetMessagingEndpoint{To: to, Session: c.Session, Fact: *f}); err != nil {
				return c.State, err
			}
			c.Tenant = by.Tenant
		}
	}
	if !p.Omnichannel.AddHubRules {
		return c.State, nil
	}
	f, err := h.Hubs.AddRules(ctx, c.State)
	if err != nil {
		return c.State, fmt.Errorf("add rules to the hub of %s: %w", c.ID, err)
	}
	if f == nil {
		return c.State, nil
	}
	return h.change(ctx, by, c, connection.SetHubRules{To: to, Session: c.Session, Fact: *f})
}

// RotateApplicationSecret gives a connection's application id a new secret, which
// nobody is shown: it goes into the secret store. The one that Handoff made
// before stops working.
func (h *Handler) RotateApplicationSecret(ctx context.Context, by identity.Principal, id string) (connection.State, error) {
	c, err := h.find(ctx, by, id)
	switch {
	case err != nil:
		return connection.State{}, err
	case !c.Active():
		return connection.State{}, connection.Refusal(c.State)
	case h.Hubs == nil:
		return connection.State{}, fault.New(fault.Conflict, "application-secret-unused", "This hub knows no secrets of applications.")
	}
	c.Tenant = by.Tenant
	f, err := h.Hubs.RotateSecret(ctx, c.State)
	if err != nil {
		return connection.State{}, fmt.Errorf("renew the application's secret of %s: %w", id, err)
	}
	return h.change(ctx, by, c, eh.Command(connection.RotateSecret{To: connection.To(c.stream.ID), Fact: *f}))
}

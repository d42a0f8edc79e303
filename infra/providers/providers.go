// Package providers chooses who carries out the steps of a connection, by the
// type of its hub. To functions it is one hub that knows every type.
package providers

import (
	"context"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/domain/publication"
	"handoff/events"
	"handoff/infra/genericdesk"
	"handoff/infra/healthcheck"
	"handoff/infra/microsoft/provider"
)

// Providers has the provider of each type. It is safe for concurrent use.
type Providers struct {
	generic     genericdesk.Provider
	omnichannel *provider.Provider
	hosts       provider.Hosts
	health      healthcheck.Checker
}

// New returns the providers of every type that this version knows. Health asks
// bots of other makers.
func New(o provider.Options, health healthcheck.Checker) *Providers {
	return &Providers{omnichannel: provider.New(o), hosts: o.Hosts, health: health}
}

// unknown refuses a type of hub.
func unknown(c connection.State) error {
	return fault.Newf(fault.Unprocessable, "hub-type-unknown", "There is no provider for hubs of type %q; this version knows %q and %q.",
		c.Hub.Type, genericdesk.HubType, connection.Omnichannel)
}

// Normal puts a request into the form in which the provider of its hub stores
// and compares it, or refuses it with a pointer. Nobody is asked.
func (p *Providers) Normal(r connection.Request) (connection.Request, error) {
	if r.Fact.Hub.Type == connection.Omnichannel {
		return p.hosts.Normal(r)
	}
	return r, nil
}

// Inspect looks at the hub and changes nothing. It returns nil for hubs at which
// there is nothing to look at.
func (p *Providers) Inspect(ctx context.Context, c connection.State) (*connection.Inspection, error) {
	if c.Hub.Type == connection.Omnichannel {
		return p.omnichannel.Inspect(ctx, c)
	}
	return nil, nil
}

// EnsureApplication returns the application id of a connection.
func (p *Providers) EnsureApplication(ctx context.Context, c connection.State) (id string, created bool, err error) {
	switch c.Hub.Type {
	case genericdesk.HubType:
		return p.generic.EnsureApplication(ctx, c)
	case connection.Omnichannel:
		return p.omnichannel.EnsureApplication(ctx, c)
	}
	return "", false, unknown(c)
}

// ForgetSecrets has the secrets of a disconnected connection forgotten.
func (p *Providers) ForgetSecrets(ctx context.Context, c connection.State) (*events.HubSecretsForgotten, error) {
	if c.Hub.Type == connection.Omnichannel {
		return p.omnichannel.ForgetSecrets(ctx, c)
	}
	return p.generic.ForgetSecrets(ctx, c)
}

// RotateSecret gives the connection's application id a new secret.
func (p *Providers) RotateSecret(ctx context.Context, c connection.State) (*events.ApplicationSecretRotated, error) {
	if c.Hub.Type == connection.Omnichannel {
		return p.omnichannel.RotateSecret(ctx, c)
	}
	return nil, fault.Newf(fault.Conflict, "application-secret-unused", "A hub of type %q knows no secrets of applications.", c.Hub.Type)
}

// EnsureEndpoint has messages of the hub sent to Handoff.
func (p *Providers) EnsureEndpoint(ctx context.Context, c connection.State) (*events.MessagingEndpointSet, error) {
	if c.Hub.Type == connection.Omnichannel {
		return p.omnichannel.EnsureEndpoint(ctx, c)
	}
	return p.generic.EnsureEndpoint(ctx, c)
}

// AddRules gives the hub the rules by which it obeys Handoff, if that is allowed.
func (p *Providers) AddRules(ctx context.Context, c connection.State) (*events.HubRulesSet, error) {
	if c.Hub.Type == connection.Omnichannel {
		return p.omnichannel.AddRules(ctx, c)
	}
	return p.generic.AddRules(ctx, c)
}

// EnsureChannel looks the channel up and turns it on if it is off.
func (p *Providers) EnsureChannel(ctx context.Context, c connection.State) (events.ChannelEnabled, error) {
	switch c.Hub.Type {
	case genericdesk.HubType:
		return p.generic.EnsureChannel(ctx, c)
	case connection.Omnichannel:
		return p.omnichannel.EnsureChannel(ctx, c)
	}
	return events.ChannelEnabled{}, unknown(c)
}

// EnableUser sees to the connection's user in the hub; see steps.Users.
func (p *Providers) EnableUser(ctx context.Context, c connection.State) (*events.ApplicationUserEnabled, error) {
	if c.Hub.Type == connection.Omnichannel {
		return p.omnichannel.EnableUser(ctx, c)
	}
	return nil, nil
}

// DisableUser disables a user that the connection had; see steps.Users. The user
// may be in a hub of another type than the connection's is now.
func (p *Providers) DisableUser(ctx context.Context, c connection.State, u connection.User) (gone bool, err error) {
	if u.HubType == connection.Omnichannel {
		return p.omnichannel.DisableUser(ctx, c, u)
	}
	return true, nil
}

// CheckReady returns a fault where escalations could not be served. Everything
// that Omnichannel needs was seen to when its user was.
func (p *Providers) CheckReady(ctx context.Context, c connection.State) error {
	switch c.Hub.Type {
	case genericdesk.HubType:
		return p.generic.CheckReady(ctx, c)
	case connection.Omnichannel:
		return nil
	}
	return unknown(c)
}

// PublishState looks whether the bot is published: at its health URL if it has
// one, else as its maker says. Of other bots nothing can be known.
func (p *Providers) PublishState(ctx context.Context, c connection.State) (publication.Finding, error) {
	switch {
	case c.HealthURL != "":
		return p.health.Check(ctx, c.HealthURL)
	case c.Hub.Type == connection.Omnichannel:
		return p.omnichannel.PublishState(ctx, c)
	}
	return publication.Finding{}, nil
}

package cloud

import (
	"context"
	"net/http"

	"handoff/domain/connection"
	"handoff/domain/relay"
	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/healthcheck"
	"handoff/infra/keyring"
	"handoff/infra/microsoft/hosts"
	"handoff/infra/microsoft/provider"
	"handoff/infra/microsoft/relaying"
	"handoff/infra/providers"
	"handoff/infra/safehttp"
)

// Microsoft returns where Microsoft's services are: those of the public cloud,
// or of the fake that HANDOFF_MICROSOFT_SIMULATION names. That one has to be on
// the machine that the function runs on, so on AWS there is none.
func (c *Cloud) Microsoft(ctx context.Context) (hosts.Hosts, error) {
	if c.Settings.Simulation == "" {
		return hosts.Public(), nil
	}
	return hosts.Simulated(ctx, &http.Client{}, c.Settings.Simulation)
}

// Hubs returns who carries out the steps of connecting, by the type of the hub,
// as on one machine. Their secrets are in the keyring.
func (c *Cloud) Hubs(ctx context.Context, keys *keyring.Keyring) (*providers.Providers, error) {
	at, err := c.Microsoft(ctx)
	o := provider.Options{HTTP: &http.Client{}, Now: c.Now, Secrets: keys, Hosts: at.Connecting}
	if base := c.Settings.PublicURL; base != "" {
		o.Messages = func(tenant, connection string) string { return base + "/v1/messages/" + tenant + "/" + connection }
	}
	health := safehttp.Options{Allow: c.Settings.Allow, Timeout: c.Settings.DeliveryTimeout}
	return providers.New(o, healthcheck.Checker{Client: safehttp.NewClient(health)}), err
}

// Keys name streams and keep secrets; the keyring does.
type Keys interface {
	StreamID(tenant string, kind events.Kind, parts ...string) (events.StreamID, error)
	Secret(ctx context.Context, tenant, name string) ([]byte, error)
}

// connections finds connections, as their streams have them.
type connections struct {
	ledger *eventlog.Ledger
	keys   Keys
}

// state returns the state of a connection; of one that is not known, the zero
// state.
func (s connections) state(ctx context.Context, l relay.Link) (connection.State, error) {
	stream, err := s.keys.StreamID(l.Tenant, events.KindConnection, l.Connection)
	if err != nil {
		return connection.State{}, err
	}
	c, err := eventlog.State(ctx, s.ledger, connection.Decider, stream)
	c.State.Tenant = l.Tenant
	return c.State, err
}

// Relaying returns what speaks with bots and hubs.
func (c *Cloud) Relaying(ctx context.Context, ledger *eventlog.Ledger, keys Keys) (*relaying.Relaying, error) {
	at, err := c.Microsoft(ctx)
	return relaying.New(relaying.Options{
		HTTP: &http.Client{}, Now: c.Now, Secrets: keys, Connection: connections{ledger, keys}.state, Hosts: at.Relaying,
	}), err
}

package cloud

import (
	"context"
	"net/http"

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
		o.Messages = func(tenant, connection string) string { return base + relaying.MessagesPath(tenant, connection) }
	}
	health := safehttp.Options{Allow: c.Settings.Allow, Timeout: c.Settings.DeliveryTimeout}
	return providers.New(o, healthcheck.Checker{Client: safehttp.NewClient(health)}), err
}

// Keys name streams and keep secrets; the keyring does.
type Keys interface {
	StreamID(tenant string, kind events.Kind, parts ...string) (events.StreamID, error)
	Secret(ctx context.Context, tenant, name string) ([]byte, error)
}

// Relaying returns what speaks with bots and hubs.
func (c *Cloud) Relaying(ctx context.Context, ledger *eventlog.Ledger, keys Keys) (*relaying.Relaying, error) {
	at, err := c.Microsoft(ctx)
	return relaying.New(relaying.Options{
		HTTP: &http.Client{}, Now: c.Now, Secrets: keys, Connection: relaying.Connections{Ledger: ledger, Names: keys}.State, Hosts: at.Relaying,
	}), err
}

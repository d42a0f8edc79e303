// Package provider carries out the steps of connecting a bot to Omnichannel for
// Customer Service: what the functions of connecting ask of a hub, over Entra ID
// (Azure AD), Azure Bot Service and Dataverse.
//
// A connection takes one of two paths. On the relay, Handoff has an application
// id and an Azure Bot of its own between the hub and the bot, and sets up what
// both need. Beside a native connection (advise) everything was set up by a
// person: Handoff looks, says what it saw and changes nothing.
//
// Every step looks before it changes and may be repeated. Handoff calls with the
// client id of the connection, whose secret is in the secret store, as is the
// secret of the application id; neither is in facts, logs or errors.
package provider

import (
	"context"
	"crypto/sha256"
	"net/http"
	"net/url"
	"time"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/infra/lru"
	"handoff/infra/microsoft/botservice"
	"handoff/infra/microsoft/dataverse"
	"handoff/infra/microsoft/directline"
	"handoff/infra/microsoft/entra"
	"handoff/infra/microsoft/entra/cloud"
	"handoff/infra/microsoft/entra/controlplane"
)

// Secrets is the secret store. It returns a fault secret-not-found for one that is not there.
type Secrets interface {
	Secret(ctx context.Context, tenant, name string) ([]byte, error)
	PutSecret(ctx context.Context, tenant, name string, value []byte) error
	DeleteSecret(ctx context.Context, tenant, name string) error
}

// Hosts are the addresses of services, without a slash at the end; empty ones
// are those of the public cloud. Others are of a fake.
type Hosts struct {
	Login, Graph, Azure, Discovery string
	// Organisation returns where an organisation answers; nil: at its own
	// address.
	Organisation func(organisation string) string
	// Loopback says that an organisation may be at an address of this machine.
	// Without it nobody makes the server call itself.
	Loopback bool
	// DirectLine and TokenEndpoints list the hosts at which bots are reached, and
	// DirectLineBase is where those are that do not tell their region.
	DirectLine, TokenEndpoints []string
	DirectLineBase             string
}

// Options are for making a provider. HTTP and Now are needed, and Secrets by
// everything that a connection is named for.
type Options struct {
	HTTP    *http.Client
	Now     func() time.Time
	Secrets Secrets
	Hosts   Hosts
	// Messages returns the URL at which an Azure Bot has to post the messages
	// for a connection; nil: no Azure Bot posts to Handoff.
	Messages func(tenant, connection string) string
}

// kept is how many clients and token sources are kept.
const kept = 4096

// Provider carries out the steps. It is safe for concurrent use.
type Provider struct {
	o Options
	// Token sources and clients are kept: a token lasts an hour, and a client
	// knows how long its organisation wants no calls.
	sources       *lru.Cache[signIn, *entra.Source]
	organisations *lru.Cache[signIn, *dataverse.Client]
	bots          *directline.Client
}

// signIn is what a token was asked for with; the secret only as a digest.
type signIn struct {
	directory, client, scope, host string
	secret                         [sha256.Size]byte
}

// New returns a provider.
func New(o Options) *Provider {
	for dst, public := range map[*string]string{
		&o.Hosts.Login: entra.Authority, &o.Hosts.Graph: entra.GraphBase, &o.Hosts.Azure: botservice.Base, &o.Hosts.Discovery: dataverse.DiscoveryBase,
	} {
		if *dst == "" {
			*dst = public
		}
	}
	if o.Hosts.Organisation == nil {
		o.Hosts.Organisation = func(organisation string) string { return organisation }
	}
	return &Provider{
		o: o, sources: lru.New[signIn, *entra.Source](kept), organisations: lru.New[signIn, *dataverse.Client](kept),
		bots: directline.New(directline.Options{HTTP: o.HTTP, Now: o.Now, Hosts: o.Hosts.DirectLine, TokenHosts: o.Hosts.TokenEndpoints}),
	}
}

// Permissions returns what the connection's application needs, to be shown
// before anything is asked for.
func Permissions(relay bool) []controlplane.Permission {
	if !relay {
		return dataverse.Permissions(false)
	}
	return append(append(entra.Permissions(), botservice.Permissions()...), dataverse.Permissions(true)...)
}

// credentials returns those by which Handoff calls for a connection.
func (p *Provider) credentials(ctx context.Context, c connection.State) (entra.Credentials, error) {
	if c.Omnichannel == nil {
		return entra.Credentials{}, fault.New(fault.Unprocessable, "omnichannel-incomplete", "The connection has no settings for Omnichannel.")
	}
	secret, err := p.o.Secrets.Secret(ctx, c.Tenant, connection.SecretName(c.ID, connection.SecretClient))
	if fault.Is(err, "secret-not-found") {
		return entra.Credentials{}, fault.Newf(fault.Unprocessable, "client-secret-missing",
			"The secret of application %s is not in the secret store. Connect again and give it: client_secret_file in the file, or when you are asked.", c.Omnichannel.ClientID)
	}
	return entra.Credentials{Tenant: c.Omnichannel.Directory, ClientID: c.Omnichannel.ClientID, Secret: entra.Secret(secret)}, err
}

// source returns the tokens of credentials for a scope.
func (p *Provider) source(who entra.Credentials, scope string) (*entra.Source, error) {
	key := signIn{who.Tenant, who.ClientID, scope, "", sha256.Sum256([]byte(who.Secret))}
	if s, ok := p.sources.Get(key); ok {
		return s, nil
	}
	mark := p.sources.Mark(key)
	s, err := entra.NewSource(p.options(p.o.Hosts.Login, nil), who, scope)
	if err == nil {
		p.sources.Put(key, s, mark)
	}
	return s, err
}

func (p *Provider) options(base string, tokens controlplane.Tokens) controlplane.Options {
	return controlplane.Options{Base: base, HTTP: p.o.HTTP, Now: p.o.Now, Tokens: tokens}
}

// organisation returns the client of an organisation.
func (p *Provider) organisation(ctx context.Context, c connection.State, organisation string) (*dataverse.Client, error) {
	who, err := p.credentials(ctx, c)
	if err != nil {
		return nil, err
	}
	return p.Organisation(who, organisation)
}

// Organisation returns the client of an organisation for credentials.
func (p *Provider) Organisation(who entra.Credentials, organisation string) (*dataverse.Client, error) {
	if u, err := url.Parse(organisation); err == nil && cloud.Loopback(u.Hostname()) && !p.o.Hosts.Loopback {
		return nil, notHere()
	}
	base := p.o.Hosts.Organisation(organisation)
	key := signIn{who.Tenant, who.ClientID, dataverse.Scope(organisation), base, sha256.Sum256([]byte(who.Secret))}
	if d, ok := p.organisations.Get(key); ok {
		return d, nil
	}
	mark := p.organisations.Mark(key)
	tokens, err := p.source(who, key.scope)
	if err != nil {
		return nil, err
	}
	d, err := dataverse.New(p.options(base, tokens))
	if err == nil {
		p.organisations.Put(key, d, mark)
	}
	return d, err
}

func notHere() error {
	return fault.New(fault.Unprocessable, "organisation-url-invalid", "The organisation's address is on this machine; it must be one of Dataverse's, such as https://contoso.crm4.dynamics.com.")
}

func (p *Provider) hub(ctx context.Context, c connection.State) (*dataverse.Client, error) {
	return p.organisation(ctx, c, c.Hub.Organisation)
}

func (p *Provider) azure(ctx context.Context, c connection.State) (*botservice.Client, botservice.Bot, error) {
	who, err := p.credentials(ctx, c)
	if err != nil {
		return nil, botservice.Bot{}, err
	}
	bot, err := botservice.ParseBot(c.Omnichannel.AzureBot)
	if err != nil {
		return nil, bot, err
	}
	tokens, err := p.source(who, entra.ScopeAzure)
	if err != nil {
		return nil, bot, err
	}
	client, err := botservice.New(p.options(p.o.Hosts.Azure, tokens))
	return client, bot, err
}

func (p *Provider) graph(ctx context.Context, c connection.State) (*entra.Graph, error) {
	who, err := p.credentials(ctx, c)
	if err != nil {
		return nil, err
	}
	tokens, err := p.source(who, entra.ScopeGraph)
	if err != nil {
		return nil, err
	}
	return entra.NewGraph(p.options(p.o.Hosts.Graph, tokens))
}

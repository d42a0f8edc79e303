// Package relaying is what functions/relay and functions/hubwatch speak with:
// a Power Virtual Agents (Copilot Studio) bot over Direct Line on one side,
// Omnichannel for Customer Service over the Connector and Dataverse on the
// other. It puts the two dialects into the words of package domain/relay and
// back, and knows how a connection's bot and hub are reached.
//
// What a bot says travels to the customer as it was said, but for what its own
// channel put around it; what the hub says of a conversation is believed only
// from an authenticated sender.
package relaying

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/domain/relay"
	"handoff/infra/lru"
	"handoff/infra/microsoft/connector"
	"handoff/infra/microsoft/directline"
	"handoff/infra/microsoft/entra"
	"handoff/infra/microsoft/entra/controlplane"
	"handoff/infra/microsoft/livechat"
	"handoff/infra/microsoft/omnichannel"
)

// Secrets is the secret store. It returns a fault secret-not-found for one that
// is not there.
type Secrets interface {
	Secret(ctx context.Context, tenant, name string) ([]byte, error)
}

// Hosts are where Microsoft's services are; empty ones are those of the public
// cloud. Others are of a fake.
type Hosts struct {
	Login string // of Entra ID, without a slash at the end
	// DirectLine, TokenEndpoints and Connector list the hosts that get tokens
	// or are asked for them, and DirectLineBase is where bots are that do not
	// tell their region.
	DirectLine, TokenEndpoints, Connector []string
	DirectLineBase                        string
	// Organisation returns where an organisation answers; nil: at its own
	// address.
	Organisation func(organisation string) string
	// LiveChat is where chat widgets connect; empty: where their embed codes say.
	LiveChat string
}

// liveChat returns the hosts that live chats may have; nil: those of the client.
func (h Hosts) liveChat() []string {
	u, err := url.Parse(h.LiveChat)
	if err != nil || h.LiveChat == "" {
		return nil
	}
	return []string{u.Hostname()}
}

// Options are for making a Relaying. HTTP, Now, Secrets and Connection are
// needed.
type Options struct {
	HTTP    *http.Client
	Now     func() time.Time
	Secrets Secrets
	// Connection returns the state of a connection, as its stream has it.
	Connection func(ctx context.Context, l relay.Link) (connection.State, error)
	Hosts      Hosts
	Limits     omnichannel.Limits
}

// Relaying speaks with bots and hubs. It is safe for concurrent use.
type Relaying struct {
	o     Options
	bots  *directline.Client
	chats *livechat.Client
	// sources keep the tokens of an application for an API, hubs the clients
	// that go with them, and links the escalation of a hub's record.
	sources *lru.Cache[signIn, *entra.Source]
	hubs    *lru.Cache[signIn, *connector.Client]
	links   *lru.Cache[recordKey, string]
}

// signIn is who asks whom. The secret is part of it, as its hash, so that a new
// one takes effect.
type signIn struct {
	tenant, client, scope string
	secret                [sha256.Size]byte
}

const (
	keptSources = 1_024
	keptLinks   = 16_384
)

// New returns a Relaying.
func New(o Options) *Relaying {
	if o.Hosts.Login == "" {
		o.Hosts.Login = entra.Authority
	}
	return &Relaying{
		o: o,
		bots: directline.New(directline.Options{
			HTTP: o.HTTP, Now: o.Now, Hosts: o.Hosts.DirectLine, TokenHosts: o.Hosts.TokenEndpoints,
		}),
		chats:   livechat.New(livechat.Options{HTTP: o.HTTP, Now: o.Now, Hosts: o.Hosts.liveChat()}),
		sources: lru.New[signIn, *entra.Source](keptSources), hubs: lru.New[signIn, *connector.Client](keptSources),
		links: lru.New[recordKey, string](keptLinks),
	}
}

// connection returns a connection with settings of Omnichannel.
func (r *Relaying) connection(ctx context.Context, l relay.Link) (connection.State, error) {
	c, err := r.o.Connection(ctx, l)
	if err != nil {
		return c, fmt.Errorf("find connection %s: %w", l.Connection, err)
	}
	if c.Omnichannel == nil {
		return c, fault.Newf(fault.Unprocessable, "connection-not-omnichannel", "Connection %q has no settings of Omnichannel.", l.Connection)
	}
	return c, nil
}

// sender speaks in conversations of a connection's hub, as its application id.
func (r *Relaying) sender(ctx context.Context, l relay.Link) (*connector.Client, error) {
	c, err := r.connection(ctx, l)
	if err != nil {
		return nil, err
	}
	secret, err := r.o.Secrets.Secret(ctx, l.Tenant, connection.SecretName(c.ID, connection.SecretApplication))
	if err != nil {
		return nil, fmt.Errorf("secret of the application of connection %s: %w", l.Connection, err)
	}
	who := entra.Credentials{Tenant: c.TokenTenant, ClientID: c.ApplicationID, Secret: entra.Secret(secret)}
	tokens, key, err := r.source(who, entra.ScopeBotFramework)
	if err != nil {
		return nil, err
	}
	if s, ok := r.hubs.Get(key); ok {
		return s, nil
	}
	mark := r.hubs.Mark(key)
	s := connector.New(connector.Options{HTTP: r.o.HTTP, Tokens: tokens, Now: r.o.Now, Hosts: r.o.Hosts.Connector})
	r.hubs.Put(key, s, mark)
	return s, nil
}

// source returns the tokens of credentials for a scope.
func (r *Relaying) source(who entra.Credentials, scope string) (*entra.Source, signIn, error) {
	key := signIn{who.Tenant, who.ClientID, scope, sha256.Sum256([]byte(who.Secret))}
	if s, ok := r.sources.Get(key); ok {
		return s, key, nil
	}
	mark := r.sources.Mark(key)
	s, err := entra.NewSource(controlplane.Options{Base: r.o.Hosts.Login, HTTP: r.o.HTTP, Now: r.o.Now}, who, scope)
	if err != nil {
		return nil, key, fmt.Errorf("sign in as application %s: %w", who.ClientID, err)
	}
	r.sources.Put(key, s, mark)
	return s, key, nil
}

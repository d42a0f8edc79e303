package system

import (
	"context"
	"iter"
	"net/http"
	"time"

	"handoff/domain/connection"
	"handoff/domain/listing"
	"handoff/events"
	"handoff/functions/hubwatch"
	"handoff/functions/publishcheck"
	"handoff/functions/relay"
	"handoff/infra/contextlink"
	"handoff/infra/marks"
	"handoff/infra/microsoft/botauth"
	"handoff/infra/microsoft/provider"
	"handoff/infra/microsoft/relaying"
	"handoff/infra/subscription"
)

// relays is how many relayed conversations are worked on side by side. Each is
// mostly a wait for the bot.
const relays = 512

// relayTimeout bounds one turn of a relay, which listens to the bot for as long
// as it is patient and then writes down what it said.
const relayTimeout = 2 * time.Minute

// How many connections to a host of Microsoft's are kept for the next request,
// and for how long. All relays talk to the same few hosts, and one more
// connection is a TLS handshake more.
const (
	keptConns = 64
	keptFor   = 90 * time.Second
)

// microsoft is what speaks with bots and hubs of Microsoft's.
type microsoft struct {
	client      *http.Client
	connections relaying.Connections
	relaying    *relaying.Relaying
	streams     *relaying.Streams
}

// bindMicrosoft makes what provider, relay and hubwatch share.
func (s *System) bindMicrosoft() {
	m := &s.microsoft
	m.connections = relaying.Connections{Ledger: s.Ledger, Names: s.Keyring}
	m.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: keptConns, IdleConnTimeout: keptFor}}
	m.relaying = relaying.New(relaying.Options{
		HTTP: m.client, Now: s.cfg.Now, Secrets: s.Keyring, Hosts: s.cfg.Microsoft.Relaying, Connection: m.connections.State,
	})
	m.streams = relaying.NewStreams(context.Background(), m.relaying, s.wake)
}

// close ends the streams of bots.
func (m *microsoft) close() error {
	if m.streams == nil {
		return nil
	}
	err := m.streams.Close()
	m.client.CloseIdleConnections()
	return err
}

func (s *System) providerOptions() provider.Options {
	return provider.Options{
		HTTP: s.microsoft.client, Now: s.cfg.Now, Secrets: s.Keyring, Hosts: s.cfg.Microsoft.Connecting,
		Messages: func(tenant, connection string) string {
			return s.cfg.PublicURL + "/v1/messages/" + tenant + "/" + connection
		},
	}
}

func (s *System) bindRelay(raiser relay.Raiser) *relay.Handler {
	c, m := s.cfg, s.microsoft
	return &relay.Handler{
		Ledger: s.Ledger, Keys: s.Keyring, Raiser: raiser, Opener: m.relaying, Bot: m.streams, Customer: m.relaying, Hub: m.relaying,
		Linker: contextlink.New(s.Keyring, c.PublicURL), Now: c.Now, Log: c.Log, Notice: c.RelayNotice, Timing: c.Relay,
	}
}

// messages is the address to which Azure Bots post.
func (s *System) messages(receiver relaying.Receiver) *relaying.Endpoint {
	return &relaying.Endpoint{
		Verifier: botauth.New(s.cfg.Microsoft.Inbound, s.microsoft.client, s.cfg.Now), Receiver: receiver, Link: s.microsoft.connections.Link, Log: s.cfg.Log,
	}
}

func (s *System) bindHubwatch(secrets hubwatch.Forgetter) *hubwatch.Rounds {
	return &hubwatch.Rounds{
		Handler:     &hubwatch.Handler{Ledger: s.Ledger, Records: s.microsoft.relaying, Refs: s.Keyring, Log: s.cfg.Log},
		Connections: everyConnection{s}, Marks: marks.New(s.DB), Secrets: secrets, Now: s.cfg.Now,
	}
}

func (s *System) bindPublishcheck(bots publishcheck.Bots) *publishcheck.Handler {
	return &publishcheck.Handler{
		Ledger: s.Ledger, Connections: everyConnection{s}, Bots: bots, Marks: marks.New(s.DB), Now: s.cfg.Now, Every: s.cfg.Check, Log: s.cfg.Log,
	}
}

// relaySubscription has the relay told of facts.
func (s *System) relaySubscription() subscription.Subscription {
	return subscription.Subscription{
		Name: "relay", Types: relay.Types(), Handle: s.bound.relay.Handle, Concurrency: relays, Timeout: relayTimeout,
	}
}

// wake is called for what a bot says when nobody listens.
func (s *System) wake(ctx context.Context, conversation events.StreamID) error {
	ctx, cancel := context.WithTimeout(ctx, relayTimeout)
	defer cancel()
	err := s.bound.relay.Wake(ctx, conversation)
	if err != nil && ctx.Err() == nil {
		s.cfg.Log.ErrorContext(ctx, "bot not heard", "stream", conversation.String(), "error", err)
	}
	return err
}

// everyConnection lists the connections of all tenants.
type everyConnection struct{ *System }

// Connections implements hubwatch.Connections and publishcheck.Connections.
func (e everyConnection) Connections(ctx context.Context) iter.Seq2[connection.Ref, error] {
	return func(yield func(connection.Ref, error) bool) {
		tenants, err := e.Keyring.Tenants(ctx)
		if err != nil {
			yield(connection.Ref{}, err)
			return
		}
		for _, tenant := range tenants {
			if !e.of(ctx, tenant, yield) {
				return
			}
		}
	}
}

// of yields the connections of one tenant; false says that no more are wanted.
func (e everyConnection) of(ctx context.Context, tenant string, yield func(connection.Ref, error) bool) bool {
	for q := (listing.ConnectionQuery{Tenant: tenant}); ; {
		rows, next, err := e.Directory.Connections(ctx, q)
		if err != nil {
			return yield(connection.Ref{}, err)
		}
		for _, r := range rows {
			stream, err := e.Keyring.StreamID(tenant, events.KindConnection, r.ID)
			if !yield(connection.Ref{Tenant: tenant, ID: r.ID, Stream: stream}, err) {
				return false
			}
		}
		if q.Cursor = next; next == "" {
			return true
		}
	}
}

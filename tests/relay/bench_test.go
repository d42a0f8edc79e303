// Package relay_test runs a relayed conversation over HTTP, hop by hop: from a
// customer's chat widget in a fake of Microsoft's cloud to a human agent's
// answer in the same widget.
package relay_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"handoff/domain/connection"
	"handoff/domain/conversation"
	"handoff/domain/fault"
	domain "handoff/domain/relay"
	"handoff/events"
	"handoff/functions/hubwatch"
	"handoff/functions/relay"
	"handoff/functions/webhook"
	"handoff/infra/eventlog"
	"handoff/infra/microsoft/botauth"
	"handoff/infra/microsoft/relaying"
	"handoff/infra/microsoft/simulation"
	"handoff/infra/microsoft/simulation/clock"
	"handoff/infra/microsoft/simulation/hub"
	"handoff/infra/rulebook"
	"handoff/tests/functiontest"
	"handoff/tests/hubtest"
)

const store = "store-bot"

// rules send refunds where the hub's own rule about HandoffQueue does.
const rules = `version: 1
fallback: general
queues:
  - {id: general, name: General, hub_queue: ` + simulation.GeneralQueue + `}
  - {id: refunds, name: Refunds, hub_queue: "{` + simulation.RefundsQueue + `}"}
  - {id: test, name: Test, hub_queue: ` + simulation.TestQueue + `}
rules:
  - name: refunds
    all: [{topic: {is: Refund}}]
    then: {queue: refunds}
`

// bench is Handoff between a bot and a hub, all of them over HTTP.
type bench struct {
	*hubtest.Bench
	facts *functiontest.Bench
	now   func() time.Time

	ledger   *eventlog.Ledger
	relaying *relaying.Relaying
	timing   relay.Timing

	bot relay.Bot // nil: relaying polls

	mu    sync.RWMutex // held by whatever a process does
	relay *relay.Handler
	kill  context.CancelFunc
	life  context.Context
}

// stream has the bot heard over WebSockets from here on.
func (b *bench) stream() {
	s := relaying.NewStreams(b.T.Context(), b.relaying, func(ctx context.Context, conversation events.StreamID) error {
		return b.run(ctx, func(ctx context.Context, h *relay.Handler) error { return h.Wake(ctx, conversation) })
	})
	b.T.Cleanup(func() { _ = s.Close() })
	b.bot = s
	b.restart()
}

// start connects the shop's bot to its hub and has the functions work until the
// test ends.
func start(t *testing.T) *bench {
	t.Helper()
	now := morning()
	cloud := hubtest.Start(t, simulation.Connected, func(c *simulation.Config) { c.Clock = clock.Real(now) })
	b := &bench{Bench: cloud, facts: functiontest.New(t), now: now, timing: relay.Timing{Patience: 4 * time.Second, Quiet: 1500 * time.Millisecond, Late: 2 * time.Second}}
	b.facts.Clock = now()
	b.facts.Give(store, b.connected()...)
	b.ledger = eventlog.NewLedger(b.facts.Log, events.Register(), b.facts.Keys, now, rand.Text)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	// What is sent to bot and hub keeps the published contracts, whatever happens.
	client := &http.Client{Transport: &hubtest.Witness{T: t, Next: transport, Strict: true}}
	b.relaying = relaying.New(relaying.Options{
		HTTP: client, Now: now, Secrets: secrets{}, Connection: b.connection,
		Hosts: relaying.Hosts{
			Login: cloud.URLs.Login, DirectLine: loopback(), TokenEndpoints: loopback(), Connector: loopback(), DirectLineBase: cloud.URLs.DirectLine,
			Organisation: func(string) string { return cloud.URLs.Dataverse[simulation.StoreOrganisation] },
			LiveChat:     cloud.URLs.LiveChat,
		},
	})
	b.restart()
	b.listen(client)
	b.work()
	return b
}

func loopback() []string { return []string{"127.0.0.1"} }

// morning is a clock that begins when the shop is open, and runs.
func morning() func() time.Time {
	began := time.Now()
	return func() time.Time { return hubtest.Morning().Add(time.Since(began)) }
}

// connected are the facts of a connection to the fake.
func (b *bench) connected() []events.Fact {
	organisation := "https://store.crm4.dynamics.com"
	return []events.Fact{
		&events.ConnectionRequested{
			Connection: store, Bot: events.Bot{ID: simulation.StoreBot},
			Hub:    events.Hub{Type: connection.Omnichannel, Organisation: organisation, ApplicationID: simulation.RelayID},
			Notice: events.Notice{AcceptedBy: "admin", TextVersion: "1"},
		},
		&events.OmnichannelSet{
			Path: events.PathRelay, Routing: events.RoutingHandoff, Directory: simulation.TenantID, ClientID: simulation.InstallerID,
			TokenEndpoint: b.URLs.PowerPlatform + "/powervirtualagents/botsbyschema/" + simulation.StoreBotSchema + "/directline/token?api-version=2022-03-01-preview",
			Queue:         "Bot", Workstream: simulation.Workstream,
		},
		functiontest.Adopted(rules),
		&events.PrerequisitesChecked{ApplicationID: simulation.RelayID, TokenTenant: simulation.TenantID},
		&events.AppRegistered{HubType: connection.Omnichannel, Organisation: organisation, ApplicationID: simulation.RelayID},
		&events.ChannelEnabled{Channel: "MsTeamsChannel", By: "handoff"},
		&events.ApplicationUserEnabled{
			HubType: connection.Omnichannel, Organisation: organisation, OrganisationID: simulation.StoreOrganisation,
			ApplicationID: simulation.RelayID, User: simulation.RelayUser, Done: events.UserFound, By: "handoff", Workstream: simulation.Workstream,
		},
		&events.ConnectionReady{},
	}
}

// connection returns a connection as its stream has it.
func (b *bench) connection(ctx context.Context, l domain.Link) (connection.State, error) {
	s, err := eventlog.State(ctx, b.ledger, connection.Decider, b.facts.Stream(events.KindConnection, l.Connection))
	s.State.Tenant = l.Tenant
	return s.State, err
}

// secrets are those of the example.
type secrets struct{}

func (secrets) Secret(_ context.Context, _, name string) ([]byte, error) {
	switch {
	case strings.HasSuffix(name, connection.SecretClient):
		return []byte(simulation.InstallerSecret), nil
	case strings.HasSuffix(name, connection.SecretApplication):
		return []byte(simulation.RelaySecret), nil
	}
	return nil, fault.New(fault.NotFound, "secret-not-found", "There is no such secret.")
}

// links make links to contexts.
type links struct{}

func (links) ContextURL(_ context.Context, _, escalation string, _ time.Time) (string, error) {
	return "https://handoff.example/c/" + escalation, nil
}

// restart kills the process in the middle of what it does, and starts another
// one on the same log.
func (b *bench) restart() {
	if b.kill != nil {
		b.kill()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.life, b.kill = context.WithCancel(context.WithoutCancel(b.T.Context()))
	b.T.Cleanup(b.kill)
	log := slog.New(slog.NewTextHandler(b.T.Output(), nil))
	bot := b.bot
	if bot == nil {
		bot = b.relaying
	}
	b.relay = &relay.Handler{
		Ledger: b.ledger, Keys: b.facts.Keys, Opener: b.relaying, Bot: bot, Customer: b.relaying, Hub: b.relaying, Linker: links{},
		Now: b.now, Log: log, Notice: "I'm passing you on to a colleague.", Timing: b.timing,
		Raiser: &webhook.Handler{
			Ledger: b.ledger, Keys: b.facts.Keys, Fingerprints: b.facts.Keys, Router: rulebook.New(b.ledger), Now: b.now, Log: log,
		},
	}
}

// run has the process of the moment do something, until it is killed.
func (b *bench) run(ctx context.Context, do func(context.Context, *relay.Handler) error) error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.life, cancel)()
	return do(ctx, b.relay)
}

// Receive hands what the hub says to the process of the moment.
func (b *bench) Receive(ctx context.Context, l domain.Link, in domain.Inbound) error {
	return b.run(ctx, func(ctx context.Context, h *relay.Handler) error { return h.Receive(ctx, l, in) })
}

// listen serves the address to which the Azure Bot posts.
func (b *bench) listen(client *http.Client) {
	keys := botauth.Cloud{Metadata: b.URLs.Login + "/v1/.well-known/openidconfiguration", Issuer: botauth.Public().Issuer}
	e := &relaying.Endpoint{
		Verifier: botauth.New(keys, client, b.now), Receiver: b, Log: slog.New(slog.NewTextHandler(b.T.Output(), nil)),
		Link: func(*http.Request) (domain.Link, string, error) {
			return domain.Link{Tenant: functiontest.Tenant, Connection: store}, simulation.RelayID, nil
		},
	}
	s := httptest.NewServer(e)
	b.T.Cleanup(s.Close)
	b.SetEndpoint(simulation.RelayID, s.URL+"/messages")
}

// work has the functions told of facts, and time pass for them.
func (b *bench) work() {
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.T.Context()))
	var wg sync.WaitGroup
	b.T.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	wg.Go(func() { b.tell(ctx, &wg) })
	wg.Go(func() { b.look(ctx) })
	wg.Go(func() { b.watch(ctx) })
}

// tell is a subscription: streams side by side, the facts of one in order.
func (b *bench) tell(ctx context.Context, wg *sync.WaitGroup) {
	streams := make(map[events.StreamID]chan events.Notification)
	for position := int64(0); ctx.Err() == nil; {
		for r, err := range b.facts.Log.ReadAll(ctx, position) {
			if err != nil {
				break
			}
			position = r.Position
			if r.Kind != events.KindConversation || !slices.Contains(relay.Types(), r.Type) {
				continue
			}
			if streams[r.Stream] == nil {
				lane := make(chan events.Notification, 1000)
				streams[r.Stream] = lane
				wg.Go(func() { b.handle(ctx, lane) })
			}
			streams[r.Stream] <- events.Notify(r)
		}
		_ = b.facts.Log.Wait(ctx, position)
	}
}

func (b *bench) handle(ctx context.Context, lane chan events.Notification) {
	for {
		select {
		case <-ctx.Done():
			return
		case n := <-lane:
			handle := func(ctx context.Context, h *relay.Handler) error { return h.Handle(ctx, n) }
			for b.run(ctx, handle) != nil && pause(ctx, 100*time.Millisecond) {
			}
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// look looks at relays whose time has come.
func (b *bench) look(ctx context.Context) {
	for pause(ctx, 200*time.Millisecond) {
		due := make(map[events.StreamID]time.Time)
		for r, err := range b.facts.Log.ReadAll(ctx, 0) {
			if err != nil {
				break
			}
			if f, err := b.ledger.Decode(r); err == nil && r.Kind == events.KindConversation {
				if at, says := domain.LookAt(f); says {
					due[r.Stream] = at
				}
			}
		}
		for stream, at := range due {
			if !at.IsZero() && !b.now().Before(at) {
				_ = b.run(ctx, func(ctx context.Context, h *relay.Handler) error { return h.Look(ctx, stream) })
			}
		}
	}
}

// watch looks at the hub's records.
func (b *bench) watch(ctx context.Context) {
	h := &hubwatch.Handler{Ledger: b.ledger, Records: b.relaying, Refs: b.facts.Keys, Log: slog.New(slog.NewTextHandler(b.T.Output(), nil))}
	var since time.Time
	for pause(ctx, 200*time.Millisecond) {
		next, err := h.Look(ctx, functiontest.Tenant, store, since)
		if err != nil && ctx.Err() == nil {
			b.T.Logf("watch: %v", err)
			continue
		}
		since = next
	}
}

// soon returns a context that ends when a test has waited too long.
func (b *bench) soon() context.Context {
	ctx, cancel := context.WithTimeout(b.T.Context(), 30*time.Second)
	b.T.Cleanup(cancel)
	return ctx
}

// open opens the shop's widget.
func (b *bench) open(name string) *hub.Widget {
	b.T.Helper()
	w, err := b.Hub().Open(hub.Chat{AppID: simulation.WidgetAppID, Name: name, Context: map[string]any{"Loyalty": "gold"}})
	if err != nil {
		b.T.Fatal(err)
	}
	return w
}

// say has the customer say something.
func (b *bench) say(w *hub.Widget, text string) {
	b.T.Helper()
	if err := w.Say(text); err != nil {
		b.T.Fatal(err)
	}
}

// again passes over a message that may come twice: the process was killed when
// the hub had it, perhaps before that was on disk.
func (b *bench) again(w *hub.Widget, text, next string) {
	b.T.Helper()
	if m, err := w.Read(b.soon()); err != nil || m.Text != text && m.Text != next {
		b.T.Fatalf("the customer reads %q (%v), want %q, or %q once more", m.Text, err, next, text)
	} else if m.Text == text {
		b.reads(w, next)
	}
}

// reads fails the test unless these are the next messages that the customer sees.
func (b *bench) reads(w *hub.Widget, want ...string) {
	b.T.Helper()
	for _, text := range want {
		m, err := w.Read(b.soon())
		if err != nil {
			b.T.Fatalf("the customer waits for %q in vain; facts %v", text, b.types())
		}
		if m.Text != text {
			b.T.Fatalf("the customer reads %q, want %q", m.Text, text)
		}
	}
}

// types are the types of all facts of conversations.
func (b *bench) types() (all []string) {
	for r, err := range b.facts.Log.ReadAll(context.WithoutCancel(b.T.Context()), 0) {
		if err == nil && r.Kind == events.KindConversation {
			all = append(all, r.Type)
		}
	}
	return all
}

// until waits for a state of the only conversation.
func (b *bench) until(what string, holds func(conversation.State) bool) {
	b.T.Helper()
	for ctx := b.soon(); ; {
		for r, err := range b.facts.Log.ReadAll(ctx, 0) {
			if err != nil || r.Kind != events.KindConversation {
				continue
			}
			if s, err := eventlog.State(ctx, b.ledger, conversation.Decider, r.Stream); err == nil && holds(s.State) {
				return
			}
			break
		}
		if !pause(ctx, 50*time.Millisecond) {
			b.T.Fatalf("%s does not come; facts %v", what, b.types())
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err, fault.CodeOf(err))
	}
}

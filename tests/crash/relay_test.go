package crash_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"handoff/domain/connection"
	"handoff/domain/geography"
	"handoff/events"
	"handoff/infra/microsoft/entra/controlplane/controlplanetest"
	"handoff/infra/microsoft/simulation"
	"handoff/infra/microsoft/simulation/virtualbot"
	"handoff/tests/harness"
)

// What the bot says.
const (
	greeting = "Hello. How can I help?"
	hours    = "We are open from nine to six."
	looking  = "One moment, I'm looking that up."
	stock    = "Yes, we have three of those in Delft."
	question = "What is your order number?"
	thanks   = "Thank you. I'll connect you with somebody who can do that."
)

func topics() []virtualbot.Topic {
	return []virtualbot.Topic{
		{Name: virtualbot.Greeting, Nodes: []virtualbot.Node{{Say: greeting}}},
		{Name: "Hours", Phrases: []string{"open today"}, Nodes: []virtualbot.Node{{Say: hours}}},
		{Name: "Stock", Phrases: []string{"in stock"}, Nodes: []virtualbot.Node{{Say: looking}, {Say: stock, After: 700 * time.Millisecond}}},
		{Name: "Refund", Phrases: []string{"refund"}, Nodes: []virtualbot.Node{{Say: question, Ask: "OrderNumber"}, {Say: thanks}, {Transfer: true}}},
	}
}

const refunds = `version: 1
fallback: general
queues:
  - {id: general, name: General, hub_queue: ` + simulation.GeneralQueue + `}
  - {id: refunds, name: Refunds, hub_queue: ` + simulation.RefundsQueue + `}
rules:
  - name: refunds
    all: [{topic: {is: Refund}}]
    then: {queue: refunds}
`

// between is a program between a bot and its hub.
type between struct {
	controlplanetest.Cloud

	t     *testing.T
	site  *harness.Site
	admin harness.Client

	running *harness.Process

	mu    sync.Mutex
	kills []kill
	all   []*customer
}

// newBetween starts the program beside a fake of Microsoft's cloud and connects.
// Whatever the bot says comes more than once, and in other orders too.
func newBetween(t *testing.T, program string) *between {
	t.Helper()
	b := &between{Cloud: controlplanetest.StartCloud(t, time.Now), t: t, site: harness.NewSite(t, program)}
	b.VirtualBots().Script(simulation.StoreBot, topics())
	b.VirtualBots().Repeat(true)
	b.site.Setenv("HANDOFF_MICROSOFT_SIMULATION", b.URLs.Control)
	b.site.Setenv("HANDOFF_GEOGRAPHY", string(geography.Europe))
	b.running = b.site.Start(t)
	var err error
	if b.admin, err = b.site.Admin(t.Context()); err == nil {
		err = b.connect(t.Context())
	}
	if err == nil {
		err = b.Assign(simulation.Workstream, simulation.RelayID)
	}
	if err != nil {
		t.Fatal(err)
	}
	b.SetEndpoint(simulation.RelayID, b.site.URL+"/v1/messages/default/store-bot")
	return b
}

func (b *between) connect(ctx context.Context) error {
	plan := map[string]any{
		"name": "store-bot", "bot": map[string]string{"id": simulation.StoreBot, "name": "Store bot"},
		"hub":    map[string]string{"type": connection.Omnichannel, "organisation": simulation.StoreURL},
		"notice": map[string]string{"accepted_by": "test", "text_version": "1"}, "rules": refunds,
		"client_secret": simulation.InstallerSecret, "application_secret": simulation.RelaySecret,
		"omnichannel": map[string]string{
			"path": events.PathRelay, "routing": events.RoutingHandoff, "directory": simulation.TenantDomain, "client_id": simulation.InstallerID,
			"azure_bot": simulation.AzureBotID, "queue": "Store bot", "workstream": simulation.Workstream,
			"token_endpoint": b.URLs.PowerPlatform + "/powervirtualagents/botsbyschema/" + simulation.StoreBotSchema + "/directline/token?api-version=2022-03-01-preview",
		},
	}
	var made connection.Connected
	if err := b.admin.Call(ctx, http.MethodPost, "/v1/connections", plan, &made); err != nil {
		return err
	}
	return harness.Poll(ctx, func() (bool, error) {
		state := connection.State{}
		err := b.admin.Call(ctx, http.MethodGet, "/v1/connections/store-bot", nil, &state)
		if f := state.Failure; err == nil && f != nil && f.Permanent {
			err = fmt.Errorf("step %s: %s: %s", f.Step, f.Code, f.Detail)
		}
		return state.Status == connection.Ready, err
	})
}

// kill is one end of the program, until it ran again: what it asked others may
// be carried out when it is no more.
type kill struct{ from, to time.Time }

// killed reports whether the program was killed between two instants.
func (b *between) killed(after, before time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.ContainsFunc(b.kills, func(k kill) bool { return k.to.After(after) && k.from.Before(before) })
}

// visit has one customer after the other until over is closed.
func (b *between) visit(ctx context.Context, over <-chan struct{}) {
	for !b.t.Failed() {
		b.mu.Lock()
		c := &customer{between: b, n: len(b.all) + 1}
		b.all = append(b.all, c)
		b.mu.Unlock()
		if err := c.live(ctx); err != nil {
			b.t.Errorf("customer %d: %v", c.n, err)
		}
		select {
		case <-over:
			return
		default:
		}
	}
}

const (
	customers = 4               // that talk at once
	endless   = 4 * time.Minute // after which there is no hope for a test
)

// rounds are how often the program is killed at each of the hops.
func rounds() int {
	if os.Getenv("CI") == "true" {
		return 4
	}
	return 1
}

// Between every two hops of a relayed conversation the program is killed. What
// customers were told that it was taken reaches the bot, once and in order, and
// so does every reply the customer, though the bot's words come late, twice and
// in other orders. A customer may see a message once more where the program was
// killed before it could write down that it was sent: hubs have no key by which
// they would recognise it.
func TestRelayedConversationsSurviveKills(t *testing.T) {
	t.Parallel()
	b := newBetween(t, harness.Build(t, harness.Program))
	ctx, cancel := context.WithTimeout(t.Context(), endless)
	defer cancel()
	over := make(chan struct{})
	var wg sync.WaitGroup
	for range customers {
		wg.Go(func() { b.visit(ctx, over) })
	}
	b.killEverywhere(ctx, seeded(t))
	close(over)
	wg.Wait()
	repeated := 0
	for _, c := range b.all {
		repeated += c.repeated
	}
	t.Logf("%d customers, %d kills, %d messages that a customer saw again", len(b.all), len(b.kills), repeated)
	if !t.Failed() {
		b.judge(ctx, b.all)
	}
	if t.Failed() {
		t.Log(b.site.Tail())
	}
}

// killEverywhere kills the program at every hop, in any order.
func (b *between) killEverywhere(ctx context.Context, r *rand.Rand) {
	var todo []hop
	for range rounds() {
		todo = append(todo, hops()...)
	}
	r.Shuffle(len(todo), func(i, j int) { todo[i], todo[j] = todo[j], todo[i] })
	for _, h := range todo {
		if err := b.killAt(ctx, h, r); err != nil {
			b.t.Errorf("kill where %s: %v", h.what, err)
		}
		if b.t.Failed() {
			return
		}
	}
}

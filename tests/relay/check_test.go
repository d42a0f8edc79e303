package relay_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff/domain/check"
	"handoff/domain/conversation"
	"handoff/domain/identity"
	"handoff/events"
	"handoff/functions/api"
	"handoff/infra/microsoft/simulation"
	"handoff/infra/microsoft/simulation/hub"
	"handoff/infra/microsoft/simulation/tables"
	"handoff/infra/rulebook"
	"handoff/tests/functiontest"
)

// checker is what an administrator checks the connection with.
type checker struct {
	*bench
	api   *api.Handler
	by    identity.Principal
	codec *events.Codec
}

func (b *bench) checker() checker {
	return checker{
		bench: b, by: identity.Principal{ID: "admin-key", Tenant: functiontest.Tenant, Role: identity.Admin}, codec: events.Register(),
		api: &api.Handler{
			Ledger: b.ledger, Keys: b.facts.Keys, Rules: rulebook.New(b.ledger), Opener: b.relaying, Chats: b.relaying, Now: b.now,
		},
	}
}

// begin opens a chat.
func (c checker) begin(p check.Plan) *check.Trail {
	c.T.Helper()
	began, err := c.api.BeginCheck(c.soon(), c.by, store, p)
	must(c.T, err)
	return check.NewTrail(began)
}

// follow looks at the check until it is as wanted, or for so long.
func (c checker) follow(trail *check.Trail, wait time.Duration, done func() bool) {
	c.T.Helper()
	ctx, cancel := context.WithTimeout(c.T.Context(), wait)
	defer cancel()
	for after := int64(0); ; {
		for r, err := range c.facts.Log.ReadAll(c.T.Context(), after) {
			must(c.T, err)
			after = r.Position
			f, err := c.codec.Decode(r.Type, r.Schema, r.Clear)
			must(c.T, err)
			trail.Observe(r.Header, f)
		}
		seen, err := c.api.LookCheck(c.T.Context(), c.by, store, trail.Chat)
		must(c.T, err)
		if trail.See(seen); done() || !pause(ctx, 100*time.Millisecond) {
			return
		}
	}
}

// end closes the chat, and follows it to its end.
func (c checker) end(trail *check.Trail) {
	c.T.Helper()
	must(c.T, c.api.EndCheck(c.T.Context(), c.by, store, trail.Chat))
	trail.Close(c.now())
	c.follow(trail, 20*time.Second, trail.Settled)
	for _, v := range c.Hub().Conversations() {
		if v.Status != hub.Closed {
			c.T.Errorf("the hub's conversation in queue %s is left %s", v.QueueName, v.Status)
		}
	}
}

// wants fails the test where the first hop that is not as it should be is
// another one, or says something else.
func (c checker) wants(trail *check.Trail, hop, next string) {
	c.T.Helper()
	hops := trail.Hops()
	i := slices.IndexFunc(hops, func(h check.Hop) bool { return h.State != check.OK && h.State != check.NotChecked })
	if i < 0 || hops[i].Name != hop || !strings.Contains(hops[i].Next, next) {
		c.T.Fatalf("hops = %+v\nwant %s to say %q; facts %v", hops, hop, next, c.types())
	}
}

func TestACheckFromEndToEnd(t *testing.T) {
	t.Parallel()
	c := start(t).checker()
	trail := c.begin(check.Plan{})
	c.follow(trail, 20*time.Second, trail.Arrived)
	v := c.only()
	if v.QueueName != "Test" || v.Status != hub.Open || v.Agent != "" || v.Context["HandoffQueue"] != "test" {
		t.Errorf("the hub has it in %s, %s, with %q; hops %+v", v.QueueName, v.Status, v.Agent, trail.Hops())
	}
	mark, _ := v.Context[check.Variable].(string)
	for _, sent := range v.Sent {
		if raw, err := json.Marshal(sent); err != nil || mark == "" || strings.Contains(string(raw), mark) {
			t.Errorf("the mark %q goes back to the hub: %s, %v", mark, raw, err)
		}
	}
	c.end(trail)
	if !trail.Passed() || trail.Record != v.ID {
		t.Fatalf("hops = %+v; facts %v", trail.Hops(), c.types())
	}
	last := time.Time{}
	for _, h := range trail.Hops() {
		if h.At.Before(last) {
			t.Errorf("%s at %s comes before what is told before it, at %s", h.Name, h.At, last)
		}
		last = h.At
	}
	c.until("a check that failed as it should", func(s conversation.State) bool {
		return s.Last.Check != nil && s.Last.Status == conversation.Failed && s.Last.Code == "customer-left-queue"
	})
}

// only returns the hub's only conversation.
func (c checker) only() hub.Conversation {
	c.T.Helper()
	all := c.Hub().Conversations()
	if len(all) != 1 {
		c.T.Fatalf("the hub has %d conversations", len(all))
	}
	return all[0]
}

func TestChecksThatGetNowhere(t *testing.T) {
	t.Parallel()
	for sentence, k := range map[string]struct {
		before func(c checker)
		plan   check.Plan
		hop    string
		next   string
	}{
		"the bot never hands over": {
			func(checker) {}, check.Plan{Say: "store hours"}, check.HopHandedOver, `did not hand over at "store hours"`,
		},
		"the hub gives the chat to people": {func(c checker) {
			c.store().Put("msdyn_liveworkstreams", simulation.Workstream, tables.Row{"_msdyn_bot_user_value": nil})
		}, check.Plan{}, check.HopGiven, "and not to the bot"},
		"nothing comes from the hub": {func(c checker) {
			c.SetEndpoint(simulation.RelayID, "http://127.0.0.1:1/messages")
		}, check.Plan{}, check.HopGiven, "messaging endpoint"},
		"the hub puts it into another queue": {func(c checker) {
			rules := c.store().All("msdyn_decisionrulesets", "", nil)
			for _, r := range rules {
				text, _ := r["msdyn_rulesetdefinition"].(string)
				c.store().Put("msdyn_decisionrulesets", r["msdyn_decisionrulesetid"].(string), tables.Row{
					"msdyn_rulesetdefinition": strings.ReplaceAll(text, ">Test<", ">Trial<"),
				})
			}
		}, check.Plan{}, check.HopQueued, "The hub chose Default messaging queue"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			c := start(t).checker()
			k.before(c)
			trail := c.begin(k.plan)
			c.follow(trail, 6*time.Second, trail.Arrived)
			c.wants(trail, k.hop, k.next)
			c.end(trail)
			if trail.Passed() {
				t.Error("the check passed all the same")
			}
		})
	}
}

// store is the hub's organisation.
func (c checker) store() *tables.Database { return c.Organisation(simulation.StoreOrganisation) }

// Whoever makes a mark up is a customer like any other, and goes where customers
// go.
func TestAForgedMarkIsACustomers(t *testing.T) {
	t.Parallel()
	b := start(t)
	forged, err := check.Mark{ID: "c1", Connection: store, Say: "refund", Queue: events.Queue{ID: "test"}, Until: b.now().Add(time.Hour)}.Sign(
		functiontest.Tenant, func(_, _, value string) (string, error) { return value, nil })
	must(t, err)
	w, err := b.Hub().Open(hub.Chat{AppID: simulation.WidgetAppID, Name: "Mallory", Context: map[string]any{check.Variable: forged}})
	must(t, err)
	b.reads(w, greeting)
	b.say(w, "talk to a person")
	b.reads(w, "I'll transfer you to a colleague.", "The conversation is being transferred.")
	v, err := b.Hub().Await(b.soon(), w.ID(), func(v hub.Conversation) bool { return v.Escalations > 0 })
	must(t, err)
	if v.QueueName != "General" || slices.Contains(b.types(), "CheckRecognised") {
		t.Errorf("the hub has it in %s; facts %v", v.QueueName, b.types())
	}
}

func TestACheckBesideABotOfItsOwn(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.facts.Give(store, &events.OmnichannelSet{
		Path: events.PathAdvise, Routing: events.RoutingHub, Directory: simulation.TenantID, ClientID: simulation.InstallerID,
		Queue: "Bot", Workstream: simulation.Workstream,
	})
	native := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(native.Close)
	b.SetEndpoint(simulation.RelayID, native.URL)
	c := b.checker()
	trail := c.begin(check.Plan{})
	c.follow(trail, 10*time.Second, trail.Arrived)
	c.end(trail)
	if !trail.Passed() {
		t.Errorf("hops = %+v", trail.Hops())
	}
}

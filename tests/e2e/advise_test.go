package e2e_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"testing"
	"time"

	"handoff/functions/handoff/system"
	"handoff/infra/microsoft/simulation"
	"handoff/infra/microsoft/simulation/hub"
	"handoff/infra/microsoft/simulation/virtualbot"
	"handoff/infra/microsoft/simulation/wire"
)

// adviseShop connects a bot that has a connection of its own to its hub. What
// stands in between is the bot's way to Handoff: nil for the way itself.
func adviseShop(t *testing.T, routing, rules string, between func(http.Handler) http.Handler) *shop {
	t.Helper()
	w, cloud := withMicrosoftAs(t, simulation.ConnectedNatively, func(c *system.Config) { c.Watch = 200 * time.Millisecond })
	s := &shop{w, cloud}
	p := planAt(cloud)
	p["rules"] = rules
	p["hub"].(map[string]string)["application_id"] = simulation.NativeID
	o := p["omnichannel"].(map[string]string)
	o["path"], o["routing"] = "advise", routing
	delete(o, "azure_bot")
	delete(o, "queue")
	delete(p, "application_secret")
	c := w.request("store-bot", p)
	w.ready("store-bot")
	at := w.url
	if between != nil {
		target, err := url.Parse(w.url)
		if err != nil {
			t.Fatal(err)
		}
		way := httptest.NewServer(between(httputil.NewSingleHostReverseProxy(target)))
		t.Cleanup(way.Close)
		at = way.URL
	}
	var without []string
	if routing == "hub" {
		without = []string{"queue"}
	}
	s.VirtualBots().Script(simulation.StoreBot, advised(at+"/v1/connections/store-bot/escalations", c.bot, without...))
	return s
}

// advised is what the bot talks about: before it transfers a conversation it
// asks Handoff for a queue, and goes on without an answer after a moment. Of the
// answer it does not save what is in without.
func advised(url, key string, without ...string) []virtualbot.Topic {
	ask := virtualbot.Request{
		URL: url, Key: key, Timeout: 2 * time.Second, Status: "HandoffStatus",
		Body: wire.Object{
			"conversation_id": "{va_ConversationId}", "topic": "{va_LastTopic}", "last_phrase": "{va_LastPhrase}", "language": "{va_Language}",
			"reason": "customer_asked", "channel": "web", "variables": wire.Object{"StoreLocation": "{StoreLocation}"},
		},
		Save: map[string]string{"queue": "HandoffQueue", "escalation_id": "HandoffEscalationId"},
	}
	for _, member := range without {
		delete(ask.Save, member)
	}
	return []virtualbot.Topic{
		{Name: virtualbot.Greeting, Nodes: []virtualbot.Node{{Say: greeting}}},
		{Name: "Refund", Phrases: []string{"refund"}, Nodes: []virtualbot.Node{
			{Say: "I'll find somebody for your refund.", Set: wire.Object{"StoreLocation": "Delft"}}, {Request: &ask}, {Transfer: true, Message: "Wants a refund."},
		}},
		{Name: "Refund of an order", Phrases: []string{"my order"}, Nodes: []virtualbot.Node{
			{Say: "Which order is the refund for?", Ask: "OrderNumber"}, {Request: &ask}, {Transfer: true, Message: "Wants a refund of an order."},
		}},
	}
}

const finding = "I'll find somebody for your refund."

// asks has a customer ask for a refund, until the bot has passed them on.
func (s *shop) asks() *hub.Widget {
	s.t.Helper()
	c := s.visit("R. Bakker")
	s.reads(c, greeting)
	s.say(c, "refund please")
	s.reads(c, finding, "The conversation is being transferred.")
	return c
}

// answered has a human agent take a conversation and answer in its widget.
func (s *shop) answered(person string, c *hub.Widget) (*hub.Desk, hub.Conversation) {
	s.t.Helper()
	desk, offer := s.taken(person, c)
	if err := desk.Say(c.ID(), "Your money is on its way."); err != nil {
		s.t.Fatal(err)
	}
	s.reads(c, desk.Name()+" has joined the conversation.", "Your money is on its way.")
	return desk, offer
}

// A bot with a connection of its own asks Handoff for a queue; the hub's rule
// obeys it, and the human agent answers in the widget in which the customer
// asked. Handoff is never between both.
func TestAnAdvisedConversationFromEndToEnd(t *testing.T) {
	t.Parallel()
	s := adviseShop(t, "handoff", relayRules, nil)
	c := s.asks()
	ana, offer := s.answered(simulation.Ana, c)
	for name, want := range map[string]any{"HandoffQueue": "refunds", "StoreLocation": "Delft", "va_LastPhrase": "refund please", "va_LastTopic": "Refund"} {
		if offer.Context[name] != want {
			t.Errorf("context variable %s = %v, want %v", name, offer.Context[name], want)
		}
	}
	id, _ := offer.Context["HandoffEscalationId"].(string)
	if e := s.status(id, "accepted"); e.Queue.ID != "refunds" || e.Rule != "refunds" {
		t.Errorf("escalation = %+v, want queue and rule refunds", e)
	}
	if err := ana.End(c.ID()); err != nil {
		t.Fatal(err)
	}
	s.status(id, "completed")
	want := []string{
		"EscalationRaised", "EscalationRouted", "EscalationQueued", "RouteConfirmed", "EscalationAccepted", "HumanAgentJoined", "EscalationCompleted",
	}
	if got := s.types(); !slices.Equal(got, want) {
		t.Errorf("facts = %v, want %v", got, want)
	}
	if got := s.seen(c).Problems; len(got) > 0 {
		t.Errorf("the hub has problems: %v", got)
	}
	s.whole()
}

// Whatever becomes of the question, the bot goes on, and the hub's own rules
// find somebody: the fallback queue, which is Ben's.
func TestWithoutAdviceTheHubsFallbackTakesTheCustomer(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		between func(http.Handler) http.Handler
		raised  int
		status  string // that the bot's author sees
	}{
		"Handoff is down": {func(http.Handler) http.Handler {
			return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		}, 0, "0"},
		"Handoff fails": {func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				http.Error(w, `{"queue":"refunds"}`, http.StatusServiceUnavailable)
			})
		}, 0, "503"},
		"Handoff refuses": {func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.Header.Set("Authorization", "Bearer hk_of_another")
				next.ServeHTTP(w, r)
			})
		}, 0, "401"},
		"Handoff answers too late": {func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				next.ServeHTTP(httptest.NewRecorder(), r.WithContext(context.WithoutCancel(r.Context())))
				<-r.Context().Done()
			})
		}, 1, "0"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			s := adviseShop(t, "handoff", relayRules, c.between)
			w := s.asks()
			_, offer := s.answered(simulation.Ben, w)
			if offer.QueueName != "Default messaging queue" || offer.Context["HandoffQueue"] != nil || offer.Context["HandoffStatus"] != c.status {
				t.Errorf("offered %s with %v, want the fallback queue without advice, and status %v", offer.QueueName, offer.Context, c.status)
			}
			if n := s.count("EscalationRaised"); n != c.raised {
				t.Errorf("%d escalations are raised, want %d", n, c.raised)
			}
			s.whole()
		})
	}
}

// Where the program itself is gone there is nobody to connect to.
func TestWithoutAProgramTheHubsFallbackTakesTheCustomer(t *testing.T) {
	t.Parallel()
	s := adviseShop(t, "handoff", relayRules, nil)
	s.stop()
	s.answered(simulation.Ben, s.asks())
}

// Where the hub decides, Handoff's rules are a prediction, and both are told.
func TestAPredictionOfWhatTheHubChooses(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct{ queue, fact string }{
		"that is right": {"refunds", "RouteConfirmed"},
		"that is wrong": {"general", "RouteOverruled"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			s := adviseShop(t, "hub", predicting(c.queue), nil)
			w := s.visit("R. Bakker")
			s.reads(w, greeting)
			s.say(w, "my order has a hole") // the hub's rule sends refunds of orders to Refunds, whatever Handoff says
			s.reads(w, "Which order is the refund for?")
			s.say(w, "A-1234")
			s.reads(w, "The conversation is being transferred.")
			_, _ = s.answered(simulation.Ana, w)
			s.eventually("the hub's choice is a fact", func() bool { return s.count(c.fact) == 1 })
			var why struct {
				Hub *struct {
					Queue struct{ Name string }
				}
			}
			id, _ := s.seen(w).Context["HandoffEscalationId"].(string)
			s.must(http.StatusOK, &why, s.admin, "GET", "/v1/escalations/"+id+"/why", nil)
			if why.Hub == nil || why.Hub.Queue.Name != "Refunds" {
				t.Errorf("why = %+v, want the hub's queue in it", why)
			}
		})
	}
}

// predicting returns rules that expect the hub to put everything in one queue.
func predicting(queue string) string {
	return `version: 1
fallback: ` + queue + `
queues:
  - {id: general, name: General, hub_queue: ` + simulation.GeneralQueue + `}
  - {id: refunds, name: Refunds, hub_queue: ` + simulation.RefundsQueue + `}
`
}

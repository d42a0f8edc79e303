package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff/functions/handoff/system"
	"handoff/functions/relay"
	"handoff/infra/microsoft/entra/controlplane/controlplanetest"
	"handoff/infra/microsoft/simulation"
	"handoff/infra/microsoft/simulation/hub"
)

const greeting = "Hello, I'm the store's virtual assistant. How can I help?"

// relayRules send refunds to the hub's queue of that name.
const relayRules = `version: 1
fallback: general
queues:
  - {id: general, name: General, hub_queue: ` + simulation.GeneralQueue + `}
  - {id: refunds, name: Refunds, hub_queue: ` + simulation.RefundsQueue + `}
rules:
  - name: refunds
    all: [{topic: {is: Refund}}]
    then: {queue: refunds}
`

// shop is a system that stands between the example's bot and its hub.
type shop struct {
	*world
	controlplanetest.Cloud
}

// openShop connects the example's bot by the API, as a person would.
func openShop(t *testing.T, change ...func(plan map[string]any)) *shop {
	t.Helper()
	w, cloud := withMicrosoft(t, func(c *system.Config) {
		c.Watch, c.RelayNotice = 200*time.Millisecond, "I'm passing you on to a colleague."
		c.Relay = relay.Timing{Patience: 4 * time.Second, Quiet: time.Second, Late: 2 * time.Second}
	})
	s := &shop{w, cloud}
	p := planAt(cloud)
	p["rules"] = relayRules
	for _, f := range change {
		f(p)
	}
	w.request("store-bot", p)
	w.ready("store-bot")
	// What an administrator of the hub does by hand.
	if err := s.Assign(simulation.Workstream, simulation.RelayID); err != nil {
		t.Fatal(err)
	}
	s.SetEndpoint(simulation.RelayID, w.url+"/v1/messages/default/store-bot")
	return s
}

func (s *shop) soon() context.Context {
	ctx, cancel := context.WithTimeout(s.t.Context(), s.waits)
	s.t.Cleanup(cancel)
	return ctx
}

// visit opens the shop's widget.
func (s *shop) visit(name string) *hub.Widget {
	s.t.Helper()
	c, err := s.Hub().Open(hub.Chat{AppID: simulation.WidgetAppID, Name: name})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func (s *shop) say(c *hub.Widget, text string) {
	s.t.Helper()
	if err := c.Say(text); err != nil {
		s.t.Fatal(err)
	}
}

// reads fails the test unless these are the next messages that the customer sees.
func (s *shop) reads(c *hub.Widget, want ...string) {
	s.t.Helper()
	for _, text := range want {
		m, err := c.Read(s.soon())
		if err != nil || m.Text != text {
			s.t.Fatalf("the customer reads %q (%v), want %q; facts %v; the hub %+v", m.Text, err, text, s.types(), s.seen(c))
		}
	}
}

// readsAfterAKill passes over one repeat of a message: whoever is killed between
// sending and writing that down sends it once more.
func (s *shop) readsAfterAKill(c *hub.Widget, said, next string) {
	s.t.Helper()
	m, err := c.Read(s.soon())
	if err == nil && m.Text == said {
		m, err = c.Read(s.soon())
	}
	if err != nil || m.Text != next {
		s.t.Fatalf("the customer reads %q (%v), want %q; facts %v; the hub %+v", m.Text, err, next, s.types(), s.seen(c))
	}
}

// seen is what the hub knows of a conversation.
func (s *shop) seen(c *hub.Widget) hub.Conversation {
	s.t.Helper()
	seen, err := s.Hub().Conversation(c.ID())
	if err != nil {
		s.t.Fatal(err)
	}
	return seen
}

func (s *shop) types() (all []string) {
	for _, f := range s.facts() {
		if f.Kind == "conversation" {
			all = append(all, f.Type)
		}
	}
	return all
}

// taken has a human agent accept a conversation once it is offered.
func (s *shop) taken(agent string, c *hub.Widget) (*hub.Desk, hub.Conversation) {
	s.t.Helper()
	desk, err := s.Hub().Desk(agent)
	if err != nil {
		s.t.Fatal(err)
	}
	offer, err := desk.Offered(s.soon())
	if err != nil || offer.ID != c.ID() {
		s.t.Fatalf("offered %+v (%v), want %s; facts %v", offer, err, c.ID(), s.types())
	}
	if err := desk.Accept(c.ID()); err != nil {
		s.t.Fatal(err)
	}
	return desk, offer
}

// The whole path through the running program: every hop leaves a fact, the
// program is stopped and started between them, and what the human agent
// answers arrives in the widget in which the customer asked.
func TestARelayedConversationFromEndToEnd(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	c := s.visit("R. Bakker")
	s.reads(c, greeting)
	s.say(c, "refund please")
	s.reads(c, "I can help with a refund. What is your order number?")
	s.stop()
	s.run()
	s.SetEndpoint(simulation.RelayID, s.url+"/v1/messages/default/store-bot")
	s.say(c, "A-1234")
	s.reads(c, "Thank you. I'll connect you with somebody who can do that.", "The conversation is being transferred.")

	ana, offer := s.taken(simulation.Ana, c)
	for name, want := range map[string]any{"OrderNumber": "A-1234", "StoreLocation": "Delft", "HandoffQueue": "refunds", "va_LastTopic": "Refund"} {
		if offer.Context[name] != want {
			t.Errorf("context variable %s = %v, want %v", name, offer.Context[name], want)
		}
	}
	s.helped(ana, offer, c)
	hops := []string{
		"RelayStarted", "BotConversationOpened", "MessagesTaken", "MessageRelayed", "EscalationRaised", "EscalationRouted", "HubCommanded",
		"EscalationQueued", "RouteConfirmed", "EscalationAccepted", "HumanAgentJoined", "ContextRead", "EscalationCompleted", "BotTold", "RelayEnded",
	}
	s.eventually("the relay ends", func() bool { return s.count("RelayEnded") == 1 })
	all := s.types()
	for _, hop := range hops {
		if !slices.Contains(all, hop) {
			t.Errorf("there is no fact %s among %v", hop, all)
		}
	}
	s.whole()
}

// helped has a human agent read the context by its link, answer the customer in
// the widget, and end the conversation, and the bot told of it.
func (s *shop) helped(ana *hub.Desk, offer hub.Conversation, c *hub.Widget) {
	s.t.Helper()
	id := fmt.Sprint(offer.Context["HandoffEscalationId"])
	s.linked(fmt.Sprint(offer.Context["HandoffContextUrl"]), id)
	s.status(id, "accepted")
	if err := ana.Say(c.ID(), "Yes. I'll send your money back."); err != nil {
		s.t.Fatal(err)
	}
	s.reads(c, "Ana de Wit has joined the conversation.", "Yes. I'll send your money back.")
	if err := ana.End(c.ID()); err != nil {
		s.t.Fatal(err)
	}
	s.status(id, "completed")
	s.told("accepted", "completed")
}

// told waits until the bot knows these states of its escalation.
func (s *shop) told(want ...string) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("the bot is told %v", want), func() bool {
		var got []string
		for _, c := range s.VirtualBots().Conversations() {
			for _, status := range c.Statuses {
				got = append(got, fmt.Sprint(status["state"]))
			}
		}
		return slices.Equal(got, want)
	})
}

// linked follows the link that the human agent sees.
func (s *shop) linked(url, id string) {
	s.t.Helper()
	path, ours := strings.CutPrefix(url, s.url)
	was := regexp.MustCompile(`^http://127\.0\.0\.1:\d+`) // before the restart
	if !ours {
		path = was.ReplaceAllString(url, "")
	}
	var context struct {
		ID         string `json:"escalation_id"`
		Variables  map[string]any
		Transcript struct{ Messages []struct{ Text string } }
	}
	s.must(http.StatusOK, &context, "", "GET", path, nil)
	if context.ID != id || context.Variables["OrderNumber"] != "A-1234" || len(context.Transcript.Messages) < 3 {
		s.t.Errorf("the link shows %+v", context)
	}
	s.problem(http.StatusNotFound, "link-invalid", "", "GET", path+"0", nil)
	s.eventually("one reading is recorded", func() bool { return s.count("ContextRead") == 1 })
}

// A customer who never came to a human agent is found by an erasure all the same.
func TestErasingACustomerFindsWhatOnlyTheBotHeard(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	c := s.visit("R. Bakker")
	s.reads(c, greeting)
	s.say(c, "open today?")
	s.reads(c, "We are open from nine to six.")
	var done struct {
		Conversations int `json:"conversations"`
	}
	conversation, err := s.Hub().Conversation(c.ID())
	if err != nil {
		t.Fatal(err)
	}
	from, _ := conversation.Deliveries[0].Activity["from"].(map[string]any)
	s.must(http.StatusOK, &done, s.admin, "POST", "/v1/erasures", map[string]string{"customer_id": fmt.Sprint(from["id"])})
	if n := s.count("ContextErased"); n != 1 {
		t.Errorf("%d conversations erased (%+v), want 1; facts %v", n, done, s.types())
	}
	s.whole()
}

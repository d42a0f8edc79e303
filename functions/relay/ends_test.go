package relay_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"handoff/domain/conversation"
	"handoff/domain/fault"
	domain "handoff/domain/relay"
	"handoff/events"
	"handoff/tests/functiontest"
)

func TestWithoutAConnectionTheHubIsAsked(t *testing.T) {
	t.Parallel()
	for sentence, before := range map[string]bool{"before the bot is asked": true, "while the bot talks": false} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			end := func() { w.Give(store, &events.Disconnected{Policy: events.PolicyDrain, Deadline: &w.Clock}) }
			if before {
				end()
			}
			w.hears(domain.Speaks, "a1", "refund")
			w.pump()
			if !before {
				end()
				w.hears(domain.Speaks, "a2", "person")
				w.pump()
			}
			if len(w.hub.escalations) != 1 || w.hub.escalations[0].ID != "" || w.count("BotLeft") != 1 || w.count("EscalationRaised") != 0 {
				t.Errorf("escalations %+v, facts %v; want the hub to decide by itself", w.hub.escalations, w.Types(w.stream()))
			}
			if w.state().Relay.Phase != domain.Over {
				t.Error("the relay goes on")
			}
		})
	}
}

// A bot goes on with its customers while its connection drains, and no longer.
func TestTheBotGoesOnUntilTheDrainIsOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hears(domain.Speaks, "a1", "refund")
	w.pump()
	deadline := w.Now().Add(time.Hour)
	w.Give(store, &events.Disconnected{Policy: events.PolicyDrain, Deadline: &deadline})
	w.hears(domain.Speaks, "a2", "refund")
	w.pump()
	if w.count("BotLeft") != 0 || w.state().Relay.Phase != domain.WithBot {
		t.Fatalf("facts %v, want the bot to go on", w.Types(w.stream()))
	}
	w.wait(time.Hour)
	w.hears(domain.Speaks, "a3", "refund")
	w.pump()
	if w.count("BotLeft") != 1 || len(w.hub.escalations) != 1 {
		t.Errorf("%d escalations, facts %v; want the hub to have the customer", len(w.hub.escalations), w.Types(w.stream()))
	}
}

func TestAHandOffThatCanNotBeReadIsOneAllTheSame(t *testing.T) {
	t.Parallel()
	large := handOff()
	large.Topic = strings.Repeat("t", 10_000)
	for sentence, spoken := range map[string]domain.Spoken{
		"it is over a limit":   {ID: "h", HandOff: large},
		"it is no JSON at all": {ID: "h", Unreadable: fault.New(fault.Invalid, "json-invalid", "")},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.bot.says = func(string) []domain.Spoken { return []domain.Spoken{spoken} }
			w.hears(domain.Speaks, "a1", "person")
			w.pump()
			if len(w.hub.escalations) != 1 || w.hub.escalations[0].Context.Transcript == nil {
				t.Errorf("escalations = %+v, want one with what was relayed", w.hub.escalations)
			}
		})
	}
}

// What a customer writes about himself must not keep him from a person.
func TestWhatIsLongerThanAHandOffTakesIsShortened(t *testing.T) {
	t.Parallel()
	for sentence, breaks := range map[string]bool{"the bot hands over": false, "the bot breaks down": true} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w, long := newWorld(t), strings.Repeat("ü", 33_000)
			w.bot.says = func(text string) []domain.Spoken {
				all := parrot(text)
				for _, p := range all {
					if p.HandOff != nil {
						p.HandOff.Context.LastPhrase, p.HandOff.Context.Phrases = long, []string{long}
						p.HandOff.Context.Transcript = &events.Transcript{Messages: []events.Message{{From: events.FromCustomer, Text: long}}}
					}
				}
				return all
			}
			who := events.HubAddress{ConversationID: "19:a", CustomerID: "8:acs:b", CustomerName: strings.Repeat("é", 300)}
			said := []string{long, "person"}
			if breaks {
				said = said[:1]
				w.bot.postErr = func() error { return fault.New(fault.Unprocessable, "bot-broken", "") }
			}
			for _, text := range said {
				m := &events.Message{ID: text[:6], From: events.FromCustomer, Name: who.CustomerName, Text: text}
				if err := w.h.Receive(t.Context(), link(), domain.Inbound{Kind: domain.Speaks, ID: m.ID, Channel: "lcw", Address: who, Message: m}); err != nil {
					t.Fatal(err)
				}
				w.pump()
			}
			if len(w.hub.escalations) != 1 || w.count("EscalationRaised") != 1 {
				t.Fatalf("escalations %d, facts %v", len(w.hub.escalations), w.Types(w.stream()))
			}
			c := w.hub.escalations[0].Context
			if c.Customer == nil || !strings.HasPrefix(c.Customer.Name, "éé") || !strings.HasSuffix(c.Customer.Name, "é…") {
				t.Errorf("customer = %+v, want as much of the name as there is room for", c.Customer)
			}
			if c.Transcript == nil || !strings.HasSuffix(c.Transcript.Messages[0].Text, "ü…") {
				t.Error("the transcript does not show that the message was longer")
			}
			if e := w.hub.escalations[0]; !breaks && (e.Topic != "Refund" || !strings.HasSuffix(c.LastPhrase, "ü…") || !strings.HasSuffix(c.Phrases[0], "ü…")) {
				t.Errorf("topic %q, last phrase of %d bytes; want what the bot said", e.Topic, len(c.LastPhrase))
			}
		})
	}
}

func TestTheBotEndsTheConversation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hears(domain.Speaks, "a1", "bye")
	w.pump()
	w.wantSaid("Goodbye.")
	if w.hub.ended != 1 || w.state().Relay.Phase != domain.Over {
		t.Errorf("ended %d times, %+v", w.hub.ended, w.state().Relay)
	}
	w.wantGot("bye", "(end)")
	w.hears(domain.Speaks, "a2", "hello again")
	w.pump()
	if s := w.state().Relay; s.Session != 2 || len(w.bot.opened) != 2 {
		t.Errorf("session %d with %d conversations, want a second one", s.Session, len(w.bot.opened))
	}
}

func TestTheHubEndsTheConversation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hears(domain.Speaks, "a1", "refund")
	w.pump()
	w.hears(domain.Leaves, "a2", "")
	w.pump()
	w.wantGot("refund", "(end)")
	if s := w.state().Relay; s.Phase != domain.Over || s.Bot.Opened != 0 {
		t.Errorf("relay = %+v, want it over on both sides", s)
	}
}

func TestTheHubTakesTheBotOutOfAConversationThatGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hears(domain.Speaks, "a1", "person")
	w.pump()
	w.hears(domain.Leaves, "a2", "")
	w.pump()
	if s := w.state(); s.Relay.Phase != domain.WithHub {
		t.Errorf("phase %s, want it with the hub", s.Relay.Phase)
	}
	err := w.h.Receive(t.Context(), link(), domain.Inbound{
		Kind: domain.Speaks, ID: "a3", Address: events.HubAddress{ConversationID: "19:a"}, Message: &events.Message{Text: "still there?"},
	})
	if !fault.Is(err, domain.CodeHandedOff) {
		t.Errorf("error = %v, want %s", err, domain.CodeHandedOff)
	}
	w.wantGot("person")
}

func TestAnIdleRelayEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hears(domain.Speaks, "a1", "refund")
	w.pump()
	looks := 0
	for ; w.state().Relay.Phase == domain.WithBot && looks < 10; looks++ {
		w.wait(max(0, w.state().Relay.LookAt.Sub(w.Now())))
		if err := w.h.Look(t.Context(), w.stream()); err != nil {
			t.Fatal(err)
		}
	}
	if looks > 7 || w.state().Relay.Phase != domain.Over || w.count("RelayRested") != 4 {
		t.Errorf("after %d looks phase %s, facts %v", looks, w.state().Relay.Phase, w.Types(w.stream()))
	}
}

func TestAnErasedConversationIsNotRelayed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hears(domain.Speaks, "a1", "hush")
	w.pump()
	w.GiveTo(w.stream(), events.KindConversation, store, &events.ContextErased{})
	if err := w.Keys.Destroy(t.Context(), link().Tenant, events.NewKeyID(w.stream(), 0)); err != nil {
		t.Fatal(err)
	}
	if err := w.h.Look(t.Context(), w.stream()); err != nil {
		t.Fatal(err)
	}
	w.hears(domain.Speaks, "a2", "refund")
	w.pump()
	w.wantGot("hush", "refund")
	w.wantSaid("You said refund", "Anything else?")
}

func TestTwoCustomersAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := domain.Inbound{Kind: domain.Speaks, ID: "a1", Channel: "lcw", Address: events.HubAddress{ConversationID: "19:b"}, Message: &events.Message{Text: "two"}}
	w.hears(domain.Speaks, "a1", "one")
	if err := w.h.Receive(t.Context(), link(), other); err != nil {
		t.Fatal(err)
	}
	w.pump()
	w.wantGot("one", "two")
	w.wantSaid("You said one", "Anything else?", "You said two", "Anything else?")
	var to []string
	for _, a := range w.hub.at {
		to = append(to, a.ConversationID)
	}
	if !slices.Equal(to, []string{"19:a", "19:a", "19:b", "19:b"}) {
		t.Errorf("messages go to %v", to)
	}
}

func TestStrangersAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	err := w.h.Receive(t.Context(), domain.Link{Tenant: link().Tenant, Connection: "no-bot"}, domain.Inbound{Kind: domain.Starts, ID: "a"})
	if !fault.Is(err, "connection-not-found") {
		t.Errorf("error = %v, want connection-not-found", err)
	}
	w.Give("advised-bot", append(functiontest.Ready("advised-bot", functiontest.Rules), &events.OmnichannelSet{Path: events.PathAdvise})...)
	err = w.h.Receive(t.Context(), domain.Link{Tenant: link().Tenant, Connection: "advised-bot"}, domain.Inbound{Kind: domain.Starts, ID: "a"})
	if !fault.Is(err, "connection-not-found") {
		t.Errorf("error = %v, want connection-not-found: the bot speaks with its hub itself", err)
	}
	if err := w.h.Look(t.Context(), w.Stream(events.KindConversation, "nothing")); err != nil {
		t.Errorf("a look at nothing: %v", err)
	}
}

func TestAHubThatChoosesByItselfIsToldNoQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Give(store, &events.OmnichannelSet{Path: events.PathRelay, Routing: events.RoutingHub})
	w.hears(domain.Speaks, "a1", "person")
	w.pump()
	if len(w.hub.escalations) != 1 || w.hub.escalations[0].Queue != "" || w.hub.escalations[0].ID == "" {
		t.Errorf("escalations = %+v, want one without a queue", w.hub.escalations)
	}
}

func TestAHubThatIsDownWhenTheBotLeavesIsTriedAgain(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		down time.Duration
		want int
	}{
		"it comes back": {5 * time.Minute, 1},
		"it does not":   {time.Hour, 0},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Give(store, &events.Disconnected{Policy: events.PolicyDrain, Deadline: &w.Clock})
			until := w.Now().Add(c.down)
			w.hub.err = func() error {
				if w.Now().Before(until) {
					return fault.New(fault.Unavailable, "connector-unavailable", "")
				}
				return nil
			}
			w.hears(domain.Speaks, "a1", "refund")
			w.pump()
			if s := w.state().Relay; len(w.hub.escalations) != c.want || s.Phase != domain.Over {
				t.Errorf("%d escalations, phase %s; want %d and over", len(w.hub.escalations), s.Phase, c.want)
			}
		})
	}
}

// The hub was told to escalate, and only its answer was lost: a human agent has
// the conversation before it is told again. The hub's records say so.
func TestAHumanAgentWhoIsThereBeforeTheRelayKnows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asked := 0
	w.hub.err = func() error {
		if len(w.hub.shown) == 0 {
			return nil
		}
		if asked++; asked == 3 {
			w.GiveTo(w.stream(), events.KindConversation, store,
				&events.EscalationQueued{Number: 1, Queue: events.HubQueue{ID: "q1"}}, &events.EscalationAccepted{Number: 1})
		}
		return fault.New(fault.Gone, "hub-conversation-over", "")
	}
	w.hears(domain.Speaks, "a1", "person")
	w.pump()
	if s := w.state(); s.Last.Status != conversation.Accepted || asked != 3 {
		t.Errorf("the escalation is %s after %d tries; facts %v", s.Last.Status, asked, w.Types(w.stream()))
	}
	w.report(&events.EscalationCompleted{Number: 1})
	w.wantGot("person", "(accepted)", "(completed)", "(end)")
}

// A conversation that the hub has closed is given up in the end.
func TestAConversationThatIsOverBeforeItIsHandedOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	began := w.Now()
	w.hub.err = func() error {
		if len(w.hub.shown) == 0 {
			return nil
		}
		return fault.New(fault.Gone, "hub-conversation-over", "")
	}
	w.hears(domain.Speaks, "a1", "person")
	w.pump()
	if s := w.state(); s.Last.Status != conversation.Failed || s.Last.Code != "hub-conversation-over" || w.Now().Sub(began) > 5*time.Minute {
		t.Errorf("the escalation is %s (%s) after %s", s.Last.Status, s.Last.Code, w.Now().Sub(began))
	}
	w.wantGot("person", "(failed)", "(end)")
}

package relay_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"handoff/domain/conversation"
	domain "handoff/domain/relay"
	"handoff/infra/microsoft/simulation"
	"handoff/infra/microsoft/simulation/hub"
	"handoff/infra/microsoft/simulation/signing"
	"handoff/infra/microsoft/simulation/virtualbot"
)

const greeting = "Hello, I'm the store's virtual assistant. How can I help?"

// ways are those in which a bot is heard.
func ways() map[string]func(*bench) {
	return map[string]func(*bench){"the bot is polled": func(*bench) {}, "the bot is heard over a stream": (*bench).stream}
}

// One test for the whole path, whose every hop leaves a fact.
func TestFromTheCustomersFirstWordToTheHumanAgentsAnswer(t *testing.T) {
	t.Parallel()
	for sentence, hear := range ways() {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			b := start(t)
			hear(b)
			b.wholePath(t)
		})
	}
}

func (b *bench) wholePath(t *testing.T) {
	t.Helper()
	w := b.open("R. Bakker")
	b.reads(w, greeting)
	b.say(w, "refund please")
	const question = "I can help with a refund. What is your order number?"
	b.reads(w, question)
	b.restart()
	b.say(w, "A-1234")
	b.again(w, question, "Thank you. I'll connect you with somebody who can do that.")
	b.reads(w, "The conversation is being transferred.")

	ana, err := b.Hub().Desk(simulation.Ana)
	must(t, err)
	offered, err := ana.Offered(b.soon())
	must(t, err)
	if offered.ID != w.ID() || offered.QueueName != "Refunds" {
		t.Errorf("Ana is offered %s of queue %s, want %s of Refunds", offered.ID, offered.QueueName, w.ID())
	}
	for name, want := range map[string]any{
		"OrderNumber": "A-1234", "StoreLocation": "Delft", "HandoffQueue": "refunds", "va_LastTopic": "Refund", "Loyalty": "gold",
	} {
		if got := offered.Context[name]; got != want {
			t.Errorf("context variable %s = %v, want %v", name, got, want)
		}
	}
	must(t, ana.Accept(w.ID()))
	b.until("the acceptance", func(s conversation.State) bool { return s.Last.Status == conversation.Accepted })
	b.say(w, "are you there?")
	must(t, ana.Say(w.ID(), "Yes. I'll send your money back."))
	b.reads(w, "Ana de Wit has joined the conversation.", "Yes. I'll send your money back.")
	must(t, ana.End(w.ID()))
	b.until("the end on both sides", func(s conversation.State) bool {
		return s.Last.Status == conversation.Completed && s.Relay.Phase == domain.Over && s.Relay.Bot.Opened == 0
	})
	b.told("accepted", "completed")
	if got := b.types(); !slices.Contains(got, "RouteConfirmed") || slices.Contains(got, "RouteOverruled") || !slices.Contains(got, "HumanAgentJoined") {
		t.Errorf("facts = %v, want the route confirmed and the agent known", got)
	}
}

// told waits until the bot's only conversation has these states of its
// escalation, and is over.
func (b *bench) told(want ...string) {
	b.T.Helper()
	var got []string
	for ctx := b.soon(); pause(ctx, 50*time.Millisecond); {
		all := b.VirtualBots().Conversations()
		if len(all) != 1 {
			b.T.Fatalf("%d conversations with the bot, want 1", len(all))
		}
		got = nil
		for _, s := range all[0].Statuses {
			got = append(got, fmt.Sprint(s["state"]))
		}
		if slices.Equal(got, want) && all[0].Ended {
			if all[0].AfterTransfer > 0 {
				b.T.Errorf("the bot got %d messages after its hand-off", all[0].AfterTransfer)
			}
			return
		}
	}
	b.T.Errorf("the bot is told %v, want %v", got, want)
}

const (
	hours = "We are open from nine to six."
	looks = "One moment, I'm looking that up."
	stock = "Yes, we have three of those in Delft."
)

func (b *bench) inject(f simulation.Fault) {
	b.T.Helper()
	must(b.T, b.Inject(f))
}

func (b *bench) conversation(w *hub.Widget) hub.Conversation {
	b.T.Helper()
	c, err := b.Hub().Conversation(w.ID())
	must(b.T, err)
	return c
}

// asks counts what the bot got from its customers.
func (b *bench) asks(text string) (n int) {
	for _, c := range b.VirtualBots().Conversations() {
		for _, a := range c.Activities {
			if from, _ := a["from"].(map[string]any); a["text"] == text && from["role"] != "bot" {
				n++
			}
		}
	}
	return n
}

func TestWhatGoesWrongOnTheWayToTheBotIsNotSeen(t *testing.T) {
	t.Parallel()
	const post, get = "POST */activities", "GET */activities"
	for sentence, f := range map[string]simulation.Fault{
		"the answer to a message is lost":      {Host: simulation.DirectLineEurope, Route: post, Lose: true},
		"a message does not arrive":            {Host: simulation.DirectLineEurope, Route: post, Cut: true},
		"too much at once":                     {Host: simulation.DirectLineEurope, Route: post, Status: 429, RetryAfter: 1},
		"the service fails twice":              {Host: simulation.DirectLineEurope, Route: get, Status: 500, Times: 2},
		"a watermark is dropped, many times":   {Host: simulation.DirectLineEurope, Route: get, Times: 4, Set: map[string]any{"watermark": nil}},
		"the hub's connector is down, shortly": {Host: simulation.Connector, Status: 503, Times: 2},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			b := start(t)
			w := b.open("R. Bakker")
			b.reads(w, greeting)
			b.inject(f)
			b.say(w, "open today?")
			b.reads(w, hours)
			b.say(w, "store hours")
			b.reads(w, hours)
			if n := b.asks("open today?"); n != 1 {
				t.Errorf("the bot got the message %d times, want once", n)
			}
		})
	}
}

func TestAnExpiredTokenBeginsAnotherConversation(t *testing.T) {
	t.Parallel()
	for sentence, hear := range ways() {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			b := start(t)
			hear(b)
			w := b.open("R. Bakker")
			b.reads(w, greeting)
			b.VirtualBots().ExpireTokens()
			b.say(w, "open today?")
			b.reads(w, hours)
			b.say(w, "store hours")
			b.reads(w, hours)
			if n := len(b.VirtualBots().Conversations()); n != 2 {
				t.Errorf("%d conversations with the bot, want 2", n)
			}
		})
	}
}

func TestAReplyThatComesLateArrives(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.VirtualBots().Script(simulation.StoreBot, []virtualbot.Topic{{Name: "Stock", Phrases: []string{"in stock"}, Nodes: []virtualbot.Node{
		{Say: looks}, {Say: stock, After: 4 * time.Second},
	}}})
	w := b.open("R. Bakker")
	b.say(w, "in stock?")
	b.reads(w, looks, stock)
}

// Over a stream nobody has to look for it.
func TestAReplyThatComesLateIsPushed(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.timing.Late = time.Hour
	b.stream()
	b.VirtualBots().Script(simulation.StoreBot, []virtualbot.Topic{{Name: "Stock", Phrases: []string{"in stock"}, Nodes: []virtualbot.Node{
		{Say: looks}, {Say: stock, After: 5 * time.Second},
	}}})
	w := b.open("R. Bakker")
	b.say(w, "in stock?")
	b.reads(w, looks, stock)
}

func TestABotThatIsDownLeavesTheCustomerToPeople(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.timing.BotPatience = 2 * time.Second
	b.restart()
	b.inject(simulation.Fault{Host: simulation.PowerPlatform, Status: 503, Times: -1})
	w := b.open("R. Bakker")
	b.reads(w, "I'm passing you on to a colleague.", "The conversation is being transferred.")
	ben, err := b.Hub().Desk(simulation.Ben)
	must(t, err)
	offered, err := ben.Offered(b.soon())
	must(t, err)
	if offered.ID != w.ID() || offered.Context["HandoffQueue"] != "general" {
		t.Errorf("Ben is offered %s with %v", offered.ID, offered.Context)
	}
}

func TestACustomerWhoLeavesTheQueue(t *testing.T) {
	t.Parallel()
	b := start(t)
	w := b.open("R. Bakker")
	b.reads(w, greeting)
	b.say(w, "talk to a person")
	b.reads(w, "I'll transfer you to a colleague.", "The conversation is being transferred.")
	must(t, w.Close())
	b.until("the failure", func(s conversation.State) bool {
		return s.Last.Status == conversation.Failed && s.Last.Code == "customer-left-queue" && s.Relay.Phase == domain.Over
	})
	b.told("failed")
}

func TestRepeatsAndForgeriesOfTheHub(t *testing.T) {
	t.Parallel()
	b := start(t)
	w := b.open("R. Bakker")
	b.reads(w, greeting)
	b.say(w, "open today?")
	b.reads(w, hours)
	for n := range 2 {
		must(t, b.Hub().Redeliver(w.ID(), n))
	}
	for c, ctx := b.conversation(w), b.soon(); len(c.Deliveries) < 4 && pause(ctx, 20*time.Millisecond); c = b.conversation(w) {
	}
	for _, f := range signing.Forgeries() {
		b.Hub().Forge(f)
		b.say(w, "in stock, says "+string(f))
	}
	b.say(w, "store hours")
	b.reads(w, hours)
	if n := len(b.VirtualBots().Conversations()[0].Activities); n > 8 {
		t.Errorf("the bot's conversation has %d activities: %v", n, b.VirtualBots().Conversations()[0].Activities)
	}
	refused := 0
	for _, d := range b.conversation(w).Deliveries {
		if d.Status == 401 {
			refused++
		}
	}
	if refused != len(signing.Forgeries()) {
		t.Errorf("%d activities are refused, want %d", refused, len(signing.Forgeries()))
	}
}

func TestTwoCustomersAtOnce(t *testing.T) {
	t.Parallel()
	b := start(t)
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() {
			w := b.open(fmt.Sprint("Customer ", i))
			b.reads(w, greeting)
			for range 2 {
				b.say(w, "open today?")
				b.reads(w, hours)
			}
		})
	}
	wg.Wait()
	if n := len(b.VirtualBots().Conversations()); n != 2 {
		t.Errorf("%d conversations with the bot, want 2", n)
	}
}

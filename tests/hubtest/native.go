package hubtest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"handoff/infra/microsoft/simulation"
	"handoff/infra/microsoft/simulation/hub"
	"handoff/infra/microsoft/simulation/virtualbot"
	"handoff/infra/microsoft/simulation/wire"
)

// native is what is promised of a bot that an administrator has connected to the
// hub in Power Virtual Agents, and of its node "Send HTTP request".
var native = map[string]func(*testing.T, Opener){
	"a bot that is connected natively talks and escalates by itself, with all its variables": func(t *testing.T, start Opener) {
		b := start(t, simulation.ConnectedNatively)
		w, err := b.Hub().Open(hub.Chat{AppID: simulation.WidgetAppID, Name: "R. Bakker", Context: map[string]any{"Loyalty": "gold"}})
		if err != nil {
			t.Fatal(err)
		}
		if got := b.Reads(w); got != "Hello, I'm the store's virtual assistant. How can I help?" {
			t.Errorf("the bot greets with %q", got)
		}
		b.talk(w, "refund please", "I can help with a refund. What is your order number?")
		b.talk(w, "A-1234", "Thank you. I'll connect you with somebody who can do that.", "The conversation is being transferred.")
		c := b.State(w)
		for name, want := range map[string]any{
			"OrderNumber": "A-1234", "Items": 2.0, "Loyalty": "gold", "va_Topics": "Refund", "va_AgentMessage": "Wants a refund. Identity not checked.",
			"va_ConversationId": c.Thread, "Member": "true",
		} {
			if c.Context[name] != want {
				t.Errorf("%s = %v, want %v", name, c.Context[name], want)
			}
		}
		if c.QueueName != "Refunds" || c.Escalations != 1 {
			t.Errorf("it is in %s after %d escalations, want Refunds after one", c.QueueName, c.Escalations)
		}
		b.Clean(w)
	},
	"a bot asks by HTTP, fills in its variables and saves the answer": func(t *testing.T, start Opener) {
		b := start(t, simulation.ConnectedNatively)
		asked := make(chan string, 1)
		b.serves(t, func(w http.ResponseWriter, r *http.Request) {
			raw, _ := io.ReadAll(r.Body)
			asked <- r.Header.Get("Authorization") + " " + string(raw)
			_, _ = io.WriteString(w, `{"queue":"Refunds","more":1}`)
		})
		if got := b.transferred(t); got["HandoffQueue"] != "Refunds" || got["Status"] != nil {
			t.Errorf("context = %v, want the queue", got)
		}
		want := `Bearer key {"in":{"phrase":"refund"},"topic":"Refund"}`
		if got := <-asked; got != want {
			t.Errorf("asked %s, want %s", got, want)
		}
	},
	"a bot goes on where it gets an error, nonsense, or nothing in time": func(t *testing.T, start Opener) {
		for status, answer := range map[string]http.HandlerFunc{
			"503": func(w http.ResponseWriter, _ *http.Request) {
				http.Error(w, `{"queue":"Refunds"}`, http.StatusServiceUnavailable)
			},
			"200": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "Refunds") },
			"0": func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // or the server does not notice that the bot has gone
				<-r.Context().Done()
			},
		} {
			b := start(t, simulation.ConnectedNatively)
			b.serves(t, answer)
			got := b.transferred(t)
			if said := fmt.Sprint(got["Status"]); got["HandoffQueue"] != nil || said != strings.Replace(status, "200", "0", 1) {
				t.Errorf("answered %s: context = %v", status, got)
			}
		}
	},
}

// talk has a customer say something and read the answers.
func (b *Bench) talk(w *hub.Widget, text string, answers ...string) {
	b.T.Helper()
	if err := w.Say(text); err != nil {
		b.T.Fatal(err)
	}
	for _, want := range answers {
		if got := b.Reads(w); got != want {
			b.T.Fatalf("the customer reads %q, want %q", got, want)
		}
	}
}

// serves has the bot ask a server before it transfers a refund.
func (b *Bench) serves(t *testing.T, f http.HandlerFunc) {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	b.VirtualBots().Script(simulation.StoreBot, []virtualbot.Topic{{Name: "Refund", Phrases: []string{"refund"}, Nodes: []virtualbot.Node{
		{Request: &virtualbot.Request{
			URL: s.URL, Key: "key", Body: wire.Object{"topic": "{va_LastTopic}", "in": wire.Object{"phrase": "{va_LastPhrase}"}},
			Save: map[string]string{"queue": "HandoffQueue"}, Status: "Status", Timeout: time.Second,
		}},
		{Transfer: true},
	}}})
}

// transferred has a customer ask for a refund and returns the context with which
// the bot escalates.
func (b *Bench) transferred(t *testing.T) map[string]any {
	t.Helper()
	w, err := b.Hub().Open(hub.Chat{AppID: simulation.WidgetAppID})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Say("refund"); err != nil {
		t.Fatal(err)
	}
	c, err := b.Hub().Await(b.soon(), w.ID(), func(c hub.Conversation) bool { return c.Escalations == 1 })
	if err != nil {
		t.Fatal(err)
	}
	return c.Context
}

package connector_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/microsoft/activity"
	"handoff/infra/microsoft/botauth"
	"handoff/infra/microsoft/connector"
	"handoff/infra/microsoft/entra"
	"handoff/infra/microsoft/entra/controlplane"
	"handoff/infra/microsoft/omnichannel"
	"handoff/infra/microsoft/simulation"
	"handoff/infra/microsoft/simulation/hub"
	"handoff/infra/microsoft/simulation/signing"
	"handoff/tests/hubtest"
)

// line is our end of the simulated hub: what checks its requests, and what
// answers.
type line struct {
	*hubtest.Bot
	in      *botauth.Verifier
	out     *connector.Client
	witness *hubtest.Witness // holds all that is sent to the published contract
}

func newLine(t *testing.T) *line {
	t.Helper()
	b := hubtest.Connect(t, hubtest.Start)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	witness := &hubtest.Witness{T: t, Next: transport, Strict: true}
	client := &http.Client{Transport: witness}
	tokens, err := entra.NewSource(controlplane.Options{Base: b.URLs.Login, HTTP: client, Now: b.Clock.Now},
		entra.Credentials{Tenant: simulation.TenantID, ClientID: simulation.RelayID, Secret: simulation.RelaySecret}, entra.ScopeBotFramework)
	if err != nil {
		t.Fatal(err)
	}
	cloud := botauth.Cloud{Metadata: b.URLs.Login + "/v1/.well-known/openidconfiguration", Issuer: botauth.Public().Issuer}
	return &line{
		Bot: b, witness: witness, in: botauth.New(cloud, client, b.Clock.Now),
		out: connector.New(connector.Options{HTTP: client, Tokens: tokens, Now: b.Clock.Now, Hosts: []string{"127.0.0.1"}}),
	}
}

// admit checks a request of the hub's.
func (l *line) admit(t *testing.T, got hubtest.Received) (connector.Conversation, activity.Activity, error) {
	t.Helper()
	h := http.Header{}
	if got.Authorization != "" {
		h.Set("Authorization", got.Authorization)
	}
	token, err := l.in.Verify(t.Context(), h, simulation.RelayID)
	if err != nil {
		return connector.Conversation{}, nil, err
	}
	caller, a, err := token.Admit([]byte(got.Text))
	return connector.Conversation{ServiceURL: caller.ServiceURL, ID: a.Object("conversation").Text("id")}, a, err
}

func (l *line) admitted(t *testing.T, got hubtest.Received) (connector.Conversation, activity.Activity) {
	t.Helper()
	c, a, err := l.admit(t, got)
	if err != nil {
		t.Fatal(err)
	}
	return c, a
}

// Every request of every test here is held to the contract; this one makes sure
// that there is one of each operation.
func TestWhatIsSentKeepsThePublishedContract(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	w, _ := l.Open(nil)
	to, said := l.admitted(t, l.Say(w, "hello"))
	hello := omnichannel.Bridged(activity.Message("Hello."))
	id, err := l.out.Send(t.Context(), to, hello)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.out.Reply(t.Context(), to, said.ID(), hello.With("from", map[string]string{"id": "28:" + simulation.RelayID})); err != nil {
		t.Error(err)
	}
	if err := l.out.Update(t.Context(), to, id, hello); err != nil {
		t.Error(err)
	}
	if err := l.out.History(t.Context(), to, []activity.Activity{activity.Message("Said elsewhere.").With("id", "e1"), hello}); err != nil {
		t.Error(err)
	}
	want := []string{
		"Conversations_ReplyToActivity", "Conversations_SendConversationHistory", "Conversations_SendToConversation", "Conversations_UpdateActivity",
	}
	if got := slices.Sorted(maps.Keys(l.witness.Seen())); !slices.Equal(got, want) {
		t.Errorf("operations = %q, want %q", got, want)
	}
}

// From the customer's first word to a human agent who has everything.
func TestAnEscalationInTheSimulatedHub(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	w, first := l.Open(map[string]any{"Store": "Delft"})
	_, event := l.admitted(t, first)
	o, err := omnichannel.ReadOpening(event)
	if err != nil || string(o.WorkItem) != w.ID() || string(o.Variables["Store"]) != `"Delft"` || o.Customer.Role != events.FromCustomer {
		t.Errorf("opening = %+v, %v", o, err)
	}
	to, said := l.admitted(t, l.Say(w, "refund please"))
	if !omnichannel.FromCustomer(said) || said.Text("text") != "refund please" {
		t.Errorf("the hub says %s", said.JSON())
	}
	if id, err := l.out.Reply(t.Context(), to, said.ID(), omnichannel.Bridged(activity.Message("I'll connect you."))); err != nil || id == "" {
		t.Fatalf("Reply = %q, %v", id, err)
	}
	if got := l.Reads(w); got != "I'll connect you." {
		t.Errorf("the customer reads %q", got)
	}
	told, findings := omnichannel.Escalation{
		Queue: "Refunds", ID: "esc_1", ContextURL: "https://handoff.example/c/1", Summary: "Wants a refund", Topic: "Refund",
		Context: events.Context{
			ConversationID: "c1", Topics: []string{"Refund", "Hours"},
			Variables: map[string]json.RawMessage{
				"Items": json.RawMessage(`2`), "Score": json.RawMessage(`7.5`), "Long": activity.Marshal(strings.Repeat("a", 5000)),
				"Order": json.RawMessage(`{"number":"A-17"}`),
			},
		},
	}.Message(omnichannel.Limits{})
	if _, err := l.out.Send(t.Context(), to, told); err != nil || len(findings) != 2 {
		t.Fatalf("Send: %v; %v", err, findings)
	}
	c := l.State(w)
	if c.QueueName != "Refunds" || c.Escalations != 1 {
		t.Errorf("the conversation is in %s, %d escalations: %q", c.QueueName, c.Escalations, c.Explanation)
	}
	for name, want := range map[string]any{
		"HandoffQueue": "Refunds", "HandoffEscalationId": "esc_1", "HandoffContextUrl": "https://handoff.example/c/1", "va_Topics": "Refund, Hours",
		"Items": 2.0, "Score": "7.5", "Order": `{"number":"A-17"}`, "Long": "(5000 characters, more than the hub takes; see HandoffContextUrl)",
	} {
		if c.Context[name] != want {
			t.Errorf("%s = %v, want %v", name, c.Context[name], want)
		}
	}
	l.Clean(w)
}

func TestABotEndsAConversationInTheSimulatedHub(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	w, _ := l.Open(nil)
	to, _ := l.admitted(t, l.Say(w, "thanks, bye"))
	if _, err := l.out.Send(t.Context(), to, omnichannel.End("Solved")); err != nil {
		t.Fatal(err)
	}
	if c := l.State(w); c.Status != hub.Closed || c.Reason != hub.EndedByBot {
		t.Errorf("the conversation is %s (%d)", c.Status, c.Reason)
	}
	if _, err := l.out.Send(t.Context(), to, omnichannel.Bridged(activity.Message("one more thing"))); !fault.Is(err, "connector-forbidden") {
		t.Errorf("after its end: %v", err)
	}
	l.Clean(w)
}

func TestTheSimulatedHubTakesTheLargestEscalation(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	w, _ := l.Open(nil)
	to, _ := l.admitted(t, l.Say(w, "hello"))
	variables := map[string]json.RawMessage{}
	for i := range 300 {
		variables["Variable"+strings.Repeat("x", i%90)+string(rune('a'+i%26))] = activity.Marshal(strings.Repeat("é\"", i*7%2500))
	}
	told, findings := omnichannel.Escalation{Queue: "General", ID: "esc_1", Summary: strings.Repeat("\n", 3000), Context: events.Context{Variables: variables}}.Message(omnichannel.Limits{})
	if _, err := l.out.Send(t.Context(), to, told); err != nil || len(findings) == 0 {
		t.Fatalf("Send: %v; %d findings", err, len(findings))
	}
	if c := l.State(w); c.QueueName != "General" || c.Context[omnichannel.VariableLeftOut] == nil {
		t.Errorf("the conversation is in %s with %v", c.QueueName, c.Context)
	}
	l.Clean(w)
}

func TestTheSimulatedHubsTroubles(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		faults   []simulation.Fault
		code     string
		requests int
	}{
		"an error and then success":   {[]simulation.Fault{{Status: 500}}, "", 2},
		"a pause that it asks for":    {[]simulation.Fault{{Status: 429, RetryAfter: 1}}, "", 2},
		"a pause that is too long":    {[]simulation.Fault{{Status: 429, RetryAfter: 60}}, "connector-rate-limited", 1},
		"a token that is refused":     {[]simulation.Fault{{Status: 401}}, "", 2},
		"tokens that are refused":     {[]simulation.Fault{{Status: 401, Times: 2}}, "connector-token-refused", 2},
		"a conversation of others":    {[]simulation.Fault{{Status: 403}}, "connector-forbidden", 1},
		"an answer that is lost":      {[]simulation.Fault{{Lose: true}}, "", 2},
		"a connection that is broken": {[]simulation.Fault{{Cut: true}}, "", 2},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			l := newLine(t)
			w, _ := l.Open(nil)
			to, _ := l.admitted(t, l.Say(w, "hello"))
			for _, f := range c.faults {
				f.Host = simulation.Connector
				if err := l.Inject(f); err != nil {
					t.Fatal(err)
				}
			}
			_, err := l.out.Send(t.Context(), to, omnichannel.Bridged(activity.Message("hi")))
			if err != nil && fault.CodeOf(err) != c.code || err == nil && c.code != "" {
				t.Errorf("err = %v, want %q", err, c.code)
			}
			if n := len(l.Calls(simulation.Connector)); n != c.requests {
				t.Errorf("%d requests, want %d", n, c.requests)
			}
		})
	}
}

func TestForgeriesOfTheSimulatedConnector(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	w, _ := l.Open(nil)
	for _, f := range signing.Forgeries() {
		l.Hub().Forge(f)
		if _, _, err := l.admit(t, l.Say(w, string(f))); fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("%s: %v", f, err)
		}
	}
	if err := l.RotateKeys(); err != nil {
		t.Fatal(err)
	}
	rotated := l.Say(w, "new key")
	if _, _, err := l.admit(t, rotated); botauth.ReasonOf(err) != botauth.ReasonKeyUnknown {
		t.Errorf("a key of less than an hour: %v", err)
	}
	l.Clock.Advance(botauth.Skew * 12)
	if _, _, err := l.admit(t, rotated); err != nil {
		t.Errorf("the same an hour later: %v", err)
	}
}

package directline_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/activity"
	"handoff/infra/microsoft/botframework"
	"handoff/infra/microsoft/directline"
	"handoff/infra/microsoft/omnichannel"
	"handoff/infra/microsoft/simulation"
	"handoff/tests/hubtest"
)

// shop is the example cloud with a client of its bot.
type shop struct {
	*hubtest.Bench
	*directline.Client
	bot     directline.Bot
	witness *hubtest.Witness // holds all that is sent to the published contract
}

func newShop(t *testing.T) *shop {
	t.Helper()
	b := hubtest.Start(t)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	here, witness := []string{"127.0.0.1"}, &hubtest.Witness{T: t, Next: transport, Strict: true}
	return &shop{
		Bench: b, witness: witness,
		Client: directline.New(directline.Options{HTTP: &http.Client{Transport: witness}, Upgrader: transport, Now: b.Clock.Now, Hosts: here, TokenHosts: here}),
		bot: directline.Bot{TokenEndpoint: b.URLs.PowerPlatform + "/powervirtualagents/botsbyschema/" + simulation.StoreBotSchema +
			"/directline/token?api-version=2022-03-01-preview"},
	}
}

// Every request of every test here is held to the contract; this one makes sure
// that there is one of each operation.
func TestWhatIsSentKeepsThePublishedContract(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	state, err := s.Start(t.Context(), directline.Bot{Secret: simulation.StoreBotSecret, Base: s.URLs.DirectLineEurope}, "customer")
	if err != nil {
		t.Fatal(err)
	}
	variables := directline.SetContext(map[string]json.RawMessage{"Store": json.RawMessage(`"Delft"`), "Items": json.RawMessage(`[1]`)})
	status := activity.Event("handoff.status", map[string]string{"state": "accepted"})
	for _, a := range []activity.Activity{variables, directline.Greet(), activity.Message("hi").With("channelData", map[string]int{"a": 1}), status, directline.End()} {
		state, _ = s.talk(t, state, a)
	}
	if state, err = s.Refresh(t.Context(), state); err != nil {
		t.Error(err)
	}
	if _, _, err = s.Resume(t.Context(), state); err != nil {
		t.Error(err)
	}
	want := []string{
		"Conversations_GetActivities", "Conversations_PostActivity", "Conversations_ReconnectToConversation", "Conversations_StartConversation",
		"Tokens_GenerateTokenForNewConversation", "Tokens_RefreshToken",
	}
	if got := slices.Sorted(maps.Keys(s.witness.Seen())); !slices.Equal(got, want) {
		t.Errorf("operations = %q, want %q", got, want)
	}
}

// talk posts what a customer says and returns what the bot answers.
func (s *shop) talk(t *testing.T, state directline.State, said activity.Activity) (directline.State, []activity.Activity) {
	t.Helper()
	state, _, err := s.Post(t.Context(), state, said)
	if err != nil {
		t.Fatal(err)
	}
	state, fresh, err := s.Read(t.Context(), state)
	if err != nil {
		t.Fatal(err)
	}
	return state, fresh
}

func TestAHandOffFromTheSimulatedBot(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	state, err := s.Start(t.Context(), s.bot, "customer")
	if err != nil || state.Base != s.URLs.DirectLineEurope {
		t.Fatalf("Start at %s, %v", state.Base, err)
	}
	state, fresh := s.talk(t, state, directline.Greet())
	if got := texts(fresh); got != "Hello, I'm the store's virtual assistant. How can I help?" {
		t.Errorf("greeting = %q", got)
	}
	state, fresh = s.talk(t, state, activity.Message("I want a refund"))
	if got := texts(fresh); !strings.Contains(got, "order number") {
		t.Errorf("answer = %q", got)
	}
	_, fresh = s.talk(t, state, activity.Message("A-17"))
	event := fresh[len(fresh)-1]
	if !event.Is("handoff.initiate") {
		t.Fatalf("the bot said %s", event.JSON())
	}
	// What it says is read, and told to the hub.
	set, err := botframework.ParseActivities(event.JSON())
	if err != nil || len(set.HandOffs) != 1 {
		t.Fatalf("%d hand-offs, %v", len(set.HandOffs), err)
	}
	h := set.HandOffs[0]
	told, findings := omnichannel.Escalation{
		Queue: "Refunds", ID: "esc_1", Summary: h.Context.MessageToAgent, Topic: h.Topic, Language: h.Language, Bot: h.Bot, Context: h.Context,
	}.Message(omnichannel.Limits{})
	command, _ := omnichannel.ParseTags(omnichannel.TagsOf(told))
	for name, want := range map[string]string{
		"OrderNumber": `"A-17"`, "Items": `2`, "Member": `"true"`, "StoreLocation": `"Delft"`, "HandoffQueue": `"Refunds"`,
		"va_Topics": `"Refund"`, "va_LastPhrase": `"I want a refund"`,
	} {
		if got := string(command.Context[name]); got != want {
			t.Errorf("%s = %s, want %s", name, got, want)
		}
	}
	if len(findings) > 0 || told.Text("text") != "Wants a refund. Identity not checked." {
		t.Errorf("%q with %v", told.Text("text"), findings)
	}
}

func TestListeningToTheSimulatedBot(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	state, err := s.Start(t.Context(), s.bot, "customer")
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan string, 64)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	listen := func(ctx context.Context) chan error {
		done := make(chan error, 1)
		go func() {
			done <- s.Stream(ctx, state, func(_ context.Context, _ directline.State, fresh []activity.Activity) error {
				for _, a := range fresh {
					heard <- a.Type() + " " + a.Text("text")
				}
				return nil
			})
		}()
		return done
	}
	next := func() string {
		select {
		case h := <-heard:
			return h
		case <-ctx.Done():
			t.Fatal("nothing was heard")
			return ""
		}
	}
	listening, hangUp := context.WithCancel(ctx)
	done := listen(listening)
	post := func(a activity.Activity) {
		if _, _, err := s.Post(ctx, state, a); err != nil {
			t.Fatal(err)
		}
	}
	post(directline.Greet())
	hello := "message Hello, I'm the store's virtual assistant. How can I help?"
	if got := next(); got != hello {
		t.Errorf("heard %q", got)
	}
	post(activity.Message("open today?")) // once that is heard the stream is open
	hours := "message We are open from nine to six."
	if got := next(); got != hours {
		t.Errorf("heard %q", got)
	}
	post(activity.Message("is it in stock?"))
	// Typing comes over a stream and nowhere else, beside what is said.
	got := []string{next(), next()}
	slices.Sort(got)
	if !slices.Equal(got, []string{"message One moment, I'm looking that up.", "typing "}) {
		t.Errorf("heard %q", got)
	}
	s.Clock.Advance(20 * time.Second)
	if got := next(); got != "message Yes, we have three of those in Delft." {
		t.Errorf("heard %q", got)
	}
	hangUp()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	// Whoever goes on with the older state hears what that does not know.
	listening, hangUp = context.WithCancel(ctx)
	done = listen(listening)
	for _, want := range []string{hello, hours, "message One moment, I'm looking that up.", "message Yes, we have three of those in Delft."} {
		if got := next(); got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
	}
	hangUp()
	<-done
}

func TestTheSimulatedServiceFails(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		fault    simulation.Fault
		code     string
		requests int // of that host and route
	}{
		"the bot fails":               {simulation.Fault{Route: "POST */activities", Status: 502, Code: "BotError"}, "bot-failed", 1},
		"the answer is lost":          {simulation.Fault{Route: "POST */activities", Lose: true}, "direct-line-unreachable", 1},
		"too many at once, for long":  {simulation.Fault{Route: "POST */activities", Status: 429, RetryAfter: 60}, "direct-line-rate-limited", 1},
		"too many at once, for short": {simulation.Fault{Route: "POST */activities", Status: 429, RetryAfter: 1}, "", 2},
		"the token expires":           {simulation.Fault{Route: "POST */activities", Status: 403, Code: "TokenExpired"}, "direct-line-token-expired", 1},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			state, err := s.Start(t.Context(), s.bot, "customer")
			if err != nil {
				t.Fatal(err)
			}
			c.fault.Host = simulation.DirectLineEurope
			if err := s.Inject(c.fault); err != nil {
				t.Fatal(err)
			}
			before := len(s.Calls(simulation.DirectLineEurope))
			_, _, err = s.Post(t.Context(), state, activity.Message("hi"))
			if err != nil && fault.CodeOf(err) != c.code || err == nil && c.code != "" {
				t.Errorf("err = %v, want %q", err, c.code)
			}
			if n := len(s.Calls(simulation.DirectLineEurope)) - before; n != c.requests {
				t.Errorf("%d requests, want %d", n, c.requests)
			}
		})
	}
}

func TestTokensOfTheSimulatedService(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	state, err := s.Start(t.Context(), directline.Bot{Secret: simulation.StoreBotSecret, Base: s.URLs.DirectLineEurope}, "customer")
	if err != nil {
		t.Fatal(err)
	}
	for range 5 { // more than two lifetimes, refreshed in time
		s.Clock.Advance(26 * time.Minute)
		if state, _ = s.talk(t, state, activity.Message("hello")); err != nil {
			t.Fatal(err)
		}
	}
	s.Clock.Advance(31 * time.Minute)
	if _, _, err := s.Post(t.Context(), state, activity.Message("hello")); !fault.Is(err, "direct-line-token-expired") {
		t.Errorf("err = %v", err)
	}
	if _, err := s.Start(t.Context(), directline.Bot{Secret: simulation.StoreBotSecret, Base: s.URLs.DirectLine}, "x"); !fault.Is(err, "direct-line-forbidden") {
		t.Errorf("in another region: %v", err)
	}
}

// A bot whose web channel security is on gives tokens for its secret only. Its
// endpoint still tells in which region it is.
func TestABotThatNeedsItsSecret(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	for sentence, c := range map[string]struct {
		bot  directline.Bot
		code string
	}{
		"the endpoint alone":       {s.bot, ""},
		"endpoint and secret":      {directline.Bot{TokenEndpoint: s.bot.TokenEndpoint, Secret: simulation.StoreBotSecret, Base: s.URLs.DirectLine}, ""},
		"another bot's secret":     {directline.Bot{TokenEndpoint: s.bot.TokenEndpoint, Secret: "another~secret"}, "direct-line-forbidden"},
		"an endpoint that is none": {directline.Bot{TokenEndpoint: "https://a.example", Secret: simulation.StoreBotSecret}, "token-endpoint-invalid"},
	} {
		before := len(s.Calls(""))
		if err := s.Reach(t.Context(), c.bot); err != nil && fault.CodeOf(err) != c.code || err == nil && c.code != "" {
			t.Errorf("%s: %v, want %q", sentence, err, c.code)
		}
		for _, call := range s.Calls("")[before:] {
			if strings.HasSuffix(call.Path, "/conversations") {
				t.Errorf("%s: a conversation was begun", sentence)
			}
		}
	}
	both := directline.Bot{TokenEndpoint: s.bot.TokenEndpoint, Secret: simulation.StoreBotSecret}
	if state, err := s.Start(t.Context(), both, "customer"); err != nil || state.Base != s.URLs.DirectLineEurope {
		t.Errorf("Start at %s, %v", state.Base, err)
	}
}

package relaying_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/domain/relay"
	"handoff/events"
	"handoff/infra/microsoft/activity"
	"handoff/infra/microsoft/botauth"
	"handoff/infra/microsoft/relaying"
)

func now() time.Time { return time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC) }

// services answers every request by its method and URL, and keeps the last body.
type services struct {
	answers map[string]string // "METHOD host/path": status and body
	bodies  []string
}

func (s *services) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		s.bodies = append(s.bodies, string(body))
	}
	answer, ok := s.answers[r.Method+" "+r.URL.Host+r.URL.Path]
	status := http.StatusOK
	if code, body, found := strings.Cut(answer, " "); found {
		status, answer = map[string]int{"403": 403, "413": 413}[code], body
	}
	if !ok {
		return nil, errors.New("nobody is at " + r.URL.Host + r.URL.Path)
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
}

// secrets are those of a connection, with that of its bot or without.
type secrets struct{ ofBot bool }

func (s secrets) Secret(_ context.Context, _, name string) ([]byte, error) {
	if strings.HasSuffix(name, "/direct_line") && !s.ofBot {
		return nil, fault.New(fault.NotFound, "secret-not-found", "There is none.")
	}
	return []byte("a~secret~that~is~long~enough~000001"), nil
}

const (
	app    = "a0000000-0000-4000-8000-000000000002"
	tenant = "7e000000-0000-4000-8000-000000000001"
	dl     = "europe.directline.botframework.com/v3/directline/conversations/k1/activities"
	hubURL = "https://smba.trafficmanager.net/emea/"
)

func link() relay.Link { return relay.Link{Tenant: "default", Connection: "store-bot"} }

// speaks returns a Relaying whose connection has these settings.
func speaks(s *services, o *events.OmnichannelSet) *relaying.Relaying {
	if s.answers == nil {
		s.answers = make(map[string]string)
	}
	s.answers["POST login.microsoftonline.com/"+tenant+"/oauth2/v2.0/token"] = `{"token_type":"Bearer","expires_in":3600,"access_token":"t"}`
	return relaying.New(relaying.Options{
		HTTP: &http.Client{Transport: s}, Now: now, Secrets: secrets{},
		Connection: func(context.Context, relay.Link) (connection.State, error) {
			return connection.State{ID: "store-bot", ApplicationID: app, TokenTenant: tenant, Omnichannel: o}, nil
		},
	})
}

func session() events.BotSession {
	return events.BotSession{BaseURL: "https://europe.directline.botframework.com", ConversationID: "k1", Token: "dl", UserID: "dl_c"}
}

func TestWhatABotSays(t *testing.T) {
	t.Parallel()
	s := &services{answers: map[string]string{"GET " + dl: `{"watermark":"9","activities":[
		{"type":"message","id":"k1|0000004","from":{"id":"b","name":"Bot"},"text":"second","timestamp":"2026-11-23T09:00:00.1234567Z","suggestedActions":{"actions":[]},"channelData":{"DialogTraceDetail":{}},"channeldata":{"tags":"{}"},"Text":"other"},
		{"type":"message","id":"k1|0000003","from":{"id":"b"},"text":"first"},
		{"type":"message","id":"k1|0000002","from":{"id":"dl_c"},"text":"mine","channelData":{"handoffMark":"handoff-1-7"}},
		{"type":"event","id":"k1|0000001","from":{"id":"dl_c"},"name":"pvaSetContext"},
		{"type":"typing","id":"k1|0000005","from":{"id":"b"}},
		{"type":"event","id":"k1|0000006","from":{"id":"b"},"name":"something.else"},
		{"type":"event","id":"k1|0000007","from":{"id":"b"},"name":"handoff.initiate","conversation":{"id":"k1"},"value":{"va_LastTopic":"Refund"}},
		{"type":"event","id":"k1|0000008","from":{"id":"b"},"name":"handoff.initiate","value":{}},
		{"type":"endOfConversation","id":"k1|0000009","from":{"id":"b"}}]}`}}
	h, err := speaks(s, nil).Listen(t.Context(), link(), session(), "3", 0)
	if err != nil || h.Watermark != "9" || len(h.Spoken) != 6 {
		t.Fatalf("heard %+v, %v; want six things up to 9", h, err)
	}
	mine, first, second, up, broken, end := h.Spoken[0], h.Spoken[1], h.Spoken[2], h.Spoken[3], h.Spoken[4], h.Spoken[5]
	if mine.Mark != "handoff-1-7" || mine.Message != nil {
		t.Errorf("our own words are %+v", mine)
	}
	if first.Message == nil || first.Message.Text != "first" || second.Message.Text != "second" {
		t.Errorf("messages %+v, %+v; want them in the order of their ids", first, second)
	}
	if m := second.Message; m.At == nil || m.AtText == "" && m.At.Nanosecond() == 0 || len(m.Extensions) != 1 || m.Extensions["suggestedActions"] == nil {
		t.Errorf("message = %+v, want everything but what the bot's channel put around it", m)
	}
	if up.HandOff == nil || up.HandOff.Topic != "Refund" || up.ID != "k1|0000007" {
		t.Errorf("hand-off = %+v", up)
	}
	if broken.Unreadable == nil || !fault.KindOf(broken.Unreadable).Permanent() {
		t.Errorf("a hand-off without a conversation is %+v, want it unreadable", broken)
	}
	if !end.Ended {
		t.Errorf("the end is %+v", end)
	}
}

func TestWhatABotIsTold(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		what relay.ToBot
		want string
	}{
		"a message with its mark":   {relay.ToBot{Mark: "m", Message: &events.Message{Text: "hi"}}, `{"channelData":{"handoffMark":"m"},"from":{"id":"dl_c"},"text":"hi","type":"message"}`},
		"a state of its escalation": {relay.ToBot{State: "failed"}, `{"from":{"id":"dl_c"},"name":"handoff.status","type":"event","value":{"state":"failed"}}`},
		"the end":                   {relay.ToBot{Ended: true}, `{"from":{"id":"dl_c"},"type":"endOfConversation"}`},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			s := &services{answers: map[string]string{"POST " + dl: `{"id":"k1|0000009"}`}}
			if err := speaks(s, nil).Post(t.Context(), link(), session(), c.what); err != nil {
				t.Fatal(err)
			}
			if got := s.bodies[len(s.bodies)-1]; got != c.want {
				t.Errorf("posted %s\nwant   %s", got, c.want)
			}
		})
	}
}

const activities = "POST smba.trafficmanager.net/emea/v3/conversations/19:a/activities"

func address() events.HubAddress {
	return events.HubAddress{ServiceURL: hubURL, ConversationID: "19:a", BotID: "28:b"}
}

func TestWhatACustomerSees(t *testing.T) {
	t.Parallel()
	s := &services{answers: map[string]string{activities: `{"id":"1"}`}}
	m := events.Message{Text: "hi", Extensions: map[string]json.RawMessage{"suggestedActions": []byte(`{"actions":[]}`), "replyToId": []byte(`"x"`)}}
	if err := speaks(s, new(events.OmnichannelSet)).Say(t.Context(), link(), address(), m); err != nil {
		t.Fatal(err)
	}
	want := `{"channelData":{"deliveryMode":"bridged"},"conversation":{"id":"19:a"},"from":{"id":"28:b"},"suggestedActions":{"actions":[]},"text":"hi","type":"message"}`
	if got := s.bodies[len(s.bodies)-1]; got != want {
		t.Errorf("sent %s\nwant %s", got, want)
	}
}

func TestWhatTheHubIsTold(t *testing.T) {
	t.Parallel()
	s := &services{answers: map[string]string{activities: `{"id":"1"}`}}
	r := speaks(s, new(events.OmnichannelSet))
	e := relay.Escalation{ID: "esc_1", Queue: "refunds", ContextURL: "https://h.example/c", Summary: "Wants money back", Context: events.Context{
		Variables: map[string]json.RawMessage{"Store": []byte(`"Delft"`), "Huge": []byte(`"` + strings.Repeat("x", 4001) + `"`)},
	}}
	omitted, err := r.Escalate(t.Context(), link(), address(), e)
	if err != nil || len(omitted) != 1 || omitted[0].Name != "Huge" || omitted[0].Code == "" {
		t.Errorf("omitted %+v, %v; want Huge", omitted, err)
	}
	body := s.bodies[len(s.bodies)-1]
	for _, part := range []string{`\"type\":\"Escalate\"`, `\"HandoffQueue\":\"refunds\"`, `\"HandoffEscalationId\":\"esc_1\"`, `\"Store\":\"Delft\"`, `"text":"Wants money back"`} {
		if !strings.Contains(body, part) {
			t.Errorf("%s is not in %s", part, body)
		}
	}
	if strings.Contains(body, "bridged") {
		t.Error("the customer sees the summary")
	}
	if err := r.End(t.Context(), link(), address()); err != nil || !strings.Contains(s.bodies[len(s.bodies)-1], "EndConversation") {
		t.Errorf("the end is %s, %v", s.bodies[len(s.bodies)-1], err)
	}
}

func TestAHubThatIsDoneWithTheBot(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		answer string
		kind   fault.Kind
	}{
		"the bot is out of the conversation": {`403 {"error":{"code":"BotNotInConversationRoster","message":"no"}}`, fault.Gone},
		"the bot lacks a permission":         {`403 {"error":{"code":"Forbidden","message":"no"}}`, fault.Forbidden},
		"the message is too large":           {`413 {"error":{"code":"MessageSizeTooBig","message":"no"}}`, fault.TooLarge},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			s := &services{answers: map[string]string{activities: c.answer}}
			if err := speaks(s, new(events.OmnichannelSet)).Say(t.Context(), link(), address(), events.Message{Text: "hi"}); fault.KindOf(err) != c.kind {
				t.Errorf("error = %v (%s), want %s", err, fault.KindOf(err), c.kind)
			}
		})
	}
}

func TestAConnectionOfAnotherHubHasNoVoice(t *testing.T) {
	t.Parallel()
	r := speaks(new(services), nil)
	if err := r.Say(t.Context(), link(), address(), events.Message{}); !fault.Is(err, "connection-not-omnichannel") {
		t.Errorf("error = %v, want connection-not-omnichannel", err)
	}
	if _, err := r.Open(t.Context(), link(), relay.Opening{}); !fault.Is(err, "connection-not-omnichannel") {
		t.Errorf("error = %v, want connection-not-omnichannel", err)
	}
	if _, _, err := r.Changed(t.Context(), "default", "store-bot", time.Time{}); !fault.Is(err, "connection-not-omnichannel") {
		t.Errorf("error = %v, want connection-not-omnichannel", err)
	}
	if _, _, err := speaks(new(services), new(events.OmnichannelSet)).Changed(t.Context(), "default", "store-bot", time.Time{}); !fault.Is(err, "workstream-unknown") {
		t.Errorf("error = %v, want workstream-unknown", err)
	}
}

func TestInbound(t *testing.T) {
	t.Parallel()
	const who = `"conversation":{"id":"19:a"},"from":{"id":"8:acs:c","name":"R. Bakker","role":1},"recipient":{"id":"28:b"},"channelId":"lcw"`
	customer := `"channelData":{"tags":"ChannelId-lcw,FromCustomer"}`
	for sentence, c := range map[string]struct {
		text string
		kind relay.Kind // empty: of no concern
	}{
		"the hub gives a customer to the bot":      {`{"type":"event","name":"startConversation","id":"1",` + who + `,"channeldata":{"tags":"Hidden"},"value":{"Store":"Delft","msdyn_liveworkitemid":"7a1d0f0e-0000-4000-8000-00000000c0de"}}`, relay.Starts},
		"it gives one with a context of no object": {`{"type":"event","name":"startConversation","id":"1",` + who + `,"value":7}`, relay.Starts},
		"the customer speaks":                      {`{"type":"message","id":"1","text":"hi",` + customer + `,` + who + `}`, relay.Speaks},
		"a customer without tags speaks":           {`{"type":"message","id":"1","text":"hi",` + who + `}`, relay.Speaks},
		"a message of the hub's own":               {`{"type":"message","id":"1","text":"Ana joined","channelData":{"tags":"system,public"},` + who + `}`, ""},
		"a file without words":                     {`{"type":"message","id":"1","attachments":[{"contentType":"image/png"}],` + customer + `,` + who + `}`, ""},
		"the end":                                  {`{"type":"endOfConversation","id":"1",` + who + `}`, relay.Leaves},
		"typing":                                   {`{"type":"typing","id":"1",` + who + `}`, ""},
		"an event of another name":                 {`{"type":"event","name":"x","id":"1",` + who + `}`, ""},
		"members":                                  {`{"type":"conversationUpdate","id":"1",` + who + `}`, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			a, err := activity.Parse([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			in, ok, err := relaying.Inbound(botauth.Caller{ChannelID: "lcw", ServiceURL: hubURL}, a, []byte(c.text))
			if err != nil || ok != (c.kind != "") || ok && (in.Kind != c.kind || in.ID != "1") {
				t.Fatalf("in = %+v, %t, %v; want %q", in, ok, err, c.kind)
			}
			want := events.HubAddress{
				ServiceURL: hubURL, ConversationID: "19:a", ChannelID: "lcw", BotID: "28:b", CustomerID: "8:acs:c", CustomerName: "R. Bakker",
				Record: in.Address.Record,
			}
			if in.Address != want {
				t.Errorf("address = %+v, want %+v", in.Address, want)
			}
			if strings.Contains(c.text, "liveworkitem") && (string(in.Variables["Store"]) != `"Delft"` || in.Address.Record == "") {
				t.Errorf("opening = %+v, want its variables and its record", in)
			}
		})
	}
}

func TestAnActivityWithoutAnIDIsKnownByItsBytes(t *testing.T) {
	t.Parallel()
	ids := make(map[string]bool)
	for _, text := range []string{"one", "one", "two"} {
		body := []byte(`{"type":"message","text":"` + text + `","conversation":{"id":"19:a"}}`)
		a, err := activity.Parse(body)
		if err != nil {
			t.Fatal(err)
		}
		in, _, err := relaying.Inbound(botauth.Caller{}, a, body)
		if err != nil || in.ID == "" {
			t.Fatalf("in = %+v, %v", in, err)
		}
		ids[in.ID] = true
	}
	if len(ids) != 2 {
		t.Errorf("%d ids, want 2", len(ids))
	}
}

// asked is somebody who receives, or does not.
type asked func() error

func (a asked) Receive(context.Context, relay.Link, relay.Inbound) error { return a() }

func TestWhatStrangersAreAnswered(t *testing.T) {
	t.Parallel()
	for sentence, missing := range map[string]error{
		"no token":      nil,
		"no connection": fault.New(fault.NotFound, "connection-not-found", ""),
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			e := &relaying.Endpoint{
				Verifier: botauth.New(botauth.Public(), http.DefaultClient, now), Log: slog.New(slog.DiscardHandler),
				Receiver: asked(func() error { t.Error("something was received"); return nil }),
				Link:     func(*http.Request) (relay.Link, string, error) { return link(), app, missing },
			}
			w := httptest.NewRecorder()
			e.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/messages", strings.NewReader(`{"type":"message"}`)))
			if w.Code != http.StatusUnauthorized || w.Body.String() != "{}" {
				t.Errorf("answer %d %s, want an empty 401", w.Code, w.Body)
			}
		})
	}
}

// A bot whose web channel security is on is asked with its secret, in the region
// that its endpoint tells.
func TestABotIsAskedWithItsSecret(t *testing.T) {
	t.Parallel()
	const environment = "default1.e.environment.api.powerplatform.com"
	for _, secured := range []bool{false, true} {
		s := &services{answers: map[string]string{
			"GET " + environment + "/powervirtualagents/regionalchannelsettings":  `{"channelUrlsById":{"directline":"https://europe.directline.botframework.com/"}}`,
			"POST europe.directline.botframework.com/v3/directline/conversations": `{"conversationId":"k1","token":"t2","expires_in":1800}`,
			map[bool]string{
				false: "GET " + environment + "/powervirtualagents/botsbyschema/cr1_store/directline/token",
				true:  "POST europe.directline.botframework.com/v3/directline/tokens/generate",
			}[secured]: `{"token":"t1"}`,
		}}
		r := relaying.New(relaying.Options{
			HTTP: &http.Client{Transport: s}, Now: now, Secrets: secrets{ofBot: secured},
			Connection: func(context.Context, relay.Link) (connection.State, error) {
				return connection.State{ID: "store-bot", Omnichannel: &events.OmnichannelSet{
					TokenEndpoint: "https://" + environment + "/powervirtualagents/botsbyschema/cr1_store/directline/token?api-version=2022-03-01-preview",
				}}, nil
			},
		})
		if c, err := r.Open(t.Context(), link(), relay.Opening{UserID: "c1"}); err != nil || c.ConversationID != "k1" || c.BaseURL != "https://europe.directline.botframework.com" {
			t.Errorf("secured %t: %+v, %v", secured, c, err)
		}
	}
}

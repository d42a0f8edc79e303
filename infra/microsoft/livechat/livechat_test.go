package livechat_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/livechat"
	"handoff/infra/microsoft/simulation"
	"handoff/infra/microsoft/simulation/hub"
	"handoff/tests/hubtest"
)

// site is the shop's widget in the fake, and a client of it.
type site struct {
	*hubtest.Bench
	*livechat.Client
	widget livechat.Widget
}

func newSite(t *testing.T) site {
	t.Helper()
	b := hubtest.Start(t, simulation.Connected)
	return site{b, client(), livechat.Widget{URL: b.URLs.LiveChat, OrgID: simulation.StoreOrganisation, AppID: simulation.WidgetAppID}}
}

func client() *livechat.Client {
	transport := &http.Transport{}
	return livechat.New(livechat.Options{HTTP: &http.Client{Transport: transport}, Now: time.Now, Hosts: []string{"127.0.0.1"}})
}

func TestAChatComesAndGoes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	chat, err := s.Open(ctx, s.widget, map[string]string{"Loyalty": "gold"})
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.Details(ctx, s.widget, chat)
	if err != nil || d.State != "Active" {
		t.Fatalf("details = %+v, %v", d, err)
	}
	c, err := s.Hub().Conversation(string(d.Conversation))
	if err != nil || c.Thread != chat.Thread || c.Context["Loyalty"] != "gold" || chat.Session == "" {
		t.Errorf("conversation = %+v of %+v, %v", c, chat, err)
	}
	for range 2 {
		if err := s.Close(ctx, s.widget, chat); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if c, err = s.Hub().Conversation(string(d.Conversation)); err != nil || c.Status != hub.Closed {
		t.Errorf("conversation = %v, %v; want it closed", c.Status, err)
	}
	chat.Request = "00000000-0000-4000-8000-00000000aaaa"
	if err := s.Close(ctx, s.widget, chat); err != nil {
		t.Errorf("close what never was: %v", err)
	}
}

func TestAnAnswerThatIsLostOpensNoSecondChat(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if err := s.Inject(simulation.Fault{Host: simulation.LiveChat, Route: "POST */sessioninit/*", Lose: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(t.Context(), s.widget, nil); err != nil {
		t.Fatal(err)
	}
	if n := len(s.Hub().Conversations()); n != 1 {
		t.Errorf("%d conversations, want one", n)
	}
}

func TestWidgetsWithoutChats(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		change func(s *site) error
		code   string
	}{
		"one that is closed": {func(s *site) error {
			s.Hub().SetShut(simulation.WidgetAppID, true)
			return nil
		}, "live-chat-outside-hours"},
		"one for customers who have signed in": {func(s *site) error {
			return s.Inject(simulation.Fault{Host: simulation.LiveChat, Route: "GET */config/*", Set: map[string]any{
				"LiveChatConfigAuthSettings": map[string]any{"msdyn_javascriptclientfunction": "auth.getAuthToken"},
			}})
		}, "live-chat-sign-in-required"},
		"one whose chats go on for ever": {func(s *site) error {
			return s.Inject(simulation.Fault{Host: simulation.LiveChat, Route: "GET */config/*", Set: map[string]any{
				"LiveWSAndLiveChatEngJoin": map[string]any{"msdyn_conversationmode": "192350001"},
			}})
		}, "live-chat-sign-in-required"},
		"one that is not there": {func(s *site) error {
			s.widget.AppID = simulation.Widget
			return nil
		}, "live-chat-widget-not-found"},
		"one of a host that is none of the service": {func(s *site) error {
			s.widget.URL = "https://m-1.eu.omnichannelengagementhub.com.example"
			return nil
		}, "service-url-refused"},
		"one whose token says nothing": {func(s *site) error {
			return s.Inject(simulation.Fault{Host: simulation.LiveChat, Route: "GET */getchattoken/*", Set: map[string]any{"ChatId": nil}})
		}, "live-chat-answer-invalid"},
		"one that fails": {func(s *site) error {
			return s.Inject(simulation.Fault{Host: simulation.LiveChat, Route: "GET */config/*", Times: -1, Status: 403})
		}, "live-chat-forbidden"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			if err := c.change(&s); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Open(t.Context(), s.widget, nil); !fault.Is(err, c.code) {
				t.Errorf("error = %v, want %s", err, c.code)
			}
			if n := len(s.Hub().Conversations()); n != 0 {
				t.Errorf("%d conversations began", n)
			}
		})
	}
}

// What is not certain of the service is read in all its forms.
func TestOddSettings(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct{ settings, token, code string }{
		"versions as numbers":             {`{"LiveChatVersion":3}`, "/v3/getchattoken/", ""},
		"versions as texts":               {`{"LiveChatVersion":"1","LiveChatConfigAuthSettings":null}`, "connector/getchattoken/", ""},
		"no version":                      {`{}`, "/v2/getchattoken/", ""},
		"a version that is not known":     {`{"LiveChatVersion":9}`, "/v2/getchattoken/", ""},
		"a mode as a number":              {`{"LiveWSAndLiveChatEngJoin":{"msdyn_conversationmode":192350001}}`, "", "live-chat-sign-in-required"},
		"settings that are none":          {`"no"`, "", "live-chat-answer-invalid"},
		"no settings at all are settings": {``, "/v2/getchattoken/", ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			var asked []string
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = append(asked, r.URL.Path)
				switch {
				case strings.Contains(r.URL.Path, "/config/"):
					_, _ = fmt.Fprint(w, c.settings)
				case strings.Contains(r.URL.Path, "getchattoken"):
					_, _ = fmt.Fprint(w, `{"ChatId":"19:a"}`)
				}
			}))
			t.Cleanup(s.Close)
			_, err := client().Open(t.Context(), livechat.Widget{URL: s.URL, OrgID: "o", AppID: "a"}, nil)
			if c.code != "" && !fault.Is(err, c.code) || c.code == "" && err != nil {
				t.Errorf("error = %v, want %q", err, c.code)
			}
			if c.token != "" && (len(asked) != 3 || !strings.Contains(asked[1], c.token)) {
				t.Errorf("asked %v, want a token of %s", asked, c.token)
			}
		})
	}
}

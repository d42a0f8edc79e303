package directline_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/activity"
	"handoff/infra/microsoft/directline"
)

func TestStart(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		bot   directline.Bot
		user  string
		calls []string
	}{
		"by the current token endpoint, in the bot's region": {directline.Bot{TokenEndpoint: " " + current + "\n"}, "customer", []string{
			"GET default1.e.environment.api.powerplatform.com/powervirtualagents/regionalchannelsettings?api-version=2022-03-01-preview",
			"GET default1.e.environment.api.powerplatform.com/powervirtualagents/botsbyschema/cr1_store/directline/token?api-version=2022-03-01-preview",
			"POST europe.directline.botframework.com/v3/directline/conversations",
		}},
		"by the legacy token endpoint, which knows no region": {directline.Bot{TokenEndpoint: legacy}, "customer", []string{
			"GET powerva.microsoft.com/api/botmanagement/v1/directline/directlinetoken?botId=b1&tenantId=t1",
			"POST directline.botframework.com/v3/directline/conversations",
		}},
		"by a secret, where somebody named the region": {directline.Bot{Secret: "the-secret", Base: europe}, "dl_customer", []string{
			"POST europe.directline.botframework.com/v3/directline/tokens/generate",
			"POST europe.directline.botframework.com/v3/directline/conversations",
		}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			state, err := s.client().Start(t.Context(), c.bot, "customer")
			if err != nil || state.ConversationID != "c|1" || state.Token != "token-2" || state.UserID != c.user {
				t.Fatalf("Start = %q %q as %q, %v", state.ConversationID, state.Token, state.UserID, err)
			}
			if !slices.Equal(s.calls, c.calls) {
				t.Errorf("called %q, want %q", s.calls, c.calls)
			}
		})
	}
}

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		bot  directline.Bot
		user string
		code string
	}{
		"a conversation of nobody": {directline.Bot{TokenEndpoint: current}, "", "user-id-missing"},
		"a region of strangers":    {directline.Bot{Secret: "x", Base: "https://evil.example"}, "dl_x", "service-url-refused"},
		"an endpoint of strangers": {directline.Bot{TokenEndpoint: strings.Replace(current, "powerplatform.com", "evil.example", 1)}, "dl_x", "token-endpoint-invalid"},
	} {
		s := newService(t)
		if _, err := s.client().Start(t.Context(), c.bot, c.user); !fault.Is(err, c.code) || len(s.calls) > 0 {
			t.Errorf("%s: %v after %d calls", sentence, err, len(s.calls))
		}
	}
}

func TestTokenEndpoints(t *testing.T) {
	t.Parallel()
	for pasted, says := range map[string]string{
		current: "", legacy: "", strings.ToUpper(legacy[:30]) + legacy[30:]: "",
		`<iframe src="https://web.powerva.microsoft.com/environments/e/bots/b/webchat"></iframe>`:              "embed code",
		"https://web.powerva.microsoft.com/environments/e/bots/b/webchat?__version__=2":                        "page on which",
		"https://copilotstudio.microsoft.com/environments/e/bots/b/webchat":                                    "page on which",
		"https://powerva.microsoft.com/":                                                                       "Copy it whole",
		strings.SplitN(current, "?", 2)[0]:                                                                     "Copy it whole",
		strings.SplitN(legacy, "?", 2)[0]:                                                                      "Copy it whole",
		strings.Replace(current, "https:", "http:", 1):                                                         "Its host is none",
		"https://me@default1.e.environment.api.powerplatform.com/powervirtualagents/b/c/directline/token?a=b":  "begins with https",
		"https://environment.api.powerplatform.com.evil.example/powervirtualagents/b/c/directline/token?api=1": "Its host is none",
		"": "begins with https", "cr1_store": "begins with https",
	} {
		_, _, err := directline.TokenEndpoint(pasted, directline.TokenHosts())
		if says == "" && err != nil || says != "" && (!fault.Is(err, "token-endpoint-invalid") || !strings.Contains(err.Error(), says)) {
			t.Errorf("%q: %v, want %q", pasted, err, says)
		}
	}
}

func TestAConversation(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c, state := s.start(t)
	if _, _, err := c.Post(t.Context(), state, directline.SetContext(map[string]json.RawMessage{"Store": json.RawMessage(`"Delft"`)})); err != nil {
		t.Fatal(err)
	}
	for _, a := range []activity.Activity{directline.Greet(), activity.Message("hi"), directline.End()} {
		if _, id, err := c.Post(t.Context(), state, a); err != nil || !strings.HasPrefix(id, "c|1|") {
			t.Fatalf("Post = %q, %v", id, err)
		}
	}
	want := []string{
		`{"from":{"id":"customer"},"name":"pvaSetContext","type":"event","value":{"Store":"Delft"}}`,
		`{"from":{"id":"customer"},"name":"startConversation","type":"event"}`,
		`{"from":{"id":"customer"},"text":"hi","type":"message"}`,
		`{"from":{"id":"customer"},"type":"endOfConversation"}`,
	}
	for i, a := range s.posted {
		if string(a.JSON()) != want[i] {
			t.Errorf("posted %s, want %s", a.JSON(), want[i])
		}
	}
	s.says("hello", "how can I help?")
	state, fresh, err := c.Read(t.Context(), state)
	if err != nil || texts(fresh) != "hello how can I help?" || state.Watermark != "6" {
		t.Fatalf("Read = %q to %s, %v", texts(fresh), state.Watermark, err)
	}
	// The state goes through storage and another process goes on with it.
	stored, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	var restored directline.State
	if err := json.Unmarshal(stored, &restored); err != nil {
		t.Fatal(err)
	}
	s.says("still there?")
	if _, fresh, err = s.client().Read(t.Context(), restored); err != nil || texts(fresh) != "still there?" {
		t.Errorf("Read = %q, %v", texts(fresh), err)
	}
}

func TestTakingASet(t *testing.T) {
	t.Parallel()
	before := directline.State{ConversationID: "c", UserID: "me", Watermark: "7", Seen: []string{"|1"}}
	for sentence, c := range map[string]struct {
		set, want, watermark string
	}{
		"new ones":                             {`{"activities":[{"id":"c|2","text":"a"},{"id":"c|4","text":"b"}],"watermark":"9"}`, "a b", "9"},
		"a watermark of null (8.5)":            {`{"activities":[{"id":"c|2","text":"a"}],"watermark":null}`, "a", "7"},
		"no watermark":                         {`{"activities":[]}`, "", "7"},
		"one that was read before":             {`{"activities":[{"id":"c|1","text":"a"},{"id":"c|2","text":"b"}],"watermark":"9"}`, "b", "9"},
		"the same id twice (8.5)":              {`{"activities":[{"id":"c|2","text":"a"},{"id":"c|2","text":"a"}],"watermark":"9"}`, "a", "9"},
		"ids that are missing":                 {`{"activities":[{"text":"a"},{"text":"a"}]}`, "a a", "7"},
		"our own words":                        {`{"activities":[{"id":"c|2","text":"a","from":{"id":"me"}},{"id":"c|3","text":"b","from":{"id":"you"}}]}`, "b", "7"},
		"times and roles that are odd (8.5)":   {`{"activities":[{"id":"c|3","timestamp":1714640001,"text":"b","from":{"role":0}},{"id":"c|2","timestamp":1714640000,"text":"a","from":{"role":1}}]}`, "b a", "7"},
		"unknown events and fields stay (8.9)": {`{"activities":[{"type":"event","name":"x","text":"a","cci":1}],"x":1}`, "a", "7"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			set, err := activity.ParseSet([]byte(c.set))
			if err != nil {
				t.Fatal(err)
			}
			after, fresh := before.Take(set)
			if texts(fresh) != c.want || after.Watermark != c.watermark || !slices.Equal(before.Seen, []string{"|1"}) {
				t.Errorf("Take = %q to %s, want %q to %s", texts(fresh), after.Watermark, c.want, c.watermark)
			}
			if _, again := after.Take(set); slices.ContainsFunc(again, func(a activity.Activity) bool { return a.ID() != "" }) {
				t.Errorf("taken again: %q", texts(again))
			}
		})
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	t.Parallel()
	s := directline.State{ConversationID: "c"}
	for i := range 1000 {
		s, _ = s.Take(activity.Set{Activities: []activity.Activity{activity.Activity{}.With("id", fmt.Sprintf("c|%07d", i))}})
	}
	if len(s.Seen) != 256 || s.Seen[255] != "|0000999" {
		t.Errorf("%d ids, the last %q", len(s.Seen), s.Seen[len(s.Seen)-1])
	}
}

func TestTokensAreRefreshedBeforeTheirEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		c, state := s.start(t)
		time.Sleep(54 * time.Minute)
		state, _, err := c.Read(t.Context(), state)
		if err != nil || state.Token != "token-2" {
			t.Fatalf("early: %q, %v", state.Token, err)
		}
		time.Sleep(time.Minute)
		if state, _, err = c.Post(t.Context(), state, activity.Message("hi")); err != nil || state.Token != "token-3" {
			t.Fatalf("in time: %q, %v", state.Token, err)
		}
		time.Sleep(time.Hour)
		_, _, err = c.Read(t.Context(), state)
		if f := fault.Of(err); f == nil || f.Code != "direct-line-token-expired" || !f.Kind.Permanent() {
			t.Errorf("too late: %v", err)
		}
	})
}

func TestFailures(t *testing.T) {
	t.Parallel()
	expired := `{"error":{"code":"TokenExpired","message":"x"}}`
	for sentence, c := range map[string]struct {
		where string
		fails []failure
		code  string
		calls int
	}{
		"a bot that fails is not asked again":    {"POST activities", []failure{{status: 502, body: `{"error":{"code":"BotError"}}`}}, "bot-failed", 1},
		"a post into an outage is not repeated":  {"POST activities", []failure{{status: 500}}, "direct-line-unavailable", 1},
		"too much at once is waited for":         {"POST activities", []failure{{status: 429, after: "2"}}, "", 2},
		"too much for long is told":              {"POST activities", []failure{{status: 429, after: "60"}}, "direct-line-rate-limited", 1},
		"a token that expired":                   {"POST activities", []failure{{status: 403, body: expired}}, "direct-line-token-expired", 1},
		"another region's token":                 {"GET activities", []failure{{status: 403, body: `{"error":{"code":"BadArgument"}}`}}, "direct-line-forbidden", 1},
		"a look into an outage is repeated":      {"GET activities", []failure{{status: 502}, {status: 500}}, "", 3},
		"a conversation that is gone":            {"GET activities", []failure{{status: 404}}, "direct-line-not-found", 1},
		"a look that can't be read":              {"GET activities", []failure{{status: 200, body: "<html>"}}, "direct-line-answer-invalid", 1},
		"a bot that was never published (8.13)":  {"POST activities", []failure{{status: 502, body: `{"error":{"code":"LatestPublishedVersionNotFound"}}`}}, "bot-not-published", 1},
		"a post whose answer has no id is taken": {"POST activities", []failure{{status: 204}}, "", 1},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newService(t)
				cl, state := s.start(t)
				s.failures[c.where] = c.fails
				var err error
				if strings.HasPrefix(c.where, "POST") {
					_, _, err = cl.Post(t.Context(), state, activity.Message("hi"))
				} else {
					_, _, err = cl.Read(t.Context(), state)
				}
				if err != nil && fault.CodeOf(err) != c.code || err == nil && c.code != "" {
					t.Errorf("err = %v, want %q", err, c.code)
				}
				method, _, _ := strings.Cut(c.where, " ")
				if n := s.count(method + " europe.directline.botframework.com/v3/directline/conversations/"); n != c.calls {
					t.Errorf("%d calls, want %d", n, c.calls)
				}
			})
		})
	}
}

func TestActivitiesHaveALimit(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c, state := s.start(t)
	before := len(s.calls)
	if _, _, err := c.Post(t.Context(), state, activity.Message(strings.Repeat("é", directline.MaxActivity))); !fault.Is(err, "activity-too-large") || len(s.calls) != before {
		t.Errorf("err = %v", err)
	}
	if _, _, err := c.Post(t.Context(), state, activity.Message(strings.Repeat("é", directline.MaxActivity-100))); err != nil {
		t.Errorf("characters, not bytes: %v", err)
	}
}

func TestNothingTellsTheToken(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c, state := s.start(t)
	for _, said := range []string{fmt.Sprint(state), fmt.Sprintf("%+v %#v", state, state), state.LogValue().String()} {
		if strings.Contains(said, "token-") {
			t.Errorf("%s", said)
		}
	}
	s.failures["POST refresh"] = []failure{{status: 200, body: `{"token":"token-x`}}
	if _, err := c.Refresh(t.Context(), state); err == nil || strings.Contains(err.Error(), "token-x") {
		t.Errorf("err = %v", err)
	}
}

func TestAwait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		c, state := s.start(t)
		began := time.Now()
		state, fresh, err := c.Await(t.Context(), state, 5*time.Second)
		if err != nil || len(fresh) != 0 || time.Since(began) != 5*time.Second || s.count("GET europe") != 6 {
			t.Errorf("in silence: %q, %v after %s and %d looks", texts(fresh), err, time.Since(began), s.count("GET europe"))
		}
		go func() { time.Sleep(2500 * time.Millisecond); s.says("hello") }()
		began = time.Now()
		state, fresh, err = c.Await(t.Context(), state, time.Minute)
		if err != nil || texts(fresh) != "hello" || time.Since(began) != 3*time.Second {
			t.Errorf("when the bot speaks: %q, %v after %s", texts(fresh), err, time.Since(began))
		}
		s.failures["GET activities"] = []failure{{status: 404}}
		if _, _, err = c.Await(t.Context(), state, time.Minute); !fault.Is(err, "direct-line-not-found") {
			t.Errorf("when it fails: %v", err)
		}
		if _, _, err = c.Await(t.Context(), state, 0); err != nil {
			t.Errorf("one look: %v", err)
		}
	})
}

func TestIdsStayInTheirPlace(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c, state := s.start(t)
	for _, id := range []string{"", ".", ".."} {
		state.ConversationID = id
		if _, _, err := c.Read(t.Context(), state); !fault.Is(err, "conversation-id-invalid") {
			t.Errorf("id %q: %v", id, err)
		}
	}
	state.ConversationID, state.Base = "c", "https://evil.example"
	for _, err := range []error{second(c.Read(t.Context(), state)), second(c.Post(t.Context(), state, directline.Greet()))} {
		if !fault.Is(err, "service-url-refused") {
			t.Errorf("a state that was tampered with: %v", err)
		}
	}
}

func second[A, B any](_ A, _ B, err error) error { return err }

func FuzzTokenEndpoint(f *testing.F) {
	for _, seed := range []string{current, legacy, "", "<iframe>", "https://powerva.microsoft.com@evil.example/", "https://%zz"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, pasted string) {
		token, settings, err := directline.TokenEndpoint(pasted, directline.TokenHosts())
		if err != nil {
			if !fault.Is(err, "token-endpoint-invalid") {
				t.Errorf("%q: %v", pasted, err)
			}
			return
		}
		for _, u := range []string{token, settings} {
			if u != "" && !strings.HasPrefix(strings.ToLower(u), "https://") {
				t.Errorf("%q leads to %q", pasted, u)
			}
		}
	})
}

func FuzzTake(f *testing.F) {
	f.Add([]byte(`{"activities":[{"id":"c|1","from":{"id":"me"}},{"id":"c|1"}],"watermark":"1"}`))
	f.Add([]byte(`{"activities":[{"id":7,"from":"me"}],"watermark":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := activity.ParseSet(data)
		if err != nil {
			return
		}
		s, fresh := directline.State{ConversationID: "c", UserID: "me", Watermark: "7"}.Take(set)
		if s.Watermark == "" || len(s.Seen) > 256 || len(fresh) > len(set.Activities) {
			t.Errorf("%q leads to %+v", data, s)
		}
	})
}

package connector_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/activity"
	"handoff/infra/microsoft/connector"
)

// channel is the connector of a channel, as strict as the real one. It answers
// with its statuses one after the other, then with success.
type channel struct {
	t        *testing.T
	token    string // the one it takes
	statuses []int
	after    string // Retry-After
	answer   string
	got      []sent
}

type sent struct {
	method, path, token string
	body                activity.Activity
}

// RoundTrip gives the request to the channel as a server would get it.
func (c *channel) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	a, err := activity.Parse(body)
	if err != nil || r.Header.Get("Content-Type") != "application/json; charset=utf-8" {
		c.t.Errorf("got %s as %q", body, r.Header.Get("Content-Type"))
	}
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	c.got = append(c.got, sent{r.Method, r.URL.Scheme + "://" + r.URL.Host + r.URL.RequestURI(), token, a})
	w := httptest.NewRecorder()
	switch n := len(c.got); {
	case token != c.token:
		w.WriteHeader(http.StatusUnauthorized)
	case n <= len(c.statuses):
		if c.after != "" {
			w.Header().Set("Retry-After", c.after)
		}
		w.WriteHeader(c.statuses[n-1])
	default:
		w.WriteHeader(http.StatusCreated)
		_, _ = w.WriteString(c.answer)
	}
	return w.Result(), nil
}

// tokens gives one token and, when that is rejected, the next.
type tokens struct {
	next    string
	err     error
	renewed int
}

func (t *tokens) Token(context.Context) (string, error) { return "old", t.err }

func (t *tokens) Renew(_ context.Context, rejected string) (string, error) {
	if t.renewed++; rejected != "old" {
		return "", errors.New("another token was rejected")
	}
	return t.next, t.err
}

func open(t *testing.T, c *channel, tk *tokens) *connector.Client {
	t.Helper()
	c.t = t
	if c.token == "" {
		c.token = "old"
	}
	return connector.New(connector.Options{HTTP: &http.Client{Transport: c}, Tokens: tk, Now: time.Now})
}

var thread = connector.Conversation{ServiceURL: "https://smba.trafficmanager.net/emea/", ID: "19:a|b;messageid=1@thread.v2/x"}

const place = "https://smba.trafficmanager.net/emea/v3/conversations/19:a%7Cb%3Bmessageid=1@thread.v2%2Fx/activities"

func TestCalls(t *testing.T) {
	t.Parallel()
	hi := activity.Message("hi <b>")
	for sentence, c := range map[string]struct {
		do           func(*connector.Client) (string, error)
		method, path string
		body         string
	}{
		"send": {func(c *connector.Client) (string, error) {
			return c.Send(t.Context(), thread, hi)
		}, "POST", place, `{"conversation":{"id":"19:a|b;messageid=1@thread.v2/x"},"text":"hi <b>","type":"message"}`},
		"reply": {func(c *connector.Client) (string, error) {
			return c.Reply(t.Context(), thread, "1|2", hi)
		}, "POST", place + "/1%7C2", `{"conversation":{"id":"19:a|b;messageid=1@thread.v2/x"},"replyToId":"1|2","text":"hi <b>","type":"message"}`},
		"update": {func(c *connector.Client) (string, error) {
			return "a/7", c.Update(t.Context(), thread, "a/7", hi)
		}, "PUT", place + "/a%2F7", `{"conversation":{"id":"19:a|b;messageid=1@thread.v2/x"},"id":"a/7","text":"hi <b>","type":"message"}`},
		"history": {func(c *connector.Client) (string, error) {
			return "a/7", c.History(t.Context(), thread, []activity.Activity{hi})
		}, "POST", place + "/history", `{"activities":[{"text":"hi <b>","type":"message"}]}`},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			ch := &channel{answer: `{"id":"a/7"}`}
			id, err := c.do(open(t, ch, &tokens{}))
			if err != nil || id != "a/7" || len(ch.got) != 1 {
				t.Fatalf("id = %q, %v, %d calls", id, err, len(ch.got))
			}
			if g := ch.got[0]; g.method != c.method || g.path != c.path || string(g.body.JSON()) != c.body {
				t.Errorf("sent %s %s %s, want %s %s %s", g.method, g.path, g.body.JSON(), c.method, c.path, c.body)
			}
		})
	}
}

func TestAnswersWithoutAnID(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"", "{}", `{"id":null}`, "thanks"} {
		ch := &channel{answer: answer}
		if id, err := open(t, ch, &tokens{}).Send(t.Context(), thread, activity.Message("hi")); id != "" || err != nil || len(ch.got) != 1 {
			t.Errorf("answer %q: id = %q, %v, %d calls", answer, id, err, len(ch.got))
		}
	}
}

func TestOutages(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		statuses []int
		after    string
		code     string
		calls    int
		within   time.Duration
	}{
		"429 that names its time":       {statuses: []int{429}, after: "3", calls: 2, within: 3 * time.Second},
		"500 and then success":          {statuses: []int{500}, calls: 2, within: 500 * time.Millisecond},
		"503 for a while":               {statuses: []int{503, 503, 503}, calls: 4, within: 3500 * time.Millisecond},
		"502 for long":                  {statuses: []int{502, 502, 502, 502}, code: "connector-unavailable", calls: 4, within: 3500 * time.Millisecond},
		"429 for longer than one waits": {statuses: []int{429}, after: "60", code: "connector-rate-limited", calls: 1},
		"400":                           {statuses: []int{400}, code: "connector-refused", calls: 1},
		"403":                           {statuses: []int{403}, code: "connector-forbidden", calls: 1},
		"404":                           {statuses: []int{404}, code: "connector-not-found", calls: 1},
		"413":                           {statuses: []int{413}, code: "connector-too-large", calls: 1},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ch, began := &channel{statuses: c.statuses, after: c.after, answer: `{"id":"1"}`}, time.Now()
				_, err := open(t, ch, &tokens{}).Send(t.Context(), thread, activity.Message("hi"))
				if code := fault.CodeOf(err); err != nil && code != c.code || err == nil && c.code != "" {
					t.Errorf("err = %v, want %q", err, c.code)
				}
				if took := time.Since(began); len(ch.got) != c.calls || took > c.within {
					t.Errorf("%d calls in %s, want %d in at most %s", len(ch.got), took, c.calls, c.within)
				}
			})
		})
	}
}

func TestARefusedTokenIsRenewedOnce(t *testing.T) {
	t.Parallel()
	ch, tk := &channel{token: "new", answer: `{"id":"1"}`}, &tokens{next: "new"}
	if id, err := open(t, ch, tk).Send(t.Context(), thread, activity.Message("hi")); id != "1" || err != nil || len(ch.got) != 2 {
		t.Errorf("id = %q, %v after %d calls", id, err, len(ch.got))
	}
	ch, tk = &channel{token: "newer"}, &tokens{next: "new"}
	_, err := open(t, ch, tk).Send(t.Context(), thread, activity.Message("hi"))
	if !fault.Is(err, "connector-token-refused") || tk.renewed != 1 || len(ch.got) != 2 {
		t.Errorf("err = %v after %d calls and %d renewals", err, len(ch.got), tk.renewed)
	}
	if strings.Contains(err.Error(), "new") || strings.Contains(err.Error(), "old") {
		t.Errorf("the error tells the token: %v", err)
	}
}

func TestNothingIsSentWithoutAToken(t *testing.T) {
	t.Parallel()
	ch, none := &channel{}, errors.New("no token today")
	if _, err := open(t, ch, &tokens{err: none}).Send(t.Context(), thread, activity.Message("hi")); !errors.Is(err, none) || len(ch.got) > 0 {
		t.Errorf("err = %v after %d calls", err, len(ch.got))
	}
}

func TestTheTokenGoesToKnownHostsOnly(t *testing.T) {
	t.Parallel()
	for url, code := range map[string]string{
		"https://smba.trafficmanager.net/teams":         "",
		"https://SMBA.trafficmanager.net./teams/":       "",
		"https://botapi.skype.com/emea/":                "",
		"https://europe.directline.botframework.com/":   "",
		"https://botframework.com/":                     "service-url-refused",
		"https://evilsmba.trafficmanager.net/":          "service-url-refused",
		"https://evilbotframework.com/":                 "service-url-refused",
		"https://smba.trafficmanager.net.evil.example/": "service-url-refused",
		"https://evil.example/smba.trafficmanager.net":  "service-url-refused",
		"http://127.0.0.1:8080/":                        "service-url-refused",
		"http://smba.trafficmanager.net/":               "service-url-invalid",
		"https://me:x@smba.trafficmanager.net/":         "service-url-invalid",
		"https://smba.trafficmanager.net/?a=b":          "service-url-invalid",
		"":                                              "service-url-invalid",
	} {
		ch := &channel{}
		_, err := open(t, ch, &tokens{}).Send(t.Context(), connector.Conversation{ServiceURL: url, ID: "c"}, activity.Message("hi"))
		if code == "" && err != nil || code != "" && (!fault.Is(err, code) || len(ch.got) > 0) {
			t.Errorf("%s: %v after %d calls, want %q", url, err, len(ch.got), code)
		}
	}
}

func TestIdsStayInTheirPlace(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", ".", ".."} {
		ch := &channel{}
		c := open(t, ch, &tokens{})
		_, err := c.Send(t.Context(), connector.Conversation{ServiceURL: thread.ServiceURL, ID: id}, activity.Message("hi"))
		_, err2 := c.Reply(t.Context(), thread, id, activity.Message("hi"))
		err3 := c.Update(t.Context(), thread, id, activity.Message("hi"))
		for _, err := range []error{err, err2, err3} {
			if !fault.Is(err, "conversation-id-invalid") || len(ch.got) > 0 {
				t.Errorf("id %q: %v", id, err)
			}
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	ch := &channel{answer: "{}"}
	c := open(t, ch, &tokens{})
	room := connector.MaxMessage - len(activity.Message("").With("conversation", map[string]string{"id": thread.ID}).JSON())
	if _, err := c.Send(t.Context(), thread, activity.Message(strings.Repeat("a", room))); err != nil {
		t.Errorf("exactly as much as the hub takes: %v", err)
	}
	_, err := c.Send(t.Context(), thread, activity.Message(strings.Repeat("a", room+1)))
	if fault.KindOf(err) != fault.TooLarge || !fault.Is(err, "activity-too-large") || !strings.Contains(err.Error(), "28673 bytes") {
		t.Errorf("a byte more: %v", err)
	}
	all := make([]activity.Activity, 300)
	for i := range all {
		all[i] = activity.Activity{"text": []byte(`"` + string(bytes.Repeat([]byte("a"), 20_000)) + `"`)}
	}
	if err := c.History(t.Context(), thread, all); !fault.Is(err, "activity-too-large") {
		t.Errorf("six megabytes of history: %v", err)
	}
	if err := c.History(t.Context(), thread, all[:100]); err != nil || len(ch.got) != 2 {
		t.Errorf("two: %v after %d calls", err, len(ch.got))
	}
}

package relaying_test

import (
	"context"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"handoff/domain/fault"
	"handoff/domain/relay"
	"handoff/infra/microsoft/activity"
	"handoff/infra/microsoft/botauth"
	"handoff/infra/microsoft/relaying"
	"handoff/infra/microsoft/simulation/signing"
)

// A stranger must not find out which connections there are, nor have anything
// looked up: where the log and the keys are a cloud's, that costs money and
// somebody else's quota.
func TestNothingIsLookedUpForStrangers(t *testing.T) {
	t.Parallel()
	forged := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"mine"}`)) + ".e30.AAAA"
	nobody := fault.New(fault.NotFound, "connection-not-found", "")
	down := &http.Client{Transport: &services{}}
	for sentence, c := range map[string]struct {
		header  string
		missing error
		want    int
	}{
		"without a token, of a connection":                    {"", nil, http.StatusUnauthorized},
		"without a token, of none":                            {"", nobody, http.StatusUnauthorized},
		"while no keys can be had, of a connection":           {"Bearer " + forged, nil, http.StatusServiceUnavailable},
		"while no keys can be had, of none":                   {"Bearer " + forged, nobody, http.StatusServiceUnavailable},
		"with an algorithm that needs no key, of none":        {"Bearer eyJhbGciOiJub25lIn0.e30.", nobody, http.StatusUnauthorized},
		"with a key of Handoff's instead of a token, of none": {"Bearer hk_1_2", nobody, http.StatusUnauthorized},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			looked := false
			e := &relaying.Endpoint{
				Verifier: botauth.New(botauth.Public(), down, now), Log: slog.New(slog.DiscardHandler),
				Receiver: asked(func() error { t.Error("something was received"); return nil }),
				Link:     func(*http.Request) (relay.Link, string, error) { looked = true; return link(), app, c.missing },
			}
			w, read := httptest.NewRecorder(), new(counted)
			r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/messages", read)
			if c.header != "" {
				r.Header.Set("Authorization", c.header)
			}
			e.ServeHTTP(w, r)
			if w.Code != c.want || w.Body.String() != "{}" {
				t.Errorf("answer %d %s, want an empty %d", w.Code, w.Body, c.want)
			}
			if looked || *read > 0 {
				t.Errorf("looked up: %t, read: %d bytes; want neither", looked, *read)
			}
		})
	}
}

// hub is a hub whose tokens are good.
type hub struct {
	keys     *signing.Keys
	received []relay.Inbound
	*relaying.Endpoint
}

func (h *hub) Receive(_ context.Context, _ relay.Link, in relay.Inbound) error {
	h.received = append(h.received, in)
	return nil
}

func newHub(t *testing.T) *hub {
	t.Helper()
	h := &hub{keys: signing.New("lcw")}
	set, err := h.keys.Set()
	if err != nil {
		t.Fatal(err)
	}
	login := &services{answers: map[string]string{
		"GET login.botframework.com/v1/.well-known/openidconfiguration": `{"jwks_uri":"https://login.botframework.com/v1/.well-known/keys"}`,
		"GET login.botframework.com/v1/.well-known/keys":                string(activity.Marshal(set)),
	}}
	h.Endpoint = &relaying.Endpoint{
		Verifier: botauth.New(botauth.Public(), &http.Client{Transport: login}, now), Receiver: h, Log: slog.New(slog.DiscardHandler),
		Link: func(*http.Request) (relay.Link, string, error) { return link(), app, nil },
	}
	return h
}

// post has the hub say something with a token of its own.
func (h *hub) post(t *testing.T, body io.Reader) int {
	t.Helper()
	token, err := h.keys.Sign(signing.Claims{"iss": botauth.Public().Issuer, "aud": app, "serviceurl": hubURL, "exp": now().Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/messages", body)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

func TestWhatAHubMaySay(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	const whole = `"type":"message","id":"1","channelId":"lcw","serviceUrl":"` + hubURL + `","conversation":{"id":"19:a"},"from":{"id":"8:c"},"text":"hi"`
	with := func(old, new string) string { return "{" + strings.Replace(whole, old, new, 1) + "}" }
	long := strings.Repeat("x", relaying.MaxID+1)
	for sentence, c := range map[string]struct {
		body string
		want int
	}{
		"a message":                            {with("", ""), http.StatusOK},
		"a message behind a byte order mark":   {"\ufeff" + with("", ""), http.StatusOK},
		"a field of tomorrow":                  {with(`"text"`, `"x":{"y":1},"text"`), http.StatusOK},
		"a service URL before the signed one":  {with(`"type"`, `"serviceUrl":"https://evil.example/","type"`), http.StatusBadRequest},
		"a service URL behind the signed one":  {with(`"text"`, `"serviceUrl":"https://evil.example/","text"`), http.StatusBadRequest},
		"one whose name is escaped":            {with(`"text"`, `"service\u0055rl":"https://evil.example/","text"`), http.StatusBadRequest},
		"one whose name is in another case":    {with(`"text"`, `"ServiceUrl":"https://evil.example/","text"`), http.StatusOK},
		"another service URL than the token's": {with(hubURL, "https://evil.example/"), http.StatusUnauthorized},
		"two types":                            {with(`"text"`, `"type":"typing","text"`), http.StatusBadRequest},
		"two conversations":                    {with(`{"id":"19:a"}`, `{"id":"19:a","id":"19:b"}`), http.StatusBadRequest},
		"no conversation":                      {with(`{"id":"19:a"}`, `{}`), http.StatusBadRequest},
		"half of a character":                  {with("hi", "h\xff"), http.StatusBadRequest},
		"lists in lists without an end":        {with(`"text"`, `"x":`+strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)+`,"text"`), http.StatusBadRequest},
		"something behind the end":             {with("", "") + "{}", http.StatusBadRequest},
		"a channel that no key is for":         {with("lcw", "slack"), http.StatusUnauthorized},
		"no channel":                           {with("lcw", ""), http.StatusBadRequest},
		"more than an activity may have":       {with("hi", strings.Repeat("x", botauth.MaxActivity)), http.StatusRequestEntityTooLarge},
		"an id that is a book":                 {with(`"1"`, `"`+long+`"`), http.StatusBadRequest},
		"a conversation's id that is a book":   {with("19:a", long), http.StatusBadRequest},
		"a customer's id that is a book":       {with("8:c", long), http.StatusBadRequest},
		"a customer's name that is a book":     {with(`"8:c"`, `"8:c","name":"`+long+`"`), http.StatusOK},
	} {
		h.received = nil
		if got := h.post(t, strings.NewReader(c.body)); got != c.want {
			t.Errorf("%s: answer %d, want %d", sentence, got, c.want)
		}
		if len(h.received) > 0 != (c.want == http.StatusOK) {
			t.Errorf("%s: received %+v", sentence, h.received)
			continue
		}
		for _, in := range h.received {
			if at := in.Address; in.ID != "1" || at.ServiceURL != hubURL || at.ConversationID != "19:a" || at.CustomerID != "8:c" {
				t.Errorf("%s: received %+v", sentence, in)
			}
		}
	}
}

// A server that has too much to do says so when the body is read.
func TestAServerThatIsBusyAsksAHubToComeBack(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	busy := fault.New(fault.Unavailable, "too-busy", "Come back.")
	if got := h.post(t, iotest.ErrReader(busy)); got != http.StatusServiceUnavailable {
		t.Errorf("answer %d, want 503", got)
	}
	if got := h.post(t, iotest.ErrReader(io.ErrUnexpectedEOF)); got != http.StatusBadRequest {
		t.Errorf("answer %d to a body that breaks off, want 400", got)
	}
}

// counted is a body that never ends and counts what was read of it.
type counted int

func (c *counted) Read(b []byte) (int, error) {
	*c += counted(len(b))
	return copy(b, strings.Repeat("x", len(b))), nil
}

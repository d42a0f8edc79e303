package directline_test

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"handoff/infra/microsoft/directline"
)

// answering answers in turn, and fails the test where a token is on its way to a
// host that is not Direct Line's.
type answering struct {
	*testing.T

	bodies []string
}

func (a *answering) RoundTrip(r *http.Request) (*http.Response, error) {
	host := strings.TrimSuffix(strings.ToLower(r.URL.Hostname()), ".")
	if r.Header.Get("Authorization") != "" && (r.URL.Scheme != "https" || host != "directline.botframework.com" && !strings.HasSuffix(host, ".directline.botframework.com")) {
		a.Errorf("a token is sent to %s", r.URL)
	}
	if len(a.bodies) == 0 {
		return nil, errors.New("there is nothing more to say")
	}
	body := a.bodies[0]
	a.bodies = a.bodies[1:]
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func fuzzed(t *testing.T, bodies ...string) *directline.Client {
	t.Helper()
	return directline.New(directline.Options{HTTP: &http.Client{Transport: &answering{t, bodies}}, Now: time.Now})
}

// A bot's own settings say where its Direct Line is, and are not believed.
func FuzzStart(f *testing.F) {
	for _, at := range []string{
		"https://europe.directline.botframework.com/", "https://evil.example/", "http://127.0.0.1:1/", "https://directline.botframework.com@evil.example/",
		"https://directline.botframework.com.evil.example", "https://directline.botframework.com:444?", "\\u0000", "",
	} {
		f.Add(`{"channelUrlsById":{"directline":"`+at+`"}}`, `{"token":"t","expires_in":1800}`, `{"conversationId":"k1","token":"t2","expires_in":-1}`)
	}
	f.Add(`{"channelUrlsById":[]}`, `{"token":7}`, `[]`)
	bot := directline.Bot{TokenEndpoint: "https://default1.e.environment.api.powerplatform.com/powervirtualagents/botsbyschema/cr1_store/directline/token?api-version=1"}
	f.Fuzz(func(t *testing.T, settings, token, conversation string) {
		s, err := fuzzed(t, settings, token, conversation).Start(t.Context(), bot, "c")
		if err == nil && (s.ConversationID == "" || s.Token == "" || !s.Expires.After(time.Now()) || s.Expires.After(time.Now().Add(25*time.Hour))) {
			t.Errorf("%q, %q, %q begin %+v", settings, token, conversation, s.Expires)
		}
	})
}

// The address of a stream has a token in it.
func FuzzResume(f *testing.F) {
	for _, at := range []string{
		"wss://directline.botframework.com/v3/directline/conversations/k1/stream?t=t", "wss://evil.example/", "ws://directline.botframework.com/", "ws://127.0.0.1:1/",
		"wss://directline.botframework.com@evil.example/", "https://directline.botframework.com/", "wss://evil.example#.directline.botframework.com", "wss:directline.botframework.com",
	} {
		f.Add(`{"conversationId":"k1","streamUrl":"` + at + `"}`)
	}
	f.Add(`{"streamUrl":7}`)
	state := directline.State{Base: "https://directline.botframework.com", ConversationID: "k1", Token: "t"}
	f.Fuzz(func(t *testing.T, body string) {
		state := state
		state.Expires = time.Now().Add(time.Hour)
		_, address, err := fuzzed(t, body).Resume(t.Context(), state)
		if err != nil {
			return
		}
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "wss" || u.User != nil || !strings.HasSuffix(strings.TrimSuffix(strings.ToLower(u.Hostname()), "."), "directline.botframework.com") {
			t.Errorf("%q leads to %q (%v)", body, address, err)
		}
	})
}

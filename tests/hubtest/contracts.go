package hubtest

import (
	"net/http"
	"net/url"
	"testing"

	"handoff/infra/microsoft/simulation"
)

// contract is that the fake keeps to what is published, in all that it answers
// and however it is made to misbehave. Whatever the other checks ask is held to
// it as well.
var contract = map[string]func(*testing.T, Opener){
	"every operation that Handoff calls is served": func(t *testing.T, start Opener) {
		b := Connect(t, start)
		for _, ask := range b.calls() {
			if a := b.Do(ask); a.Status >= http.StatusMultipleChoices {
				t.Errorf("%s %s = %d %s", ask.Method, ask.URL, a.Status, a.Text)
			}
		}
		seen := b.witness.Seen()
		for name := range operations() {
			if seen[name] == 0 {
				t.Errorf("%s is not served", name)
			}
		}
	},
	"every failure that is listed has its shape": func(t *testing.T, start Opener) {
		b := Connect(t, start)
		for _, ask := range b.calls() {
			name, op, _ := find(ask.Method, path(ask.URL))
			for _, status := range op.statuses() {
				for _, host := range []string{simulation.DirectLineEurope, simulation.Connector} {
					Injected(b.Bench, simulation.Fault{Host: host, Status: status, RetryAfter: 1})
				}
				if a := b.Do(ask); a.Status != status || a.Header.Get("Retry-After") != "1" {
					t.Errorf("%s = %d %v, want %d", name, a.Status, a.Header, status)
				}
				b.ClearFaults()
			}
		}
	},
	"an answer that was lost is none, and one without a watermark keeps the contract": func(t *testing.T, start Opener) {
		b := Connect(t, start)
		for _, ask := range b.calls() {
			for _, f := range []simulation.Fault{{Lose: true}, {Cut: true}} {
				for _, f.Host = range []string{simulation.DirectLineEurope, simulation.Connector} {
					f.Times = -1 // the transport repeats what does no harm
					Injected(b.Bench, f)
				}
				if a, err := b.Try(ask); err == nil {
					t.Errorf("%s %s = %d", ask.Method, ask.URL, a.Status)
				}
				b.ClearFaults()
			}
		}
		Injected(b.Bench, simulation.Fault{Host: simulation.DirectLineEurope, Route: "GET *", Set: map[string]any{"watermark": nil}})
		if a := talk(b.Bench).read(""); a.Status != http.StatusOK || a.At("watermark") != nil {
			t.Errorf("activities = %d %s", a.Status, a.Text)
		}
	},
}

// statuses are the failures that an operation lists, and for one that lists none
// those of the Connector API reference.
func (o operation) statuses() []int {
	if o.failures != nil {
		return o.failures
	}
	return []int{
		http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed,
		http.StatusInternalServerError, http.StatusServiceUnavailable,
	}
}

func path(at string) string {
	u, err := url.Parse(at)
	if err != nil {
		return ""
	}
	return u.Path
}

// calls returns a request of every operation that Handoff calls, each of which
// succeeds: in a conversation with the shop's bot, and in one that the hub has
// given to the relay.
func (b *Bot) calls() []Request {
	b.T.Helper()
	c := talk(b.Bench)
	at := b.URLs.DirectLineEurope + directLineAPI
	message := map[string]any{"type": "message", "from": user(), "text": "talk to a person", "channelData": map[string]any{"any": 1}}
	_, first := b.Open(nil)
	relayed := first.String("serviceUrl") + "v3/conversations/" + url.PathEscape(first.String("conversation/id")) + "/activities"
	said := b.Reply(first, Bridged("hello")).String("id")
	return []Request{
		{Method: "POST", URL: at + "/tokens/generate", Token: simulation.StoreBotSecret, Body: map[string]any{"user": map[string]any{"id": "dl_1"}}},
		{Method: "POST", URL: at + "/tokens/refresh", Token: c.token},
		{Method: "POST", URL: at + "/conversations", Token: c.token, Body: map[string]any{}},
		{Method: "GET", URL: c.at("?watermark=0"), Token: c.token},
		{Method: "POST", URL: c.at("/activities"), Token: c.token, Body: message},
		{Method: "GET", URL: c.at("/activities"), Token: c.token},
		{Method: "POST", URL: relayed, Token: b.token, Body: Bridged("again")},
		{Method: "POST", URL: relayed + "/" + first.String("id"), Token: b.token, Body: Bridged("a reply")},
		{Method: "PUT", URL: relayed + "/" + said, Token: b.token, Body: Bridged("better said")},
		{Method: "POST", URL: relayed + "/history", Token: b.token, Body: map[string]any{"activities": []any{message}}},
	}
}

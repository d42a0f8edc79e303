package vendor_test

import (
	"net/http"
	"testing"
	"time"

	"handoff/infra/microsoft/simulation"
	"handoff/tests/hubtest"
)

// States of the vendor's client (ConnectionStatus).
const (
	online  = 2.0
	expired = 3.0
)

// chat starts the vendor's client of the shop's bot, as a page does: with a
// token of the bot's token endpoint.
func chat(t *testing.T, b *hubtest.Bench, webSocket bool) *program {
	t.Helper()
	const path = "/powervirtualagents/botsbyschema/" + simulation.StoreBotSchema + "/directline/token?api-version=2022-03-01-preview"
	token := b.Do(hubtest.Request{Method: http.MethodGet, URL: b.URLs.PowerPlatform + path}).String("token")
	p := run(t, "client.mjs", object{"domain": b.URLs.DirectLineEurope + "/v3/directline", "token": token, "webSocket": webSocket})
	p.status(online)
	return p
}

func (p *program) status(want float64) {
	p.t.Helper()
	for p.next("status") != want {
	}
}

func (p *program) post(activity object) {
	p.t.Helper()
	activity["from"] = object{"id": "customer"}
	p.tell(object{"post": activity})
}

// sees fails the test unless these are the next texts.
func (p *program) sees(want ...string) {
	p.t.Helper()
	for _, text := range want {
		a, _ := p.next("activity").(object)
		if a["text"] != text {
			p.t.Fatalf("the client sees %v, want %q", a, text)
		}
	}
}

const (
	hello = "Hello, I'm the store's virtual assistant. How can I help?"
	hours = "We are open from nine to six."
)

func TestTheVendorsClientTalksToOurDirectLine(t *testing.T) {
	t.Parallel()
	engine(t, nodeEnv)
	for sentence, webSocket := range map[string]bool{"by polling": false, "over a WebSocket": true} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			p := chat(t, cloud(t), webSocket)
			p.post(object{"type": "event", "name": "startConversation"})
			if a, _ := p.next("activity").(object); a["name"] != "startConversation" {
				t.Errorf("the client sees %v first, want its own event", a)
			}
			p.sees(hello)
			p.tell(object{"refresh": true})
			p.next("refreshed")
			p.post(object{"type": "message", "text": "open today?"})
			p.sees("open today?", hours)
		})
	}
}

// The service may close a stream at any time. What is said meanwhile is not lost
// and nothing comes twice.
func TestTheVendorsClientGoesOnBehindItsWatermark(t *testing.T) {
	t.Parallel()
	engine(t, nodeEnv)
	b := cloud(t)
	p := chat(t, b, true)
	p.post(object{"type": "message", "text": "open today?"})
	p.sees("open today?", hours)
	at := b.URLs.DirectLineEurope + "/v3/directline/conversations/" + b.VirtualBots().Conversations()[0].ID
	thief := b.Do(hubtest.Request{Method: http.MethodGet, URL: at, Token: simulation.StoreBotSecret})
	hubtest.Dial(t, thief.String("streamUrl"))
	p.post(object{"type": "message", "text": "store hours"})
	p.sees("store hours", hours)
}

func TestTheVendorsClientUnderstandsOurRefusals(t *testing.T) {
	t.Parallel()
	engine(t, nodeEnv)
	b := cloud(t)
	p := chat(t, b, false)
	hubtest.Injected(b, simulation.Fault{Host: simulation.DirectLineEurope, Route: "POST */activities", Status: http.StatusBadGateway})
	p.post(object{"type": "message", "text": "open today?"})
	if posted := p.next("posted"); posted != "retry" {
		t.Errorf("a bot that fails = %v, want retry", posted)
	}
	before := time.Now()
	hubtest.Injected(b, simulation.Fault{Host: simulation.DirectLineEurope, Route: "GET */activities", Status: http.StatusForbidden, Code: "TokenExpired"})
	p.status(expired)
	if late := time.Since(before); late > patience {
		t.Errorf("an expired token is noticed after %v", late)
	}
}

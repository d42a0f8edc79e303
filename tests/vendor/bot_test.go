package vendor_test

import (
	"net/http"
	"testing"
	"time"

	"handoff/infra/microsoft/simulation"
	"handoff/infra/microsoft/simulation/clock"
	"handoff/infra/microsoft/simulation/tenants"
	"handoff/infra/microsoft/simulation/virtualbot"
	"handoff/tests/hubtest"
)

// The application that the vendor's bot runs as.
const (
	botID     = "a0000000-0000-4000-8000-00000000b07b"
	botSecret = "secret~of~the~vendor's~bot~0000000000001"
)

// cloud starts the fake in real time, which the vendor's libraries go by, with
// an application for the vendor's bot.
func cloud(t *testing.T, change ...func(*simulation.Config)) *hubtest.Bench {
	t.Helper()
	return hubtest.Start(t, append(change, func(c *simulation.Config) {
		c.Clock = clock.Real(time.Now)
		apps := &c.Tenants[0].Applications
		*apps = append(*apps, tenants.Application{ID: botID, Name: "Vendor's bot", Secret: botSecret})
	})...)
}

// bot starts the vendor's bot as the one behind the shop's token endpoint.
func bot(t *testing.T, b *hubtest.Bench) *program {
	t.Helper()
	p := run(t, "bot.mjs", object{"application": botID, "secret": botSecret, "tenant": simulation.TenantID, "login": b.URLs.Login})
	at, _ := p.next("listening").(string)
	b.VirtualBots().Connect(simulation.StoreBot, virtualbot.External{Endpoint: at, ApplicationID: botID})
	return p
}

func TestTheVendorsBotTalksOverOurDirectLine(t *testing.T) {
	t.Parallel()
	engine(t, nodeEnv)
	b := cloud(t)
	p := bot(t, b)
	conversations := b.URLs.DirectLineEurope + "/v3/directline/conversations"
	c := b.Do(hubtest.Request{Method: http.MethodPost, URL: conversations, Token: simulation.StoreBotSecret})
	b.Want(c, http.StatusCreated, "")
	at := conversations + "/" + c.String("conversationId") + "/activities"
	b.Want(b.Do(hubtest.Request{
		Method: http.MethodPost, URL: at, Token: c.String("token"),
		Body: object{"type": "message", "from": object{"id": "customer"}, "text": "refund please"},
	}), http.StatusOK, "")
	for _, want := range []string{"conversationUpdate", "message"} {
		heard, _ := p.next("heard").(object)
		if heard["type"] != want || heard["channel"] != "directline" || heard["caller"] != "urn:botframework:azure" {
			t.Errorf("the bot hears %v, want a %s of Direct Line, authenticated", heard, want)
		}
	}
	set := b.Do(hubtest.Request{Method: http.MethodGet, URL: at, Token: c.String("token")})
	const event = "activities/2/"
	for path, want := range map[string]any{
		"activities/1/text": "I'll find somebody who can do that.", event + "name": "handoff.initiate", event + "value/OrderNumber": "A-1234",
		event + "attachments/0/name": "Transcript", event + "attachments/0/content/activities/0/text": "refund please",
	} {
		if got := set.At(path); got != want {
			t.Errorf("%s = %v, want %v", path, got, want)
		}
	}
}

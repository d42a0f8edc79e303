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
	at := b.URLs.DirectLineEurope + "/v3/directline/conversations"
	c := b.Do(hubtest.Request{Method: http.MethodPost, URL: at, Token: simulation.StoreBotSecret})
	b.Want(c, http.StatusCreated, "")
	p.next("heard")
	say := b.Do(hubtest.Request{
		Method: http.MethodPost, URL: at + "/" + c.String("conversationId") + "/activities", Token: c.String("token"),
		Body: object{"type": "message", "from": object{"id": "customer"}, "text": "refund please"},
	})
	b.Want(say, http.StatusOK, "")
	t.Log(p.next("heard"))
	set := b.Do(hubtest.Request{Method: http.MethodGet, URL: at + "/" + c.String("conversationId") + "/activities", Token: c.String("token")})
	t.Log(set.Text)
}

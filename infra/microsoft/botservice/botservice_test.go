package botservice_test

import (
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/botservice"
	"handoff/infra/microsoft/entra/controlplane"
	"handoff/infra/microsoft/entra/controlplane/controlplanetest"
)

const (
	subscription = "5b5b5b5b-0000-4000-8000-000000000001"
	place        = "/subscriptions/" + subscription + "/resourceGroups/rg-(store)/providers/Microsoft.BotService/botServices/store-bot"
	version      = "?api-version=2022-09-15"
	teams        = place + "/channels/MsTeamsChannel" + version
	own          = place + "/channels/Omnichannel" + version
	app          = "a0000000-0000-4000-8000-00000000000a"
)

var bot = botservice.Bot{Subscription: subscription, ResourceGroup: "rg-(store)", Name: "store-bot"}

type step = controlplanetest.Step

func client(t *testing.T, script ...step) *botservice.Client {
	t.Helper()
	c, err := botservice.New(controlplane.Options{Base: botservice.Base, HTTP: controlplanetest.Client(t, script...), Tokens: controlplanetest.Tokens{}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var (
	isBot    = step{Want: "GET " + place + version, Answer: `{"properties":{"displayName":"Store bot","endpoint":"https://old.example/m","msaAppId":"` + app + `","msaAppType":"SingleTenant","msaAppTenantId":"` + subscription + `","enabledChannels":["webchat"]}}`}
	noBot    = step{Want: "GET " + place + version, Status: 404, Answer: `{"error":{"code":"ResourceNotFound","message":"x"}}`}
	missing  = step{Want: "GET " + teams, Status: 404, Answer: `{"error":{"code":"ResourceNotFound","message":"x"}}`}
	off      = step{Want: "GET " + teams, Answer: `{"properties":{"channelName":"MsTeamsChannel","properties":{"isEnabled":false,"enableCalling":true,"callingWebhook":"https://call.example"}}}`}
	on       = step{Want: "GET " + teams, Answer: `{"properties":{"channelName":"MsTeamsChannel","properties":{"isEnabled":true}}}`}
	turn     = step{Want: "PUT " + teams, Status: 201, Body: `{"location":"global","properties":{"channelName":"MsTeamsChannel","location":"global","properties":{"isEnabled":true}}}`}
	turnBack = step{Want: "PUT " + teams, Body: `{"location":"global","properties":{"channelName":"MsTeamsChannel","location":"global","properties":{"isEnabled":true,"enableCalling":true,"callingWebhook":"https://call.example"}}}`}
	taken    = step{Want: turn.Want, Body: turn.Body, Status: 409, Answer: `{"error":{"code":"Conflict","message":"x"}}`}
)

func TestEnsureChannel(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		channel string
		script  []step
		changed bool
		code    string
	}{
		"a channel that is on is left alone":            {botservice.Teams, []step{on}, false, ""},
		"one that was never set up is turned on":        {botservice.Teams, []step{missing, isBot, turn}, true, ""},
		"one that is off keeps what was set":            {botservice.Teams, []step{off, turnBack}, true, ""},
		"somebody else turned it on meanwhile":          {botservice.Teams, []step{missing, isBot, taken, on}, false, ""},
		"somebody else changes the bot":                 {botservice.Teams, []step{missing, isBot, taken, missing, isBot}, false, "azure-bot-busy"},
		"there is no bot":                               {botservice.Teams, []step{missing, noBot}, false, "azure-not-found"},
		"the role is missing":                           {botservice.Teams, []step{{Want: "GET " + teams, Status: 403, Answer: `{"error":{"code":"AuthorizationFailed"}}`}}, false, "azure-permission-missing"},
		"the hub's own channel is on where it is there": {botservice.Omnichannel, []step{{Want: "GET " + own, Answer: `{"properties":{"channelName":"Omnichannel","provisioningState":"Succeeded"}}`}}, false, ""},
		"and turned on by being made":                   {botservice.Omnichannel, []step{{Want: "GET " + own, Status: 404}, isBot, {Want: "PUT " + own, Body: `{"location":"global","properties":{"channelName":"Omnichannel","location":"global"}}`}}, true, ""},
		"other channels are none of Handoff's business": {"../x", nil, false, "azure-channel-unknown"},
		"an answer that can't be read turns nothing on": {botservice.Teams, []step{{Want: "GET " + teams, Answer: `{"properties":[]}`}}, false, "internal"},
		"a PUT that was refused is told":                {botservice.Teams, []step{missing, isBot, {Want: turn.Want, Body: turn.Body, Status: 400, Answer: `{"error":{"code":"InvalidChannelData"}}`}}, false, "azure-request-refused"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			changed, err := client(t, c.script...).EnsureChannel(t.Context(), bot, c.channel)
			if changed != c.changed || c.code == "" && err != nil || c.code != "" && (err == nil || fault.CodeOf(err) != c.code) {
				t.Errorf("changed = %v, %v, want %v, %q", changed, err, c.changed, c.code)
			}
		})
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	p, err := client(t, isBot).Get(t.Context(), bot)
	if err != nil || p.AppID != app || p.AppType != botservice.SingleTenant || p.AppTenant != subscription || p.Endpoint != "https://old.example/m" || len(p.Channels) != 1 {
		t.Errorf("properties = %+v, %v", p, err)
	}
	old := isBot
	old.Answer = `{"properties":{"msaAppId":"` + app + `"}}`
	if p, err := client(t, old).Get(t.Context(), bot); err != nil || p.AppType != botservice.MultiTenant {
		t.Errorf("an old bot = %+v, %v", p, err)
	}
}

func TestSetEndpoint(t *testing.T) {
	t.Parallel()
	patch := step{Want: "PATCH " + place + version, Status: 201, Body: `{"properties":{"displayName":"Store bot","endpoint":"https://new.example/m","msaAppId":"` + app + `"}}`}
	for sentence, c := range map[string]struct {
		endpoint string
		script   []step
		changed  bool
		code     string
	}{
		"another endpoint is set":          {"https://new.example/m", []step{isBot, patch}, true, ""},
		"the same one is left alone":       {"https://old.example/m", []step{isBot}, false, ""},
		"messages travel over TLS only":    {"http://new.example/m", nil, false, "azure-bot-endpoint-invalid"},
		"and not with a name and password": {"https://a:b@new.example/m", nil, false, "azure-bot-endpoint-invalid"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			changed, err := client(t, c.script...).SetEndpoint(t.Context(), bot, c.endpoint)
			if changed != c.changed || c.code == "" && err != nil || c.code != "" && !fault.Is(err, c.code) {
				t.Errorf("changed = %v, %v", changed, err)
			}
		})
	}
}

func TestParseBot(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		pasted string
		want   botservice.Bot
	}{
		"as the portal shows it":  {place, bot},
		"in another case, spaced": {" /SUBSCRIPTIONS/" + subscription + "/resourcegroups/rg-(store)/providers/microsoft.botservice/botservices/store-bot/ ", bot},
		"another kind of thing":   {"/subscriptions/" + subscription + "/resourceGroups/rg/providers/Microsoft.Web/sites/store-bot", botservice.Bot{}},
		"a channel of a bot":      {place + "/channels/MsTeamsChannel", botservice.Bot{}},
		"a step up the path":      {"/subscriptions/" + subscription + "/resourceGroups/../providers/Microsoft.BotService/botServices/..", botservice.Bot{}},
		"nothing":                 {"", botservice.Bot{}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			got, err := botservice.ParseBot(c.pasted)
			if got != c.want || (err != nil) != (c.want == botservice.Bot{}) || err != nil && !fault.Is(err, "azure-bot-invalid") {
				t.Errorf("bot = %+v, %v", got, err)
			}
		})
	}
}

func FuzzParseBot(f *testing.F) {
	f.Add(place)
	f.Add("/subscriptions//resourceGroups//providers/Microsoft.BotService/botServices/")
	f.Fuzz(func(t *testing.T, pasted string) {
		b, err := botservice.ParseBot(pasted)
		if err != nil {
			return
		}
		if again, err := botservice.ParseBot(b.String()); err != nil || again != b {
			t.Fatalf("%q is %+v, and that %+v, %v", pasted, b, again, err)
		}
	})
}

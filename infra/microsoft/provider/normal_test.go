package provider_test

import (
	"strings"
	"testing"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/microsoft/provider"
	"handoff/infra/microsoft/simulation"
)

func TestNormal(t *testing.T) {
	t.Parallel()
	given := plan(func(r *connection.Request) {
		r.Fact.Hub.ApplicationID = " {" + strings.ToUpper(simulation.RelayID) + "}\n"
		r.Omnichannel.BotOrganisation = "https://STORE.api.crm4.dynamics.com/"
		r.Omnichannel.Environment = "default-" + strings.ToUpper(simulation.TenantID)
		r.Omnichannel.Queue = "{" + simulation.BotQueue + "}"
		r.Omnichannel.Directory = "DelftStore.onmicrosoft.com"
	})
	got, err := provider.Hosts{}.Normal(given)
	if err != nil {
		t.Fatal(err)
	}
	want := events.OmnichannelSet{
		Path: "relay", Routing: "handoff", Directory: simulation.TenantDomain, ClientID: simulation.InstallerID, Environment: "Default-" + simulation.TenantID,
		AzureBot: "/subscriptions/" + simulation.SubscriptionID + "/resourceGroups/store/providers/Microsoft.BotService/botServices/store-relay",
		Channel:  "MsTeamsChannel", Queue: simulation.BotQueue, Workstream: simulation.Workstream, TokenEndpoint: tokenEndpoint,
	}
	if *got.Omnichannel != want {
		t.Errorf("Normal = %+v\nwant %+v", *got.Omnichannel, want)
	}
	if got.Fact.Hub.Organisation != organisation || got.Fact.Hub.ApplicationID != simulation.RelayID || got.Fact.Bot.ID != simulation.StoreBot || *got.Fact.Regions != (events.Regions{Bot: "europe", Hub: "europe", Log: "europe"}) {
		t.Errorf("Normal = %+v, regions %+v", got.Fact, got.Fact.Regions)
	}
	if again, err := (provider.Hosts{}).Normal(got); err != nil || *again.Omnichannel != want || again.Fact.Hub != got.Fact.Hub {
		t.Errorf("once more = %+v, %v", again.Omnichannel, err)
	}
	if given.Omnichannel.Directory != "DelftStore.onmicrosoft.com" || given.Fact.Regions.Hub != "" {
		t.Error("what was given was changed")
	}
	generic := connection.Request{Fact: events.ConnectionRequested{Hub: events.Hub{Type: "generic", Organisation: "{Desk}"}}}
	if got, err := (provider.Hosts{}).Normal(generic); err != nil || got.Fact.Hub != generic.Fact.Hub {
		t.Errorf("of another hub: %+v, %v", got, err)
	}
}

// What people paste wrongly is refused with where it stands, and not repeated:
// it may be a secret.
func TestWhatCantBeRight(t *testing.T) {
	t.Parallel()
	const secret = "8Q8~a-secret-in-the-wrong-field"
	for sentence, c := range map[string]struct {
		change        func(r *connection.Request)
		code, pointer string
	}{
		"a secret for the client id":      {func(r *connection.Request) { r.Omnichannel.ClientID = secret }, "id-invalid", "/omnichannel/client_id"},
		"a secret for the application id": {func(r *connection.Request) { r.Fact.Hub.ApplicationID = secret }, "id-invalid", "/hub/application_id"},
		"a secret for the directory":      {func(r *connection.Request) { r.Omnichannel.Directory = secret }, "entra-tenant-invalid", "/omnichannel/directory"},
		"a secret for the environment":    {func(r *connection.Request) { r.Omnichannel.Environment = secret }, "environment-id-invalid", "/omnichannel/environment"},
		"a secret for the schema name":    {func(r *connection.Request) { r.Omnichannel.BotSchema = secret }, "bot-schema-invalid", "/omnichannel/bot_schema"},
		"a secret for the workstream":     {func(r *connection.Request) { r.Omnichannel.Workstream = secret }, "id-invalid", "/omnichannel/workstream"},
		"a secret for the bot":            {func(r *connection.Request) { r.Fact.Bot.ID = secret }, "id-invalid", "/bot/id"},
		"no resource id":                  {func(r *connection.Request) { r.Omnichannel.AzureBot = secret }, "azure-bot-invalid", "/omnichannel/azure_bot"},
		"no organisation's address":       {func(r *connection.Request) { r.Fact.Hub.Organisation = "https://store.example" }, "organisation-url-invalid", "/hub/organisation"},
		"an address of this machine":      {func(r *connection.Request) { r.Fact.Hub.Organisation = "http://127.0.0.1:8080" }, "organisation-url-invalid", "/hub/organisation"},
		"a government's cloud":            {func(r *connection.Request) { r.Fact.Hub.Organisation = "https://store.crm9.dynamics.com" }, "national-cloud-unsupported", "/hub/organisation"},
		"a cloud in China":                {func(r *connection.Request) { r.Omnichannel.BotOrganisation = "https://store.crm.dynamics.cn" }, "national-cloud-unsupported", "/omnichannel/bot_organisation"},
		"a government's tenant":           {func(r *connection.Request) { r.Omnichannel.Directory = "agency.onmicrosoft.us" }, "national-cloud-unsupported", "/omnichannel/directory"},
		"a tenant in China":               {func(r *connection.Request) { r.Omnichannel.Directory = "store.partner.onmschina.cn" }, "national-cloud-unsupported", "/omnichannel/directory"},
		"a bot in a government's cloud": {func(r *connection.Request) {
			r.Omnichannel.TokenEndpoint = "https://default1.e.environment.api.gov.powerplatform.microsoft.us/powervirtualagents/botsbyschema/x/directline/token?api-version=1"
		}, "national-cloud-unsupported", "/omnichannel/token_endpoint"},
		"a bot in China": {func(r *connection.Request) {
			r.Omnichannel.TokenEndpoint = "https://d.e.environment.api.powerplatform.partner.microsoftonline.cn/powervirtualagents/botsbyschema/x/directline/token?api-version=1"
		}, "national-cloud-unsupported", "/omnichannel/token_endpoint"},
		"a secret for the token endpoint": {func(r *connection.Request) { r.Omnichannel.TokenEndpoint = secret }, "token-endpoint-invalid", "/omnichannel/token_endpoint"},
		"the bot's page for the endpoint": {func(r *connection.Request) { r.Omnichannel.TokenEndpoint = "<iframe src=x>" }, "token-endpoint-invalid", "/omnichannel/token_endpoint"},
		"another channel":                 {func(r *connection.Request) { r.Omnichannel.Channel = "fax" }, "azure-channel-unknown", "/omnichannel/channel"},
		"a region that is not the hub's":  {func(r *connection.Request) { r.Fact.Regions.Hub = "uk" }, "region-contradicts-address", "/regions/hub"},
		"a region that is not the bot's":  {func(r *connection.Request) { r.Fact.Regions.Bot = "us" }, "region-contradicts-address", "/regions/bot"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			_, err := provider.Hosts{}.Normal(plan(c.change))
			f := fault.Of(err)
			if f == nil || f.Code != c.code || f.Pointer != c.pointer || f.Kind != fault.Unprocessable {
				t.Fatalf("err = %v, want %s at %s", err, c.code, c.pointer)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error repeats the secret: %v", err)
			}
		})
	}
}

// Bot, hub and log are compared before anything is asked of anybody.
func TestRegions(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		change func(r *connection.Request)
		code   string
	}{
		"all in Europe":                 {nil, ""},
		"the log is in America":         {func(r *connection.Request) { r.Fact.Regions.Log = "us" }, "regions-differ"},
		"the bot was made in America":   {func(r *connection.Request) { r.Omnichannel.BotOrganisation = "https://store-us.crm.dynamics.com" }, "regions-differ"},
		"nobody knows where the log is": {func(r *connection.Request) { r.Fact.Regions = nil }, "region-unknown"},
		"a region that is none":         {func(r *connection.Request) { r.Fact.Regions.Bot = "the moon" }, "region-unknown"},
		"a region of a later day":       {func(r *connection.Request) { r.Fact.Hub.Organisation = "https://store.crm99.dynamics.com" }, "region-unknown"},
		"of a later day, and somebody says": {func(r *connection.Request) {
			r.Fact.Hub.Organisation = "https://store.crm99.dynamics.com"
			r.Fact.Regions = &events.Regions{Bot: "europe", Hub: "europe", Log: "europe"}
		}, ""},
		"they differ and somebody answers": {func(r *connection.Request) {
			r.Fact.Regions.Log = "us"
			r.Override = &events.RegionsOverridden{By: "ann", Why: "agreed"}
		}, ""},
		"a fake on this machine says nothing": {func(r *connection.Request) { r.Fact.Hub.Organisation = "http://127.0.0.1:8080" }, "region-unknown"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			r, err := provider.Hosts{Loopback: true}.Normal(plan(c.change))
			if err == nil {
				_, err = connection.Decider.Decide(connection.State{}, r)
			}
			if got := fault.CodeOf(err); err == nil && c.code != "" || err != nil && got != c.code {
				t.Errorf("err = %v, want %q", err, c.code)
			}
		})
	}
}

func FuzzNormal(f *testing.F) {
	f.Add("https://store.crm4.dynamics.com", "{3f2504e0-4f89-41d3-9a0c-0305e82c3301}", "/subscriptions/x/resourceGroups/y/providers/Microsoft.BotService/botServices/z")
	f.Add("http://127.0.0.1:1", "default-", "\x00")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		r, err := provider.Hosts{}.Normal(plan(func(r *connection.Request) {
			r.Fact.Hub.Organisation, r.Omnichannel.ClientID, r.Omnichannel.Directory, r.Omnichannel.AzureBot, r.Omnichannel.Environment = a, b, a, c, b
		}))
		if err != nil {
			if fault.Of(err) == nil {
				t.Errorf("%v is no fault", err)
			}
			return
		}
		again, err := provider.Hosts{}.Normal(r)
		if err != nil || *again.Omnichannel != *r.Omnichannel || again.Fact.Hub != r.Fact.Hub || *again.Fact.Regions != *r.Fact.Regions {
			t.Errorf("%+v is not normal: %+v, %v", r.Omnichannel, again.Omnichannel, err)
		}
	})
}

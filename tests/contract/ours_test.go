package contract_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/botservice/armbotservice"

	"handoff/domain/fault"
	"handoff/infra/microsoft/botservice"
	"handoff/infra/microsoft/entra/controlplane"
)

const (
	apiVersion   = "2022-09-15"
	token        = "a-token"
	subscription = "5b5b5b5b-0000-4000-8000-000000000001"
	place        = "/subscriptions/" + subscription + "/resourceGroups/rg-(store)/providers/Microsoft.BotService/botServices/store-bot"
	app          = "a0000000-0000-4000-8000-00000000000a"
	elsewhere    = "https://new.example/m"
)

var bot = botservice.Bot{Subscription: subscription, ResourceGroup: "rg-(store)", Name: "store-bot"}

type tokens struct{}

func (tokens) Token(context.Context) (string, error)         { return token, nil }
func (tokens) Renew(context.Context, string) (string, error) { return token, nil }

// azure returns a bot on the vendor's fake server, and our client of it.
func azure(t *testing.T) (*fakeCloud, *botservice.Client) {
	t.Helper()
	kind := armbotservice.MsaAppTypeSingleTenant
	c := &fakeCloud{
		t: t, channels: map[armbotservice.ChannelName]armbotservice.ChannelClassification{}, refusals: map[string]refusal{},
		bot: &armbotservice.Bot{Properties: &armbotservice.BotProperties{
			DisplayName: new("Store bot"), Endpoint: new("https://old.example/m"), MsaAppID: new(app), MsaAppType: &kind,
			MsaAppTenantID: new(subscription), EnabledChannels: []*string{new("webchat")},
		}},
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client, err := botservice.New(controlplane.Options{
		Base: c.serve(), HTTP: &http.Client{Transport: transport}, Tokens: tokens{}, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, client
}

func TestOurClientReadsTheVendorsBot(t *testing.T) {
	t.Parallel()
	c, client := azure(t)
	p, err := client.Get(t.Context(), bot)
	if err != nil || p.DisplayName != "Store bot" || p.Endpoint != "https://old.example/m" || p.AppID != app ||
		p.AppType != botservice.SingleTenant || p.AppTenant != subscription || len(p.Channels) != 1 {
		t.Errorf("bot = %+v, %v", p, err)
	}
	c.bot = nil
	if _, err := client.Get(t.Context(), bot); !fault.Is(err, "azure-not-found") {
		t.Errorf("a bot that is not there = %v", err)
	}
}

// What is read by other names than the vendor writes would be lost in silence.
func TestTypesOfBotsHaveTheVendorsNames(t *testing.T) {
	t.Parallel()
	for ours, vendors := range map[string]armbotservice.MsaAppType{
		botservice.SingleTenant: armbotservice.MsaAppTypeSingleTenant, botservice.MultiTenant: armbotservice.MsaAppTypeMultiTenant,
		botservice.Identity: armbotservice.MsaAppTypeUserAssignedMSI,
	} {
		if ours != string(vendors) {
			t.Errorf("type %q, the vendor says %q", ours, vendors)
		}
	}
	if botservice.Teams != string(armbotservice.ChannelNameMsTeamsChannel) || botservice.Omnichannel != string(armbotservice.ChannelNameOmnichannel) {
		t.Errorf("channels = %s, %s", botservice.Teams, botservice.Omnichannel)
	}
}

func TestOurClientTurnsTheVendorsChannelsOn(t *testing.T) {
	t.Parallel()
	for name, off := range map[string]armbotservice.ChannelClassification{
		botservice.Teams: &armbotservice.MsTeamsChannel{
			ChannelName: new(botservice.Teams),
			Properties:  &armbotservice.MsTeamsChannelProperties{IsEnabled: new(false), EnableCalling: new(true), CallingWebhook: new("https://call.example")},
		},
		botservice.Omnichannel: nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, client := azure(t)
			ensure := func(want bool) {
				t.Helper()
				if changed, err := client.EnsureChannel(t.Context(), bot, name); changed != want || err != nil {
					t.Errorf("changed = %v, %v, want %v", changed, err, want)
				}
			}
			ensure(true)
			ensure(false)
			if off != nil {
				c.channels[armbotservice.ChannelName(name)] = off
				ensure(true)
			}
			for _, put := range c.puts {
				c.holdsChannel(name, put)
			}
			if last, ok := c.puts[len(c.puts)-1].Properties.(*armbotservice.MsTeamsChannel); ok && *last.Properties.CallingWebhook != "https://call.example" {
				t.Errorf("what was set before = %+v", last.Properties)
			}
		})
	}
}

// holdsChannel fails the test unless the vendor's types read of a body that the
// channel is on.
func (c *fakeCloud) holdsChannel(name string, put armbotservice.BotChannel) {
	c.t.Helper()
	switch p := put.Properties.(type) {
	case *armbotservice.MsTeamsChannel:
		if *p.ChannelName != name || !*p.Properties.IsEnabled {
			c.t.Errorf("channel = %+v", p)
		}
	case *armbotservice.Omnichannel:
		if *p.ChannelName != name {
			c.t.Errorf("channel = %+v", p)
		}
	default:
		c.t.Errorf("the vendor reads %T", put.Properties)
	}
	if put.Location == nil || *put.Location != "global" {
		c.t.Errorf("location = %v", put.Location)
	}
}

func TestOurClientSetsTheVendorsEndpoint(t *testing.T) {
	t.Parallel()
	c, client := azure(t)
	for _, want := range []bool{true, false} {
		if changed, err := client.SetEndpoint(t.Context(), bot, elsewhere); changed != want || err != nil {
			t.Errorf("changed = %v, %v, want %v", changed, err, want)
		}
	}
	if len(c.patches) != 1 {
		t.Fatalf("%d updates, want 1", len(c.patches))
	}
	got, err := json.Marshal(c.patches[0])
	want := `{"properties":{"displayName":"Store bot","endpoint":"` + elsewhere + `","msaAppId":"` + app + `"}}`
	if err != nil || string(got) != want {
		t.Errorf("the vendor reads %s, %v, want %s", got, err, want)
	}
}

func TestOurClientUnderstandsRefusals(t *testing.T) {
	t.Parallel()
	for sentence, x := range map[string]struct {
		operation string
		refusal   refusal
		want      string
	}{
		"another change is being made":  {"ChannelsClient.Create", refusal{http.StatusConflict, "Conflict"}, "azure-bot-busy"},
		"the role is missing":           {"ChannelsClient.Get", refusal{http.StatusForbidden, "AuthorizationFailed"}, "azure-permission-missing"},
		"the body is not the channel's": {"ChannelsClient.Create", refusal{http.StatusBadRequest, "InvalidChannelData"}, "azure-request-refused"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			c, client := azure(t)
			c.refusals[x.operation] = x.refusal
			if changed, err := client.EnsureChannel(t.Context(), bot, botservice.Teams); changed || !fault.Is(err, x.want) {
				t.Errorf("changed = %v, %v, want %s", changed, err, x.want)
			}
		})
	}
}

package contract_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/botservice/armbotservice"

	"handoff/infra/microsoft/simulation"
	"handoff/tests/hubtest"
)

// vendor is the vendor's client of our fake.
type vendor struct {
	*hubtest.Bench
	bots     *armbotservice.BotsClient
	channels *armbotservice.ChannelsClient
}

// credential signs in at our fake, for the scope that the vendor's client asks
// for.
type credential struct {
	*hubtest.Bench
	client, secret string
}

func (c credential) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if len(o.Scopes) != 1 {
		return azcore.AccessToken{}, fmt.Errorf("%d scopes", len(o.Scopes))
	}
	a := c.Ask(simulation.TenantID, hubtest.Credentials(c.client, c.secret, o.Scopes[0]))
	if a.Status != http.StatusOK {
		return azcore.AccessToken{}, errors.New(a.Text)
	}
	return azcore.AccessToken{Token: a.String("access_token"), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

func as(t *testing.T, client, secret string) *vendor {
	t.Helper()
	b := hubtest.Start(t)
	factory, err := armbotservice.NewClientFactory(simulation.SubscriptionID, credential{b, client, secret}, &arm.ClientOptions{
		ClientOptions: policy.ClientOptions{
			InsecureAllowCredentialWithHTTP: true, // it is a fake on loopback
			Cloud: cloud.Configuration{
				ActiveDirectoryAuthorityHost: b.URLs.Login,
				Services:                     map[cloud.ServiceName]cloud.ServiceConfiguration{cloud.ResourceManager: {Audience: "https://management.azure.com", Endpoint: b.URLs.Azure}},
			},
		},
		DisableRPRegistration: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return &vendor{b, factory.NewBotsClient(), factory.NewChannelsClient()}
}

func installer(t *testing.T) *vendor {
	t.Helper()
	return as(t, simulation.InstallerID, simulation.InstallerSecret)
}

const (
	group = simulation.ResourceGroup
	name  = simulation.BotName
	teams = armbotservice.ChannelNameMsTeamsChannel
)

// refused fails the test unless the vendor's client reads status and code of a
// refusal.
func (v *vendor) refused(err error, status int, code string) {
	v.T.Helper()
	f, ok := errors.AsType[*azcore.ResponseError](err)
	if !ok || f.StatusCode != status || f.ErrorCode != code {
		v.T.Errorf("error = %v, want %d %s", err, status, code)
	}
}

func (v *vendor) must(err error) {
	v.T.Helper()
	if err != nil {
		v.T.Fatal(err)
	}
}

func TestTheVendorsClientReadsOurBot(t *testing.T) {
	t.Parallel()
	v := installer(t)
	got, err := v.bots.Get(t.Context(), group, name, nil)
	v.must(err)
	p := got.Properties
	if *got.Name != name || *got.Type != "Microsoft.BotService/botServices" || *got.Location != "global" || *got.Kind != armbotservice.KindAzurebot ||
		*got.SKU.Name != armbotservice.SKUNameF0 || *got.Etag == "" {
		t.Errorf("bot = %+v", got.Bot)
	}
	if *p.MsaAppID != simulation.RelayID || *p.MsaAppType != armbotservice.MsaAppTypeSingleTenant || *p.MsaAppTenantID != simulation.TenantID ||
		*p.ProvisioningState != "Succeeded" || len(p.EnabledChannels) != 1 || len(p.ConfiguredChannels) != 1 {
		t.Errorf("properties = %+v", p)
	}
	_, err = v.bots.Get(t.Context(), group, name+"x", nil)
	v.refused(err, http.StatusNotFound, "ResourceNotFound")
	_, err = v.bots.Get(t.Context(), "other", name, nil)
	v.refused(err, http.StatusNotFound, "ResourceGroupNotFound")
}

func TestTheVendorsClientUpdatesOurBot(t *testing.T) {
	t.Parallel()
	v := installer(t)
	change := armbotservice.Bot{Properties: &armbotservice.BotProperties{
		DisplayName: new("Store"), Endpoint: new(elsewhere), MsaAppID: new(simulation.RelayID),
	}}
	updated, err := v.bots.Update(t.Context(), group, name, change, nil)
	v.must(err)
	got, err := v.bots.Get(t.Context(), group, name, nil)
	v.must(err)
	if *updated.Properties.Endpoint != elsewhere || *got.Properties.Endpoint != elsewhere || *got.Properties.DisplayName != "Store" {
		t.Errorf("bot = %+v", got.Properties)
	}
	change.Properties.Endpoint = new("ftp://new.example")
	_, err = v.bots.Update(t.Context(), group, name, change, nil)
	v.refused(err, http.StatusBadRequest, "InvalidBotData")
}

func TestTheVendorsClientTurnsOurChannelOn(t *testing.T) {
	t.Parallel()
	v := installer(t)
	_, err := v.channels.Get(t.Context(), group, name, string(teams), nil)
	v.refused(err, http.StatusNotFound, "ResourceNotFound")
	on := armbotservice.BotChannel{Location: new("global"), Properties: &armbotservice.MsTeamsChannel{
		ChannelName: new(string(teams)), Properties: &armbotservice.MsTeamsChannelProperties{IsEnabled: new(true)},
	}}
	created, err := v.channels.Create(t.Context(), group, name, teams, on, nil)
	v.must(err)
	v.teams(created.BotChannel, false)
	again, err := v.channels.Create(t.Context(), group, name, teams, on, nil)
	v.must(err)
	v.teams(again.BotChannel, false)
	calling := on
	calling.Properties = &armbotservice.MsTeamsChannel{
		ChannelName: new(string(teams)), Properties: &armbotservice.MsTeamsChannelProperties{IsEnabled: new(true), EnableCalling: new(true)},
	}
	changed, err := v.channels.Update(t.Context(), group, name, teams, calling, nil)
	v.must(err)
	v.teams(changed.BotChannel, true)
	got, err := v.channels.Get(t.Context(), group, name, string(teams), nil)
	v.must(err)
	v.teams(got.BotChannel, true)
}

// teams fails the test unless the vendor's types read a Teams channel that is on.
func (v *vendor) teams(c armbotservice.BotChannel, calling bool) {
	v.T.Helper()
	p, ok := c.Properties.(*armbotservice.MsTeamsChannel)
	if !ok || *p.ChannelName != string(teams) || *p.ProvisioningState != "Succeeded" || *p.Location != "global" || !*p.Properties.IsEnabled {
		v.T.Fatalf("channel = %+v", c)
	}
	if *c.Name != name+"/MsTeamsChannel" || *c.Type != "Microsoft.BotService/botServices/channels" || *c.Location != "global" || *c.Etag == "" {
		v.T.Errorf("channel = %+v", c)
	}
	if got := p.Properties.EnableCalling; calling && !*got {
		v.T.Errorf("calling = %v", got)
	}
}

func TestTheVendorsClientListsOurChannels(t *testing.T) {
	t.Parallel()
	v := installer(t)
	var want []string
	for _, c := range armbotservice.PossibleChannelNameValues() {
		if c == armbotservice.ChannelNameWebChatChannel {
			want = append(want, string(c))
			continue
		}
		if c != armbotservice.ChannelNameOmnichannel && c != teams {
			continue
		}
		var settings armbotservice.ChannelClassification = &armbotservice.Omnichannel{ChannelName: new(string(c))}
		if c == teams {
			settings = &armbotservice.MsTeamsChannel{ChannelName: new(string(c)), Properties: &armbotservice.MsTeamsChannelProperties{IsEnabled: new(true)}}
		}
		_, err := v.channels.Create(t.Context(), group, name, c, armbotservice.BotChannel{Location: new("global"), Properties: settings}, nil)
		v.must(err)
		want = append(want, string(c))
	}
	var got []string
	for pages := v.channels.NewListByResourceGroupPager(group, name, nil); pages.More(); {
		page, err := pages.NextPage(t.Context())
		v.must(err)
		for _, c := range page.Value {
			got = append(got, *c.Properties.GetChannel().ChannelName)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("channels = %v, want %v", got, want)
	}
	if _, err := v.channels.ListWithKeys(t.Context(), group, name, teams, nil); err != nil {
		t.Errorf("a channel with its keys: %v", err)
	}
	for range 2 {
		if _, err := v.channels.Delete(t.Context(), group, name, string(teams), nil); err != nil {
			t.Errorf("delete: %v", err)
		}
	}
}

// Every channel that the vendor knows is one that our fake knows.
func TestOurChannelsHaveTheVendorsNames(t *testing.T) {
	t.Parallel()
	v := installer(t)
	for _, c := range armbotservice.PossibleChannelNameValues() {
		_, err := v.channels.Get(t.Context(), group, name, string(c), nil)
		if c == armbotservice.ChannelNameWebChatChannel {
			v.must(err)
			continue
		}
		v.refused(err, http.StatusNotFound, "ResourceNotFound")
	}
}

func TestTheVendorsClientUnderstandsOurRefusals(t *testing.T) {
	t.Parallel()
	stranger := as(t, simulation.BystanderID, simulation.BystanderSecret)
	_, err := stranger.bots.Get(t.Context(), group, name, nil)
	stranger.refused(err, http.StatusForbidden, "AuthorizationFailed")
	for status, code := range map[int]string{
		http.StatusBadRequest: "InvalidRequestContent", http.StatusUnauthorized: "InvalidAuthenticationToken",
		http.StatusForbidden: "AuthorizationFailed", http.StatusNotFound: "ResourceNotFound", http.StatusConflict: "Conflict",
	} {
		v := installer(t)
		hubtest.Injected(v.Bench, simulation.Fault{Host: simulation.Azure, Status: status, Times: -1})
		_, err := v.bots.Get(t.Context(), group, name, nil)
		v.refused(err, status, code)
	}
}

// The vendor's client waits and asks again, as ours does.
func TestTheVendorsClientWaitsAsWeSay(t *testing.T) {
	t.Parallel()
	v := installer(t)
	hubtest.Injected(v.Bench, simulation.Fault{Host: simulation.Azure, Status: http.StatusTooManyRequests, RetryAfter: 1})
	if _, err := v.bots.Get(t.Context(), group, name, nil); err != nil {
		t.Errorf("bot = %v", err)
	}
	if n := len(v.Calls(simulation.Azure)); n != 2 {
		t.Errorf("%d calls, want 2", n)
	}
}

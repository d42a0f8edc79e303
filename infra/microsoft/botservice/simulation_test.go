package botservice_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/botservice"
	"handoff/infra/microsoft/entra"
	"handoff/infra/microsoft/entra/controlplane/controlplanetest"
	"handoff/infra/microsoft/simulation"
)

var example = botservice.Bot{Subscription: simulation.SubscriptionID, ResourceGroup: simulation.ResourceGroup, Name: simulation.BotName}

func simulated(t *testing.T, c controlplanetest.Cloud) *botservice.Client {
	t.Helper()
	client, err := botservice.New(c.Options(t, c.URLs.Azure, entra.ScopeAzure))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestChannelsAreTurnedOnOnce(t *testing.T) {
	t.Parallel()
	for _, name := range []string{botservice.Teams, botservice.Omnichannel} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := controlplanetest.StartCloud(t, time.Now)
			c := simulated(t, cloud)
			for _, want := range []bool{true, false} {
				if changed, err := c.EnsureChannel(t.Context(), example, name); changed != want || err != nil {
					t.Errorf("changed = %v, %v, want %v", changed, err, want)
				}
			}
			p, err := c.Get(t.Context(), example)
			if err != nil || p.AppID != simulation.RelayID || p.AppType != botservice.SingleTenant || p.AppTenant != simulation.TenantID || !slices.Contains(p.Channels, name) {
				t.Errorf("bot = %+v, %v", p, err)
			}
			puts := slices.DeleteFunc(cloud.Calls(simulation.Azure), func(c simulation.Call) bool { return c.Method != http.MethodPut })
			if len(puts) != 1 {
				t.Errorf("there were %d PUTs, want 1", len(puts))
			}
		})
	}
}

func TestAConflictIsTriedAgain(t *testing.T) {
	t.Parallel()
	cloud := controlplanetest.StartCloud(t, time.Now)
	if err := cloud.Inject(simulation.Fault{Host: simulation.Azure, Route: "PUT *", Status: http.StatusConflict, Code: "Conflict"}); err != nil {
		t.Fatal(err)
	}
	c := simulated(t, cloud)
	if _, err := c.EnsureChannel(t.Context(), example, botservice.Teams); !fault.Is(err, "azure-bot-busy") || fault.KindOf(err).Permanent() {
		t.Errorf("err = %v", err)
	}
	if changed, err := c.EnsureChannel(t.Context(), example, botservice.Teams); !changed || err != nil {
		t.Errorf("changed = %v, %v", changed, err)
	}
}

func TestTheEndpointIsSetOnce(t *testing.T) {
	t.Parallel()
	c := simulated(t, controlplanetest.StartCloud(t, time.Now))
	for _, want := range []bool{true, false} {
		if changed, err := c.SetEndpoint(t.Context(), example, "https://elsewhere.example/microsoft/messages"); changed != want || err != nil {
			t.Errorf("changed = %v, %v, want %v", changed, err, want)
		}
	}
	if p, err := c.Get(t.Context(), example); err != nil || p.Endpoint != "https://elsewhere.example/microsoft/messages" || p.AppID != simulation.RelayID {
		t.Errorf("bot = %+v, %v", p, err)
	}
}

func TestWhoMayNot(t *testing.T) {
	t.Parallel()
	cloud := controlplanetest.StartCloud(t, time.Now)
	who := entra.Credentials{Tenant: simulation.TenantID, ClientID: simulation.BystanderID, Secret: simulation.BystanderSecret}
	c, err := botservice.New(cloud.OptionsOf(t, who, cloud.URLs.Azure, entra.ScopeAzure))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.EnsureChannel(t.Context(), example, botservice.Teams); !fault.Is(err, "azure-permission-missing") {
		t.Errorf("err = %v", err)
	}
	elsewhere := example
	elsewhere.Name = "other-bot"
	if _, err := simulated(t, cloud).EnsureChannel(t.Context(), elsewhere, botservice.Teams); !fault.Is(err, "azure-not-found") {
		t.Errorf("err = %v", err)
	}
}

package e2e_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"handoff/domain/geography"
	"handoff/functions/handoff/system"
	"handoff/infra/microsoft/entra/controlplane/controlplanetest"
	"handoff/infra/microsoft/hosts"
	"handoff/infra/microsoft/simulation"
)

// withMicrosoft runs a system beside the fake of Microsoft's cloud.
func withMicrosoft(t *testing.T, change ...func(*system.Config)) (*world, controlplanetest.Cloud) {
	t.Helper()
	return withMicrosoftAs(t, func(*simulation.Config) {}, change...)
}

// withMicrosoftAs is withMicrosoft with the example changed.
func withMicrosoftAs(t *testing.T, as func(*simulation.Config), change ...func(*system.Config)) (*world, controlplanetest.Cloud) {
	t.Helper()
	cloud := controlplanetest.StartCloud(t, time.Now, as)
	simulated, err := hosts.Simulated(t.Context(), http.DefaultClient, cloud.URLs.Control)
	if err != nil {
		t.Fatal(err)
	}
	w := start(t, func(c *system.Config) {
		c.Geography = geography.Europe
		c.Microsoft = simulated
		for _, f := range change {
			f(c)
		}
	})
	return w, cloud
}

// planAt connects it to the fake.
func planAt(cloud controlplanetest.Cloud) map[string]any {
	p := omnichannelPlan()
	p["omnichannel"].(map[string]string)["token_endpoint"] = cloud.URLs.PowerPlatform + "/powervirtualagents/botsbyschema/" + simulation.StoreBotSchema +
		"/directline/token?api-version=2022-03-01-preview"
	return p
}

// omnichannelPlan connects the example's bot, wherever it is.
func omnichannelPlan() map[string]any {
	return map[string]any{
		"name": "store-bot", "bot": map[string]string{"id": simulation.StoreBot, "name": "Store bot"},
		"hub":    map[string]string{"type": "omnichannel", "organisation": "https://store.crm4.dynamics.com"},
		"notice": map[string]string{"accepted_by": "r.bakker", "text_version": "2026-11"},
		"omnichannel": map[string]string{
			"path": "relay", "routing": "handoff", "directory": simulation.TenantDomain, "client_id": simulation.InstallerID, "queue": "Store bot",
			"azure_bot":  "/subscriptions/" + simulation.SubscriptionID + "/resourceGroups/" + simulation.ResourceGroup + "/providers/Microsoft.BotService/botServices/" + simulation.BotName,
			"workstream": simulation.Workstream,
		},
		"client_secret": simulation.InstallerSecret, "application_secret": simulation.RelaySecret,
	}
}

func TestOmnichannelIsConnectedCheckedAndLeft(t *testing.T) {
	t.Parallel()
	w, cloud := withMicrosoft(t)
	w.request("store-bot", planAt(cloud))
	w.ready("store-bot")
	var checked struct {
		Connection struct {
			Publication struct{ State string }
			Users       []struct{ ID string }
		}
		Seen []struct {
			Code     string
			Blocking bool
		}
	}
	store := cloud.Organisation(simulation.StoreOrganisation)
	store.Put("bots", simulation.StoreBot, map[string]any{"publishedon": nil})
	w.must(http.StatusOK, &checked, w.admin, "POST", "/v1/connections/store-bot/check", nil)
	var blocking strings.Builder
	for _, f := range checked.Seen {
		if f.Blocking {
			blocking.WriteString(f.Code)
		}
	}
	if blocking.String() != "bot-unpublished" || checked.Connection.Publication.State != "unpublished" || len(checked.Connection.Users) != 1 {
		t.Fatalf("checked = %+v, want that the bot is unpublished and nothing else is wrong", checked)
	}
	w.eventually("the list shows it", func() bool {
		var page struct {
			Items []struct {
				Bot string `json:"bot_state"`
			}
		}
		w.must(http.StatusOK, &page, w.admin, "GET", "/v1/connections", nil)
		return len(page.Items) == 1 && page.Items[0].Bot == "unpublished"
	})
	w.must(http.StatusOK, nil, w.admin, "POST", "/v1/connections/store-bot/disconnect", map[string]string{"reason": "closed"})
	user := checked.Connection.Users[0].ID
	w.eventually("the user is disabled", func() bool { return store.Get("systemusers", user)["isdisabled"] == true })
	store.Put("bots", simulation.StoreBot, map[string]any{"publishedon": "2026-11-22T09:00:00Z"})
	w.request("store-bot", planAt(cloud))
	w.ready("store-bot")
	if store.Get("systemusers", user)["isdisabled"] != false {
		t.Error("the reconnect did not enable the user")
	}
	w.stop()
	secretsStayOut(t, w.dir)
}

// Connecting goes on where it was when the program stopped.
func TestOmnichannelGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	w, cloud := withMicrosoft(t)
	if err := cloud.Inject(simulation.Fault{Host: simulation.Azure, Route: "PUT *", Status: http.StatusServiceUnavailable, RetryAfter: 60, Times: -1}); err != nil {
		t.Fatal(err)
	}
	w.request("store-bot", planAt(cloud))
	w.stuck("store-bot", "azure-unavailable")
	w.stop()
	cloud.ClearFaults()
	w.run()
	w.advance(2 * time.Minute) // Azure said when to come again
	w.ready("store-bot")
	if users := cloud.Organisation(simulation.StoreOrganisation).All("systemusers", "applicationid", simulation.RelayID); len(users) != 1 {
		t.Errorf("there are %d users, want 1", len(users))
	}
}

// secretsStayOut reads every file that a system left.
func secretsStayOut(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for _, secret := range []string{simulation.InstallerSecret, simulation.RelaySecret} {
			if strings.Contains(string(b), secret) {
				t.Errorf("%s holds a secret in clear", path)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

package provider_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/microsoft/entra"
	"handoff/infra/microsoft/entra/guid"
	"handoff/infra/microsoft/simulation"
)

func TestASecretThatEndsSoon(t *testing.T) {
	t.Parallel()
	for days, want := range map[int]bool{29: true, 31: false} {
		w := newWorld(t, func(c *simulation.Config) {
			c.Tenants[0].Applications[1].SecretEnds = time.Now().Add(time.Duration(days) * 24 * time.Hour)
		})
		w.connect(plan(nil))
		findings := w.ready().Findings
		i := slices.IndexFunc(findings, func(f events.Finding) bool { return f.Code == "secret-expires" })
		if want != (i >= 0) || want && (findings[i].Blocking || !strings.Contains(findings[i].Detail, simulation.RelayID)) {
			t.Errorf("in %d days: findings = %+v", days, findings)
		}
	}
}

// A bot whose web channel security is on gives tokens for its secret only.
func TestABotThatNeedsItsSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *simulation.Config) { c.VirtualBots[0].Secured = true })
	w.connect(plan(nil))
	if f := w.state().Failure; f == nil || f.Code != "bot-not-reachable" || !strings.Contains(f.Detail, "direct_line_secret_file") {
		t.Fatalf("failure = %+v", f)
	}
	w.vault.rows["default hub/store-bot/direct_line"] = simulation.StoreBotSecret
	w.connect(plan(nil))
	w.ready()
	w.noSecrets()
	w.disconnect()
	if len(w.vault.rows) != 0 {
		t.Errorf("%d secrets are in the store still", len(w.vault.rows))
	}
}

// owned connects with an application that Handoff made, as far as that goes.
func (w *world) owned() connection.State {
	w.Helper()
	delete(w.vault.rows, "default hub/store-bot/application")
	w.connect(plan(func(r *connection.Request) { r.Omnichannel.AzureBot = "" }))
	s := w.state()
	if s.Failure == nil || s.Failure.Code != "azure-bot-missing" {
		w.Fatalf("failure = %+v", s.Failure)
	}
	return s
}

// application finds one, as somebody who may see them.
func (w *world) application(id string) (*entra.Graph, entra.Application) {
	w.Helper()
	graph, err := entra.NewGraph(w.Options(w.T, w.URLs.Graph+"/v1.0", entra.ScopeGraph))
	if err != nil {
		w.Fatal(err)
	}
	app, _, err := graph.FindApplication(w.Context(), guid.ID(id))
	if err != nil {
		w.Fatal(err)
	}
	return graph, app
}

// passwords are the secrets of an application.
func (w *world) passwords(application string) []entra.KnownPassword {
	w.Helper()
	graph, app := w.application(application)
	all, err := graph.Passwords(w.Context(), app.ObjectID)
	if err != nil {
		w.Fatal(err)
	}
	return all
}

// A new secret works and is stored before the old one stops working.
func TestRotateSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.owned()
	old := w.passwords(s.ApplicationID)
	before := w.vault.rows["default hub/store-bot/application"]
	f, err := w.hub.RotateSecret(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	all := w.passwords(s.ApplicationID)
	if len(old) != 1 || len(all) != 1 || string(all[0].KeyID) != f.KeyID || all[0].KeyID == old[0].KeyID || !f.Ends.After(time.Now()) {
		t.Errorf("fact = %+v, secrets %+v, before %+v", f, all, old)
	}
	if now := w.vault.rows["default hub/store-bot/application"]; now == before || !all[0].Begins(entra.Secret(now)) {
		t.Error("the secret in the store is not the new one")
	}
	w.connect(plan(func(r *connection.Request) { r.Omnichannel.AzureBot = ""; r.Omnichannel.Routing = "hub" }))
	if got := len(w.passwords(s.ApplicationID)); got != 1 {
		t.Errorf("%d secrets after another connect, for the stored one does not work", got)
	}
}

// Where a step of it fails the secret that is there goes on working.
func TestARotationThatFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.owned()
	before, secret := w.passwords(s.ApplicationID), w.vault.rows["default hub/store-bot/application"]
	for code, f := range map[string]simulation.Fault{
		"graph-permission-missing": {Host: simulation.Graph, Route: "POST */addPassword", Status: http.StatusForbidden},
		"entra-unavailable":        {Host: simulation.Login, Status: http.StatusServiceUnavailable, RetryAfter: 60, Times: -1},
	} {
		w.inject(f)
		if _, err := w.hub.RotateSecret(t.Context(), s); !fault.Is(err, code) {
			t.Errorf("err = %v, want %s", err, code)
		}
		w.ClearFaults()
		if after := w.passwords(s.ApplicationID); !slices.Equal(after, before) || w.vault.rows["default hub/store-bot/application"] != secret {
			t.Errorf("%s: secrets = %+v, want %+v", code, after, before)
		}
	}
	s.Omnichannel = new(*s.Omnichannel)
	s.Omnichannel.Path = events.PathAdvise
	if _, err := w.hub.RotateSecret(t.Context(), s); !fault.Is(err, "application-secret-unused") {
		t.Errorf("beside a native connection: %v", err)
	}
}

// A disconnect removes the secret that Handoff made, and no other, and forgets
// all that it has stored.
func TestSecretsAfterADisconnect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.owned()
	graph, app := w.application(s.ApplicationID)
	if _, err := graph.AddPassword(t.Context(), app.ObjectID, "by hand", time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	w.disconnect()
	if f, n := latest[*events.HubSecretsForgotten](w); n != 1 || f.Removed != 1 || f.Code != "" || len(w.vault.rows) != 0 {
		t.Errorf("fact = %+v, %d of them, %d secrets stored", f, n, len(w.vault.rows))
	}
	if left := w.passwords(s.ApplicationID); len(left) != 1 || left[0].Name != "by hand" {
		t.Errorf("secrets = %+v, want the one that a person made", left)
	}
	calls := len(w.Calls(""))
	if err := w.steps(); err != nil || len(w.Calls("")) != calls {
		t.Errorf("once more: %v, %d calls", err, len(w.Calls(""))-calls)
	}
	other := newWorld(t)
	other.connect(plan(nil))
	other.ready()
	other.disconnect()
	if f, _ := latest[*events.HubSecretsForgotten](other); f == nil || *f != (events.HubSecretsForgotten{}) || len(other.passwords(simulation.RelayID)) != 1 {
		t.Errorf("fact = %+v, want the secret that a person made left", f)
	}
}

func TestSecretsThatCantBeRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.owned()
	w.inject(simulation.Fault{Host: simulation.Graph, Route: "POST */removePassword", Status: http.StatusServiceUnavailable, RetryAfter: 60, Times: -1})
	w.Give("store-bot", &events.Disconnected{Policy: events.PolicyMove, Target: "other-bot"})
	if err := w.steps(); !fault.Is(err, "graph-unavailable") || len(w.vault.rows) == 0 {
		t.Errorf("error = %v, %d secrets stored; want another try", err, len(w.vault.rows))
	}
	w.ClearFaults()
	w.inject(simulation.Fault{Host: simulation.Graph, Route: "POST */removePassword", Status: http.StatusForbidden, Times: -1})
	if err := w.steps(); err != nil {
		t.Fatal(err)
	}
	if s := w.state(); !s.Forgotten || len(w.vault.rows) != 0 || s.Failure == nil || s.Failure.Code != "graph-permission-missing" || !strings.Contains(s.Failure.Detail, s.ApplicationID) {
		t.Errorf("failure = %+v, forgotten %t", s.Failure, s.Forgotten)
	}
}

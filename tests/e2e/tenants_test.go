package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"handoff/domain/identity"
	"handoff/infra/keyring"
)

// tenant makes another tenant in the running system and returns the same world
// as its administrator sees it.
func (w *world) tenant(name string) *world {
	w.t.Helper()
	if err := w.sys.Keyring.EnsureTenant(w.t.Context(), name); err != nil {
		w.t.Fatal(err)
	}
	token, _, err := w.sys.Keyring.APIKeys().Issue(w.t.Context(), keyring.NewKey{Tenant: name, Role: identity.Admin, Name: name})
	if err != nil {
		w.t.Fatal(err)
	}
	other := *w
	other.admin, other.end = token, nil
	return &other
}

func TestTwoTenantsKnowNothingOfEachOther(t *testing.T) {
	t.Parallel()
	a := start(t)
	b := a.tenant("acme")
	ours, theirs := a.connect("store-bot", "full", rules), a.plan("store-bot", a.desk.url+"/theirs", "full", rules)
	theirs["hub"] = map[string]string{"type": "generic", "organisation": "another desk", "application_id": "app-store-bot"}
	c := b.request("store-bot", theirs)
	b.ready("store-bot")
	who := map[string]any{"customer": map[string]string{"id": "c-881"}, "summary": "theirs"}
	mine, other := a.raise(ours, "a", map[string]any{"customer": map[string]string{"id": "c-881"}}), b.raise(c, "a", who)
	if mine.ID == other.ID {
		t.Fatal("two tenants have one escalation")
	}
	if r := b.event(other.ID, routedEvent); r.path != "theirs" {
		t.Errorf("the other tenant's escalation went to %s", r.path)
	}
	a.idle()
	for path, status := range map[string]int{
		"/v1/escalations/" + other.ID: 404, "/v1/escalations/" + other.ID + "/context": 404, "/v1/escalations/" + other.ID + "/why": 404,
		"/v1/deliveries/" + b.deliveries("escalation=" + other.ID)[0].ID: 404, "/v1/escalations/" + other.ID[:10]: 404,
	} {
		if got, body := a.call(a.admin, "GET", path, nil); got != status {
			t.Errorf("GET %s = %d %s, want %d", path, got, body, status)
		}
	}
	for _, key := range []string{ours.bot, ours.hub, a.admin} {
		status, _ := a.call(key, "POST", "/v1/escalations/"+other.ID+"/status", map[string]string{"state": "failed"})
		if status != http.StatusNotFound && status != http.StatusForbidden {
			t.Errorf("a key of another tenant was answered %d", status)
		}
	}
	if all := a.list("/v1/escalations?limit=10"); len(all) != 1 || all[0].ID != mine.ID {
		t.Errorf("escalations = %+v, want our own only", all)
	}
	for _, f := range append(a.facts(), a.lines("/v1/connections/store-bot/history")...) {
		if f.Tenant != "default" {
			t.Errorf("we see %s of tenant %s", f.Type, f.Tenant)
		}
	}
	var keys struct{ Items []struct{ ID, Name string } }
	a.must(http.StatusOK, &keys, a.admin, "GET", "/v1/keys", nil)
	for _, k := range keys.Items {
		if k.Name == "acme" {
			t.Errorf("we see the key %+v", k)
		}
		// Nor can they revoke ours.
		if status, _ := b.call(b.admin, "DELETE", "/v1/keys/"+k.ID, nil); status != http.StatusNotFound {
			t.Errorf("another tenant's key was revoked: %d", status)
		}
	}
	// The same customer, erased by one tenant, stays with the other.
	a.must(http.StatusOK, nil, a.admin, "POST", "/v1/erasures", map[string]string{"customer_id": "c-881"})
	var view struct{ Summary string }
	b.must(http.StatusOK, &view, b.admin, "GET", "/v1/escalations/"+other.ID+"/context", nil)
	if view.Summary != "theirs" {
		t.Errorf("context = %+v, want it whole", view)
	}
	// Signed by one tenant's bot, for the other.
	body := `{"conversation_id":"b"}`
	if status, _ := a.call("", "POST", "/v1/connections/store-bot/escalations", body, append(signed(t, ours.webhook, "m", a.clock.now(), body), "Handoff-Tenant", "acme")...); status != http.StatusUnauthorized {
		t.Errorf("a signature of another tenant was answered %d", status)
	}
	a.must(http.StatusAccepted, nil, "", "POST", "/v1/connections/store-bot/escalations", body, append(signed(t, c.webhook, "m", a.clock.now(), body), "Handoff-Tenant", "acme")...)
	a.hangUp("store-bot", map[string]string{})
	a.settled()
	if s := b.connection("store-bot"); s.Status != "ready" {
		t.Errorf("connection = %+v, want it untouched", s)
	}
}

func TestAnApplicationIDIsUniqueAcrossTenants(t *testing.T) {
	t.Parallel()
	a := start(t)
	b := a.tenant("acme")
	a.connect("secret-project", "full", rules)
	p := a.plan("other", a.desk.url, "full", rules)
	p["hub"] = map[string]string{"type": "generic", "organisation": a.org, "application_id": "app-secret-project"}
	b.request("other", p)
	c := b.stuck("other", "application-id-taken")
	if strings.Contains(c.Failure.Detail, "default") || strings.Contains(c.Failure.Detail, `"secret-project"`) {
		t.Errorf("detail = %q tells who holds it", c.Failure.Detail)
	}
	a.hangUp("secret-project", map[string]string{})
	a.settled()
	b.request("other", p)
	b.ready("other")
	b.problem(http.StatusUnprocessableEntity, "move-target-not-ready", b.admin, "POST", "/v1/connections/other/disconnect", map[string]string{"to": "secret-project"})
}

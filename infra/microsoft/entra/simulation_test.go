package entra_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/entra"
	"handoff/infra/microsoft/entra/controlplane"
	"handoff/infra/microsoft/entra/controlplane/controlplanetest"
	"handoff/infra/microsoft/simulation"
)

var installer = entra.Credentials{Tenant: simulation.TenantID, ClientID: simulation.InstallerID, Secret: simulation.InstallerSecret}

func simulated(t *testing.T, c controlplanetest.Cloud) *entra.Graph {
	t.Helper()
	g, err := entra.NewGraph(c.Options(t, c.URLs.Graph+"/v1.0", entra.ScopeGraph))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func inject(t *testing.T, c controlplanetest.Cloud, f simulation.Fault) {
	t.Helper()
	if err := c.Inject(f); err != nil {
		t.Fatal(err)
	}
}

// An application is made, found again, and its new secret signs it in.
func TestAnApplicationFromNameToToken(t *testing.T) {
	t.Parallel()
	cloud := controlplanetest.StartCloud(t, time.Now, func(c *simulation.Config) { c.Lag = 200 * time.Millisecond })
	g := simulated(t, cloud)
	made, created, err := g.EnsureApplication(t.Context(), entra.Wish{Name: "Store's bot"})
	if err != nil || !created {
		t.Fatalf("application = %+v, %v, %v", made, created, err)
	}
	if again, created, err := g.EnsureApplication(t.Context(), entra.Wish{Name: "Store's bot"}); again != made || created || err != nil {
		t.Errorf("by name = %+v, %v, %v, want %+v", again, created, err, made)
	}
	if again, created, err := g.EnsureApplication(t.Context(), entra.Wish{AppID: made.AppID}); again != made || created || err != nil {
		t.Errorf("by id = %+v, %v, %v, want %+v", again, created, err, made)
	}
	p, err := g.AddPassword(t.Context(), made.ObjectID, "hub", time.Now().Add(time.Hour))
	if err != nil || p.Secret == "" || p.KeyID == "" {
		t.Fatalf("password = %+v, %v", p, err)
	}
	o := cloud.Options(t, cloud.URLs.Login, entra.ScopeGraph)
	s, err := entra.NewSource(o, entra.Credentials{Tenant: simulation.TenantDomain, ClientID: string(made.AppID), Secret: p.Secret}, entra.ScopeGraph)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Await(t.Context()); err != nil {
		t.Errorf("the new secret: %v", err)
	}
	if token, err := s.Token(t.Context()); token == "" || err != nil {
		t.Errorf("token = %q, %v", token, err)
	}
}

func TestTheLoginServiceRefuses(t *testing.T) {
	t.Parallel()
	cloud := controlplanetest.StartCloud(t, time.Now)
	for sentence, c := range map[string]struct {
		who   entra.Credentials
		scope string
		code  string
	}{
		"a wrong secret":                  {entra.Credentials{Tenant: installer.Tenant, ClientID: installer.ClientID, Secret: "wrong~secret"}, entra.ScopeGraph, "entra-secret-refused"},
		"an application of nobody":        {entra.Credentials{Tenant: installer.Tenant, ClientID: appID, Secret: "any~secret"}, entra.ScopeGraph, "entra-application-unknown"},
		"a tenant that is none":           {entra.Credentials{Tenant: tenantID, ClientID: installer.ClientID, Secret: installer.Secret}, entra.ScopeGraph, "entra-tenant-unknown"},
		"an organisation that is nowhere": {installer, "https://nowhere.crm4.dynamics.com/.default", "entra-resource-unknown"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			_, err := cloud.OptionsOf(t, c.who, cloud.URLs.Graph, c.scope).Tokens.Token(t.Context())
			f := fault.Of(err)
			if f == nil || f.Code != c.code || !f.Kind.Permanent() || !strings.Contains(f.Detail, "AADSTS") {
				t.Errorf("err = %v, want %s", err, c.code)
			}
		})
	}
}

// A token that Graph rejects is asked for again, once; and one token does for
// many calls.
func TestTokensAreReused(t *testing.T) {
	t.Parallel()
	cloud := controlplanetest.StartCloud(t, time.Now)
	g := simulated(t, cloud)
	inject(t, cloud, simulation.Fault{Host: simulation.Graph, Status: http.StatusUnauthorized, After: 3})
	for range 5 {
		if _, err := g.FindByName(t.Context(), "Handoff installer"); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(cloud.Calls(simulation.Login)); n != 2 {
		t.Errorf("%d tokens were asked for, want 2", n)
	}
	if n := len(cloud.Calls(simulation.Graph)); n != 6 {
		t.Errorf("Graph was asked %d times, want 6", n)
	}
}

func TestGraphThrottles(t *testing.T) {
	t.Parallel()
	cloud := controlplanetest.StartCloud(t, time.Now)
	g := simulated(t, cloud)
	inject(t, cloud, simulation.Fault{Host: simulation.Graph, Status: http.StatusTooManyRequests, RetryAfter: 120})
	_, err := g.FindByName(t.Context(), "x")
	if f := fault.Of(err); f == nil || f.Code != "graph-throttled" || f.RetryAfter != 2*time.Minute {
		t.Errorf("err = %v", err)
	}
}

func TestABystanderMayNotRegister(t *testing.T) {
	t.Parallel()
	cloud := controlplanetest.StartCloud(t, time.Now)
	who := entra.Credentials{Tenant: simulation.TenantID, ClientID: simulation.BystanderID, Secret: simulation.BystanderSecret}
	g, err := entra.NewGraph(cloud.OptionsOf(t, who, cloud.URLs.Graph+"/v1.0", entra.ScopeGraph))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := g.EnsureApplication(t.Context(), entra.Wish{Name: "x"}); !fault.Is(err, "graph-permission-missing") {
		t.Errorf("err = %v", err)
	}
}

// The answer to a creation is lost: nobody creates a second one blindly, and
// the next try finds the first.
func TestALostAnswerCreatesNoSecondApplication(t *testing.T) {
	t.Parallel()
	cloud := controlplanetest.StartCloud(t, time.Now)
	g := simulated(t, cloud)
	inject(t, cloud, simulation.Fault{Host: simulation.Graph, Route: "POST /v1.0/applications", Lose: true})
	_, _, err := g.EnsureApplication(t.Context(), entra.Wish{Name: "Store bot hub"})
	if !fault.Is(err, "graph-unavailable") || fault.KindOf(err).Permanent() {
		t.Fatalf("err = %v", err)
	}
	if _, created, err := g.EnsureApplication(t.Context(), entra.Wish{Name: "Store bot hub"}); created || err != nil {
		t.Errorf("created = %v, %v", created, err)
	}
}

var _ controlplane.Tokens = (*entra.Source)(nil)

func TestSecretsAreListedAndRemoved(t *testing.T) {
	t.Parallel()
	c := controlplanetest.StartCloud(t, time.Now)
	g := simulated(t, c)
	app, _, err := g.EnsureApplication(t.Context(), entra.Wish{Name: "Store bot hub"})
	if err != nil {
		t.Fatal(err)
	}
	ends := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	first, err := g.AddPassword(t.Context(), app.ObjectID, "Handoff", ends)
	if err != nil {
		t.Fatal(err)
	}
	all, err := g.Passwords(t.Context(), app.ObjectID)
	if err != nil || len(all) != 1 || all[0].KeyID != first.KeyID || all[0].Name != "Handoff" || !all[0].Ends.Equal(ends) || !all[0].Begins(first.Secret) || all[0].Begins("another") {
		t.Fatalf("secrets = %+v, %v", all, err)
	}
	inject(t, c, simulation.Fault{Host: simulation.Graph, Route: "POST */removePassword", Lose: true})
	for range 2 { // the second time there is none
		if err := g.RemovePassword(t.Context(), app.ObjectID, first.KeyID); err != nil {
			t.Error(err)
		}
	}
	if all, err := g.Passwords(t.Context(), app.ObjectID); err != nil || len(all) != 0 {
		t.Errorf("secrets = %+v, %v", all, err)
	}
	kept, err := g.AddPassword(t.Context(), app.ObjectID, "Handoff", ends)
	if err != nil {
		t.Fatal(err)
	}
	inject(t, c, simulation.Fault{Host: simulation.Graph, Route: "POST */removePassword", Status: 400, Code: "Request_BadRequest", Times: -1})
	if err := g.RemovePassword(t.Context(), app.ObjectID, kept.KeyID); !fault.Is(err, "graph-request-refused") {
		t.Errorf("err = %v, and the secret is there still", err)
	}
}

package hubtest

import (
	"maps"
	"net/http"
	"net/url"
	"testing"
	"time"

	"handoff/infra/microsoft/simulation"
)

const graphScope = "https://graph.microsoft.com/.default"

// login is what is promised of the token endpoint and of published keys.
var login = map[string]func(*testing.T, Opener){
	"a client with its secret gets a token for an hour": func(t *testing.T, start Opener) {
		b := start(t)
		a := b.Ask(simulation.TenantDomain, Credentials(simulation.InstallerID, simulation.InstallerSecret, graphScope))
		b.Want(a, http.StatusOK, "")
		if a.String("token_type") != "Bearer" || a.At("expires_in") != 3600.0 || a.String("access_token") == "" {
			t.Errorf("answer = %s", a.Text)
		}
	},
	"each way to ask wrongly has its own answer": func(t *testing.T, start Opener) { asksWrongly(start(t)) },
	"a secret that has expired is refused as such": func(t *testing.T, start Opener) {
		b := start(t)
		b.Clock.Advance(3 * 365 * 24 * time.Hour)
		a := b.Ask(simulation.TenantID, Credentials(simulation.InstallerID, simulation.InstallerSecret, graphScope))
		b.Want(a, http.StatusUnauthorized, "invalid_client")
		if a.At("error_codes/0") != 7000222.0 {
			t.Errorf("codes = %v", a.At("error_codes"))
		}
	},
	"a token is refused an hour later": func(t *testing.T, start Opener) {
		b := start(t)
		token := b.Installer("https://graph.microsoft.com")
		b.Clock.Advance(time.Hour)
		b.Want(b.Do(Request{Method: "GET", URL: b.URLs.Graph + "/v1.0/applications", Token: token}), http.StatusUnauthorized, "InvalidAuthenticationToken")
	},
	"a token for another resource is refused": func(t *testing.T, start Opener) {
		b := start(t)
		token := b.Installer("https://management.azure.com")
		b.Want(b.Do(Request{Method: "GET", URL: b.URLs.Graph + "/v1.0/applications", Token: token}), http.StatusUnauthorized, "InvalidAuthenticationToken")
	},
	"the tenant botframework.com knows multi-tenant applications only": func(t *testing.T, start Opener) {
		b := start(t, func(c *simulation.Config) { c.Tenants[0].Applications[0].Audience = "AzureADMultipleOrgs" })
		const scope = "https://api.botframework.com/.default"
		b.Want(b.Ask("botframework.com", Credentials(simulation.InstallerID, simulation.InstallerSecret, scope)), http.StatusOK, "")
		b.Want(b.Ask("botframework.com", Credentials(simulation.RelayID, simulation.RelaySecret, scope)), http.StatusBadRequest, "unauthorized_client")
	},
	"the Connector's keys are published with endorsements, and a rotation adds one": func(t *testing.T, start Opener) {
		b := start(t)
		meta := b.Do(Request{Method: "GET", URL: b.URLs.Login + "/v1/.well-known/openidconfiguration"})
		if meta.String("issuer") != "https://api.botframework.com" || meta.String("id_token_signing_alg_values_supported/0") != "RS256" {
			t.Errorf("metadata = %s", meta.Text)
		}
		before := b.Do(Request{Method: "GET", URL: meta.String("jwks_uri")})
		if before.String("keys/0/kty") != "EC" || before.String("keys/2/kty") != "RSA" || before.Len("keys/2/endorsements") < 1 {
			t.Errorf("keys = %s", before.Text)
		}
		if err := b.RotateKeys(); err != nil {
			t.Fatal(err)
		}
		if after := b.Do(Request{Method: "GET", URL: meta.String("jwks_uri")}); after.Len("keys") != before.Len("keys")+1 {
			t.Errorf("after a rotation there are %d keys, want %d", after.Len("keys"), before.Len("keys")+1)
		}
	},
}

func asksWrongly(b *Bench) {
	ok := Credentials(simulation.InstallerID, simulation.InstallerSecret, graphScope)
	with := func(name, value string) url.Values {
		form := url.Values{}
		maps.Copy(form, ok)
		if form.Set(name, value); value == "" {
			form.Del(name)
		}
		return form
	}
	for sentence, c := range map[string]struct {
		tenant string
		form   url.Values
		status int
		code   string
		number float64
	}{
		"a wrong secret":                 {simulation.TenantID, with("client_secret", "wrong"), 401, "invalid_client", 7000215},
		"no secret":                      {simulation.TenantID, with("client_secret", ""), 401, "invalid_client", 7000218},
		"an unknown application":         {simulation.TenantID, with("client_id", "00000000-0000-4000-8000-000000000000"), 400, "unauthorized_client", 700016},
		"an unknown tenant":              {"nobody.example", ok, 400, "invalid_request", 90002},
		"an unknown resource":            {simulation.TenantID, with("scope", "https://nothing.example/.default"), 400, "invalid_resource", 500011},
		"a scope without .default":       {simulation.TenantID, with("scope", "https://graph.microsoft.com/User.Read"), 400, "invalid_scope", 70011},
		"two scopes":                     {simulation.TenantID, with("scope", graphScope+" "+graphScope), 400, "invalid_scope", 70011},
		"another grant":                  {simulation.TenantID, with("grant_type", "password"), 400, "unsupported_grant_type", 70003},
		"no grant":                       {simulation.TenantID, with("grant_type", ""), 400, "invalid_request", 900144},
		"a client id in braces is wrong": {simulation.TenantID, with("client_id", "{"+simulation.InstallerID+"}"), 400, "unauthorized_client", 700016},
	} {
		a := b.Ask(c.tenant, c.form)
		if a.Status != c.status || a.String("error") != c.code || a.At("error_codes/0") != c.number || a.String("trace_id") == "" {
			b.T.Errorf("%s: %d %s", sentence, a.Status, a.Text)
		}
	}
	a := b.Do(Request{Method: "POST", URL: b.URLs.Login + "/" + simulation.TenantID + "/oauth2/v2.0/token", Body: map[string]string{"grant_type": "client_credentials"}})
	b.Want(a, http.StatusBadRequest, "invalid_request")
}

// script is what is promised of injected faults.
var script = map[string]func(*testing.T, Opener){
	"a throttled host says when to come back, as often as asked": func(t *testing.T, start Opener) {
		b := start(t)
		Injected(b, simulation.Fault{Host: simulation.Graph, Route: "GET /v1.0/app*", After: 1, Times: 2, Status: 429, RetryAfter: 7})
		token := b.Installer("https://graph.microsoft.com")
		for i, want := range []int{200, 429, 429, 200} {
			a := b.Do(Request{Method: "GET", URL: b.URLs.Graph + "/v1.0/applications", Token: token})
			if a.Status != want || want == 429 && (a.Header.Get("Retry-After") != "7" || a.String("error/code") != "TooManyRequests") {
				t.Errorf("answer %d = %d %s, want %d", i, a.Status, a.Text, want)
			}
		}
	},
	"a cut connection carries nothing out, a lost answer does": func(t *testing.T, start Opener) {
		b := start(t)
		token := b.Installer("https://graph.microsoft.com")
		create := Request{Method: "POST", URL: b.URLs.Graph + "/v1.0/applications", Token: token, Body: map[string]any{"displayName": "Twice"}}
		count := func() int {
			return b.Do(Request{Method: "GET", URL: b.URLs.Graph + "/v1.0/applications?$filter=displayName%20eq%20'Twice'", Token: token}).Len("value")
		}
		for i, f := range []simulation.Fault{{Host: simulation.Graph, Route: "POST *", Cut: true}, {Host: simulation.Graph, Route: "POST *", Lose: true}} {
			Injected(b, f)
			if a, err := b.Try(create); err == nil {
				t.Errorf("an answer came: %d", a.Status)
			}
			b.ClearFaults()
			if got := count(); got != i {
				t.Errorf("%d applications, want %d", got, i)
			}
		}
		if calls := b.Calls(simulation.Graph); len(calls) != 4 || calls[0].Status != 0 {
			t.Errorf("calls = %v", calls)
		}
	},
	"members of an answer can be replaced": func(t *testing.T, start Opener) {
		b := start(t)
		Injected(b, simulation.Fault{Host: simulation.Graph, Set: map[string]any{"displayName": nil}})
		a := b.Do(Request{Method: "GET", URL: b.URLs.Graph + "/v1.0/applications", Token: b.Installer("https://graph.microsoft.com")})
		if a.Status != 200 || a.Len("value") != 3 || a.At("value/0/displayName") != nil || a.String("value/0/appId") == "" {
			t.Errorf("answer = %d %s", a.Status, a.Text)
		}
	},
	"a fault that says nothing, or two things, is refused": func(t *testing.T, start Opener) {
		b := start(t)
		for _, f := range []simulation.Fault{
			{Host: simulation.Graph},
			{Host: simulation.Graph, Cut: true, Lose: true},
			{Host: "nowhere", Cut: true},
			{Cut: true},
			{Host: simulation.Graph, Status: 200},
			{Host: simulation.Graph, Cut: true, Times: -2},
		} {
			if err := b.Inject(f); err == nil {
				t.Errorf("%+v is taken", f)
			}
		}
	},
}

// Injected injects a fault or ends the test.
func Injected(b *Bench, f simulation.Fault) {
	b.T.Helper()
	if err := b.Inject(f); err != nil {
		b.T.Fatal(err)
	}
}

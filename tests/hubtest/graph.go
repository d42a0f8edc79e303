package hubtest

import (
	"testing"
	"time"

	"handoff/infra/microsoft/simulation"
)

// graph is what is promised of application registrations.
var graph = map[string]func(*testing.T, Opener){
	"an application is created, found, given a principal and a secret, and gets a token": func(t *testing.T, start Opener) {
		b := start(t)
		ask := b.graph(simulation.InstallerID, simulation.InstallerSecret)
		a := ask("POST", "/applications", map[string]any{"displayName": "Store bot hub", "signInAudience": "AzureADMyOrg"})
		b.Want(a, 201, "")
		if a.Len("passwordCredentials") != 0 {
			t.Errorf("application = %s", a.Text)
		}
		app := a.String("appId")
		found := ask("GET", "/applications?$filter=appId%20eq%20'"+app+"'&$select=id,appId,displayName", nil)
		if found.Len("value") != 1 || len(found.At("value/0").(map[string]any)) != 3 {
			t.Errorf("found = %s", found.Text)
		}
		b.Want(ask("POST", "/applications/"+app+"/addPassword", map[string]any{}), 404, "Request_ResourceNotFound")
		secret := ask("POST", "/applications/"+a.String("id")+"/addPassword", map[string]any{"passwordCredential": map[string]any{"displayName": "hub"}})
		b.Want(secret, 200, "")
		b.Want(b.Ask(simulation.TenantID, Credentials(app, secret.String("secretText"), graphScope)), 401, "invalid_client")
		b.Want(ask("POST", "/servicePrincipals", map[string]any{"appId": app}), 201, "")
		b.Want(ask("POST", "/servicePrincipals", map[string]any{"appId": app}), 409, "Request_MultipleObjectsWithSameKeyValue")
		b.Want(ask("GET", "/servicePrincipals(appId='"+app+"')", nil), 200, "")
		b.Want(b.Ask(simulation.TenantID, Credentials(app, secret.String("secretText"), graphScope)), 200, "")
		again := ask("GET", "/applications(appId='"+app+"')", nil)
		remove := map[string]any{"keyId": secret.String("keyId")}
		if again.At("passwordCredentials/0/secretText") != nil || again.String("passwordCredentials/0/hint") == "" {
			t.Errorf("a secret is told twice: %s", again.Text)
		}
		b.Want(ask("POST", "/applications/"+a.String("id")+"/removePassword", map[string]any{}), 400, "Request_BadRequest")
		b.Want(ask("POST", "/applications/"+a.String("id")+"/removePassword", remove), 204, "")
		b.Want(ask("POST", "/applications/"+a.String("id")+"/removePassword", remove), 400, "Request_BadRequest")
		b.Want(b.Ask(simulation.TenantID, Credentials(app, secret.String("secretText"), graphScope)), 401, "invalid_client")
	},
	"what is absent is an empty list by filter and 404 by key": func(t *testing.T, start Opener) {
		b := start(t)
		ask := b.graph(simulation.InstallerID, simulation.InstallerSecret)
		const nobody = "00000000-0000-4000-8000-000000000000"
		if a := ask("GET", "/applications?$filter=appId%20eq%20'"+nobody+"'", nil); a.Status != 200 || a.Len("value") != 0 {
			t.Errorf("list = %d %s", a.Status, a.Text)
		}
		b.Want(ask("GET", "/applications(appId='"+nobody+"')", nil), 404, "Request_ResourceNotFound")
		b.Want(ask("GET", "/applications/"+nobody, nil), 404, "Request_ResourceNotFound")
	},
	"what was just created is not seen until the lag is over": func(t *testing.T, start Opener) {
		b := start(t, func(c *simulation.Config) { c.Lag = 20 * time.Second })
		ask := b.graph(simulation.InstallerID, simulation.InstallerSecret)
		a := ask("POST", "/applications", map[string]any{"displayName": "Late"})
		principal := map[string]any{"appId": a.String("appId")}
		b.Want(ask("POST", "/servicePrincipals", principal), 400, "Request_BadRequest")
		b.Want(ask("POST", "/applications/"+a.String("id")+"/addPassword", map[string]any{}), 404, "Request_ResourceNotFound")
		b.Clock.Advance(20 * time.Second)
		b.Want(ask("POST", "/servicePrincipals", principal), 201, "")
		b.Want(ask("POST", "/applications/"+a.String("id")+"/addPassword", map[string]any{}), 200, "")
	},
	"who lacks the permission is refused, and owned means one's own": func(t *testing.T, start Opener) {
		b := start(t)
		b.Want(b.graph(simulation.BystanderID, simulation.BystanderSecret)("POST", "/applications", map[string]any{"displayName": "x"}), 403, "Authorization_RequestDenied")
		ask := b.graph(simulation.InstallerID, simulation.InstallerSecret)
		other := ask("GET", "/applications(appId='"+simulation.RelayID+"')", nil)
		b.Want(ask("POST", "/applications/"+other.String("id")+"/addPassword", map[string]any{}), 403, "Authorization_RequestDenied")
		b.Want(b.Do(Request{Method: "GET", URL: b.URLs.Graph + "/v1.0/applications"}), 401, "InvalidAuthenticationToken")
	},
	"what a registration can't say is refused": func(t *testing.T, start Opener) {
		b := start(t)
		ask := b.graph(simulation.InstallerID, simulation.InstallerSecret)
		for _, body := range []map[string]any{
			{},
			{"displayName": 1},
			{"displayName": "x", "colour": "red"},
			{"displayName": "x", "signInAudience": "Everybody"},
			{"displayName": "x", "passwordCredentials": []any{map[string]any{}}},
		} {
			b.Want(ask("POST", "/applications", body), 400, "Request_BadRequest")
		}
		b.Want(ask("PATCH", "/applications", map[string]any{}), 405, "")
		b.Want(ask("GET", "/applications?$search=x", nil), 400, "BadRequest")
	},
	"a list comes in pages": func(t *testing.T, start Opener) {
		b := start(t)
		token := b.Installer("https://graph.microsoft.com")
		url, seen := b.URLs.Graph+"/v1.0/applications?$top=2", 0
		for pages := 1; url != ""; pages++ {
			a := b.Do(Request{Method: "GET", URL: url, Token: token})
			b.Want(a, 200, "")
			seen += a.Len("value")
			if url = a.String("@odata.nextLink"); url == "" && (pages != 2 || seen != 3) {
				t.Errorf("%d applications on %d pages", seen, pages)
			}
		}
	},
}

// graph returns a function that asks Graph as an application.
func (b *Bench) graph(client, secret string) func(method, path string, body any) Answer {
	b.T.Helper()
	token := b.Token(client, secret, "https://graph.microsoft.com")
	return func(method, path string, body any) Answer {
		b.T.Helper()
		return b.Do(Request{Method: method, URL: b.URLs.Graph + "/v1.0" + path, Token: token, Body: body})
	}
}

package entra_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/entra"
	"handoff/infra/microsoft/entra/controlplane"
	"handoff/infra/microsoft/entra/controlplane/controlplanetest"
	"handoff/infra/microsoft/entra/guid"
)

const objectID = "0b0b0b0b-0000-4000-8000-000000000001"

func graph(t *testing.T, script ...controlplanetest.Step) *entra.Graph {
	t.Helper()
	g, err := entra.NewGraph(controlplane.Options{Base: entra.GraphBase, HTTP: controlplanetest.Client(t, script...), Tokens: controlplanetest.Tokens{}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func app(object, id string) string {
	return fmt.Sprintf(`{"id":%q,"appId":%q,"displayName":"Store bot","signInAudience":"AzureADMyOrg","passwordCredentials":[]}`, object, strings.ToUpper(id))
}

func list(filter string, apps ...string) controlplanetest.Step {
	return controlplanetest.Step{
		Want:   "GET /v1.0/applications?$filter=" + filter + "&$select=id,appId,displayName,signInAudience",
		Answer: `{"value":[` + strings.Join(apps, ",") + `]}`,
	}
}

func refused(s controlplanetest.Step, status int, code string) controlplanetest.Step {
	s.Status, s.Answer = status, `{"error":{"code":"`+code+`","message":"m","innerError":{}}}`
	return s
}

var (
	byID    = "appId eq '" + appID + "'"
	byName  = "displayName eq 'Store bot'"
	create  = controlplanetest.Step{Want: "POST /v1.0/applications", Body: `{"displayName":"Store bot","signInAudience":"AzureADMyOrg"}`, Status: 201, Answer: app(objectID, appID)}
	enable  = controlplanetest.Step{Want: "POST /v1.0/servicePrincipals", Body: `{"appId":"` + appID + `"}`, Status: 201, Answer: `{"id":"x"}`}
	enabled = refused(enable, 409, "Request_MultipleObjectsWithSameKeyValue")
	look    = controlplanetest.Step{Want: "GET /v1.0/servicePrincipals(appId='" + appID + "')", Answer: `{"id":"x"}`}
)

func TestEnsureApplication(t *testing.T) {
	t.Parallel()
	named, known := entra.Wish{Name: "Store bot"}, entra.Wish{AppID: appID, Name: "Other"}
	for sentence, c := range map[string]struct {
		wish    entra.Wish
		script  []controlplanetest.Step
		created bool
		code    string
	}{
		"a name that nobody has is created":                {named, []controlplanetest.Step{list(byName), create, enable}, true, ""},
		"a name that one has is used again":                {named, []controlplanetest.Step{list(byName, app(objectID, appID)), enabled, look}, false, ""},
		"a name that two have is not guessed at":           {named, []controlplanetest.Step{list(byName, app(objectID, appID), app(appID, objectID))}, false, "entra-application-ambiguous"},
		"an id is looked up, whatever the name":            {known, []controlplanetest.Step{list(byID, app(objectID, appID)), enabled, look}, false, ""},
		"an id of another tenant creates nothing":          {known, []controlplanetest.Step{list(byID)}, false, "entra-application-unknown"},
		"a permission that is missing is named":            {named, []controlplanetest.Step{refused(list(byName), 403, "Authorization_RequestDenied")}, false, "graph-permission-missing"},
		"quotes in a name stay in the filter":              {entra.Wish{Name: "Jan's"}, []controlplanetest.Step{refused(list("displayName eq 'Jan''s'"), 403, "x")}, false, "graph-permission-missing"},
		"a service principal that is refused is told so":   {named, []controlplanetest.Step{list(byName), create, refused(enable, 403, "Authorization_RequestDenied")}, true, "graph-permission-missing"},
		"a conflict without a service principal is told":   {known, []controlplanetest.Step{list(byID, app(objectID, appID)), enabled, refused(look, 404, "Other")}, false, "graph-not-found"},
		"an empty name is refused before anybody is asked": {entra.Wish{}, nil, false, "entra-application-name-invalid"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			got, created, err := graph(t, c.script...).EnsureApplication(t.Context(), c.wish)
			if c.code != "" {
				if !fault.Is(err, c.code) {
					t.Fatalf("err = %v, want %s", err, c.code)
				}
				return
			}
			if want := (entra.Application{ObjectID: objectID, AppID: appID, Name: "Store bot"}); got != want || created != c.created || err != nil {
				t.Errorf("application = %+v, %v, %v", got, created, err)
			}
		})
	}
}

func TestReplicationLag(t *testing.T) {
	t.Parallel()
	unknown, missing := refused(enable, 400, "Request_BadRequest"), refused(enable, 404, "Request_ResourceNotFound")
	for sentence, c := range map[string]struct {
		script []controlplanetest.Step
		took   time.Duration
		code   string
	}{
		"some seconds are waited for":       {[]controlplanetest.Step{unknown, missing, enable}, 1500 * time.Millisecond, ""},
		"half a minute, and then later":     {[]controlplanetest.Step{unknown, unknown, unknown, unknown, unknown, unknown, unknown}, 31500 * time.Millisecond, "entra-application-not-visible"},
		"another mistake is not waited for": {[]controlplanetest.Step{refused(enable, 400, "Request_Other")}, 0, "graph-request-refused"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				_, err := graph(t, c.script...).EnsureServicePrincipal(t.Context(), appID)
				if c.code == "" && err != nil || c.code != "" && !fault.Is(err, c.code) || time.Since(start) != c.took {
					t.Fatalf("after %v: %v, want %q after %v", time.Since(start), err, c.code, c.took)
				}
				if f := fault.Of(err); f != nil && f.Code == "entra-application-not-visible" && (f.Kind.Permanent() || f.RetryAfter == 0) {
					t.Errorf("fault = %+v", f)
				}
			})
		})
	}
}

func TestAddPassword(t *testing.T) {
	t.Parallel()
	ends := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	add := controlplanetest.Step{
		Want:   "POST /v1.0/applications/" + objectID + "/addPassword",
		Body:   `{"passwordCredential":{"displayName":"hub","endDateTime":"2026-05-01T00:00:00Z"}}`,
		Answer: `{"keyId":"` + appID + `","secretText":"` + secret + `","hint":"q7Z","endDateTime":"2026-05-01T00:00:00Z","displayName":"hub"}`,
	}
	synctest.Test(t, func(t *testing.T) {
		p, err := graph(t, refused(add, 404, "Request_ResourceNotFound"), add).AddPassword(t.Context(), objectID, "hub", ends)
		if err != nil || p != (entra.Password{KeyID: appID, Secret: secret, Ends: ends}) {
			t.Errorf("password = %#v, %v", p, err)
		}
	})
	add.Answer = `{"secretText":["` + secret + `"]}`
	if _, err := graph(t, add).AddPassword(t.Context(), objectID, "hub", ends); err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("an answer that can't be read: %v", err)
	}
	add.Broken = true
	if _, err := graph(t, add).AddPassword(t.Context(), objectID, "hub", ends); !fault.Is(err, "graph-unavailable") {
		t.Errorf("a secret is asked for once: %v", err)
	}
}

func TestFindApplication(t *testing.T) {
	t.Parallel()
	shared := strings.Replace(app(objectID, appID), "AzureADMyOrg", "AzureADMultipleOrgs", 1)
	got, found, err := graph(t, list(byID, shared)).FindApplication(t.Context(), guid.ID(appID))
	if !got.MultiTenant || !found || err != nil {
		t.Errorf("application = %+v, %v, %v", got, found, err)
	}
	broken := list(byID)
	broken.Answer = `{"value":`
	if _, _, err := graph(t, broken).FindApplication(t.Context(), guid.ID(appID)); err == nil || errors.Is(err, nil) {
		t.Error("an answer that breaks off is taken for an empty list")
	}
}

package httpapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"handoff/domain/connection"
	"handoff/domain/conversation"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/domain/listing"
	"handoff/events"
	"handoff/infra/httpapi"
)

func TestTagsOfWhatTwoPeopleMayEdit(t *testing.T) {
	t.Parallel()
	h := serve(nil)
	for _, c := range []struct{ method, target, body, media, want string }{
		{"GET", "/v1/connections/store-bot", "", "", `"7"`},
		{"GET", "/v1/connections/store-bot/rules", "", "", `"sha256:9f"`},
		{"PUT", "/v1/connections/store-bot/rules", "version: 1", "application/yaml", `"sha256:a0"`},
	} {
		w := call(t, h, "admin", c.method, c.target, c.body, "Content-Type", c.media)
		if got := w.Header().Get("ETag"); got != c.want {
			t.Errorf("%s %s: ETag = %q, want %q", c.method, c.target, got, c.want)
		}
	}
}

func TestRulesAreNotOverwritten(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ifMatch, want string
		status        int
		code          string
	}{
		"unguarded":      {"", "", 200, ""},
		"any":            {"*", "", 200, ""},
		"the same":       {`"sha256:9f"`, "sha256:9f", 200, ""},
		"others":         {`"sha256:00"`, "sha256:00", 412, "rules-changed"},
		"a weak tag":     {`W/"sha256:9f"`, "", 400, "if-match-invalid"},
		"several":        {`"a", "b"`, "", 400, "if-match-invalid"},
		"without quotes": {"sha256:9f", "", 400, "if-match-invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := serve(func(a *httpapi.API, _ *httpapi.Config) {
				a.AdoptRules = func(_ context.Context, _ identity.Principal, _ string, source []byte, match string) (string, error) {
					if match != c.want || string(source) != "version: 1" {
						t.Errorf("adopts %q if %q, want %q", source, match, c.want)
					}
					if match == "sha256:00" {
						return "", fault.New(fault.Conflict, "rules-changed", "Somebody else changed the rules.")
					}
					return "sha256:a0", nil
				}
			})
			var header []string
			if c.ifMatch != "" {
				header = []string{"If-Match", c.ifMatch}
			}
			w := call(t, h, "admin", "PUT", "/v1/connections/store-bot/rules", "version: 1", append(header, "Content-Type", "application/yaml")...)
			expect(t, w, c.status, c.code)
		})
	}
}

func TestConnecting(t *testing.T) {
	t.Parallel()
	var got connection.Plan
	h := serve(func(a *httpapi.API, _ *httpapi.Config) {
		connect := a.Connect
		a.Connect = func(ctx context.Context, by identity.Principal, p connection.Plan) (connection.Connected, error) {
			got = p
			return connect(ctx, by, p)
		}
	})
	plan := connection.Plan{
		Name: "web-bot", Hub: state().Hub, Bot: state().Bot, Regions: state().Regions, Notice: connection.NoticePlan{AcceptedBy: "ann", TextVersion: "1"},
		Endpoints: []connection.EndpointPlan{{ID: "desk", URL: "https://a.example", Mode: "full", Events: []string{"x"}}, {URL: "https://b.example"}}, Rules: "version: 1",
		Omnichannel: &connection.OmnichannelPlan{OmnichannelSet: events.OmnichannelSet{
			Path: "relay", Routing: "hub", Directory: "d", ClientID: "c", Environment: "e", BotOrganisation: "o", BotSchema: "s", TokenEndpoint: "https://t",
			AzureBot: "a", Channel: "teams", Queue: "q", Workstream: "w",
		}, AddHubRules: true, TakeOverEndpoint: true},
		ClientSecret: "one", ApplicationSecret: "two", DirectLineSecret: "three", HealthURL: "https://bot.example/health", RegionsOverride: &connection.OverridePlan{By: "ann", Why: "agreed"},
	}
	body, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	w := call(t, h, "admin", "POST", "/v1/connections", string(body))
	expect(t, w, http.StatusAccepted, "")
	if again, _ := json.Marshal(got); string(again) != string(body) {
		t.Errorf("plan = %s, want %s", again, body)
	}
	if at := w.Header().Get("Location"); at != publicURL+"/v1/connections/web-bot" {
		t.Errorf("Location = %q", at)
	}
	nulls := `{"name":"a","bot":null,"hub":null,"notice":null,"regions":null,"endpoints":null,"rules":null,"omnichannel":null,"client_secret":null,"application_secret":null,"direct_line_secret":null,"regions_override":null,"health_url":null}`
	expect(t, call(t, h, "admin", "POST", "/v1/connections", nulls), http.StatusAccepted, "")
	for body, pointer := range map[string]string{
		`{"endpoints":[{"url":"a"},{"url":1}]}`: "/endpoints/1/url", `{"regions":[]}`: "/regions", `{"endpoints":{}}`: "/endpoints", `{"hub":{"type":true}}`: "/hub/type",
		`{"omnichannel":{"path":1}}`: "/omnichannel/path", `{"omnichannel":[]}`: "/omnichannel", `{"regions_override":"ann"}`: "/regions_override",
	} {
		if p := expect(t, call(t, h, "admin", "POST", "/v1/connections", body), http.StatusUnprocessableEntity, "field-invalid"); p.Pointer != pointer {
			t.Errorf("%s: pointer = %q, want %q", body, p.Pointer, pointer)
		}
	}
}

func TestDisconnecting(t *testing.T) {
	t.Parallel()
	for body, c := range map[string]struct {
		want connection.DisconnectPlan
		code string
	}{
		`{}`:                                   {connection.DisconnectPlan{}, ""},
		`{"reason":"closed","to":"other-bot"}`: {connection.DisconnectPlan{Reason: "closed", To: "other-bot"}, ""},
		`{"drain_for":"90m"}`:                  {connection.DisconnectPlan{DrainFor: 90 * time.Minute}, ""},
		`{"drain_for":"P1DT2H3M4S"}`:           {connection.DisconnectPlan{DrainFor: 26*time.Hour + 3*time.Minute + 4*time.Second}, ""},
		`{"drain_for":"P2W"}`:                  {connection.DisconnectPlan{DrainFor: 14 * 24 * time.Hour}, ""},
		`{"drain_for":null}`:                   {connection.DisconnectPlan{}, ""},
		`{"drain_for":"soon"}`:                 {code: "duration-invalid"},
		`{"drain_for":"-1h"}`:                  {code: "duration-invalid"},
		`{"drain_for":"P1M"}`:                  {code: "duration-invalid"},
		`{"drain_for":"PT"}`:                   {code: "duration-invalid"},
		`{"drain_for":"P"}`:                    {code: "duration-invalid"},
		`{"drain_for":"PT1M1H"}`:               {code: "duration-invalid"},
		`{"drain_for":"PT9999999999H"}`:        {code: "duration-invalid"},
		`{"drain_for":"P106751DT23H59M"}`:      {code: "duration-invalid"},
		`{"drain_for":"1h","to":"other-bot"}`:  {code: "disconnect-ambiguous"},
	} {
		h := serve(func(a *httpapi.API, _ *httpapi.Config) {
			a.Disconnect = func(_ context.Context, _ identity.Principal, id string, p connection.DisconnectPlan) (connection.State, error) {
				if p != c.want || id != "store-bot" {
					t.Errorf("%s: plan = %+v, want %+v", body, p, c.want)
				}
				return state(), nil
			}
		})
		w := call(t, h, "admin", "POST", "/v1/connections/store-bot/disconnect", body)
		if c.code == "" {
			expect(t, w, http.StatusOK, "")
		} else if p := expect(t, w, http.StatusUnprocessableEntity, c.code); p.Pointer != "/drain_for" {
			t.Errorf("%s: pointer = %q", body, p.Pointer)
		}
	}
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	h := serve(nil)
	at := "/v1/connections/store-bot/endpoints/desk"
	w := call(t, h, "admin", "PUT", at, `{"id":"desk","url":"https://desk.example"}`)
	expect(t, w, http.StatusOK, "")
	if !strings.Contains(w.Body.String(), `"id":"desk"`) || !strings.Contains(w.Body.String(), `"secret":"whsec_3"`) {
		t.Errorf("answer = %s", w.Body)
	}
	expect(t, call(t, h, "admin", "PUT", at, `{"id":"other","url":"https://desk.example"}`), http.StatusUnprocessableEntity, "endpoint-name-differs")
	expect(t, call(t, h, "admin", "DELETE", at, ""), http.StatusNoContent, "")
}

func TestSecretsAreRotatedWhereTheyBelong(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{"/v1/connections/store-bot/endpoints/desk/secret": "desk", "/v1/connections/store-bot/webhook-secret": ""} {
		h := serve(func(a *httpapi.API, _ *httpapi.Config) {
			a.RotateSecret = func(_ context.Context, _ identity.Principal, id, endpoint string) (string, error) {
				if id != "store-bot" || endpoint != want {
					t.Errorf("rotates %q of %q, want %q", endpoint, id, want)
				}
				return "whsec_4", nil
			}
		})
		expect(t, call(t, h, "admin", "POST", target, ""), http.StatusOK, "")
	}
}

func TestReports(t *testing.T) {
	t.Parallel()
	h := serve(nil)
	const at = "/v1/escalations/" + escalationID + "/status"
	for _, s := range []conversation.Status{conversation.Accepted, conversation.Failed, conversation.Completed} {
		w := call(t, h, "hub", "POST", at, `{"state":"`+string(s)+`","code":"c"}`)
		expect(t, w, http.StatusOK, "")
		if !strings.Contains(w.Body.String(), `"status":"`+string(s)+`"`) {
			t.Errorf("answer = %s", w.Body)
		}
	}
	for _, body := range []string{`{}`, `{"state":"expired"}`, `{"state":"raised"}`, `{"state":"Accepted"}`, `{"state":"` + strings.Repeat("é", 100) + `"}`} {
		if p := expect(t, call(t, h, "hub", "POST", at, body), http.StatusUnprocessableEntity, "state-unknown"); p.Pointer != "/state" {
			t.Errorf("pointer = %q", p.Pointer)
		}
	}
}

func TestContext(t *testing.T) {
	t.Parallel()
	for _, id := range []string{escalationID, strings.ToUpper(escalationID), "esc_7zz2"} {
		w := call(t, serve(nil), "hub", "GET", "/v1/escalations/"+id+"/context", "")
		expect(t, w, http.StatusOK, "")
		var got httpapi.EscalationContext
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if got.EscalationID != escalationID || got.Context == nil || got.ConversationID != "Kx81c" || string(got.Variables["order_total"]) != "380.0" || got.Timeline[1].Message == "" {
			t.Errorf("%s: context = %s", id, w.Body)
		}
	}
	erased := serve(func(a *httpapi.API, _ *httpapi.Config) {
		a.Context = func(context.Context, identity.Principal, string) (conversation.View, error) {
			return conversation.View{Erased: true}, nil
		}
	})
	expect(t, call(t, erased, "hub", "GET", "/v1/escalations/"+escalationID+"/context", ""), http.StatusGone, "context-erased")
}

func TestPages(t *testing.T) {
	t.Parallel()
	var got listing.EscalationQuery
	h := serve(func(a *httpapi.API, _ *httpapi.Config) {
		a.Escalations = func(_ context.Context, _ identity.Principal, q escalationQuery) (rows, string, error) {
			got = q
			return nil, "a b&c", nil
		}
	})
	w := call(t, h, "admin", "GET", "/v1/escalations?status=open&queue=general&connection=store-bot&id=esc_7&limit=500&cursor=x", "")
	want := listing.EscalationQuery{Page: listing.Page{Cursor: "x", Limit: 500}, Tenant: "default", Connection: "store-bot", Status: "open", Queue: "general", IDPrefix: "esc_7"}
	if got != want {
		t.Errorf("query = %+v, want %+v", got, want)
	}
	if got, want := w.Body.String(), `{"items":[],"next":"a b\u0026c"}`; got != want {
		t.Errorf("page = %s, want %s", got, want)
	}
	link := `<` + publicURL + `/v1/escalations?connection=store-bot&cursor=a+b%26c&id=esc_7&limit=500&queue=general&status=open>; rel="next"`
	if got := w.Header().Get("Link"); got != link {
		t.Errorf("Link = %s, want %s", got, link)
	}
	w = call(t, h, "admin", "GET", "/v1/connections/store-bot/escalations", "")
	if got.Connection != "store-bot" || !strings.HasPrefix(w.Header().Get("Link"), "<"+publicURL+"/v1/connections/store-bot/escalations?") {
		t.Errorf("query = %+v, Link = %s", got, w.Header().Get("Link"))
	}
	if w := call(t, serve(nil), "admin", "GET", "/v1/escalations", ""); w.Header().Get("Link") != "" || strings.Contains(w.Body.String(), `"next"`) {
		t.Errorf("the last page has a next: %s", w.Body)
	}
}

func TestNewKeys(t *testing.T) {
	t.Parallel()
	h := serve(nil)
	w := call(t, h, "admin", "POST", "/v1/keys", `{"role":"hub","valid_for":"P1D"}`)
	expect(t, w, http.StatusCreated, "")
	if !strings.Contains(w.Body.String(), `"token":"hk_`) || !strings.Contains(w.Body.String(), `"expires_at":"2026-11-23T09:10:12Z"`) {
		t.Errorf("answer = %s", w.Body)
	}
	if p := expect(t, call(t, h, "admin", "POST", "/v1/keys", `{"role":"root"}`), http.StatusUnprocessableEntity, "role-unknown"); p.Pointer != "/role" {
		t.Errorf("pointer = %q", p.Pointer)
	}
}

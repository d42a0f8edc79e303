package httpapi_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"handoff/domain/conversation"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/domain/intake"
	"handoff/infra/httpapi"
	"handoff/infra/standardwebhooks"
)

// body returns what a route is called with.
func body(t *testing.T, p httpapi.Place) (string, []string) {
	t.Helper()
	for _, s := range samples(t) {
		if s.method == p.Method && s.path == p.Path {
			return s.body(), []string{"Content-Type", s.media}
		}
	}
	return "", nil
}

func TestEveryRouteAdmitsItsRolesAndNobodyElse(t *testing.T) {
	t.Parallel()
	h := serve(nil)
	for _, p := range httpapi.Places(works()) {
		if p.Own {
			continue
		}
		t.Run(p.Method+" "+p.Path, func(t *testing.T) {
			t.Parallel()
			body, header := body(t, p)
			for caller, by := range principals() {
				w := call(t, h, caller, p.Method, target(p.Path), body, header...)
				switch may := p.Action == "" || by.Role.May(p.Action); {
				case p.Open || may && reaches(p, by):
					if w.Code >= http.StatusBadRequest {
						t.Errorf("%s gets %d, want success; body %s", caller, w.Code, w.Body)
					}
				case may:
					expect(t, w, http.StatusNotFound, codeOfMissing(p))
				default:
					expect(t, w, http.StatusForbidden, "not-allowed")
				}
			}
			for _, caller := range []string{"", "stranger"} {
				w := call(t, h, caller, p.Method, target(p.Path), body, header...)
				if !p.Open && (w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") == "") {
					t.Errorf("caller %q gets %d, want 401", caller, w.Code)
				}
			}
		})
	}
}

func reaches(p httpapi.Place, by identity.Principal) bool {
	if p.Tenant {
		return by.Connection == ""
	}
	return by.Connection == "" || by.Connection == "store-bot" || !strings.Contains(p.Path, "{connection}")
}

func codeOfMissing(p httpapi.Place) string {
	if strings.Contains(p.Path, "{connection}") {
		return "connection-not-found"
	}
	return "not-found"
}

func TestKeysAreReadStrictly(t *testing.T) {
	t.Parallel()
	token := identity.NewToken([5]byte{1}, [32]byte{2}).Reveal()
	for name, c := range map[string]struct {
		target, authorization, second string
		status                        int
		code                          string
	}{
		"the scheme in lower case":        {"/v1/whoami", "bearer admin", "", 200, ""},
		"another scheme":                  {"/v1/whoami", "Basic YTpi", "", 401, "credentials-unsupported"},
		"no scheme":                       {"/v1/whoami", "admin", "", 401, "credentials-unsupported"},
		"no key":                          {"/v1/whoami", "Bearer", "", 401, "key-invalid"},
		"two headers":                     {"/v1/whoami", "Bearer admin", "Bearer admin", 400, "credentials-ambiguous"},
		"a key in the URL":                {"/v1/whoami?key=admin", "", "", 400, "key-in-url"},
		"a key in the URL beside another": {"/v1/whoami?api_key=admin", "Bearer admin", "", 400, "key-in-url"},
		"a token under any name":          {"/v1/whoami?x=" + token, "Bearer admin", "", 400, "key-in-url"},
		"a key in the URL of an intake":   {"/v1/connections/store-bot/escalations?access_token=bot", "", "", 400, "key-in-url"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, c.target, nil)
			if c.authorization != "" {
				r.Header.Add("Authorization", c.authorization)
			}
			if c.second != "" {
				r.Header.Add("Authorization", c.second)
			}
			w := httptest.NewRecorder()
			serve(nil).ServeHTTP(w, r)
			expect(t, w, c.status, c.code)
			if strings.Contains(w.Body.String(), token) {
				t.Error("the answer repeats the key")
			}
		})
	}
}

func TestLimitedKeysSeeTheirConnectionOnly(t *testing.T) {
	t.Parallel()
	var asked []string
	h := serve(func(a *httpapi.API, _ *httpapi.Config) {
		list := a.Escalations
		a.Escalations = func(ctx context.Context, by identity.Principal, q escalationQuery) (rows, string, error) {
			asked = append(asked, q.Connection)
			return list(ctx, by, q)
		}
	})
	call(t, h, "narrow", "GET", "/v1/escalations", "")
	call(t, h, "narrow", "GET", "/v1/escalations?connection=store-bot", "")
	call(t, h, "admin", "GET", "/v1/escalations", "")
	if want := []string{"store-bot", "store-bot", ""}; !slices.Equal(asked, want) {
		t.Errorf("asked for %q, want %q", asked, want)
	}
	expect(t, call(t, h, "narrow", "GET", "/v1/escalations?connection=other-bot", ""), http.StatusNotFound, "connection-not-found")
	expect(t, call(t, h, "narrow", "GET", "/v1/deliveries?connection=other-bot", ""), http.StatusNotFound, "connection-not-found")
	if w := call(t, h, "narrow", "GET", "/v1/connections", ""); strings.Contains(w.Body.String(), "other-bot") {
		t.Errorf("the list shows another connection: %s", w.Body)
	}
}

// signing is a bot that signs.
type signing struct {
	secret standardwebhooks.Secret
	id     string
	at     time.Time
	body   string
	more   []string
}

func (s signing) send(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	header := append([]string{
		"webhook-id", s.id, "webhook-timestamp", strconv.FormatInt(s.at.Unix(), 10),
		"webhook-signature", standardwebhooks.Sign(s.secret, s.id, s.at, []byte(s.body)),
	}, s.more...)
	return call(t, h, "", "POST", path, s.body, header...)
}

func TestSignedHandOffs(t *testing.T) {
	t.Parallel()
	older, newer, strange := standardwebhooks.Generate(), standardwebhooks.Generate(), standardwebhooks.Generate()
	const path, said = "/v1/connections/store-bot/escalations", `{"conversation_id":"Kx81c"}`
	for name, c := range map[string]struct {
		signing
		path string
		want int
		code string
	}{
		"the newer secret":               {signing{newer, "msg_1", now(), said, nil}, path, 202, ""},
		"the older secret":               {signing{older, "msg_1", now(), said, nil}, path, 202, ""},
		"activities":                     {signing{newer, "msg_1", now(), `{"activities":[]}`, nil}, "/v1/connections/store-bot/activities", 200, ""},
		"a tenant of its own":            {signing{newer, "msg_1", now(), said, []string{"Handoff-Tenant", "acme"}}, path, 202, ""},
		"another tenant":                 {signing{newer, "msg_1", now(), said, []string{"Handoff-Tenant", "other"}}, path, 401, "signature-invalid"},
		"another secret":                 {signing{strange, "msg_1", now(), said, nil}, path, 401, "signature-invalid"},
		"another connection":             {signing{newer, "msg_1", now(), said, nil}, "/v1/connections/other-bot/escalations", 401, "signature-invalid"},
		"a name that nothing can have":   {signing{newer, "msg_1", now(), said, nil}, "/v1/connections/Store_Bot/escalations", 401, "signature-invalid"},
		"within the window":              {signing{newer, "msg_1", now().Add(-5 * time.Minute), said, nil}, path, 202, ""},
		"too old, a replay":              {signing{newer, "msg_1", now().Add(-5*time.Minute - time.Second), said, nil}, path, 401, "timestamp-outside-window"},
		"from the future":                {signing{newer, "msg_1", now().Add(5*time.Minute + time.Second), said, nil}, path, 401, "timestamp-outside-window"},
		"a body that is no JSON, forged": {signing{strange, "msg_1", now(), `{`, nil}, path, 401, "signature-invalid"},
		"a body that is no JSON, signed": {signing{newer, "msg_1", now(), `{`, nil}, path, 400, "json-invalid"},
		"a key beside the signature":     {signing{newer, "msg_1", now(), said, []string{"Authorization", "Bearer bot"}}, path, 400, "credentials-ambiguous"},
		"no id":                          {signing{newer, "", now(), said, nil}, path, 401, "signature-missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := serve(func(a *httpapi.API, cfg *httpapi.Config) {
				cfg.WebhookSecrets = func(_ context.Context, tenant, conn string) ([]standardwebhooks.Secret, error) {
					if conn != "store-bot" || tenant != "default" && tenant != "acme" {
						return noSecrets(t.Context(), tenant, conn)
					}
					return []standardwebhooks.Secret{newer, older}, nil
				}
				raise := a.Raise
				a.Raise = func(ctx context.Context, by identity.Principal, conn string, x intake.HandOff, r httpapi.Request) (conversation.Answer, error) {
					if by.ID != "webhook:store-bot" || by.Role != identity.Bot || by.Connection != "store-bot" || r.Key != "msg_1" || r.Strict {
						t.Errorf("raised by %+v as %+v", by, r)
					}
					return raise(ctx, by, conn, x, r)
				}
			})
			expect(t, c.send(t, h, c.path), c.want, c.code)
		})
	}
}

func TestSignaturesAreForIntakeOnly(t *testing.T) {
	t.Parallel()
	s := signing{secret: standardwebhooks.Generate(), id: "msg_1", at: now(), body: `{"state":"accepted"}`}
	expect(t, s.send(t, serve(nil), "/v1/escalations/"+escalationID+"/status"), http.StatusUnauthorized, "credentials-missing")
}

func TestSecretsThatCannotBeReadAreOurFault(t *testing.T) {
	t.Parallel()
	h := serve(func(_ *httpapi.API, c *httpapi.Config) {
		c.WebhookSecrets = func(context.Context, string, string) ([]standardwebhooks.Secret, error) {
			return nil, fault.New(fault.Unavailable, "keyring-closed", "The keys can't be read just now.")
		}
	})
	s := signing{secret: standardwebhooks.Generate(), id: "msg_1", at: now(), body: `{}`}
	expect(t, s.send(t, h, "/v1/connections/store-bot/escalations"), http.StatusServiceUnavailable, "keyring-closed")
}

func TestAKeyIsCheckedBeforeTheBodyIsRead(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/connections/store-bot/escalations", unread{t})
	r.Header.Set("Authorization", "Bearer stranger")
	w := httptest.NewRecorder()
	serve(nil).ServeHTTP(w, r)
	expect(t, w, http.StatusUnauthorized, "key-invalid")
}

// unread is a body that must not be read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, http.ErrBodyReadAfterClose
}

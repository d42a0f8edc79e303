package entra_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/entra"
	"handoff/infra/microsoft/entra/controlplane"
	"handoff/infra/microsoft/entra/controlplane/controlplanetest"
)

const (
	tenantID = "7e7e7e7e-0000-4000-8000-000000000001"
	appID    = "a0000000-0000-4000-8000-00000000000a"
	secret   = "q7Z8Q~abcdefghijklmnopqrstuvwxyz0123456"
)

var good = entra.Credentials{Tenant: tenantID, ClientID: "{" + strings.ToUpper(appID) + "}", Secret: secret + "\n"}

const form = "client_id=" + appID + "&client_secret=" + secret + "&grant_type=client_credentials&scope=" + entra.ScopeGraph

// login is a request for a token and its answer.
func login(status int, answer string) controlplanetest.Step {
	return controlplanetest.Step{
		Want: "POST /" + tenantID + "/oauth2/v2.0/token", Body: form, Header: map[string]string{"Authorization": ""},
		Status: status, Answer: answer,
	}
}

func token(name string, seconds int) controlplanetest.Step {
	return login(http.StatusOK, fmt.Sprintf(`{"token_type":"Bearer","expires_in":%d,"ext_expires_in":%d,"access_token":%q}`, seconds, seconds, name))
}

func source(t *testing.T, script ...controlplanetest.Step) *entra.Source {
	t.Helper()
	s, err := entra.NewSource(controlplane.Options{Base: entra.Authority, HTTP: controlplanetest.Client(t, script...), Now: time.Now}, good, entra.ScopeGraph)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustToken(t *testing.T, s *entra.Source, want string) {
	t.Helper()
	if got, err := s.Token(t.Context()); got != want || err != nil {
		t.Errorf("token = %q, %v, want %q", got, err, want)
	}
}

func TestATokenIsKeptUntilFiveMinutesBeforeItsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := source(t, token("one", 3600), token("two", 3600))
		mustToken(t, s, "one")
		time.Sleep(55*time.Minute - time.Nanosecond)
		mustToken(t, s, "one")
		time.Sleep(time.Nanosecond)
		mustToken(t, s, "two")
	})
}

func TestOneRequestServesAllWhoWait(t *testing.T) {
	t.Parallel()
	slow := login(http.StatusTooManyRequests, "")
	slow.Set = map[string]string{"Retry-After": "5"}
	for sentence, c := range map[string]struct {
		script []controlplanetest.Step
		want   string
		code   string
	}{
		"with a token":  {[]controlplanetest.Step{slow, token("one", 3600)}, "one", ""},
		"with an error": {[]controlplanetest.Step{slow, login(http.StatusUnauthorized, `{"error":"invalid_client"}`)}, "", "entra-secret-refused"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := source(t, c.script...)
				for range 20 {
					go func() {
						got, err := s.Token(t.Context())
						if got != c.want || c.code != "" && !fault.Is(err, c.code) {
							t.Errorf("token = %q, %v", got, err)
						}
					}()
				}
				time.Sleep(time.Minute)
			})
		})
	}
}

func TestWhoGivesUpTakesNobodyAlong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := login(http.StatusTooManyRequests, "")
		slow.Set = map[string]string{"Retry-After": "5"}
		s := source(t, slow, token("one", 3600))
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			if _, err := s.Token(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("err = %v", err)
			}
		}()
		synctest.Wait() // it waits out the five seconds
		go mustToken(t, s, "one")
		synctest.Wait()
		cancel()
		time.Sleep(time.Minute)
	})
}

func TestARejectedTokenIsAskedForAgainOnce(t *testing.T) {
	t.Parallel()
	s := source(t, token("one", 3600), token("two", 3600))
	mustToken(t, s, "one")
	for range 2 { // both were rejected with the first one
		if got, err := s.Renew(t.Context(), "one"); got != "two" || err != nil {
			t.Errorf("renewed = %q, %v", got, err)
		}
	}
	mustToken(t, s, "two")
}

func TestRefusedTokens(t *testing.T) {
	t.Parallel()
	const described = `"error_description":"AADSTS7000215: Invalid client secret provided for app 'Store bot of Jan'.","correlation_id":"c-1"`
	for sentence, c := range map[string]struct {
		status       int
		answer       string
		code, detail string
		permanent    bool
	}{
		"a wrong or expired secret":        {401, `{"error":"invalid_client",` + described + `}`, "entra-secret-refused", "AADSTS7000215", true},
		"the same with another status":     {400, `{"error":"invalid_client",` + described + `}`, "entra-secret-refused", "AADSTS7000215", true},
		"a refusal without a description":  {401, `{"error":"invalid_client"}`, "entra-secret-refused", "no number", true},
		"an application of another tenant": {400, `{"error":"unauthorized_client","error_description":"AADSTS700016: x"}`, "entra-application-unknown", "AADSTS700016", true},
		"a tenant that does not exist":     {400, `{"error":"invalid_request","error_description":"AADSTS90002: x"}`, "entra-tenant-unknown", "AADSTS90002", true},
		"an organisation elsewhere":        {400, `{"error":"invalid_resource","error_description":"AADSTS500011: x"}`, "entra-resource-unknown", "AADSTS500011", true},
		"a scope that is none":             {400, `{"error":"invalid_scope"}`, "entra-resource-unknown", "", true},
		"something new":                    {403, `{"error":"interaction_required"}`, "entra-token-refused", "403", true},
		"a page of some proxy":             {403, `<html>`, "entra-token-refused", "403", true},
		"a success that has no token":      {200, `{}`, "entra-unavailable", "", false},
		"a token that would break headers": {200, `{"token_type":"Bearer","access_token":"a\r\nb","expires_in":1}`, "entra-unavailable", "", false},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			_, err := source(t, login(c.status, c.answer)).Token(t.Context())
			f := fault.Of(err)
			if f == nil || f.Code != c.code || !strings.Contains(f.Detail, c.detail) || f.Kind.Permanent() != c.permanent {
				t.Fatalf("err = %v, want %s", err, c.code)
			}
			if text := err.Error(); strings.Contains(text, secret) || strings.Contains(text, "Jan") {
				t.Errorf("the error says too much: %v", err)
			}
		})
	}
}

func TestCredentialsInWrongFields(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		credentials entra.Credentials
		code        string
	}{
		"the secret as the application's id":  {entra.Credentials{Tenant: tenantID, ClientID: secret, Secret: secret}, "entra-client-id-invalid"},
		"the secret as the tenant":            {entra.Credentials{Tenant: secret, ClientID: appID, Secret: secret}, "entra-tenant-invalid"},
		"the secret's id as its value":        {entra.Credentials{Tenant: tenantID, ClientID: appID, Secret: appID}, "entra-secret-invalid"},
		"no secret":                           {entra.Credentials{Tenant: tenantID, ClientID: appID, Secret: " "}, "entra-secret-invalid"},
		"no tenant in particular":             {entra.Credentials{Tenant: "common", ClientID: appID, Secret: secret}, "entra-tenant-invalid"},
		"a path as the tenant":                {entra.Credentials{Tenant: "a.example/../b.example", ClientID: appID, Secret: secret}, "entra-tenant-invalid"},
		"the tenant's domain":                 {entra.Credentials{Tenant: " Contoso.onmicrosoft.com", ClientID: appID, Secret: secret}, ""},
		"the tenant of multi-tenant bots":     {entra.Credentials{Tenant: entra.TenantBotFramework, ClientID: appID, Secret: secret}, ""},
		"a tenant's id in braces, upper case": {entra.Credentials{Tenant: "{" + strings.ToUpper(tenantID) + "}", ClientID: appID, Secret: secret}, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			_, err := entra.NewSource(controlplane.Options{Base: entra.Authority, HTTP: controlplanetest.Client(t), Now: time.Now}, c.credentials, entra.ScopeGraph)
			if c.code == "" && err != nil || c.code != "" && !fault.Is(err, c.code) {
				t.Fatalf("err = %v, want %q", err, c.code)
			}
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("the error repeats the secret: %v", err)
			}
		})
	}
}

func TestNationalCloudsAreRefused(t *testing.T) {
	t.Parallel()
	_, err := entra.NewSource(controlplane.Options{Base: "https://login.microsoftonline.us", HTTP: controlplanetest.Client(t), Now: time.Now}, good, entra.ScopeGraph)
	if !fault.Is(err, "national-cloud-unsupported") {
		t.Errorf("err = %v", err)
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	s := source(t)
	marshalled, err := json.Marshal(good)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(good), fmt.Sprintf("%+v %#v", good, good), fmt.Sprintf("%+v", s), string(marshalled), good.Secret.LogValue().String()} {
		if strings.Contains(text, secret) {
			t.Errorf("%s", text)
		}
	}
}

func TestANewSecretIsWaitedFor(t *testing.T) {
	t.Parallel()
	early := login(http.StatusUnauthorized, `{"error":"invalid_client","error_description":"AADSTS7000215: x"}`)
	unknown := login(http.StatusBadRequest, `{"error":"unauthorized_client"}`)
	for sentence, c := range map[string]struct {
		script []controlplanetest.Step
		took   time.Duration
		code   string
	}{
		"some seconds":                    {[]controlplanetest.Step{unknown, early, token("one", 3600)}, 1500 * time.Millisecond, ""},
		"half a minute, and then later":   {[]controlplanetest.Step{early, early, early, early, early, early, early}, 31500 * time.Millisecond, "entra-application-not-visible"},
		"but not where something else is": {[]controlplanetest.Step{login(http.StatusBadRequest, `{"error":"invalid_scope"}`)}, 0, "entra-resource-unknown"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				err := source(t, c.script...).Await(t.Context())
				if c.code == "" && err != nil || c.code != "" && !fault.Is(err, c.code) || time.Since(start) != c.took {
					t.Errorf("after %v: %v", time.Since(start), err)
				}
			})
		})
	}
}

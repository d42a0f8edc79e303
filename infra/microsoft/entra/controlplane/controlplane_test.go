package controlplane_test

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/entra/controlplane"
	"handoff/infra/microsoft/entra/controlplane/controlplanetest"
)

var api = controlplane.API{Name: "The Registry", Code: "registry", Deny: "Grant Things.Read."}

func client(t *testing.T, script ...controlplanetest.Step) *controlplane.Client {
	t.Helper()
	c, err := controlplane.New(api, controlplane.Options{Base: "https://registry.example/v1/", HTTP: controlplanetest.Client(t, script...), Tokens: controlplanetest.Tokens{}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var get = controlplane.Request{Method: http.MethodGet, Path: "/things"}

func TestDo(t *testing.T) {
	t.Parallel()
	c := client(t, controlplanetest.Step{
		Want:   "POST /v1/things?$filter=name eq 'a+b & c'&x=1",
		Body:   `{"name":"a"}`,
		Header: map[string]string{"Content-Type": "application/json; charset=utf-8", "Accept": "application/json", "Prefer": "all"},
		Status: http.StatusCreated, Answer: `{"NAME":"a"}`,
	})
	a, err := c.Do(t.Context(), controlplane.Request{
		Method: http.MethodPost, Path: "/things", Query: url.Values{"$filter": {"name eq 'a+b & c'"}, "x": {"1"}},
		Header: http.Header{"Prefer": {"all"}}, JSON: map[string]any{"name": "a"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var v struct{ Name string }
	if err := a.Decode(&v); err != nil || v.Name != "a" || a.Status != http.StatusCreated {
		t.Errorf("answer = %+v, %v, %v", a, v, err)
	}
}

func TestARejectedTokenIsRenewedOnce(t *testing.T) {
	t.Parallel()
	refused := `{"error":{"code":"InvalidAuthenticationToken","message":"expired"}}`
	second := map[string]string{"Authorization": "Bearer token-2"}
	c := client(t,
		controlplanetest.Step{Want: "GET /v1/things", Status: http.StatusUnauthorized, Answer: refused},
		controlplanetest.Step{Want: "GET /v1/things", Header: second},
		controlplanetest.Step{Want: "GET /v1/things", Status: http.StatusUnauthorized, Answer: refused},
		controlplanetest.Step{Want: "GET /v1/things", Header: second, Status: http.StatusUnauthorized, Answer: refused},
	)
	if _, err := c.Do(t.Context(), get); err != nil {
		t.Errorf("with a new token: %v", err)
	}
	if _, err := c.Do(t.Context(), get); !fault.Is(err, "registry-token-refused") {
		t.Errorf("with a new token that is rejected too: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	const personal = "jan.bakker@example.com"
	for sentence, c := range map[string]struct {
		status       int
		answer       string
		kind         fault.Kind
		code, detail string
	}{
		"a missing permission says which to grant": {403, `{"error":{"code":"Denied","message":"x ` + personal + `"}}`, fault.Unprocessable, "registry-permission-missing", "(Denied). Grant Things.Read."},
		"a missing privilege is named":             {403, `{"error":{"code":"0x80040220","message":"Principal user (Id=1, ` + personal + `), is missing prvReadbot privilege (Id=2)"}}`, fault.Unprocessable, "registry-permission-missing", "(prvReadbot)"},
		"a thing that is not there":                {404, `{"error":{"code":"Gone","message":"` + personal + `"}}`, fault.NotFound, "registry-not-found", "(Gone)"},
		"a conflict":                               {409, `{"error":{"code":"Taken","message":"` + personal + `"}}`, fault.Conflict, "registry-conflict", "(Taken)"},
		"a precondition":                           {412, ``, fault.Conflict, "registry-conflict", ""},
		"a request that does not fit":              {400, `{"error":{"code":"Bad","message":"no property x"}}`, fault.Unprocessable, "registry-request-refused", "400 Bad"},
		"a request that is too large":              {413, ``, fault.TooLarge, "registry-request-too-large", ""},
		"an operation that is not there":           {501, ``, fault.Unprocessable, "registry-request-refused", ""},
		"a page of some proxy":                     {403, `<html>` + personal, fault.Unprocessable, "registry-permission-missing", ""},
		"another form of error":                    {409, `{"error":"taken"}`, fault.Conflict, "registry-conflict", ""},
		"a redirect is not followed":               {302, ``, fault.Unprocessable, "registry-request-refused", "302"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			_, err := client(t, controlplanetest.Step{
				Want: "GET /v1/things", Status: c.status, Answer: c.answer,
				Set: map[string]string{"X-Ms-Request-Id": "r-1", "Location": "https://elsewhere.example/"},
			}).Do(t.Context(), get)
			f := fault.Of(err)
			if f == nil || f.Kind != c.kind || f.Code != c.code || !strings.Contains(f.Detail, c.detail) {
				t.Fatalf("err = %v, want %s %s with %q", err, c.kind, c.code, c.detail)
			}
			if strings.Contains(err.Error(), personal) {
				t.Errorf("the error repeats the message: %v", err)
			}
			if r := controlplane.Refused(err); r.Status != c.status || r.RequestID != "r-1" {
				t.Errorf("refusal = %+v", r)
			}
		})
	}
}

func TestRepeats(t *testing.T) {
	t.Parallel()
	ok := controlplanetest.Step{Want: "GET /v1/things"}
	busy := controlplanetest.Step{Want: "GET /v1/things", Status: http.StatusTooManyRequests, Set: map[string]string{"Retry-After": "7"}}
	down := controlplanetest.Step{Want: "GET /v1/things", Status: http.StatusServiceUnavailable}
	broken := controlplanetest.Step{Want: "GET /v1/things", Broken: true}
	post := func(s controlplanetest.Step) controlplanetest.Step { s.Want = "POST /v1/things"; return s }
	for sentence, c := range map[string]struct {
		script     []controlplanetest.Step
		method     string
		repeatable bool
		within     time.Duration
		code       string
		took       time.Duration
		retryAfter time.Duration
	}{
		"a throttled call waits as long as it was told":      {script: []controlplanetest.Step{busy, ok}, took: 7 * time.Second},
		"also a POST, for it was not carried out":            {script: []controlplanetest.Step{post(busy), post(ok)}, method: http.MethodPost, took: 7 * time.Second},
		"it does not wait beyond its deadline":               {script: []controlplanetest.Step{busy}, within: 6 * time.Second, code: "registry-throttled", retryAfter: 7 * time.Second},
		"a service that is down is asked again":              {script: []controlplanetest.Step{down, down, ok}, took: 1500 * time.Millisecond},
		"but not for ever":                                   {script: []controlplanetest.Step{down, down, down, down, down}, code: "registry-unavailable", took: 7500 * time.Millisecond},
		"a connection that broke is made again":              {script: []controlplanetest.Step{broken, ok}, took: 500 * time.Millisecond},
		"a POST that may have been carried out is not":       {script: []controlplanetest.Step{post(broken)}, method: http.MethodPost, code: "registry-unavailable"},
		"nor one after a failure of the service":             {script: []controlplanetest.Step{post(down)}, method: http.MethodPost, code: "registry-unavailable"},
		"unless it does no harm":                             {script: []controlplanetest.Step{post(broken), post(ok)}, method: http.MethodPost, repeatable: true, took: 500 * time.Millisecond},
		"a refusal is not repeated":                          {script: []controlplanetest.Step{{Want: "GET /v1/things", Status: 404}}, code: "registry-not-found"},
		"an answer that is too large is not read to its end": {script: []controlplanetest.Step{{Want: "GET /v1/things", Answer: strings.Repeat("x", controlplane.MaxAnswer+1)}}, code: "registry-answer-too-large"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), cmp.Or(c.within, time.Hour))
				defer cancel()
				r := controlplane.Request{Method: http.MethodGet, Path: "/things", Repeatable: c.repeatable}
				if c.method != "" {
					r.Method = c.method
				}
				start := time.Now()
				_, err := client(t, c.script...).Do(ctx, r)
				if c.code == "" && err != nil || c.code != "" && !fault.Is(err, c.code) {
					t.Fatalf("err = %v, want %q", err, c.code)
				}
				if took := time.Since(start); took != c.took {
					t.Errorf("it took %v, want %v", took, c.took)
				}
				if f := fault.Of(err); f != nil && f.RetryAfter != c.retryAfter {
					t.Errorf("retry after = %v, want %v", f.RetryAfter, c.retryAfter)
				}
			})
		})
	}
}

// Under pressure that goes on a service makes its times longer, so nobody calls
// before the time it named.
func TestNoCallGoesOutBeforeTheTimeThatWasNamed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := client(t,
			controlplanetest.Step{Want: "GET /v1/things", Status: http.StatusTooManyRequests, Set: map[string]string{"Retry-After": "60"}},
			controlplanetest.Step{Want: "GET /v1/things"},
		)
		_, first := c.Do(t.Context(), get)
		time.Sleep(20 * time.Second)
		_, second := c.Do(t.Context(), get)
		for want, err := range map[time.Duration]error{60 * time.Second: first, 40 * time.Second: second} {
			if f := fault.Of(err); f == nil || f.Kind != fault.Unavailable || f.Code != "registry-throttled" || f.RetryAfter != want {
				t.Errorf("err = %v, want throttled for %v", err, want)
			}
		}
		time.Sleep(15 * time.Second)
		start := time.Now()
		if _, err := c.Do(t.Context(), get); err != nil || time.Since(start) != 25*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

func TestACallerWhoGivesUpIsToldSo(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := client(t, controlplanetest.Step{Want: "GET /v1/things"}).Do(ctx, get)
	if !errors.Is(err, context.Canceled) || fault.Of(err) != nil {
		t.Errorf("err = %v", err)
	}
}

func TestNoTokenLeavesForAnotherHost(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the redirect was followed")
	}))
	t.Cleanup(elsewhere.Close)
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	t.Cleanup(server.Close)
	c, err := controlplane.New(api, controlplane.Options{Base: server.URL, HTTP: server.Client(), Tokens: controlplanetest.Tokens{}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Do(t.Context(), get); !fault.Is(err, "registry-request-refused") {
		t.Errorf("err = %v", err)
	}
}

func TestNewRefusesNationalClouds(t *testing.T) {
	t.Parallel()
	_, err := controlplane.New(api, controlplane.Options{Base: "https://store.crm.dynamics.cn", HTTP: http.DefaultClient, Now: time.Now})
	if !fault.Is(err, "national-cloud-unsupported") {
		t.Errorf("err = %v", err)
	}
}

package apiclient_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/infra/apiclient"
	"handoff/infra/httpapi"
)

func TestRefusalsComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]*fault.Error{
		"a conflict":      fault.New(fault.Conflict, "connection-disconnected", "It is disconnected."),
		"a field":         fault.New(fault.Unprocessable, "limit-exceeded", "Too long.").At("/topic"),
		"too much":        {Kind: fault.RateLimited, Code: "too-many", Detail: "Slow down.", RetryAfter: 7 * time.Second},
		"many findings":   {Kind: fault.Unprocessable, Code: "rules-invalid", Detail: "Two.", Problems: []fault.Problem{{Rule: "a", Line: 2, Column: 3, Detail: "x"}, {Detail: "y"}}},
		"rules changed":   fault.New(fault.Conflict, "rules-changed", "Somebody else changed them."),
		"nothing is told": {Kind: fault.Internal, Code: "internal", Detail: "It was recorded. Quote the trace when you report it."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := connect(t, httpapi.API{Connection: func(context.Context, identity.Principal, string) (connection.State, error) {
				return connection.State{}, fmt.Errorf("somewhere: %w", want)
			}})
			_, err := c.Connection(t.Context(), "store-bot")
			got := fault.Of(err)
			if got == nil || got.Err == nil || !strings.HasPrefix(got.Err.Error(), "request req_") {
				t.Fatalf("error = %v, want one that names the request", err)
			}
			same(t, "fault", got.Because(nil), want, nil)
		})
	}
}

func TestServersThatAreNotHandoff(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		kind    fault.Kind
		code    string
	}{
		"a proxy in the way": {func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "<h1>Bad gateway</h1>", http.StatusBadGateway)
		}, fault.Unavailable, "answer-not-understood"},
		"a problem without a code": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusTeapot)
		}, fault.Invalid, "answer-not-understood"},
		"an answer that is no JSON": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }, fault.Internal, "internal"},
		"a connection that breaks":  {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, fault.Unavailable, "server-unreachable"},
		"an answer that breaks": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("{"))
		}, fault.Unavailable, "answer-broken-off"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := open(t, c.handler).WhoAmI(t.Context())
			if err == nil || fault.KindOf(err) != c.kind || fault.CodeOf(err) != c.code || strings.Contains(err.Error(), key) {
				t.Errorf("error = %v, want %v %q", err, c.kind, c.code)
			}
		})
	}
}

func TestTheKeyStaysWithItsServer(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("another server got %v", r.Header)
	}))
	t.Cleanup(other.Close)
	c := open(t, func() http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		}
	}())
	if _, err := c.WhoAmI(t.Context()); !fault.Is(err, "answer-not-understood") {
		t.Errorf("error = %v", err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if s := fmt.Sprintf(verb, c) + fmt.Sprintf(verb, *c); strings.Contains(s, key) {
			t.Errorf("%s prints the key: %s", verb, s)
		}
	}
}

func TestWaitingEnds(t *testing.T) {
	t.Parallel()
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for name, c := range map[string]struct {
		end  func(ctx context.Context) (context.Context, context.CancelFunc)
		code string
		is   error
	}{
		"by a deadline": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithDeadline(ctx, time.Unix(1, 0))
		}, "server-timeout", nil},
		"by the caller": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx, cancel
		}, "internal", context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := c.end(t.Context())
			defer cancel()
			_, err := open(t, http.HandlerFunc(hang)).WhoAmI(ctx)
			if fault.CodeOf(err) != c.code || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("error = %v, want %q", err, c.code)
			}
		})
	}
}

func TestAddressesAndKeys(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ url, key, code string }{
		"an address":           {"https://handoff.example/base/", "hk_a", ""},
		"no key":               {"http://127.0.0.1:8080", "", ""},
		"no scheme":            {"127.0.0.1:8080", "hk_a", "url-invalid"},
		"another scheme":       {"ftp://handoff.example", "hk_a", "url-invalid"},
		"no host":              {"http://", "hk_a", "url-invalid"},
		"a password":           {"http://a:hk_secret@handoff.example", "hk_a", "url-invalid"},
		"a query":              {"http://handoff.example?key=hk_secret", "hk_a", "url-invalid"},
		"a key with a newline": {"http://handoff.example", "hk_secret\n", "key-invalid"},
		"a key with a space":   {"http://handoff.example", "hk_secret x", "key-invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, err := apiclient.New(c.url, c.key)
			if c.code != "" {
				if !fault.Is(err, c.code) || strings.Contains(err.Error(), "secret") {
					t.Errorf("error = %v, want %q", err, c.code)
				}
				return
			}
			same(t, "url", client.URL(), strings.TrimSuffix(c.url, "/"), err)
		})
	}
}

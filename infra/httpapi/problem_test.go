package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"handoff/domain/conversation"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/infra/httpapi"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestProblems(t *testing.T) {
	t.Parallel()
	later := fault.New(fault.RateLimited, "too-many", "Slow down.")
	later.RetryAfter = 1500 * time.Millisecond
	rules := fault.New(fault.Unprocessable, "rules-invalid", "The rules have 2 problems.").At("/rules")
	rules.Problems = []fault.Problem{{Rule: "big refunds", Line: 7, Column: 3, Detail: "There is no queue seniors."}, {Pointer: "/x", Detail: "Unknown."}}
	for name, c := range map[string]struct {
		err    error
		status int
		header string // "Name: value"
	}{
		"internal":        {errors.New("open /var/lib/handoff/keys.db: permission denied"), 500, ""},
		"internal-coded":  {fault.New(fault.Internal, "secret-code", "Secret detail."), 500, ""},
		"invalid":         {fault.New(fault.Invalid, "json-invalid", "It is no JSON."), 400, ""},
		"unprocessable":   {rules, 422, ""},
		"unauthenticated": {fault.New(fault.Unauthenticated, "key-invalid", "The key is not valid."), 401, `Www-Authenticate: Bearer realm="handoff"`},
		"forbidden":       {fault.New(fault.Forbidden, "not-allowed", "This key may not."), 403, ""},
		"not-found":       {fmt.Errorf("find: %w", fault.New(fault.NotFound, "connection-not-found", "There is none.").Because(errors.New("secret cause"))), 404, ""},
		"conflict":        {fault.New(fault.Conflict, "connection-disconnected", "It is disconnected."), 409, ""},
		"rules-changed":   {fault.New(fault.Conflict, "rules-changed", "Somebody else changed them."), 412, ""},
		"gone":            {fault.New(fault.Gone, "context-erased", "It was erased."), 410, ""},
		"too-large":       {fault.New(fault.TooLarge, "body-too-large", "Too large."), 413, "Connection: close"},
		"unsupported":     {fault.New(fault.Unsupported, "media-type-unsupported", "Send JSON."), 415, ""},
		"rate-limited":    {later, 429, "Retry-After: 2"},
		"unavailable":     {fault.New(fault.Unavailable, "", "Later."), 503, "Retry-After: 5"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Two operations, for none is documented to answer with every status.
			h := serve(func(a *httpapi.API, _ *httpapi.Config) {
				a.AdoptRules = func(context.Context, identity.Principal, string, []byte, string) (string, error) { return "", c.err }
				a.Context = func(context.Context, identity.Principal, string) (conversation.View, error) {
					return conversation.View{}, c.err
				}
			})
			method, target := "PUT", "/v1/connections/store-bot/rules"
			if c.status == http.StatusGone {
				method, target = "GET", "/v1/escalations/"+escalationID+"/context"
			}
			w := call(t, h, "admin", method, target, "", "Content-Type", "application/yaml")
			if w.Code != c.status {
				t.Errorf("status = %d, want %d", w.Code, c.status)
			}
			if field, want, ok := strings.Cut(c.header, ": "); ok && w.Header().Get(field) != want {
				t.Errorf("%s = %q, want %q", field, w.Header().Get(field), want)
			}
			if strings.Contains(strings.ToLower(w.Body.String()), "secret") {
				t.Errorf("the answer tells a cause: %s", w.Body)
			}
			golden(t, name, w.Body.Bytes(), w.Header().Get(httpapi.HeaderRequestID))
		})
	}
}

// golden compares a problem with its file; what differs each time is masked.
func golden(t *testing.T, name string, got []byte, trace string) {
	t.Helper()
	var indented bytes.Buffer
	if err := json.Indent(&indented, bytes.ReplaceAll(got, []byte(trace), []byte("req_TRACE")), "", "  "); err != nil {
		t.Fatal(err)
	}
	indented.WriteByte('\n')
	file := filepath.Join("testdata", "problem."+name+".json")
	if *update {
		if err := os.WriteFile(file, indented.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(indented.Bytes(), want) {
		t.Errorf("problem =\n%s\nwant\n%s", indented.Bytes(), want)
	}
}

func TestProblemsBecomeFaultsAgain(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]fault.Kind{
		400: fault.Invalid, 401: fault.Unauthenticated, 403: fault.Forbidden, 404: fault.NotFound, 405: fault.Invalid, 409: fault.Conflict,
		410: fault.Gone, 412: fault.Conflict, 413: fault.TooLarge, 415: fault.Unsupported, 422: fault.Unprocessable, 429: fault.RateLimited,
		500: fault.Internal, 501: fault.Internal, 502: fault.Unavailable, 503: fault.Unavailable, 504: fault.Unavailable,
	} {
		f := httpapi.Problem{Status: status, Code: "a-code", Detail: "Why.", Pointer: "/x"}.Fault()
		if f.Kind != want || f.Code != "a-code" || f.Detail != "Why." || f.Pointer != "/x" {
			t.Errorf("%d becomes %+v, want kind %v", status, f, want)
		}
	}
}

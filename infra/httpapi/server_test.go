package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"handoff/domain/connection"
	"handoff/domain/identity"
	"handoff/infra/httpapi"
)

func TestMethodsThatDoNotFit(t *testing.T) {
	t.Parallel()
	h := serve(nil)
	allow := make(map[string][]string)
	for _, p := range httpapi.Places(works()) {
		allow[p.Path] = append(allow[p.Path], p.Method)
	}
	for path, methods := range allow {
		for _, m := range []string{"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"} {
			if slices.Contains(methods, m) {
				continue
			}
			w := call(t, h, "admin", m, target(path), "")
			expect(t, w, http.StatusMethodNotAllowed, "method-not-allowed")
			for _, m := range methods {
				if !strings.Contains(w.Header().Get("Allow"), m) {
					t.Errorf("%s: Allow = %q lacks %s", path, w.Header().Get("Allow"), m)
				}
			}
		}
	}
}

func TestPathsThatLeadNowhere(t *testing.T) {
	t.Parallel()
	var reached []string
	h := serve(func(a *httpapi.API, _ *httpapi.Config) {
		a.Connection = func(_ context.Context, _ identity.Principal, id string) (connection.State, error) {
			reached = append(reached, id)
			return state(), nil
		}
	})
	for target, code := range map[string]string{
		"/": "not-found", "/v1": "not-found", "/v1/nothing": "not-found", "/v1/connections/": "not-found",
		"/v1//connections": "not-found", "/v1/connections/../keys": "not-found", "/v1/./connections": "not-found",
		"/v1/connections/%2e%2e": "connection-not-found", "/v1/connections/..%2fkeys": "connection-not-found",
		"/v1/connections/a%2Fb": "connection-not-found", "/v1/connections/a%00b": "connection-not-found",
		"/v1/connections/A": "connection-not-found", "/v1/connections/" + strings.Repeat("a", 65): "connection-not-found",
		"/v1/connections/a%0d%0aX:y": "connection-not-found", "/v1/connections/caf%C3%A9": "connection-not-found",
		"/v1/escalations/..%2f..%2fkeys": "escalation-not-found", "/v1/escalations/" + strings.Repeat("e", 257): "escalation-not-found",
		"/v1/deliveries/a%20b": "delivery-not-found",
	} {
		expect(t, call(t, h, "admin", "GET", target, ""), http.StatusNotFound, code)
	}
	expect(t, call(t, h, "admin", "DELETE", "/v1/keys/%2e%2e%2f", ""), http.StatusNotFound, "key-not-found")
	expect(t, call(t, h, "admin", "DELETE", "/v1/connections/store-bot/endpoints/..", ""), http.StatusNotFound, "not-found")
	expect(t, call(t, h, "admin", "DELETE", "/v1/connections/store-bot/endpoints/%2e%2e", ""), http.StatusNotFound, "endpoint-not-found")
	if len(reached) != 0 {
		t.Errorf("the operation was reached with %q", reached)
	}
}

func TestParameters(t *testing.T) {
	t.Parallel()
	h := serve(nil)
	for target, code := range map[string]string{
		"/v1/escalations?statsu=open":                                   "parameter-unknown",
		"/v1/whoami?x=1":                                                "parameter-unknown",
		"/v1/escalations?status=lost":                                   "parameter-invalid",
		"/v1/escalations?status=open&status=open":                       "parameter-invalid",
		"/v1/escalations?limit=0":                                       "parameter-invalid",
		"/v1/escalations?limit=501":                                     "parameter-invalid",
		"/v1/escalations?limit=ten":                                     "parameter-invalid",
		"/v1/escalations?cursor=" + strings.Repeat("c", 1025):           "parameter-invalid",
		"/v1/escalations?a;b":                                           "query-invalid",
		"/v1/escalations?%zz":                                           "query-invalid",
		"/v1/deliveries?status=open":                                    "parameter-invalid",
		"/v1/facts?after=-1":                                            "parameter-invalid",
		"/v1/facts?after=x":                                             "parameter-invalid",
		"/v1/facts?sealed=yes":                                          "parameter-invalid",
		"/v1/verify?against=" + strings.Repeat("h", 257):                "parameter-invalid",
		"/v1/connections/store-bot/state?at=yesterday":                  "parameter-invalid",
		"/v1/connections/store-bot/escalations?connection=somebody-els": "parameter-unknown",
	} {
		expect(t, call(t, h, "admin", "GET", target, ""), http.StatusBadRequest, code)
	}
}

func TestPanicsAreProblems(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := serve(func(a *httpapi.API, c *httpapi.Config) {
		c.Log = slog.New(slog.NewJSONHandler(&log, nil))
		a.Connection = func(context.Context, identity.Principal, string) (connection.State, error) { panic("lost my head") }
	})
	w := call(t, h, "admin", "GET", "/v1/connections/store-bot", "")
	p := expect(t, w, http.StatusInternalServerError, "internal")
	if strings.Contains(w.Body.String(), "head") {
		t.Errorf("the answer tells the panic: %s", w.Body)
	}
	if s := log.String(); !strings.Contains(s, "lost my head") || !strings.Contains(s, p.Trace) || !strings.Contains(s, "server_test.go") {
		t.Errorf("log = %s", s)
	}
}

func TestOneLineIsLoggedWithoutSecrets(t *testing.T) {
	t.Parallel()
	token := identity.NewToken([5]byte{1}, [32]byte{2}).Reveal()
	for name, c := range map[string]struct {
		target string
		want   map[string]any
	}{
		"a success": {"/v1/connections/store-bot", map[string]any{
			"level": "INFO", "status": 200.0, "route": "GET /v1/connections/{connection}",
			"path": "/v1/connections/store-bot", "actor": "k-admin", "tenant": "default", "method": "GET", "trace_id": "0af7651916cd43dd8448eb211c80319c",
		}},
		"a refusal":            {"/v1/connections/A?x=1", map[string]any{"level": "INFO", "status": 404.0, "code": "connection-not-found"}},
		"a key in the query":   {"/v1/whoami?x=" + token, map[string]any{"level": "INFO", "status": 400.0, "code": "key-in-url"}},
		"a key in the path":    {"/v1/connections/" + token, map[string]any{"level": "INFO", "status": 404.0, "path": "(withheld)"}},
		"something breaks":     {"/v1/escalations", map[string]any{"level": "ERROR", "status": 500.0, "code": "internal", "error": "the disk is full"}},
		"something not served": {"/nothing", map[string]any{"level": "INFO", "status": 404.0, "code": "not-found"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			h := serve(func(a *httpapi.API, cfg *httpapi.Config) {
				cfg.Log = slog.New(slog.NewJSONHandler(&log, nil))
				a.Escalations = func(context.Context, identity.Principal, escalationQuery) (rows, string, error) {
					return nil, "", errors.New("the disk is full")
				}
			})
			w := call(t, h, "admin", "GET", c.target, "", "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
			c.want["request_id"] = w.Header().Get(httpapi.HeaderRequestID)
			var got map[string]any
			if err := json.Unmarshal(log.Bytes(), &got); err != nil {
				t.Fatalf("%v in %s", err, log.String()) // more than one line is no JSON
			}
			for key, want := range c.want {
				if got[key] != want {
					t.Errorf("%s = %v, want %v", key, got[key], want)
				}
			}
			if strings.Contains(log.String()+w.Body.String(), token) || strings.Contains(log.String(), "Bearer") {
				t.Errorf("a key was told: %s %s", log.String(), w.Body)
			}
		})
	}
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/v1/whoami", "/nothing", "/healthz", "/v1/facts"} {
		h := call(t, serve(nil), "admin", "GET", target, "").Header()
		for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"} {
			if h.Get(name) != want {
				t.Errorf("%s: %s = %q, want %q", target, name, h.Get(name), want)
			}
		}
		if !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") || h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: headers = %v", target, h)
		}
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	expect(t, call(t, serve(nil), "", "GET", "/healthz", ""), http.StatusOK, "")
	h := serve(func(a *httpapi.API, _ *httpapi.Config) {
		a.Healthy = func(context.Context) error { return errors.New("the log is closed") }
	})
	w := call(t, h, "", "GET", "/healthz", "")
	expect(t, w, http.StatusServiceUnavailable, "unhealthy")
	if strings.Contains(w.Body.String(), "closed") {
		t.Errorf("the answer tells a cause: %s", w.Body)
	}
}

func TestMediaTypes(t *testing.T) {
	t.Parallel()
	const rules = "/v1/connections/store-bot/rules"
	for name, c := range map[string]struct {
		method, target, media, encoding, code string
	}{
		"JSON":                   {"POST", intakePath, "application/json", "", ""},
		"JSON with a charset":    {"POST", intakePath, "Application/JSON; charset=UTF-8", "", ""},
		"another charset":        {"POST", intakePath, "application/json; charset=iso-8859-1", "", "charset-unsupported"},
		"a form":                 {"POST", intakePath, "application/x-www-form-urlencoded", "", "media-type-unsupported"},
		"none":                   {"POST", intakePath, "", "", "media-type-unsupported"},
		"nonsense":               {"POST", intakePath, "a/b/c;;", "", "media-type-unsupported"},
		"packed":                 {"POST", intakePath, "application/json", "gzip", "content-encoding-unsupported"},
		"identity":               {"POST", intakePath, "application/json", "identity", ""},
		"YAML":                   {"PUT", rules, "application/yaml", "", ""},
		"YAML as it was called":  {"PUT", rules, "text/yaml; charset=utf-8", "", ""},
		"JSON in place of YAML":  {"PUT", rules, "application/json", "", "media-type-unsupported"},
		"YAML in place of JSON":  {"POST", "/v1/keys", "application/yaml", "", "media-type-unsupported"},
		"curl -d without header": {"POST", "/v1/erasures", "application/x-www-form-urlencoded", "", "media-type-unsupported"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := call(t, serve(nil), "admin", c.method, c.target, `{"conversation_id":"a"}`, "Content-Type", c.media, "Content-Encoding", c.encoding)
			if c.code != "" {
				expect(t, w, http.StatusUnsupportedMediaType, c.code)
			} else if w.Code >= http.StatusBadRequest {
				t.Errorf("answer = %d, body %s", w.Code, w.Body)
			}
		})
	}
}

// dial sends raw bytes to a server and returns its answer.
func dial(t *testing.T, h http.Handler, request string) (*http.Response, string) {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, strings.ReplaceAll(request, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	_ = answer.Body.Close()
	return answer, string(body)
}

func TestBodiesOverTheLimit(t *testing.T) {
	t.Parallel()
	const head = "POST " + intakePath + " HTTP/1.1\nHost: x\nAuthorization: Bearer bot\nContent-Type: application/json\n"
	said := `{"conversation_id":"` + strings.Repeat("a", 100) + `"}`
	for name, c := range map[string]struct {
		limit   int
		request string
		status  int
	}{
		"at the limit":               {len(said), head + fmt.Sprintf("Content-Length: %d\n\n%s", len(said), said), 202},
		"one byte over":              {len(said) - 1, head + fmt.Sprintf("Content-Length: %d\n\n%s", len(said), said), 413},
		"chunked, at the limit":      {len(said), head + fmt.Sprintf("Transfer-Encoding: chunked\n\n%x\n%s\n0\n\n", len(said), said), 202},
		"chunked, over":              {len(said) - 1, head + fmt.Sprintf("Transfer-Encoding: chunked\n\n%x\n%s\n0\n\n", len(said), said), 413},
		"announced and never sent":   {100, head + "Expect: 100-continue\nContent-Length: 101\n\n", 413},
		"much announced, never sent": {100, head + "Content-Length: 9999999999\n\n", 413},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := serve(func(_ *httpapi.API, cfg *httpapi.Config) { cfg.MaxBody = int64(c.limit) })
			answer, body := dial(t, h, c.request)
			if answer.StatusCode != c.status {
				t.Fatalf("status = %d, want %d; body %s", answer.StatusCode, c.status, body)
			}
			if c.status == http.StatusRequestEntityTooLarge && (!answer.Close || !strings.Contains(body, `"body-too-large"`)) {
				t.Errorf("close = %v, body %s", answer.Close, body)
			}
		})
	}
}

func TestDefaultLimitIsOneMebibyte(t *testing.T) {
	t.Parallel()
	fits := `{"conversation_id":"a","x":"` + strings.Repeat("x", 1<<20-30) + `"}`
	fits += strings.Repeat(" ", 1<<20-len(fits))
	expect(t, call(t, serve(nil), "bot", "POST", intakePath, fits), http.StatusAccepted, "")
	expect(t, call(t, serve(nil), "bot", "POST", intakePath, fits+" "), http.StatusRequestEntityTooLarge, "body-too-large")
}

func TestABodyThatBreaksOff(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, intakePath, io.MultiReader(strings.NewReader(`{"conv`), broken{}))
	r.Header.Set("Authorization", "Bearer bot")
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	serve(nil).ServeHTTP(w, r)
	expect(t, w, http.StatusBadRequest, "body-incomplete")
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestHead(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(serve(nil))
	t.Cleanup(srv.Close)
	for _, p := range httpapi.Places(works()) {
		if p.Method != http.MethodGet {
			continue
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodHead, srv.URL+target(p.Path), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer admin")
		answer, err := srv.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK || len(body) > 0 || answer.Header.Get("Content-Type") == "" {
			t.Errorf("HEAD %s = %d, %d bytes of %q", p.Path, answer.StatusCode, len(body), answer.Header.Get("Content-Type"))
		}
	}
}

func TestCallersThatWentAwayAreNoErrorOfOurs(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	h := serve(func(a *httpapi.API, c *httpapi.Config) {
		c.Log = slog.New(slog.NewJSONHandler(&log, nil))
		a.Connection = func(ctx context.Context, _ identity.Principal, _ string) (connection.State, error) {
			cancel()
			return connection.State{}, fmt.Errorf("find it: %w", ctx.Err())
		}
	})
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/connections/store-bot", nil)
	r.Header.Set("Authorization", "Bearer admin")
	h.ServeHTTP(httptest.NewRecorder(), r)
	if s := log.String(); !strings.Contains(s, `"level":"INFO"`) || !strings.Contains(s, `"code":"caller-gone"`) {
		t.Errorf("log = %s", s)
	}
}

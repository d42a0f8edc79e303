// Package e2e_test runs the whole single program in one process: bots raise,
// desks receive, people ask, over HTTP as they would.
package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"handoff/functions/handoff/system"
	"handoff/infra/safehttp"
	"handoff/infra/standardwebhooks"
)

const patience = 20 * time.Second

// world is a running system with an agent desk beside it.
type world struct {
	t     *testing.T
	url   string
	admin string
	sys   *system.System
	desk  *desk
}

// start runs a system on a throw-away data directory until the test ends.
func start(t *testing.T, change ...func(*system.Config)) *world {
	t.Helper()
	dir := t.TempDir()
	return startIn(t, dir, change...)
}

func startIn(t *testing.T, dir string, change ...func(*system.Config)) *world {
	t.Helper()
	allow, err := safehttp.ParseAllow("127.0.0.0/8")
	if err != nil {
		t.Fatal(err)
	}
	c := system.Config{
		DataDir: filepath.Join(dir, "data"), KeyFile: filepath.Join(dir, "keys", "master.key"), Tenant: "default", Version: "test",
		Allow: allow, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}
	for _, f := range change {
		f(&c)
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan *system.System, 1), make(chan error, 1)
	go func() {
		ended <- system.Serve(ctx, l, c, func(s *system.System) error { ready <- s; return nil })
	}()
	w := &world{t: t, url: "http://" + l.Addr().String()}
	select {
	case w.sys = <-ready:
	case err := <-ended:
		t.Fatalf("serve: %v", err)
	}
	w.admin = w.sys.FirstKey
	w.desk = newDesk(t)
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return w
}

// call sends a request and returns status and body. body may be a string, or
// anything that is JSON.
func (w *world) call(key, method, path string, body any, header ...string) (int, []byte) {
	w.t.Helper()
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
	default:
		j, err := json.Marshal(b)
		if err != nil {
			w.t.Fatal(err)
		}
		r = bytes.NewReader(j)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, r)
	if err != nil {
		w.t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, out
}

// must is call with the status that is wanted; the answer is decoded into out.
func (w *world) must(status int, out any, key, method, path string, body any, header ...string) {
	w.t.Helper()
	got, b := w.call(key, method, path, body, header...)
	if got != status {
		w.t.Fatalf("%s %s = %d, want %d: %s", method, path, got, status, b)
	}
	if out != nil {
		if err := json.Unmarshal(b, out); err != nil {
			w.t.Fatalf("%s %s answered %s: %v", method, path, b, err)
		}
	}
}

// problem is call where a problem with the given code is wanted.
func (w *world) problem(status int, code, key, method, path string, body any, header ...string) {
	w.t.Helper()
	got, b := w.call(key, method, path, body, header...)
	var p struct{ Code string }
	if err := json.Unmarshal(b, &p); err != nil || got != status || p.Code != code {
		w.t.Fatalf("%s %s = %d %s, want %d %s", method, path, got, b, status, code)
	}
}

// eventually waits until f reports true.
func (w *world) eventually(what string, f func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-ctx.Done():
			w.t.Fatalf("it did not come true that %s", what)
		case <-tick.C:
		}
	}
}

// connected is a connection that is ready.
type connected struct {
	id, bot, hub, webhook string
	secret                standardwebhooks.Secret
}

// connect connects a bot to the desk and waits until it is ready.
func (w *world) connect(id, mode, rules string) connected {
	w.t.Helper()
	var c struct {
		Credentials struct {
			Bot       string            `json:"bot_key"`
			Hub       string            `json:"hub_key"`
			Webhook   string            `json:"webhook_secret"`
			Endpoints map[string]string `json:"endpoint_secrets"`
		} `json:"credentials"`
	}
	w.must(http.StatusAccepted, &c, w.admin, "POST", "/v1/connections", plan(id, w.desk.url+"/"+id, mode, rules))
	secret, err := standardwebhooks.ParseSecret(c.Credentials.Endpoints["desk"])
	if err != nil {
		w.t.Fatal(err)
	}
	w.desk.expect(secret)
	w.ready(id)
	return connected{id: id, bot: c.Credentials.Bot, hub: c.Credentials.Hub, webhook: c.Credentials.Webhook, secret: secret}
}

func plan(id, url, mode, rules string) map[string]any {
	return map[string]any{
		"name": id, "bot": map[string]string{"id": "bot-" + id, "name": "Store bot"},
		"hub":       map[string]string{"type": "generic", "organisation": "demo desk", "application_id": "app-" + id},
		"notice":    map[string]string{"accepted_by": "r.bakker", "text_version": "2026-11"},
		"endpoints": []map[string]string{{"id": "desk", "url": url, "mode": mode}},
		"rules":     rules,
	}
}

func (w *world) ready(id string) {
	w.t.Helper()
	w.eventually("connection "+id+" is ready", func() bool {
		var s struct{ Status string }
		w.must(http.StatusOK, &s, w.admin, "GET", "/v1/connections/"+id, nil)
		return s.Status == "ready"
	})
}

// desk is an agent desk that verifies what it receives.
type desk struct {
	url string

	mu       sync.Mutex
	secrets  []standardwebhooks.Secret
	received []received
	refuse   func(n int) int // status for the n-th request, 0 to take it
	requests int
}

type received struct {
	id, typ, subject string
	sequence         string
	body             map[string]any
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{}
	s := httptest.NewServer(d)
	t.Cleanup(s.Close)
	d.url = s.URL
	return d
}

func (d *desk) expect(s standardwebhooks.Secret) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.secrets = append(d.secrets, s)
}

// ServeHTTP implements http.Handler.
func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.requests++
	if d.refuse != nil {
		if status := d.refuse(d.requests); status != 0 {
			w.WriteHeader(status)
			return
		}
	}
	err := standardwebhooks.Verify(d.secrets, r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp"), r.Header.Get("webhook-signature"), body, time.Now(), 5*time.Minute)
	if err != nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	got := received{id: r.Header.Get("ce-id"), typ: r.Header.Get("ce-type"), subject: r.Header.Get("ce-subject"), sequence: r.Header.Get("ce-sequence")}
	_ = json.Unmarshal(body, &got.body)
	d.received = append(d.received, got)
	w.WriteHeader(http.StatusNoContent)
}

// got returns what was received of one subject, each event id once.
func (d *desk) got(subject string) []received {
	d.mu.Lock()
	defer d.mu.Unlock()
	seen := make(map[string]bool)
	var out []received
	for _, r := range d.received {
		if (subject == "" || r.subject == subject) && !seen[r.id] {
			seen[r.id] = true
			out = append(out, r)
		}
	}
	return out
}

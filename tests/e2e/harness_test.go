// Package e2e_test runs all of Handoff: bots raise, desks receive, people ask,
// over HTTP as they would. It runs in one process, and what needs nothing but
// HTTP on an emulator of AWS too; see onBoth.
package e2e_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"handoff/functions/handoff/system"
	"handoff/infra/safehttp"
	"handoff/infra/standardwebhooks"
	"handoff/tests/lambdarun"
)

const patience = 40 * time.Second

// world is a running system with an agent desk beside it.
type world struct {
	t      *testing.T
	url    string
	admin  string
	org    string // of the hub; application ids are unique in it
	desk   *desk
	clock  *clock
	client *http.Client
	waits  time.Duration // for what is to come true

	// On one machine.
	dir    string
	sys    *system.System
	change []func(*system.Config)
	end    func() error // stops the system

	// On AWS.
	cloud      *lambdarun.Cloud
	tenantName string
	from       int64 // position in the log at which the tenant began, or before
}

func newWorld(t *testing.T) *world {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 128}
	t.Cleanup(transport.CloseIdleConnections)
	w := &world{t: t, clock: &clock{}, org: "demo desk", waits: patience, client: &http.Client{Transport: transport}}
	w.desk = newDesk(t, w.clock)
	return w
}

// start runs a system on a throw-away data directory until the test ends.
func start(t *testing.T, change ...func(*system.Config)) *world {
	t.Helper()
	return startIn(t, t.TempDir(), change...)
}

// startIn runs a system on a directory that may have been used before.
func startIn(t *testing.T, dir string, change ...func(*system.Config)) *world {
	t.Helper()
	w := newWorld(t)
	w.dir, w.change = dir, change
	w.run()
	t.Cleanup(w.stop)
	return w
}

// config is that of the system, with what the test changes.
func (w *world) config() system.Config {
	allow, err := safehttp.ParseAllow("127.0.0.0/8")
	if err != nil {
		w.t.Fatal(err)
	}
	c := system.Config{
		DataDir: filepath.Join(w.dir, "data"), KeyFile: filepath.Join(w.dir, "keys", "master.key"), Tenant: "default", Version: "test",
		Allow: allow, Now: w.clock.now, Log: slog.New(slog.DiscardHandler),
	}
	for _, f := range w.change {
		f(&c)
	}
	return c
}

func (w *world) run() {
	w.t.Helper()
	l, err := new(net.ListenConfig).Listen(w.t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan *system.System, 1), make(chan error, 1)
	go func() {
		ended <- system.Serve(ctx, l, w.config(), func(s *system.System) error { ready <- s; return nil })
	}()
	select {
	case w.sys = <-ready:
	case err := <-ended:
		cancel()
		w.t.Fatalf("serve: %v", err)
	}
	w.url = "http://" + l.Addr().String()
	if w.admin, _, err = w.sys.EnsureAdmin(w.t.Context(), w.admin); err != nil {
		w.t.Fatal(err)
	}
	w.end = func() error { cancel(); return <-ended }
}

// stop ends the system as an operator would. What it left is in w.dir.
func (w *world) stop() {
	w.t.Helper()
	if w.end == nil {
		return
	}
	w.client.CloseIdleConnections()
	if err := w.end(); err != nil {
		w.t.Errorf("serve: %v", err)
	}
	w.end = nil
}

// restart stops the system and starts it again on the same directory. On AWS all
// instances end.
func (w *world) restart() {
	w.t.Helper()
	if w.cloud != nil {
		w.chill()
		return
	}
	w.stop()
	w.run()
}

// advance moves the clock forward, for timers of a few seconds at most where a
// scenario runs on AWS too: there nobody moves it, and they are waited for.
func (w *world) advance(d time.Duration) {
	if w.cloud == nil {
		w.clock.advance(d)
	}
}

// eventually waits until f reports true.
func (w *world) eventually(what string, f func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), w.waits)
	defer cancel()
	tick, schedules := time.NewTicker(10*time.Millisecond), time.NewTicker(2*time.Second)
	defer tick.Stop()
	defer schedules.Stop()
	for !f() {
		select {
		case <-ctx.Done():
			w.t.Fatalf("it did not come true that %s", what)
		case <-schedules.C:
			w.tick()
		case <-tick.C:
		}
	}
}

// settled waits until every function was told of everything.
func (w *world) settled() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), w.waits)
	defer cancel()
	settled := func(ctx context.Context) error { return w.sys.Settled(ctx) }
	if w.cloud != nil {
		settled = w.cloud.Settled
	}
	if err := settled(ctx); err != nil {
		w.t.Fatal(err)
	}
}

// idle waits until, in addition, nothing is to be delivered any more.
func (w *world) idle() {
	w.t.Helper()
	w.eventually("all deliveries are done", func() bool {
		w.settled()
		if w.cloud != nil {
			return len(w.deliveries("status=pending")) == 0
		}
		return w.number(`SELECT count(*) FROM lane_items WHERE state < 2`) == 0
	})
	w.settled()
}

// clock is the system's clock: the real one, moved forward by tests.
type clock struct {
	mu     sync.Mutex
	offset time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset)
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

// connected is a connection that is ready.
type connected struct {
	id, bot, hub, webhook string
	secret                standardwebhooks.Secret
}

// connect connects a bot to the desk and waits until it is ready.
func (w *world) connect(id, mode, rules string) connected {
	w.t.Helper()
	c := w.request(id, w.plan(id, w.desk.url+"/"+id, mode, rules))
	w.ready(id)
	return c
}

// request asks for a connection and waits for nothing.
func (w *world) request(id string, plan map[string]any) connected {
	w.t.Helper()
	var c struct {
		Credentials struct {
			Bot       string            `json:"bot_key"`
			Hub       string            `json:"hub_key"`
			Webhook   string            `json:"webhook_secret"`
			Endpoints map[string]string `json:"endpoint_secrets"`
		} `json:"credentials"`
	}
	w.must(http.StatusAccepted, &c, w.admin, "POST", "/v1/connections", plan)
	out := connected{id: id, bot: c.Credentials.Bot, hub: c.Credentials.Hub, webhook: c.Credentials.Webhook}
	if s, ok := c.Credentials.Endpoints["desk"]; ok {
		secret, err := standardwebhooks.ParseSecret(s)
		if err != nil {
			w.t.Fatal(err)
		}
		w.desk.expect(secret)
		out.secret = secret
	}
	return out
}

func (w *world) plan(id, url, mode, rules string) map[string]any {
	return map[string]any{
		"name": id, "bot": map[string]string{"id": "bot-" + id, "name": "Store bot"},
		"hub":       map[string]string{"type": "generic", "organisation": w.org, "application_id": "app-" + id},
		"notice":    map[string]string{"accepted_by": "r.bakker", "text_version": "2026-11"},
		"endpoints": []map[string]string{{"id": "desk", "url": url, "mode": mode}},
		"rules":     rules,
	}
}

func (w *world) ready(id string) {
	w.t.Helper()
	w.eventually("connection "+id+" is ready", func() bool {
		c := w.connection(id)
		if c.Failure != nil && c.Failure.Permanent {
			w.t.Fatalf("connection %s fails: %+v", id, *c.Failure)
		}
		return c.Status == "ready"
	})
}

// connection is what an administrator sees of one.
type connectionView struct {
	Version       int
	Status        string
	Session       int
	ApplicationID string `json:"application_id"`
	Failure       *struct {
		Step, Code, Detail string
		Permanent          bool
	}
	Endpoints []struct{ ID, URL, Mode, Disabled string }
	Rules     struct{ Set string }
	End       *struct{ Policy, Target string }
}

func (w *world) connection(id string) (c connectionView) {
	w.t.Helper()
	w.must(http.StatusOK, &c, w.admin, "GET", "/v1/connections/"+id, nil)
	return c
}

// stuck waits until a step of the connection failed for good.
func (w *world) stuck(id, code string) connectionView {
	w.t.Helper()
	var c connectionView
	w.eventually("connection "+id+" fails with "+code, func() bool {
		c = w.connection(id)
		return c.Failure != nil && c.Failure.Code == code
	})
	return c
}

// opened opens the system without having it work.
func (w *world) opened() *system.System {
	w.t.Helper()
	s, err := system.Open(w.t.Context(), w.config())
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

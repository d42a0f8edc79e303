package load_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"handoff/domain/connection"
	"handoff/infra/microsoft/simulation"
	"handoff/tests/harness"
	"handoff/tests/load"
)

// shop is the real program between a bot and a hub, both of the fake, which is a
// process of its own.
type shop struct {
	site    *harness.Site
	process *harness.Process
	fake    *harness.Process
	urls    simulation.URLs
	gate    *gate
	client  *http.Client
	plain   connection.Credentials // of a connection that is handed over to directly
	load    load.Generator
}

// messages is where the hub posts what customers say.
const messages = "/v1/messages/default/" + simulation.ConnectionName

func newShop(t testing.TB, program string) *shop {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 4096}
	t.Cleanup(transport.CloseIdleConnections)
	s := &shop{gate: newGate(t), client: &http.Client{Transport: transport, Timeout: settle}, load: load.Generator{Now: time.Now}}
	cloud := harness.NewSite(t, program, "simulate", "microsoft", "--port", "0", "--json", "--messages", s.gate.URL+messages)
	var err error
	if s.fake, err = cloud.Launch(); err != nil {
		t.Fatal(err)
	}
	s.urls = published(t, cloud)
	s.site = harness.NewSite(t, program)
	s.site.Setenv("HANDOFF_LOG_LEVEL", "warn")
	s.site.Setenv("HANDOFF_GEOGRAPHY", "europe")
	s.site.Setenv("HANDOFF_PUBLIC_URL", s.gate.URL)
	s.site.Setenv("HANDOFF_MICROSOFT_SIMULATION", s.urls.Control)
	s.gate.open(t, s.site.URL)
	s.process = s.site.Start(t)
	s.connect(t)
	return s
}

// published returns where the hosts of a fake are, once it says so.
func published(t testing.TB, cloud *harness.Site) simulation.URLs {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), settle)
	defer cancel()
	var said struct{ URLs simulation.URLs }
	err := harness.Poll(ctx, func() (bool, error) {
		text, err := os.ReadFile(cloud.Log)
		return json.Unmarshal(text, &said) == nil, err
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, cloud.Tail())
	}
	return said.URLs
}

// connect connects the example's bot, and makes the plain connection.
func (s *shop) connect(t testing.TB) {
	t.Helper()
	admin, err := s.site.Admin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.plain, err = admin.Connect(t.Context(), quiet, connection.EndpointPlan{ID: "desk", URL: s.gate.URL, Events: []string{"handoff.context.erased.v1"}}); err != nil {
		t.Fatal(err)
	}
	var made any
	if err := admin.Call(t.Context(), http.MethodPost, "/v1/connections", s.plan(), &made); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), settle)
	defer cancel()
	var state connection.State
	err = harness.Poll(ctx, func() (bool, error) {
		return state.Status == connection.Ready, admin.Call(ctx, http.MethodGet, "/v1/connections/"+simulation.ConnectionName, nil, &state)
	})
	if err == nil { // what an administrator of the hub does by hand
		err = s.ask(ctx, http.MethodPost, s.urls.Control+"/assign", map[string]string{"workstream": simulation.Workstream, "application_id": simulation.RelayID}, nil)
	}
	if err != nil {
		t.Fatalf("connection %s is %s: %v, %+v\n%s", simulation.ConnectionName, state.Status, err, state.Failure, s.site.Tail())
	}
}

func (s *shop) plan() map[string]any {
	return map[string]any{
		"name": simulation.ConnectionName, "bot": map[string]string{"id": simulation.StoreBot, "name": "Store bot"},
		"hub":    map[string]string{"type": connection.Omnichannel, "organisation": simulation.StoreURL},
		"notice": map[string]string{"accepted_by": "load", "text_version": "2026-11"},
		"omnichannel": map[string]string{
			"path": "relay", "routing": "handoff", "directory": simulation.TenantDomain, "client_id": simulation.InstallerID, "queue": "Store bot",
			"azure_bot": simulation.AzureBotID, "workstream": simulation.Workstream, "token_endpoint": s.tokenEndpoint(),
		},
		"client_secret": simulation.InstallerSecret, "application_secret": simulation.RelaySecret,
	}
}

func (s *shop) tokenEndpoint() string {
	return s.urls.PowerPlatform + "/powervirtualagents/botsbyschema/" + simulation.StoreBotSchema + "/directline/token?api-version=2022-03-01-preview"
}

// stop ends the program; the fake goes on.
func (s *shop) stop(t testing.TB) {
	t.Helper()
	if err := s.process.Stop(t.Context()); err != nil {
		t.Errorf("%v\n%s", err, s.site.Tail())
	}
}

// watch watches the machine with both processes.
func (s *shop) watch() (stop func() load.Share) { return load.Watch(s.process.PID(), s.fake.PID()) }

// gate stands between the hub and the program. It measures how long each request
// takes, and keeps one of a customer's message: its token is good for an hour,
// and for any message.
type gate struct {
	*httptest.Server

	mu     sync.Mutex
	next   http.Handler
	took   load.Result
	header http.Header
	body   []byte
}

func newGate(t testing.TB) *gate {
	t.Helper()
	g := &gate{next: http.NotFoundHandler()}
	g.Server = httptest.NewServer(g)
	t.Cleanup(g.Close)
	return g
}

// open has the gate lead to a program.
func (g *gate) open(t testing.TB, to string) {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 4096}
	t.Cleanup(transport.CloseIdleConnections)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.next = &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
}

// ServeHTTP implements http.Handler.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // who asked is gone
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	g.mu.Lock()
	next := g.next
	g.mu.Unlock()
	began := time.Now()
	next.ServeHTTP(w, r)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.took.Latencies = append(g.took.Latencies, time.Since(began))
	if bytes.Contains(body, []byte("FromCustomer")) {
		g.header, g.body = r.Header.Clone(), body
	}
}

// taken returns how long the requests since the last call took.
func (g *gate) taken() load.Result {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.took
	g.took = load.Result{}
	return r
}

// visitor is a customer with a chat widget open, who asks one thing after the
// other.
type visitor struct {
	shop   *shop
	id     string
	has    int // messages, the customer's own included
	status string
}

// question is one that the example's bot answers at once, with one message.
const question = "open today?"

// visit opens a chat widget and waits for the bot's greeting.
func (s *shop) visit(ctx context.Context) (talker, error) {
	v := &visitor{shop: s}
	var made struct{ ID string }
	if err := s.ask(ctx, http.MethodPost, s.urls.Pages+"/api/chats", map[string]string{"app_id": simulation.WidgetAppID, "name": "R. Bakker"}, &made); err != nil {
		return nil, err
	}
	v.id = made.ID
	return v, v.follow(ctx)
}

func (v *visitor) ask(ctx context.Context) error {
	err := v.shop.ask(ctx, http.MethodPost, v.url()+"/messages", map[string]string{"text": question}, nil)
	if err != nil {
		return err
	}
	v.has++
	return v.follow(ctx)
}

// follow waits for one more message.
func (v *visitor) follow(ctx context.Context) error {
	for want := v.has + 1; v.has < want; {
		var seen struct {
			Messages []struct{ From string }
			Status   string
		}
		query := url.Values{"has": {fmt.Sprint(v.has)}, "status": {v.status}}
		if err := v.shop.ask(ctx, http.MethodGet, v.url()+"?"+query.Encode(), nil, &seen); err != nil {
			return err
		}
		v.has, v.status = max(v.has, len(seen.Messages)), seen.Status
	}
	return nil
}

func (v *visitor) url() string { return v.shop.urls.Pages + "/api/chats/" + v.id }

// ask asks the fake.
func (s *shop) ask(ctx context.Context, method, url string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(string(body)))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s %s answered %s: %s", method, url, answer.Status, text)
	}
	if err == nil && out != nil {
		err = json.Unmarshal(text, out)
	}
	return err
}

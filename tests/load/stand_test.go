package load_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"handoff/domain/connection"
	"handoff/functions/handoff/system"
	"handoff/infra/safehttp"
	sw "handoff/infra/standardwebhooks"
	"handoff/tests/harness"
	"handoff/tests/load"
)

// The connections of a stand. The endpoint of one takes every event, that of
// the other none, so that intake can be measured without deliveries.
const (
	loud  = "loud"
	quiet = "quiet"
)

// clients are as many as ask at once where requests follow answers.
const clients = 64

// scale is how large a measurement is.
type scale struct {
	span    time.Duration // of each measurement
	streams int           // present beforehand in the large log
	facts   int           // of the longest stream
	backlog int           // deliveries that wait
	chats   []int         // conversations that are open at once
}

// stand is the real program with its connections and a receiver.
type stand struct {
	site     *harness.Site
	process  *harness.Process
	receiver *receiver
	bots     map[string]connection.Credentials
	load     load.Generator
}

// newStand starts the program at a site, which may have been filled.
func newStand(t testing.TB, site *harness.Site) *stand {
	t.Helper()
	s := &stand{
		site: site, receiver: newReceiver(t), bots: map[string]connection.Credentials{},
		load: load.Generator{Now: time.Now},
	}
	s.site.Setenv("HANDOFF_LOG_LEVEL", "warn")
	s.site.Setenv("HANDOFF_DELIVERY_TIMEOUT", "50s")
	s.process = s.site.Start(t)
	admin, err := s.site.Admin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, types := range map[string][]string{loud: nil, quiet: {"handoff.context.erased.v1"}} {
		made, err := admin.Connect(t.Context(), name, connection.EndpointPlan{ID: "desk", URL: s.receiver.URL, Mode: connection.ModeFull, Events: types})
		if err != nil {
			t.Fatalf("%v\n%s", err, s.site.Tail())
		}
		s.bots[name] = made
	}
	return s
}

// stop ends the program, which is needed to read its log from inside.
func (s *stand) stop(t testing.TB) {
	t.Helper()
	if err := s.process.Stop(t.Context()); err != nil {
		t.Errorf("%v\n%s", err, s.site.Tail())
	}
}

// open opens the data directory of a site at which nothing runs.
func open(t testing.TB, s *harness.Site, change ...func(*system.Config)) *system.System {
	t.Helper()
	allow, err := safehttp.ParseAllow("127.0.0.0/8")
	if err != nil {
		t.Fatal(err)
	}
	c := system.Config{
		DataDir: s.Dir, KeyFile: s.KeyFile, Tenant: "default", Allow: allow, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}
	for _, f := range change {
		f(&c)
	}
	in, err := system.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// filled is the connection of conversations that were there beforehand.
const filled = "filled"

// inside runs a system in this process, with a connection, while use does.
func inside(t testing.TB, s *harness.Site, use func(in *system.System, bot string)) {
	t.Helper()
	in := open(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := in.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	srv := httptest.NewServer(in.Handler())
	defer func() {
		srv.Close()
		cancel()
		wg.Wait()
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	}()
	key, _, err := in.EnsureAdmin(ctx, "")
	if err != nil {
		t.Error(err)
		return
	}
	made, err := harness.Client{URL: srv.URL, Key: key}.Connect(ctx, filled, connection.EndpointPlan{URL: srv.URL, Events: []string{"handoff.context.erased.v1"}})
	if err != nil {
		t.Error(err)
		return
	}
	use(in, made.BotKey)
}

// newFilled returns a site whose log holds conversations already. They are begun
// without a socket between, which is faster.
func newFilled(t testing.TB, program string, streams int) *harness.Site {
	t.Helper()
	s := harness.NewSite(t, program)
	inside(t, s, func(in *system.System, bot string) {
		var wg sync.WaitGroup
		for c := range clients {
			wg.Go(func() {
				for n := c; n < streams && !t.Failed(); n += clients {
					if err := raiseInside(t.Context(), in, bot, fmt.Sprintf(`{"conversation_id":"before-%d","topic":"Refund"}`, n)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if err := in.Settled(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func raiseInside(ctx context.Context, in *system.System, bot, body string) error {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/connections/"+filled+"/escalations", strings.NewReader(body))
	r.Header = http.Header{"Authorization": {"Bearer " + bot}, "Content-Type": {"application/json"}}
	w := httptest.NewRecorder()
	if in.Handler().ServeHTTP(w, r); w.Code != http.StatusAccepted {
		return fmt.Errorf("answer = %d, body %s", w.Code, w.Body)
	}
	return nil
}

// handOff is a hand-off of about 20 KiB with 50 turns.
func handOff(id string) []byte {
	var messages []map[string]string
	for i := range 50 {
		messages = append(messages, map[string]string{
			"id": strconv.Itoa(i), "at": "2026-11-22T09:10:12Z", "from": []string{"customer", "bot"}[i%2], "text": strings.Repeat("Where is my parcel? ", 16),
		})
	}
	body, err := json.Marshal(map[string]any{
		"conversation_id": id, "topic": "Refund", "language": "nl-NL", "variables": map[string]any{"order_number": "4711", "order_total": 380.0},
		"transcript": map[string]any{"messages": messages},
	})
	if err != nil {
		panic(err) // there is nothing in it that JSON has not
	}
	return body
}

// placeholder is as long as a number of fillIn is.
const placeholder = "conversation-number"

// caller hands over one conversation after the other, signed.
type caller struct {
	client *http.Client
	url    string
	secret sw.Secret
	before []byte // the placeholder
	after  []byte
	// answered gets each answer.
	answered func(body []byte)
}

func newCaller(t testing.TB, url, secret string) *caller {
	t.Helper()
	parsed, err := sw.ParseSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	before, after, _ := bytes.Cut(handOff(placeholder), []byte(placeholder))
	transport := &http.Transport{MaxIdleConnsPerHost: 1024}
	t.Cleanup(transport.CloseIdleConnections)
	return &caller{client: &http.Client{Transport: transport, Timeout: time.Minute}, url: url, secret: parsed, before: before, after: after, answered: func([]byte) {}}
}

// caller returns one of a connection's bots.
func (s *stand) caller(t testing.TB, name string) *caller {
	t.Helper()
	return newCaller(t, s.site.URL+"/v1/connections/"+name+"/escalations", s.bots[name].WebhookSecret)
}

// send is a load.Send.
func (c *caller) send(ctx context.Context, n int64) error {
	body := fmt.Appendf(bytes.Clone(c.before), "%0*d", len(placeholder), n)
	body = append(body, c.after...)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	id, now := "msg_"+strconv.FormatInt(n, 10), time.Now()
	req.Header = http.Header{
		"Content-Type": {"application/json"}, "Webhook-Id": {id}, "Webhook-Timestamp": {strconv.FormatInt(now.Unix(), 10)},
		"Webhook-Signature": {sw.Sign(c.secret, id, now, body)},
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err == nil && resp.StatusCode != http.StatusAccepted {
		err = fmt.Errorf("answer = %d, body %s", resp.StatusCode, answer)
	}
	c.answered(answer)
	return err
}

// receiver is a fast agent desk: it takes everything and checks nothing.
type receiver struct {
	URL string

	mu      sync.Mutex
	arrived map[string]time.Time // by escalation, first
	hold    chan struct{}        // answers wait until it is closed
}

func newReceiver(t testing.TB) *receiver {
	t.Helper()
	r := &receiver{arrived: map[string]time.Time{}, hold: make(chan struct{})}
	close(r.hold)
	srv := httptest.NewServer(r)
	t.Cleanup(srv.Close)
	r.URL = srv.URL
	return r
}

// ServeHTTP implements http.Handler.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	now, subject := time.Now(), req.Header.Get("Ce-Subject")
	_, _ = io.Copy(io.Discard, req.Body) // what is lost is missed by the measurement
	r.mu.Lock()
	hold := r.hold
	r.mu.Unlock()
	<-hold
	r.mu.Lock()
	if _, again := r.arrived[subject]; !again {
		r.arrived[subject] = now
	}
	r.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

// stall has answers wait until the returned function is called.
func (r *receiver) stall() (release func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	hold := make(chan struct{})
	r.hold = hold
	return func() { close(hold) }
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.arrived)
}

func (r *receiver) arrival(escalation string) (time.Time, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.arrived[escalation]
	return at, ok
}

// checked returns a result, and fails the test if requests failed.
func checked(t testing.TB, r load.Result) load.Result {
	t.Helper()
	if r.Failed > 0 || len(r.Latencies) == 0 {
		t.Errorf("%d requests succeeded, %d failed, the first: %v", len(r.Latencies), r.Failed, r.First)
	}
	return r
}

package deliver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sort"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/connection"
	"handoff/domain/conversation"
	"handoff/events"
	"handoff/functions/deliver"
	"handoff/infra/eventlog"
	"handoff/infra/eventlog/sqlitelog"
	"handoff/infra/keyring"
	"handoff/infra/keyring/sqlitekeys"
	"handoff/infra/lanes"
	"handoff/infra/safehttp"
	"handoff/infra/sqlitedb"
	"handoff/infra/standardwebhooks"
	"handoff/infra/subscription"
	"handoff/infra/vault"
	"handoff/infra/webhookout"
)

// whole is everything between an append and an endpoint, as one machine has it.
type whole struct {
	t       testing.TB
	dir     string
	client  *http.Client
	db      *sqlitedb.DB
	ring    *keyring.Keyring
	ledger  *eventlog.Ledger
	handler *deliver.Handler
	queue   *lanes.Queue
	runner  *subscription.Runner
	log     *sqlitelog.Log

	stopRunner, stopQueue func()
}

func (w *whole) open() {
	w.t.Helper()
	ctx := w.t.Context()
	db, err := sqlitedb.Open(ctx, w.dir+"/handoff.db", sqlitedb.Options{Schema: sqlitelog.Schema + subscription.Schema + lanes.Schema})
	w.must(err)
	master, err := keyring.NewMasterKey([]byte("0123456789abcdef0123456789abcdef"))
	w.must(err)
	ring, err := sqlitekeys.Open(ctx, w.dir, master, time.Now)
	w.must(err)
	w.must(ring.EnsureTenant(ctx, tenant))
	log, err := sqlitelog.New(ctx, db)
	w.must(err)
	commits := time.Now().UnixNano()
	var mu sync.Mutex
	w.db, w.ring = db, ring
	w.ledger = eventlog.NewLedger(log, events.Register(), ring, time.Now, func() string {
		mu.Lock()
		defer mu.Unlock()
		commits++
		return fmt.Sprint("c", commits)
	})
	w.queue = lanes.New(db, time.Now, lanes.Options{Grace: time.Millisecond})
	w.handler = &deliver.Handler{
		Ledger: w.ledger, Streams: ring, Queue: w.queue, Now: time.Now,
		Sender: webhookout.NewSender(w.client, vault.New(ring), "test", time.Now),
	}
	w.runner, err = subscription.New(db, log, time.Now, []subscription.Subscription{{Name: "deliver", Types: deliver.Types(), Handle: w.handler.Handle}}, nil)
	w.must(err)
	w.log = log
	w.stopRunner, w.stopQueue = w.start(w.runner.Run), w.start(w.deliver)
}

func (w *whole) deliver(ctx context.Context) error { return w.queue.Run(ctx, w.handler.Attempt) }

func (w *whole) start(f func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { w.must(f(ctx)) })
	return func() { cancel(); wg.Wait() }
}

func (w *whole) stop() {
	w.stopRunner()
	w.stopQueue()
	w.must(errors.Join(w.db.Close(), w.ring.Close()))
}

// pending reports whether the queue has anything left.
func (w *whole) pending() bool {
	rows, err := w.queue.List(w.t.Context(), lanes.Query{Tenant: tenant, Limit: 1})
	w.must(err)
	return len(rows) > 0
}

func (w *whole) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Error(err)
	}
}

// connect makes a connection with one endpoint and returns its secret.
func (w *whole) connect(url string) standardwebhooks.Secret {
	w.t.Helper()
	text, err := vault.New(w.ring).Ensure(w.t.Context(), tenant, "store-bot", "desk")
	w.must(err)
	secret, err := standardwebhooks.ParseSecret(text)
	w.must(err)
	stream, err := w.ring.StreamID(tenant, events.KindConnection, "store-bot")
	w.must(err)
	at := eventlog.Stream{ID: stream, Tenant: tenant, Connection: "store-bot"}
	d := connection.Decider
	d.Decide = func(connection.State, eh.Command) ([]events.Fact, error) {
		return []events.Fact{&events.ConnectionRequested{Connection: "store-bot"}, &events.EndpointSet{Endpoint: "desk", URL: url, Mode: "full"}}, nil
	}
	_, err = eventlog.Execute(w.t.Context(), w.ledger, d, at, eventlog.Origin{}, func(connection.State) (eh.Command, error) { return facts{}, nil })
	w.must(err)
	return secret
}

// raise hands a conversation over, as functions/webhook does.
func (w *whole) raise(id string, said *events.Context) {
	w.t.Helper()
	r := route(1)
	w.command(id, func(stream events.StreamID) eh.Command {
		return conversation.Raise{To: conversation.To(stream), Route: r, Fact: events.EscalationRaised{
			RaisedAt: time.Now(), ExpiresAt: time.Now().Add(1000 * time.Hour), Request: events.Request{Fingerprint: id}, Context: said,
		}}
	})
}

func (w *whole) command(id string, make func(events.StreamID) eh.Command) {
	w.t.Helper()
	stream, err := w.ring.StreamID(tenant, events.KindConversation, "store-bot", id)
	w.must(err)
	at := eventlog.Stream{ID: stream, Tenant: tenant, Connection: "store-bot"}
	_, err = eventlog.Execute(w.t.Context(), w.ledger, conversation.Decider, at, eventlog.Origin{},
		func(conversation.State) (eh.Command, error) { return make(stream), nil })
	w.must(err)
}

// desk is an endpoint that verifies, and fails in every way before it takes an
// event.
type desk struct {
	t      *testing.T
	secret standardwebhooks.Secret
	mu     sync.Mutex
	asked  map[string]int      // by event
	taken  map[string][]string // sequences by conversation
}

func (d *desk) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	id := r.Header.Get("webhook-id")
	err := standardwebhooks.Verify([]standardwebhooks.Secret{d.secret}, id, r.Header.Get("webhook-timestamp"), r.Header.Get("webhook-signature"), body, time.Now(), 0)
	if err != nil || id != r.Header.Get("ce-id") {
		d.t.Errorf("event %s: %v", id, err)
	}
	d.mu.Lock()
	d.asked[id]++
	n := d.asked[id] + len(id+r.Header.Get("ce-sequence")) + int(id[len(id)-3])
	first := d.asked[id] < 4
	d.mu.Unlock()
	if first && d.fail(n, rw, r) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	conv := r.Header.Get("ce-partitionkey")
	if seq := r.Header.Get("ce-sequence"); !slices.Contains(d.taken[conv], seq) {
		d.taken[conv] = append(d.taken[conv], seq)
	}
}

func (*desk) fail(n int, rw http.ResponseWriter, r *http.Request) bool {
	switch n % 6 {
	case 0:
		rw.WriteHeader(http.StatusInternalServerError)
	case 1:
		if conn, _, err := http.NewResponseController(rw).Hijack(); err == nil {
			_ = conn.Close()
		}
	case 2:
		<-r.Context().Done() // says nothing
	case 3:
		rw.Header().Set("Retry-After", "60")
		rw.WriteHeader(http.StatusTooManyRequests)
	case 4:
		http.Redirect(rw, r, "/elsewhere", http.StatusFound)
	default:
		return false
	}
	return true
}

// pipes is a listener without a network, for a bubble.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestWhole raises conversations, has them go on, restarts everything in the
// middle, and lets an endpoint fail in every way: each event is taken in the end,
// and those of a conversation in their order.
func TestWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		listener := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
		client := &http.Client{
			Transport: &http.Transport{DialContext: listener.dial}, Timeout: 15 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
		d := &desk{t: t, asked: map[string]int{}, taken: map[string][]string{}}
		srv := &http.Server{Handler: d, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
		go func() { _ = srv.Serve(listener) }()
		w := &whole{t: t, dir: dir, client: client}
		w.open()
		d.secret = w.connect("http://desk.test/hook")
		const conversations = 12
		each := func(f func(id string)) {
			for i := range conversations {
				f(fmt.Sprint("conversation-", i))
			}
		}
		each(func(id string) { w.raise(id, &events.Context{ConversationID: id, Summary: private}) })
		for n := range 3 {
			time.Sleep(7 * time.Second) // some attempts are under way, some wait
			w.stop()
			w.open()
			each(func(id string) {
				w.command(id, func(stream events.StreamID) eh.Command {
					return conversation.Raise{To: conversation.To(stream), Fact: events.EscalationRaised{
						Request: events.Request{Fingerprint: fmt.Sprint(id, n)}, Context: &events.Context{ConversationID: id, Summary: "later"},
					}}
				})
			})
		}
		each(func(id string) {
			w.command(id, func(stream events.StreamID) eh.Command {
				return conversation.Report{To: conversation.To(stream), Number: 1, Status: conversation.Completed}
			})
		})
		synctest.Wait()
		for end := time.Now().Add(80 * time.Hour); w.pending() && time.Now().Before(end); {
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		if len(d.taken) != conversations {
			t.Errorf("%d conversations arrived, want %d", len(d.taken), conversations)
		}
		for conv, taken := range d.taken {
			if len(taken) != 5 || !sort.StringsAreSorted(taken) {
				t.Errorf("%s: took %q, want five in order", conv, taken)
			}
		}
		w.stop()
		_ = srv.Close()
		client.CloseIdleConnections()
	})
}

// BenchmarkWhole delivers escalations of 20 KiB in full to a fast receiver on
// loopback. It reports deliveries per second while as many as wished are queued
// and, at 200 escalations a second, how long it takes from a durable append to
// the request.
func BenchmarkWhole(b *testing.B) {
	var mu sync.Mutex
	arrived := make(map[string]time.Time)
	count := make(chan struct{}, 4096)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		at := time.Now()
		_, _ = io.Copy(io.Discard, r.Body)
		mu.Lock()
		arrived[r.Header.Get("ce-partitionkey")] = at
		mu.Unlock()
		count <- struct{}{}
	}))
	b.Cleanup(srv.Close)
	allow, err := safehttp.ParseAllow("127.0.0.1")
	if err != nil {
		b.Fatal(err)
	}
	client := safehttp.NewClient(safehttp.Options{Allow: allow})
	b.Cleanup(client.CloseIdleConnections)
	w := &whole{t: b, dir: b.TempDir(), client: client}
	w.open()
	w.connect(srv.URL)
	said := benchContext()
	b.Run("throughput", func(b *testing.B) {
		w.stopQueue()
		var wg sync.WaitGroup
		for n := range 64 {
			wg.Go(func() {
				for i := n; i < b.N; i += 64 {
					w.raise(fmt.Sprint("t", b.N, "-", i), said)
				}
			})
		}
		wg.Wait()
		last, err := w.log.Last(b.Context())
		w.must(err)
		w.must(w.runner.CatchUp(b.Context(), "deliver", last))
		b.ResetTimer()
		w.stopQueue = w.start(w.deliver)
		for range b.N {
			<-count
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
	})
	b.Run("latency at 200 per second", func(b *testing.B) {
		raised := make(map[string]time.Time)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for i := range b.N {
			<-tick.C
			id := fmt.Sprint("l", b.N, "-", i)
			w.raise(id, said)
			stream, _ := w.ring.StreamID(tenant, events.KindConversation, "store-bot", id)
			raised[stream.String()] = time.Now()
		}
		for range b.N {
			<-count
		}
		var took []time.Duration
		for stream, at := range raised {
			took = append(took, max(0, arrived[stream].Sub(at)))
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	})
	w.stop()
}

func benchContext() *events.Context {
	said := &events.Context{ConversationID: "Kx81c", Transcript: &events.Transcript{Complete: true}}
	for i := range 50 {
		said.Transcript.Messages = append(said.Transcript.Messages, events.Message{
			ID: fmt.Sprint("m", i), From: events.FromCustomer, Text: fmt.Sprintf("%-360d", i),
		})
	}
	return said
}

package subscription_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/eventlog/memlog"
	"handoff/infra/sqlitedb"
	"handoff/infra/subscription"
)

// machine is a log and a file that outlive the runners over them.
type machine struct {
	log  *memlog.Log
	path string
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	return &machine{log: memlog.New(), path: filepath.Join(t.TempDir(), "handoff.db")}
}

// process is one run over a machine, from start to stop or crash.
type process struct {
	*subscription.Runner
	db     *sqlitedb.DB
	cancel context.CancelFunc
	ended  chan error
}

func (m *machine) start(t *testing.T, functions []subscription.Subscription, projections ...subscription.Projection) *process {
	t.Helper()
	db, err := sqlitedb.Open(t.Context(), m.path, sqlitedb.Options{Schema: subscription.Schema + model, UnsafeNoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	r, err := subscription.New(db, m.log, time.Now, functions, projections)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{Runner: r, db: db, cancel: cancel, ended: make(chan error, 1)}
	go func() { p.ended <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		_ = db.Close()
	})
	return p
}

// stop ends a process in order.
func (p *process) stop(t *testing.T) {
	t.Helper()
	p.cancel()
	if err := <-p.ended; err != nil {
		t.Fatal(err)
	}
	if err := p.db.Close(); err != nil {
		t.Fatal(err)
	}
}

// crash ends a process so that it can write nothing more.
func (p *process) crash(t *testing.T) {
	t.Helper()
	if err := p.db.Close(); err != nil {
		t.Fatal(err)
	}
	p.cancel()
	<-p.ended
}

// catchUp waits until a subscription dealt with the whole log.
func (p *process) catchUp(t *testing.T, m *machine, name string) {
	t.Helper()
	last, _ := m.log.Last(t.Context())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := p.CatchUp(ctx, name, last); err != nil {
		t.Fatal(err)
	}
}

// stream returns the id of the n-th stream of a test.
func stream(n int) events.StreamID {
	return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "stream %d", n))
}

// add appends facts of a type to a stream, one commit each.
func (m *machine) add(t *testing.T, stream events.StreamID, types ...string) {
	t.Helper()
	for _, typ := range types {
		snap, err := m.log.Load(t.Context(), stream)
		if err != nil {
			t.Fatal(err)
		}
		c := eventlog.Commit{
			Stream: stream, Tenant: "default", Kind: events.KindConversation, ID: fmt.Sprint(stream, snap.Version), After: snap.Head,
			Facts: []events.Record{{Header: events.Header{Type: typ, Schema: 1, Time: 1}, Clear: []byte(`{}`), Sealed: []byte("sealed")}},
		}
		eventlog.ChainCommit(&c)
		if _, err := m.log.Append(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
}

// calls records what a function was told.
type calls struct {
	mu    sync.Mutex
	facts []events.Notification
	times []time.Time
}

func (c *calls) note(n events.Notification) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.facts, c.times = append(c.facts, n), append(c.times, time.Now())
}

// of returns the versions of one stream, in the order of the calls.
func (c *calls) of(stream events.StreamID) (versions []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.facts {
		if n.Stream == stream {
			versions = append(versions, n.Version)
		}
	}
	return versions
}

func one(name string, handle func(context.Context, events.Notification) error) []subscription.Subscription {
	return []subscription.Subscription{{Name: name, Handle: handle}}
}

func repeat(typ string, n int) []string { return slices.Repeat([]string{typ}, n) }

func same(t *testing.T, what string, got, want []int) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

var errDown = fault.New(fault.Unavailable, "hub-down", "The hub does not answer.")

func TestFactsOfAStreamComeInOrderAndStreamsSideBySide(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, got := newMachine(t), new(calls)
		var mu sync.Mutex
		busy, most := 0, 0
		p := m.start(t, one("slow", func(_ context.Context, n events.Notification) error {
			mu.Lock()
			busy++
			most = max(most, busy)
			mu.Unlock()
			<-time.After(time.Duration(1+n.Position%7) * time.Millisecond)
			mu.Lock()
			busy--
			mu.Unlock()
			got.note(n)
			return nil
		}))
		for range 5 {
			for s := range 40 {
				m.add(t, stream(s), "A")
			}
		}
		p.catchUp(t, m, "slow")
		for s := range 40 {
			same(t, fmt.Sprintf("calls for stream %d", s), got.of(stream(s)), []int{1, 2, 3, 4, 5})
		}
		if most != subscription.DefaultConcurrency {
			t.Errorf("streams side by side = %d, want %d", most, subscription.DefaultConcurrency)
		}
		p.stop(t)
	})
}

func TestAFunctionHearsOfItsTypesOnlyAndNothingSealed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, got := newMachine(t), new(calls)
		subs := one("picky", func(_ context.Context, n events.Notification) error { got.note(n); return nil })
		subs[0].Types = []string{"B"}
		p := m.start(t, subs)
		m.add(t, stream(1), "A", "B", "A", "B", "A")
		p.catchUp(t, m, "picky")
		same(t, "calls", got.of(stream(1)), []int{2, 4})
		if n := got.facts[0]; n.Type != "B" || n.Position != 2 || n.Tenant != "default" || string(n.Clear) != "{}" {
			t.Errorf("notification = %+v", n)
		}
		p.stop(t)
	})
}

func TestAFailureHoldsUpItsOwnStreamOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, got := newMachine(t), new(calls)
		up := time.Now().Add(10 * time.Second)
		p := m.start(t, one("f", func(_ context.Context, n events.Notification) error {
			if n.Stream == stream(1) && n.Version == 2 && time.Now().Before(up) {
				return errDown
			}
			got.note(n)
			return nil
		}))
		m.add(t, stream(1), repeat("A", 4)...)
		m.add(t, stream(2), repeat("A", 3)...)
		p.catchUp(t, m, "f")
		same(t, "calls for the other stream", got.of(stream(2)), []int{1, 2, 3})
		same(t, "calls before the failure", got.of(stream(1)), []int{1})
		m.add(t, stream(1), "A") // comes while the stream is halted
		p.catchUp(t, m, "f")
		<-time.After(time.Until(up.Add(time.Minute)))
		same(t, "calls after the failure", got.of(stream(1)), []int{1, 2, 3, 4, 5})
		if lag, err := p.Lag(t.Context()); err != nil || lag[0] != (subscription.Lag{Name: "f", Position: 8}) {
			t.Errorf("lag = %+v, %v, want none", lag, err)
		}
		p.stop(t)
	})
}

func TestAPoisonFactIsParkedAndTriedAgainByHand(t *testing.T) {
	t.Parallel()
	for sentence, fail := range map[string]func() error{
		"a permanent fault":         func() error { return fault.New(fault.Unprocessable, "poison", "It can't be.") },
		"a permanent fault wrapped": func() error { return fmt.Errorf("route: %w", fault.New(fault.NotFound, "poison", "Gone.")) },
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m, got, healed := newMachine(t), new(calls), make(chan struct{})
				p := m.start(t, one("f", func(_ context.Context, n events.Notification) error {
					select {
					case <-healed:
					default:
						if n.Version == 2 {
							return fail()
						}
					}
					got.note(n)
					return nil
				}))
				m.add(t, stream(1), repeat("A", 3)...)
				p.catchUp(t, m, "f")
				same(t, "calls", got.of(stream(1)), []int{1, 3})
				<-time.After(time.Second) // it is written a few times a second
				parked, err := p.Parked(t.Context(), "f", 0, 10)
				want := subscription.Parked{Position: 2, Fact: stream(1).String() + "@2", Type: "A", Tries: 1, Code: "poison"}
				if err != nil || len(parked) != 1 {
					t.Fatalf("parked = %+v, %v", parked, err)
				}
				if want.Since = parked[0].Since; parked[0] != want {
					t.Errorf("parked = %+v, want %+v", parked[0], want)
				}
				close(healed)
				if err := p.Retry(t.Context(), "f", 2); err != nil {
					t.Fatal(err)
				}
				<-time.After(time.Second)
				same(t, "calls after the retry", got.of(stream(1)), []int{1, 3, 2})
				if err := p.Retry(t.Context(), "f", 2); !fault.Is(err, "parked-fact-not-found") {
					t.Errorf("Retry of a fact that is not parked = %v", err)
				}
				p.stop(t)
			})
		})
	}
}

func TestAFactIsGivenUpAfterItsAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, got := newMachine(t), new(calls)
		p := m.start(t, one("f", func(_ context.Context, n events.Notification) error {
			got.note(n)
			panic("nil map")
		}))
		m.add(t, stream(1), "A")
		<-time.After(71 * time.Hour)
		if parked, _ := p.Parked(t.Context(), "f", 0, 1); len(parked) != 0 {
			t.Errorf("parked after 71 hours = %+v", parked)
		}
		<-time.After(61 * time.Minute)
		parked, err := p.Parked(t.Context(), "f", 0, 1)
		if err != nil || len(parked) != 1 || parked[0].Code != "internal" {
			t.Fatalf("parked after 72 hours = %+v, %v", parked, err)
		}
		tries := len(got.times)
		if tries < 800 || tries > 2000 || parked[0].Tries != tries {
			t.Errorf("tries = %d, parked says %d; want a pause of 2.5 to 5 minutes in the end", tries, parked[0].Tries)
		}
		if d := got.times[tries-1].Sub(got.times[0]); d != subscription.DefaultMaxAge {
			t.Errorf("last try came after %s, want %s", d, subscription.DefaultMaxAge)
		}
		<-time.After(time.Hour)
		if len(got.times) != tries {
			t.Error("a parked fact was tried again")
		}
		p.stop(t)
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, got := newMachine(t), new(calls)
		p := m.start(t, one("f", func(_ context.Context, n events.Notification) error {
			got.note(n)
			if len(got.times) > 1 {
				return nil
			}
			return &fault.Error{Kind: fault.RateLimited, Code: "slow-down", RetryAfter: time.Hour}
		}))
		m.add(t, stream(1), "A")
		p.catchUp(t, m, "f")
		begun := time.Now()
		m.add(t, stream(1), "A") // comes while its stream rests, and holds nothing up
		p.catchUp(t, m, "f")
		if d := time.Since(begun); d > time.Second {
			t.Errorf("a fact of a stream that rests was put aside after %s", d)
		}
		<-time.After(2 * time.Hour)
		if len(got.times) != 3 || got.times[1].Sub(got.times[0]) < time.Hour {
			t.Errorf("calls at %v, want an hour between them", got.times)
		}
		p.stop(t)
	})
}

func TestACallThatHangsIsEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, got := newMachine(t), new(calls)
		p := m.start(t, one("f", func(ctx context.Context, n events.Notification) error {
			if got.note(n); len(got.of(n.Stream)) == 1 {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}))
		m.add(t, stream(1), "A")
		<-time.After(2 * subscription.DefaultTimeout)
		same(t, "calls", got.of(stream(1)), []int{1, 1})
		p.stop(t)
	})
}

func TestCatchUpEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t)
		p := m.start(t, one("f", func(context.Context, events.Notification) error { return nil }))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.CatchUp(ctx, "f", 1); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "f has seen fact 1") {
			t.Errorf("CatchUp beyond the log = %v", err)
		}
		if err := p.CatchUp(ctx, "g", 1); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("CatchUp of an unknown subscription = %v", err)
		}
		p.stop(t)
	})
}

func TestNewRefusesNamesThatAreMissingOrUsedTwice(t *testing.T) {
	t.Parallel()
	m := memlog.New()
	for sentence, names := range map[string][]string{"missing": {""}, "twice": {"f", "f"}} {
		var subs []subscription.Subscription
		for _, n := range names {
			subs = append(subs, subscription.Subscription{Name: n})
		}
		if _, err := subscription.New(nil, m, time.Now, subs, nil); err == nil {
			t.Errorf("%s: New returned no error", sentence)
		}
	}
}

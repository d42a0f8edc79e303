package lanes_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"handoff/domain/delivery"
	"handoff/events"
	"handoff/infra/lanes"
	"handoff/infra/sqlitedb"
)

func open(t testing.TB, path string) *sqlitedb.DB {
	t.Helper()
	db, err := sqlitedb.Open(t.Context(), path, sqlitedb.Options{Schema: lanes.Schema})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// item is fact n of a conversation for an endpoint.
func item(endpoint, conversation string, n int) delivery.Item {
	var id events.StreamID
	copy(id[:], fmt.Sprintf("%-7.7s%-5.5s%04d", endpoint, conversation, n))
	return delivery.Item{ID: id, Tenant: "default", Subject: events.DeliverySubject{
		Event: fmt.Sprint(conversation, "@", n), EventType: "handoff.escalation.routed.v1", Stream: conversation, Version: n,
		Connection: "store-bot", Endpoint: endpoint,
	}}
}

func delivered() delivery.Progress {
	return delivery.Progress{Status: delivery.Delivered, Tried: true, Outcome: delivery.Outcome{Code: delivery.CodeDelivered, Status: 200}}
}

func failed(at time.Time) delivery.Progress {
	return delivery.Progress{Status: delivery.Pending, RetryAt: at, Tried: true, Outcome: delivery.Outcome{Code: "status-500", Status: 500}}
}

func parked() delivery.Progress {
	return delivery.Progress{Status: delivery.Parked, Tried: true, Outcome: delivery.Outcome{Code: "status-500", Status: 500}}
}

// desk records attempts and answers as it is told.
type desk struct {
	answer func(i delivery.Item, last bool) (delivery.Progress, error)
	mu     sync.Mutex
	seen   []string
}

func (d *desk) attempt(_ context.Context, i delivery.Item, last bool) (delivery.Progress, error) {
	d.mu.Lock()
	d.seen = append(d.seen, i.Subject.Endpoint+" "+i.Subject.Event)
	d.mu.Unlock()
	if d.answer == nil {
		return delivered(), nil
	}
	return d.answer(i, last)
}

func (d *desk) events() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.seen)
}

func (d *desk) want(t *testing.T, want ...string) {
	t.Helper()
	if got := d.events(); !slices.Equal(got, want) {
		t.Errorf("attempts = %q, want %q", got, want)
	}
}

// inBubble runs f with a queue whose clock only moves when nothing happens.
func inBubble(t *testing.T, d *desk, o lanes.Options, f func(t *testing.T, q *lanes.Queue, start func() (stop func()))) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lanes.db")
	synctest.Test(t, func(t *testing.T) {
		db := open(t, path)
		defer func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		}()
		q := lanes.New(db, time.Now, o)
		f(t, q, func() func() { return run(t, q, d.attempt) })
	})
}

// run starts the queue and returns what stops it.
func run(t testing.TB, q *lanes.Queue, attempt lanes.Attempt) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- q.Run(ctx, attempt) }()
	return func() {
		cancel()
		if err := <-over; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

func put(t testing.TB, q *lanes.Queue, items ...delivery.Item) {
	t.Helper()
	if err := q.Put(t.Context(), items...); err != nil {
		t.Fatal(err)
	}
}

func list(t testing.TB, q *lanes.Queue, s delivery.Status) (all []string) {
	t.Helper()
	rows, err := q.List(t.Context(), lanes.Query{Tenant: "default", Status: s, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		all = append(all, r.Item.Subject.Endpoint+" "+r.Item.Subject.Event)
	}
	return all
}

func TestDelivers(t *testing.T) {
	t.Parallel()
	d := &desk{}
	inBubble(t, d, lanes.Options{}, func(t *testing.T, q *lanes.Queue, start func() func()) {
		put(t, q, item("desk", "a", 1)) // before it runs
		defer start()()
		synctest.Wait()
		put(t, q, item("desk", "a", 2), item("log", "a", 2)) // a known endpoint and a new one
		synctest.Wait()
		slices.Sort(d.seen[1:])
		d.want(t, "desk a@1", "desk a@2", "log a@2")
		if left := list(t, q, delivery.None); len(left) > 0 {
			t.Errorf("left = %q", left)
		}
		put(t, q) // nothing is no work
		if err := q.Hurry(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestOrderInsideALane(t *testing.T) {
	t.Parallel()
	tries := 0
	d := &desk{}
	d.answer = func(i delivery.Item, _ bool) (delivery.Progress, error) {
		if i.Subject.Event != "a@1" {
			return delivered(), nil
		}
		if tries++; tries == 3 {
			return parked(), nil
		}
		return failed(time.Now().Add(time.Hour)), nil
	}
	inBubble(t, d, lanes.Options{}, func(t *testing.T, q *lanes.Queue, start func() func()) {
		defer start()()
		put(t, q, item("desk", "a", 1), item("desk", "a", 2), item("desk", "a", 3))
		synctest.Wait()
		put(t, q, item("desk", "b", 1))
		time.Sleep(90 * time.Minute)
		synctest.Wait()
		d.want(t, "desk a@1", "desk b@1", "desk a@1")
		if behind, _, _ := q.Find(t.Context(), item("desk", "a", 2).ID); !behind.Behind {
			t.Errorf("a@2 is not behind: %+v", behind)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		d.want(t, "desk a@1", "desk b@1", "desk a@1", "desk a@1", "desk a@2", "desk a@3")
		if got := list(t, q, delivery.Parked); !slices.Equal(got, []string{"desk a@1"}) {
			t.Errorf("parked = %q", got)
		}
		if got := list(t, q, delivery.Pending); len(got) > 0 {
			t.Errorf("pending = %q", got)
		}
		if got := list(t, q, delivery.Delivered); len(got) > 0 {
			t.Errorf("delivered = %q, want none to be kept", got)
		}
	})
}

func TestPutAgain(t *testing.T) {
	t.Parallel()
	d := &desk{answer: func(delivery.Item, bool) (delivery.Progress, error) { return parked(), nil }}
	inBubble(t, d, lanes.Options{Failures: 100}, func(t *testing.T, q *lanes.Queue, start func() func()) {
		put(t, q, item("desk", "a", 1), item("desk", "a", 1))
		put(t, q, item("desk", "a", 1))
		defer start()()
		synctest.Wait()
		d.want(t, "desk a@1")
		put(t, q, item("desk", "a", 1)) // parked ones are taken up again
		synctest.Wait()
		d.want(t, "desk a@1", "desk a@1")
	})
}

// TestPutAgainDuringItsAttempt: a delivery that is sent again just when it ends
// must not be dropped with its end.
func TestPutAgainDuringItsAttempt(t *testing.T) {
	t.Parallel()
	begun, finish := make(chan struct{}, 1), make(chan struct{})
	d := &desk{answer: func(delivery.Item, bool) (delivery.Progress, error) {
		begun <- struct{}{}
		<-finish
		return delivered(), nil
	}}
	q := lanes.New(open(t, filepath.Join(t.TempDir(), "lanes.db")), time.Now, lanes.Options{})
	defer run(t, q, d.attempt)()
	put(t, q, item("desk", "a", 1), item("desk", "a", 2))
	<-begun
	put(t, q, item("desk", "a", 1))
	close(finish)
	<-begun
	<-begun
	d.want(t, "desk a@1", "desk a@1", "desk a@2")
}

func TestHurry(t *testing.T) {
	t.Parallel()
	tries := map[string]int{}
	d := &desk{}
	d.answer = func(i delivery.Item, _ bool) (delivery.Progress, error) {
		if tries[i.Subject.Event]++; tries[i.Subject.Event] > 1 {
			return delivered(), nil
		}
		p := failed(time.Now().Add(10 * time.Second))
		p.Tried = i.Subject.Event != "a@1"
		return p, nil
	}
	inBubble(t, d, lanes.Options{}, func(t *testing.T, q *lanes.Queue, start func() func()) {
		defer start()()
		put(t, q, item("desk", "a", 1))
		synctest.Wait()
		put(t, q, item("desk", "b", 1))
		synctest.Wait()
		if err := q.Hurry(t.Context(), item("desk", "a", 1), item("desk", "b", 1), item("desk", "c", 1)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		d.want(t, "desk a@1", "desk b@1", "desk a@1") // b failed and keeps its pause
		time.Sleep(11 * time.Second)
		synctest.Wait()
		d.want(t, "desk a@1", "desk b@1", "desk a@1", "desk b@1")
	})
}

// TestHurryDuringAnAttempt has the transcript come while an attempt has just
// found that it is not there.
func TestHurryDuringAnAttempt(t *testing.T) {
	t.Parallel()
	found, hurried := make(chan struct{}), make(chan struct{})
	tries := 0
	d := &desk{answer: func(delivery.Item, bool) (delivery.Progress, error) {
		if tries++; tries > 1 {
			return delivered(), nil
		}
		close(found)
		<-hurried
		return delivery.Progress{Status: delivery.Pending, RetryAt: time.Now().Add(10 * time.Second)}, nil
	}}
	inBubble(t, d, lanes.Options{}, func(t *testing.T, q *lanes.Queue, start func() func()) {
		defer start()()
		put(t, q, item("desk", "a", 1))
		<-found
		if err := q.Hurry(t.Context(), item("desk", "a", 1)); err != nil {
			t.Fatal(err)
		}
		close(hurried)
		synctest.Wait()
		d.want(t, "desk a@1", "desk a@1")
	})
}

func TestLimits(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now, most := map[string]int{}, map[string]int{}
	count := func(name string, by int) {
		mu.Lock()
		defer mu.Unlock()
		now[name] += by
		most[name] = max(most[name], now[name])
	}
	d := &desk{answer: func(i delivery.Item, _ bool) (delivery.Progress, error) {
		count(i.Subject.Endpoint, 1)
		count("total", 1)
		time.Sleep(time.Second)
		count(i.Subject.Endpoint, -1)
		count("total", -1)
		return delivered(), nil
	}}
	inBubble(t, d, lanes.Options{Total: 7, PerEndpoint: 3}, func(t *testing.T, q *lanes.Queue, start func() func()) {
		for i := range 30 {
			for _, e := range []string{"desk", "log", "bus"} {
				put(t, q, item(e, fmt.Sprint("c", i), 1))
			}
		}
		defer start()()
		time.Sleep(15 * time.Second)
		synctest.Wait()
		if len(d.events()) != 90 || len(list(t, q, delivery.None)) > 0 {
			t.Errorf("%d attempts in 15 s, want all 90", len(d.events()))
		}
		if most["total"] != 7 || most["desk"] != 3 || most["log"] != 3 || most["bus"] != 3 {
			t.Errorf("at once = %v, want 7 and 3 each", most)
		}
	})
}

func TestStop(t *testing.T) {
	t.Parallel()
	inBubble(t, &desk{}, lanes.Options{Grace: 5 * time.Second}, func(t *testing.T, q *lanes.Queue, _ func() func()) {
		put(t, q, item("desk", "a", 1), item("desk", "b", 1), item("desk", "b", 2))
		stop := run(t, q, func(ctx context.Context, i delivery.Item, _ bool) (delivery.Progress, error) {
			wait := time.Second
			if i.Subject.Stream == "a" {
				wait = time.Hour
			}
			select {
			case <-ctx.Done():
				return delivery.Progress{}, ctx.Err()
			case <-time.After(wait):
				return delivered(), nil
			}
		})
		synctest.Wait()
		begun := time.Now()
		stop()
		if took := time.Since(begun); took != 5*time.Second {
			t.Errorf("stopping took %s, want the grace of 5 s", took)
		}
		if left := list(t, q, delivery.Pending); !slices.Equal(left, []string{"desk a@1", "desk b@2"}) {
			t.Errorf("left = %q, want what was abandoned and what was not begun", left)
		}
		again := &desk{}
		defer run(t, q, again.attempt)()
		synctest.Wait()
		if got := again.events(); len(got) != 2 {
			t.Errorf("after a restart: %q", got)
		}
	})
}

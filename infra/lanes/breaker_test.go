package lanes_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"handoff/domain/delivery"
	"handoff/domain/fault"
	"handoff/infra/breaker"
	"handoff/infra/lanes"
)

func TestBreaker(t *testing.T) {
	t.Parallel()
	down := true
	d := &desk{}
	d.answer = func(i delivery.Item, _ bool) (delivery.Progress, error) {
		if down && i.Subject.Endpoint == "desk" {
			return failed(time.Now().Add(time.Second)), nil
		}
		return delivered(), nil
	}
	inBubble(t, d, lanes.Options{Failures: 3}, func(t *testing.T, q *lanes.Queue, start func() func()) {
		stop := start()
		for i := range 9 {
			put(t, q, item("desk", fmt.Sprint("c", i), 1))
			synctest.Wait()
		}
		if n := len(d.events()); n != 3 {
			t.Errorf("%d attempts before the breaker opened, want 3", n)
		}
		put(t, q, item("log", "a", 1))
		synctest.Wait()
		if all := d.events(); all[len(all)-1] != "log a@1" {
			t.Errorf("another endpoint was held up: %q", all)
		}
		breakerIs(t, q, breaker.Open)
		stop() // what it knows survives
		stop = start()
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if n := len(d.events()); n != 4 {
			t.Errorf("%d attempts while the breaker is open, want 4", n)
		}
		time.Sleep(2 * time.Second) // half-open: one probe, the oldest
		synctest.Wait()
		if all := d.events(); len(all) != 5 || all[4] != "desk c0@1" {
			t.Errorf("attempts = %q, want one probe", all)
		}
		down = false
		time.Sleep(18 * time.Second) // the second rest is 20 s
		synctest.Wait()
		if n := len(d.events()); n != 5 {
			t.Errorf("%d attempts during the second rest", n)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n, left := len(d.events()), list(t, q, delivery.None); n != 5+9 || len(left) > 0 {
			t.Errorf("%d attempts, left %q", n, left)
		}
		breakerIs(t, q, breaker.Closed)
		stop()
	})
}

func breakerIs(t *testing.T, q *lanes.Queue, want breaker.State) {
	t.Helper()
	all, err := q.Endpoints(t.Context())
	if err != nil || all[0].Breaker != want {
		t.Errorf("endpoints = %+v, %v, want the first %s", all, err, want)
	}
}

// TestNothingWaitsForEver: an endpoint that is down for good gets a last
// attempt for each item, and everything ends parked.
func TestNothingWaitsForEver(t *testing.T) {
	t.Parallel()
	d := &desk{answer: func(_ delivery.Item, last bool) (delivery.Progress, error) {
		if last {
			return parked(), nil
		}
		return failed(time.Now().Add(24 * time.Hour)), nil
	}}
	inBubble(t, d, lanes.Options{}, func(t *testing.T, q *lanes.Queue, start func() func()) {
		defer start()()
		for i := range 40 {
			put(t, q, item("desk", fmt.Sprint("c", i), 1), item("desk", fmt.Sprint("c", i), 2))
		}
		time.Sleep(delivery.MaxAge + time.Hour)
		synctest.Wait()
		if left := list(t, q, delivery.Pending); len(left) > 0 {
			t.Errorf("%d are pending after %s", len(left), delivery.MaxAge)
		}
		if n := len(list(t, q, delivery.Parked)); n != 80 {
			t.Errorf("%d are parked, want 80", n)
		}
	})
}

func TestErrorsOfOurOwn(t *testing.T) {
	t.Parallel()
	n := 0
	d := &desk{answer: func(i delivery.Item, _ bool) (delivery.Progress, error) {
		if i.Subject.Event == "b@1" {
			return delivery.Progress{}, fault.New(fault.NotFound, "fact-not-found", "It is not there.")
		}
		if n++; n < 8 {
			return delivery.Progress{}, errors.New("the log can't be read")
		}
		return delivered(), nil
	}}
	inBubble(t, d, lanes.Options{}, func(t *testing.T, q *lanes.Queue, start func() func()) {
		defer start()()
		put(t, q, item("desk", "a", 1), item("desk", "b", 1))
		time.Sleep(time.Hour)
		synctest.Wait()
		if n != 8 {
			t.Errorf("%d attempts, want 8: our errors are no failures of the endpoint", n)
		}
		rows, err := q.List(t.Context(), lanes.Query{Tenant: "default", Limit: 9})
		if err != nil || len(rows) != 1 || rows[0].Status != delivery.Parked || rows[0].Code != "fact-not-found" {
			t.Errorf("rows = %+v, %v, want b@1 parked", rows, err)
		}
		breakerIs(t, q, breaker.Closed)
	})
}

// TestOrderUnderFailuresAndRestarts: whatever fails, and whenever the queue is
// stopped, each conversation's deliveries succeed in their order, and all do.
func TestOrderUnderFailuresAndRestarts(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	var mu sync.Mutex
	got := map[string][]int{}
	d := &desk{answer: func(i delivery.Item, _ bool) (delivery.Progress, error) {
		mu.Lock()
		luck, wait := random.IntN(10), time.Duration(random.IntN(3000))*time.Millisecond
		mu.Unlock()
		time.Sleep(wait / 100)
		switch {
		case luck < 4:
			return failed(time.Now().Add(wait)), nil
		case luck < 5:
			return delivery.Progress{}, errors.New("the log can't be read")
		}
		mu.Lock()
		defer mu.Unlock()
		lane := i.Subject.Endpoint + i.Subject.Stream
		if all := got[lane]; len(all) == 0 || all[len(all)-1] != i.Subject.Version { // a stop may repeat the last one
			got[lane] = append(all, i.Subject.Version)
		}
		return delivered(), nil
	}}
	inBubble(t, d, lanes.Options{Grace: time.Millisecond, Failures: 8}, func(t *testing.T, q *lanes.Queue, start func() func()) {
		for n := 1; n <= 10; n++ {
			stop := start()
			for c := range 12 {
				put(t, q, item("desk", fmt.Sprint("c", c), n), item("log", fmt.Sprint("c", c), n))
			}
			time.Sleep(1500 * time.Millisecond) // some are under way when it stops
			stop()
		}
		defer start()()
		time.Sleep(6 * time.Hour)
		synctest.Wait()
		want := []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
		for lane, all := range got {
			if !slices.Equal(all, want) {
				t.Errorf("%s: delivered %v", lane, all)
			}
		}
		if len(got) != 24 || len(list(t, q, delivery.None)) > 0 {
			t.Errorf("%d lanes delivered, left %q", len(got), list(t, q, delivery.None))
		}
	})
}

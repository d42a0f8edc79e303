package subscription_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"handoff/domain/fault"
	"handoff/events"
)

func TestNothingIsHandledAgainAfterAnOrderlyStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, got := newMachine(t), new(calls)
		f := one("f", func(_ context.Context, n events.Notification) error { got.note(n); return nil })
		p := m.start(t, f)
		m.add(t, stream(1), repeat("A", 10)...)
		p.catchUp(t, m, "f")
		p.stop(t)
		m.add(t, stream(1), "A")
		p = m.start(t, f)
		p.catchUp(t, m, "f")
		p.stop(t)
		same(t, "calls", got.of(stream(1)), []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})
	})
}

func TestWhatWasNotSavedIsHandledAgainAfterACrash(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, got := newMachine(t), new(calls)
		f := one("f", func(_ context.Context, n events.Notification) error { got.note(n); return nil })
		p := m.start(t, f)
		m.add(t, stream(1), repeat("A", 3)...)
		p.catchUp(t, m, "f")
		<-time.After(time.Second) // saved
		m.add(t, stream(1), repeat("A", 2)...)
		p.catchUp(t, m, "f")
		p.crash(t)
		p = m.start(t, f)
		p.catchUp(t, m, "f")
		p.stop(t)
		same(t, "calls", got.of(stream(1)), []int{1, 2, 3, 4, 5, 4, 5})
	})
}

func TestWhatWasUnderWayIsHandledAgainAfterACrash(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, got := newMachine(t), new(calls)
		hang := true
		f := one("f", func(ctx context.Context, n events.Notification) error {
			got.note(n)
			if hang && n.Stream == stream(1) {
				<-ctx.Done()
				return ctx.Err()
			}
			if n.Type == "Poison" {
				return fault.New(fault.Invalid, "poison", "It can't be.")
			}
			return nil
		})
		p := m.start(t, f)
		m.add(t, stream(1), "A")
		m.add(t, stream(2), "A", "Poison")
		<-time.After(10 * time.Second) // saved many times over
		p.crash(t)
		hang = false
		p = m.start(t, f)
		p.catchUp(t, m, "f")
		p.stop(t)
		same(t, "calls of what was under way", got.of(stream(1)), []int{1, 1})
		same(t, "calls of what was done or parked meanwhile", got.of(stream(2)), []int{1, 2, 1})
	})
}

func TestWhatWasPutAsideSurvivesARestart(t *testing.T) {
	t.Parallel()
	for sentence, end := range map[string]func(*process, *testing.T){
		"an orderly stop": (*process).stop, "a crash": (*process).crash,
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m, got := newMachine(t), new(calls)
				up := time.Now().Add(10 * time.Minute)
				f := one("f", func(_ context.Context, n events.Notification) error {
					if n.Stream == stream(1) && time.Now().Before(up) {
						return errDown
					}
					got.note(n)
					return nil
				})
				p := m.start(t, f)
				m.add(t, stream(1), repeat("A", 3)...)
				m.add(t, stream(2), "A")
				p.catchUp(t, m, "f")
				<-time.After(time.Minute)
				end(p, t)
				m.add(t, stream(1), "A")
				p = m.start(t, f)
				p.catchUp(t, m, "f")
				if lag, err := p.Lag(t.Context()); err != nil || lag[0].Waiting < 3 || lag[0].Behind != 0 {
					t.Errorf("lag = %+v, %v, want 3 or 4 facts that wait", lag, err)
				}
				<-time.After(time.Until(up) + 6*time.Minute)
				p.stop(t)
				same(t, "calls", got.of(stream(1)), []int{1, 2, 3, 4})
				same(t, "calls for the other stream", got.of(stream(2)), []int{1})
			})
		})
	}
}

// chaos is a function that fails at random, for a while or for good.
type chaos struct {
	mu     sync.Mutex
	random *rand.Rand
	calm   bool
	got    map[events.StreamID][]int
}

func (c *chaos) handle(ctx context.Context, n events.Notification) error {
	c.mu.Lock()
	dice, calm := c.random.IntN(10), c.calm
	c.mu.Unlock()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Duration(dice) * time.Millisecond):
	}
	if !calm && dice < 2 {
		return errDown
	}
	if n.Type == "Poison" {
		return fault.New(fault.Invalid, "poison", "It can't be.")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got[n.Stream] = append(c.got[n.Stream], n.Version)
	return nil
}

// TestNothingIsSkippedAndOrderIsKeptWhateverHappens runs a function that fails
// at random through crashes and stops. What it handled for the first time must
// be everything but poison, in order.
func TestNothingIsSkippedAndOrderIsKeptWhateverHappens(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { runChaos(t, seed) })
		})
	}
}

func runChaos(t *testing.T, seed uint64) {
	t.Helper()
	const streams, rounds, burst = 12, 6, 60
	random := rand.New(rand.NewPCG(seed, 1))
	c := &chaos{random: rand.New(rand.NewPCG(seed, 2)), got: make(map[events.StreamID][]int)}
	m := newMachine(t)
	want := make([][]int, streams)
	total := make([]int, streams)
	for range rounds {
		p := m.start(t, one("f", c.handle))
		for range burst {
			s, typ := random.IntN(streams), "A"
			if random.IntN(20) == 0 {
				typ = "Poison"
			}
			m.add(t, stream(s), typ)
			if total[s]++; typ == "A" {
				want[s] = append(want[s], total[s])
			}
		}
		<-time.After(time.Duration(random.IntN(120)) * time.Millisecond)
		if random.IntN(2) == 0 {
			p.crash(t)
		} else {
			p.stop(t)
		}
	}
	c.calm = true
	p := m.start(t, one("f", c.handle))
	p.catchUp(t, m, "f")
	<-time.After(time.Hour)
	p.stop(t)
	for s := range streams {
		same(t, fmt.Sprintf("first calls for stream %d", s), firsts(c.got[stream(s)]), want[s])
	}
}

func firsts(versions []int) (first []int) {
	for _, v := range versions {
		if !slices.Contains(first, v) {
			first = append(first, v)
		}
	}
	return first
}

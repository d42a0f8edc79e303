package dynamolanes_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"handoff/domain/delivery"
	"handoff/infra/dynamolanes"
)

// plant puts messages of conversations into the FIFO queue and returns the
// items.
func (c *cloud) plant(conversations, each int) (all []delivery.Item) {
	for n := range conversations {
		conversation := fmt.Sprint("c", n)
		for v := 1; v <= each; v++ {
			i := item("desk", conversation, v)
			c.fifo[conversation] = append(c.fifo[conversation], i)
			all = append(all, i)
		}
	}
	return all
}

// play runs the cloud: rounds of arbitrary choices, then, with nobody dying any
// more, everything to its end. It returns what is wrong.
func (c *cloud) play(all []delivery.Item, o dynamolanes.Options, rounds int) error {
	instances := []*instance{c.instance(o), c.instance(o), c.instance(o)}
	busy := map[string]int{} // message groups
	for range rounds {
		can := c.choices(instances, o, busy)
		can[c.pick(len(can))]()
	}
	return c.finish(all, o, busy)
}

// choices are what may happen next.
func (c *cloud) choices(instances []*instance, o dynamolanes.Options, busy map[string]int) (can []func()) {
	for n := range c.parked {
		can = append(can, func() { c.grant(n, c.fate()) })
	}
	for n, i := range instances {
		if i.dead { // it is replaced
			instances[n] = c.instance(o)
		}
		if i = instances[n]; i.busy {
			continue
		}
		for _, group := range slices.Sorted(maps.Keys(c.fifo)) {
			if len(c.fifo[group]) > 0 && busy[group] == 0 {
				can = append(can, func() { c.receiveMessage(i, group, busy) })
			}
		}
		if n := slices.IndexFunc(c.wakes, func(w wake) bool { return !w.at.After(c.now) }); n >= 0 {
			can = append(can, func() { c.receiveWake(i, n) })
		}
		can = append(can, func() { c.sweep(i) })
	}
	return append(can, func() { c.now = c.now.Add(20 * time.Second) })
}

// sweep is what the schedule starts.
func (c *cloud) sweep(i *instance) {
	c.begin(i, i.queue.Sweep, func(error) {})
	c.settle()
}

// receiveMessage hands out the first message of a group. It is deleted when it
// was handled, else it comes again; with a worker that died, at once, which is
// sooner than SQS would.
func (c *cloud) receiveMessage(i *instance, group string, busy map[string]int) {
	m := c.fifo[group][0]
	busy[group]++
	c.begin(i, func(ctx context.Context) error { return i.queue.Put(ctx, m) }, func(err error) {
		busy[group]--
		if err == nil && len(c.fifo[group]) > 0 && c.fifo[group][0] == m {
			c.fifo[group] = c.fifo[group][1:]
		}
	})
	c.settle()
}

func (c *cloud) receiveWake(i *instance, n int) {
	w := c.wakes[n]
	c.wakes = slices.Delete(c.wakes, n, n+1)
	c.begin(i, func(ctx context.Context) error { return i.queue.Work(ctx, w.lane) }, func(err error) {
		if err != nil {
			c.wakes = append(c.wakes, wake{c.now.Add(30 * time.Second), w.lane})
		}
	})
	c.settle()
}

// finish lets everything come to its end and checks what came of it.
func (c *cloud) finish(all []delivery.Item, o dynamolanes.Options, busy map[string]int) error {
	i, end := c.instance(o), c.now.Add(12*time.Hour)
	drain := func() {
		for len(c.parked) > 0 {
			c.grant(0, lives)
		}
	}
	for drain(); len(c.lanes()) > 0 || len(c.wakes) > 0 || !c.idle(); c.now = c.now.Add(7 * time.Second) {
		for group := range c.fifo {
			if len(c.fifo[group]) > 0 && busy[group] == 0 {
				c.receiveMessage(i, group, busy)
				drain()
			}
		}
		for n := len(c.wakes) - 1; n >= 0; n-- {
			if !c.wakes[n].at.After(c.now) {
				c.receiveWake(i, n)
				drain()
			}
		}
		c.sweep(i)
		drain()
		if c.now.After(end) {
			return fmt.Errorf("it comes to no end: %d items, wakes %v, messages %v", len(c.lanes()), c.wakes, c.fifo)
		}
	}
	return c.check(all)
}

// lanes returns the items of lanes. A breaker may stay: the next attempt to its
// endpoint closes it.
func (c *cloud) lanes() (left []dynamolanes.Item) {
	for k, i := range c.items {
		if strings.HasPrefix(k[0], "lane#") {
			left = append(left, i)
		}
	}
	return left
}

func (c *cloud) idle() bool {
	for _, waiting := range c.fifo {
		if len(waiting) > 0 {
			return false
		}
	}
	return true
}

func (c *cloud) check(all []delivery.Item) error {
	want := map[string][]int{}
	for _, i := range all {
		if c.state[i.ID] != delivery.Delivered {
			return fmt.Errorf("%s is %q in the end", i.Subject.Event, c.state[i.ID])
		}
		lane := i.Subject.Endpoint + " " + i.Subject.Stream
		want[lane] = append(want[lane], i.Subject.Version)
	}
	for lane, versions := range want {
		slices.Sort(versions)
		if !slices.Equal(c.first[lane], versions) {
			return fmt.Errorf("%s received %v first, want %v", lane, c.first[lane], versions)
		}
	}
	return nil
}

// TestKilledAtEveryStep runs a conversation of three events whose first one
// fails twice, and has a worker die at the first step, at the second, and so on,
// before the step and after it, or get an error there.
func TestKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	for sentence, f := range map[string]fate{"dies before a step": diesBefore, "dies after a step": diesAfter, "a step fails": failsBefore} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			for at, n := 0, 1; n > at; at++ {
				n = 0
				c := newCloud(func(int) int { return 0 }, func() fate {
					if n++; n == at+1 {
						return f
					}
					return lives
				})
				all := c.plant(1, 3)
				c.fails[all[0].ID] = 2
				if err := c.play(all, dynamolanes.Options{}, 200); err != nil {
					t.Fatalf("step %d: %v", at, err)
				}
			}
		})
	}
}

// TestOrderAndCompleteness interleaves messages, wake-ups, sweeps and the steps
// of three instances in any way, kills them anywhere, hands messages out again,
// and has endpoints fail: every lane receives everything, in order by first
// reception, and in the end nothing is left in the table.
func TestOrderAndCompleteness(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		deaths := rapid.IntRange(0, 8).Draw(t, "deaths")
		c := newCloud(
			func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choice") },
			func() fate {
				if deaths == 0 || rapid.IntRange(0, 9).Draw(t, "fate") > 0 {
					return lives
				}
				deaths--
				return fate(rapid.IntRange(1, 3).Draw(t, "how"))
			})
		all := c.plant(rapid.IntRange(1, 2).Draw(t, "conversations"), rapid.IntRange(1, 4).Draw(t, "facts"))
		for _, i := range all {
			c.fails[i.ID] = max(0, rapid.IntRange(-2, 3).Draw(t, "fails"))
			if rapid.IntRange(0, 4).Draw(t, "waits") == 0 {
				c.waits[i.ID] = c.now.Add(10 * time.Second)
			}
		}
		o := dynamolanes.Options{Failures: rapid.SampledFrom([]int{2, 100}).Draw(t, "threshold")}
		if err := c.play(all, o, rapid.IntRange(20, 150).Draw(t, "rounds")); err != nil {
			t.Fatal(err)
		}
	})
}

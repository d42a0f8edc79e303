package dynamolanes_test

import (
	"context"
	"testing"
	"time"

	"handoff/domain/delivery"
	"handoff/infra/dynamolanes"
)

// explore runs f with every sequence of choices that it can meet.
func explore(t *testing.T, f func(pick func(int) int)) (runs int) {
	t.Helper()
	var path, width []int
	for {
		at := 0
		f(func(n int) int {
			if at == len(path) {
				path, width = append(path, 0), append(width, n)
			}
			at++
			return path[at-1]
		})
		runs++
		for len(path) > 0 && path[len(path)-1] == width[len(path)-1]-1 {
			path, width = path[:len(path)-1], width[:len(width)-1]
		}
		if len(path) == 0 {
			return runs
		}
		path[len(path)-1]++
	}
}

// maxSwitches is how often the one worker is interrupted for the other. All
// known faults need at most three.
const maxSwitches = 3

// TestEveryInterleaving has two workers do something with one lane, and their
// steps follow each other in every order with few switches between them.
func TestEveryInterleaving(t *testing.T) {
	t.Parallel()
	v1, v2 := item("desk", "c0", 1), item("desk", "c0", 2)
	work := func(i *instance) func(context.Context) error {
		return func(ctx context.Context) error { return i.queue.Work(ctx, i.wakes[0].lane) }
	}
	for sentence, c := range map[string]struct {
		all   []delivery.Item
		setup func(*cloud)
		other func(*instance) func(context.Context) error
	}{
		"another fact comes while the lane is worked": {
			all: []delivery.Item{v1, v2},
			other: func(i *instance) func(context.Context) error {
				return func(ctx context.Context) error { return i.queue.Put(ctx, v2) }
			},
		},
		"the delivery is sent again while it ends": {
			all: []delivery.Item{v1},
			other: func(i *instance) func(context.Context) error {
				return func(ctx context.Context) error {
					if err := i.step(func() { i.state[v1.ID] = delivery.Pending }); err != nil {
						return err
					}
					return i.queue.Put(ctx, v1)
				}
			},
		},
		"two wake-ups come at once": {all: []delivery.Item{v1}, other: work},
		"the transcript comes while an attempt finds that it is not there": {
			all:   []delivery.Item{v1},
			setup: func(c *cloud) { c.waits[v1.ID] = c.now.Add(1000 * time.Hour) },
			other: func(i *instance) func(context.Context) error {
				return func(ctx context.Context) error {
					if err := i.step(func() { delete(i.waits, v1.ID) }); err != nil {
						return err
					}
					return i.queue.Hurry(ctx, v1)
				}
			},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			runs := explore(t, func(pick func(int) int) {
				world := newCloud(pick, func() fate { return lives })
				world.fails[v1.ID] = 1
				first := world.instance(dynamolanes.Options{})
				world.begin(first, func(ctx context.Context) error { return first.queue.Put(ctx, v1) }, func(error) {})
				for world.settle(); len(world.parked) > 0; {
					world.grant(0, lives) // v1 fails and waits
				}
				if c.setup != nil {
					c.setup(world)
				}
				world.now = world.now.Add(10 * time.Second)
				a, b := world.instance(dynamolanes.Options{}), world.instance(dynamolanes.Options{})
				world.begin(a, work(a), func(error) {})
				world.settle()
				world.begin(b, c.other(b), func(error) {})
				world.settle()
				for switches := 0; len(world.parked) > 0; {
					n := len(world.parked) - 1 // the one who made the last step
					if n == 1 && switches < maxSwitches {
						n -= pick(2)
						switches += 1 - n
					}
					world.grant(n, lives)
				}
				world.wakes = nil // every wake-up is lost
				if err := world.finish(c.all, dynamolanes.Options{}, map[string]int{}); err != nil {
					t.Fatal(err)
				}
			})
			t.Logf("%d interleavings", runs)
		})
	}
}

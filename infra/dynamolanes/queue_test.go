package dynamolanes_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"handoff/domain/delivery"
	"handoff/domain/fault"
	"handoff/infra/dynamolanes"
)

// quiet is a cloud in which everybody lives and one thing happens at a time.
func quiet() *cloud { return newCloud(func(int) int { return 0 }, func() fate { return lives }) }

// run has an instance do something to its end.
func (c *cloud) run(t *testing.T, i *instance, f func(context.Context) error) {
	t.Helper()
	c.begin(i, f, func(err error) {
		if err != nil {
			t.Errorf("it fails: %v", err)
		}
	})
	for c.settle(); len(c.parked) > 0; {
		c.grant(0, lives)
	}
}

func (c *cloud) put(t *testing.T, i *instance, items ...delivery.Item) {
	t.Helper()
	c.run(t, i, func(ctx context.Context) error { return i.queue.Put(ctx, items...) })
}

// after lets time pass, with the schedule's minutes and every wake-up in time.
func (c *cloud) after(t *testing.T, i *instance, d time.Duration) {
	t.Helper()
	for end := c.now.Add(d); c.now.Before(end); {
		c.now = c.now.Add(min(time.Minute, end.Sub(c.now)))
		c.run(t, i, i.queue.Sweep)
		for _, lane := range c.takeWakes() {
			c.run(t, i, func(ctx context.Context) error { return i.queue.Work(ctx, lane) })
		}
	}
}

func (c *cloud) takeWakes() (lanes []string) {
	c.wakes = slices.DeleteFunc(c.wakes, func(w wake) bool {
		if !w.at.After(c.now) {
			lanes = append(lanes, w.lane)
		}
		return !w.at.After(c.now)
	})
	return lanes
}

func (c *cloud) waiting(t *testing.T, i *instance, connection, endpoint string) (rows []dynamolanes.Row) {
	t.Helper()
	c.run(t, i, func(ctx context.Context) error {
		for r, err := range i.queue.Waiting(ctx, "default", connection, endpoint) {
			if err != nil {
				return err
			}
			rows = append(rows, r)
		}
		return nil
	})
	return rows
}

func TestWhatIsConfirmedAtOnceWritesNothing(t *testing.T) {
	t.Parallel()
	c := quiet()
	i := c.instance(dynamolanes.Options{})
	c.put(t, i, item("desk", "a", 1), item("log", "a", 1), item("desk", "a", 2))
	if c.writes != 0 || len(c.wakes) != 0 || c.sent != 3 {
		t.Errorf("%d writes, wake-ups %v, %d sent, want none, none and 3", c.writes, c.wakes, c.sent)
	}
	c.fails[item("desk", "a", 3).ID] = 1
	c.put(t, i, item("desk", "a", 3))
	c.after(t, i, time.Minute)
	if c.writes != 5 || len(c.items) != 0 {
		t.Errorf("%d writes for one that failed once, want 5", c.writes)
	}
}

func TestAQueueWithoutAWorkerOnlyWritesDown(t *testing.T) {
	t.Parallel()
	c := quiet()
	i := c.instance(dynamolanes.Options{})
	i.queue.Worker = nil
	c.put(t, i, item("desk", "a", 1))
	if c.sent != 0 || len(c.wakes) != 1 || len(c.lanes()) != 2 {
		t.Errorf("%d sent, wake-ups %v, %d items", c.sent, c.wakes, len(c.lanes()))
	}
	sender := c.instance(dynamolanes.Options{})
	c.after(t, sender, time.Minute)
	if c.sent != 1 || len(c.items) != 0 {
		t.Errorf("after the wake-up %d are sent, left %v", c.sent, c.items)
	}
}

func TestOneWorkerALane(t *testing.T) {
	t.Parallel()
	c := quiet()
	c.fails[item("desk", "a", 1).ID] = 1
	a, b := c.instance(dynamolanes.Options{}), c.instance(dynamolanes.Options{})
	c.put(t, a, item("desk", "a", 1))
	lane := c.wakes[0].lane
	c.run(t, b, func(ctx context.Context) error { return b.queue.Work(ctx, lane) })
	if c.sent != 1 {
		t.Errorf("%d attempts before the lane is due, want 1", c.sent)
	}
	c.now = c.now.Add(time.Minute)
	work := func(i *instance) func(context.Context) error {
		return func(ctx context.Context) error { return i.queue.Work(ctx, lane) }
	}
	c.begin(a, work(a), func(error) {})
	for c.settle(); c.sent < 2; {
		c.grant(0, lives) // up to the request, whose answer is not there yet
	}
	held := c.parked[0]
	c.parked = nil
	c.run(t, b, work(b))
	if c.sent != 2 {
		t.Errorf("%d attempts, want no other one while the lane is leased", c.sent)
	}
	c.now = c.now.Add(2 * time.Minute) // the lease is over
	c.run(t, b, work(b))
	if c.sent != 3 || len(c.lanes()) != 0 {
		t.Errorf("%d attempts, %d items, want the other worker to finish", c.sent, len(c.lanes()))
	}
	for c.parked = append(c.parked, held); len(c.parked) > 0; {
		c.grant(0, lives) // the first one wakes up, and finds that all is done
	}
	if len(c.items) != 0 {
		t.Errorf("left %v", c.items)
	}
}

func TestListsWhatWaits(t *testing.T) {
	t.Parallel()
	c := quiet()
	i := c.instance(dynamolanes.Options{})
	for _, one := range []delivery.Item{item("desk", "a", 1), item("log", "a", 1)} {
		c.fails[one.ID] = 9
	}
	var many []delivery.Item
	for v := 1; v <= 150; v++ {
		many = append(many, item("desk", "a", v))
	}
	c.put(t, i, many...)
	c.put(t, i, item("log", "a", 1))
	if n := len(c.waiting(t, i, "", "")); n != 151 {
		t.Errorf("%d wait, want 151", n)
	}
	if n := len(c.waiting(t, i, "store", "")); n != 0 {
		t.Errorf("%d wait of a connection whose name begins alike", n)
	}
	rows := c.waiting(t, i, "store-bot", "desk")
	if len(rows) != 150 || rows[0].Item != many[0] || rows[0].Behind || !rows[1].Behind || rows[149].Item != many[149] {
		t.Fatalf("%d rows, not in order: %+v", len(rows), rows)
	}
	if r := rows[0]; r.Tries != 1 || r.Code != "status-500" || r.HTTP != 500 || r.Due.Sub(c.now) > 6*time.Second || rows[1].Tries != 0 {
		t.Errorf("the first row is %+v", r)
	}
	c.run(t, i, func(ctx context.Context) error {
		for _, one := range []delivery.Item{many[0], many[7]} {
			if r, ok, err := i.queue.Find(ctx, one); err != nil || !ok || r.Item != one || r.Behind == (one == many[0]) {
				t.Errorf("Find = %+v, %t, %v", r, ok, err)
			}
		}
		if r, ok, err := i.queue.Find(ctx, item("desk", "b", 1)); ok || err != nil {
			t.Errorf("Find of nothing = %+v, %v", r, err)
		}
		return nil
	})
}

// TestBreakerOverInstances: an endpoint that is down is left alone by all, one
// attempt over all instances probes, and what waits for longer is looked at less
// often.
func TestBreakerOverInstances(t *testing.T) {
	t.Parallel()
	c := quiet()
	o := dynamolanes.Options{Failures: 3}
	a, b := c.instance(o), c.instance(o)
	var all []delivery.Item
	for n := range 9 {
		all = append(all, item("desk", fmt.Sprint("c", n), 1))
		c.fails[all[n].ID] = 1000
	}
	c.put(t, a, all[0])
	c.put(t, a, all[1])
	c.put(t, b, all[2]) // it counts by itself
	c.put(t, a, all[3])
	if c.sent != 4 {
		t.Fatalf("%d attempts, want 4", c.sent)
	}
	c.now = c.now.Add(4 * time.Second) // b believes no longer that all is well
	c.put(t, b, all[4])
	c.put(t, a, all[5])
	if c.sent != 4 {
		t.Errorf("%d attempts with an open breaker, want 4", c.sent)
	}
	c.put(t, a, item("log", "c0", 1))
	if c.sent != 5 {
		t.Error("another endpoint is held up")
	}
	c.now = c.now.Add(6100 * time.Millisecond)
	c.begin(a, func(ctx context.Context) error { return a.queue.Put(ctx, all[6]) }, func(error) {})
	for c.settle(); c.sent < 6; {
		c.grant(0, lives)
	}
	probing := c.parked
	c.parked = nil
	c.put(t, b, all[7])
	if c.sent != 6 {
		t.Errorf("%d attempts, want no other one while one probes", c.sent)
	}
	for c.parked = probing; len(c.parked) > 0; {
		c.grant(0, lives)
	}
	begun := c.sent
	c.after(t, b, 24*time.Hour)
	if n := c.sent - begun; n < 24*4-10 || n > 24*12 {
		t.Errorf("%d attempts in a day, want one for each rest of 5 minutes or, as the lanes are looked at, each 15 minutes", n)
	}
	c.fails = nil
	c.after(t, b, 40*time.Minute)
	if left := slices.Collect(maps.Values(c.items)); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func TestNothingWaitsForEver(t *testing.T) {
	t.Parallel()
	c := quiet()
	i := c.instance(dynamolanes.Options{})
	var all []delivery.Item
	for n := range 12 {
		for v := 1; v <= 2; v++ {
			all = append(all, item("desk", fmt.Sprint("c", n), v))
			c.fails[all[len(all)-1].ID] = 1 << 20
		}
	}
	c.put(t, i, all...)
	c.after(t, i, delivery.MaxAge+time.Hour)
	for _, one := range all {
		if c.state[one.ID] != delivery.Parked {
			t.Errorf("%s is %q", one.Subject.Event, c.state[one.ID])
		}
	}
	if n := len(c.lanes()); n > 0 {
		t.Errorf("%d items are left", n)
	}
}

// broken is a worker that can't attempt.
type broken struct {
	*instance
	err error
}

func (b *broken) Attempt(ctx context.Context, item delivery.Item, last bool) (delivery.Progress, error) {
	if b.err != nil {
		return delivery.Progress{}, b.err
	}
	return b.instance.Attempt(ctx, item, last)
}

func TestErrorsOfOurOwn(t *testing.T) {
	t.Parallel()
	one := item("desk", "a", 1)
	for sentence, test := range map[string]struct {
		err   error
		first delivery.Status
		then  delivery.Status
	}{
		"pause":                     {err: errors.New("the log can't be read"), then: delivery.Delivered},
		"of a permanent kind, park": {err: fault.New(fault.NotFound, "fact-not-found", "It is not there."), first: delivery.Parked, then: delivery.Parked},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			c := quiet()
			i := c.instance(dynamolanes.Options{Failures: 1})
			b := &broken{instance: i, err: test.err}
			i.queue.Worker = b
			c.put(t, i, one)
			if c.state[one.ID] != test.first {
				t.Errorf("after the error it is %q, want %q", c.state[one.ID], test.first)
			}
			c.after(t, i, 5*time.Minute)
			if rows := c.waiting(t, i, "", ""); test.first == "" && (len(rows) != 1 || rows[0].Code != "internal" || rows[0].Tries != 0) {
				t.Errorf("rows = %+v", rows)
			}
			b.err = nil
			c.after(t, i, 2*time.Minute)
			if c.state[one.ID] != test.then || len(c.items) != 0 {
				t.Errorf("it is %q, left %v", c.state[one.ID], c.items)
			}
		})
	}
}

// TestTimeRunsOut: an invocation whose time ends gives the rest of its lane to
// the next one.
func TestTimeRunsOut(t *testing.T) {
	t.Parallel()
	c := quiet()
	i := c.instance(dynamolanes.Options{})
	c.fails[item("desk", "a", 1).ID] = 1
	c.put(t, i, item("desk", "a", 1), item("desk", "a", 2), item("desk", "a", 3))
	c.now = c.now.Add(time.Minute)
	lane := c.takeWakes()[0]
	c.run(t, i, func(ctx context.Context) error {
		ctx, cancel := context.WithDeadline(ctx, time.Now().Add(time.Hour))
		defer cancel()
		return i.queue.Work(early{ctx, c.now.Add(29 * time.Second)}, lane)
	})
	if c.sent != 2 || len(c.wakes) != 1 {
		t.Errorf("%d attempts, wake-ups %v, want one more attempt and a wake-up for the others", c.sent, c.wakes)
	}
	c.after(t, i, time.Minute)
	if c.sent != 4 || len(c.items) != 0 {
		t.Errorf("%d attempts, left %v", c.sent, c.items)
	}
}

// early is a context that says another deadline.
type early struct {
	context.Context //nolint:containedctx // it is one
	end             time.Time
}

func (e early) Deadline() (time.Time, bool) { return e.end, true }

func TestACheckpointNeverGoesBack(t *testing.T) {
	t.Parallel()
	c := quiet()
	i := c.instance(dynamolanes.Options{})
	mark := dynamolanes.NewCheckpoint(i, "check", i.clock)
	c.run(t, i, func(ctx context.Context) error {
		for _, step := range []struct{ save, want int64 }{{0, 0}, {7, 7}, {3, 7}, {9, 9}} {
			if err := mark.Save(ctx, step.save); err != nil {
				return err
			}
			if got, err := mark.Load(ctx); err != nil || got != step.want {
				t.Errorf("after %d it is %d, %v, want %d", step.save, got, err, step.want)
			}
		}
		return nil
	})
}

// counter is a meter.
type counter map[string]float64

func (c counter) Add(_ context.Context, metric string, value float64) { c[metric] += value }

func TestWhatEndsParkedIsCounted(t *testing.T) {
	t.Parallel()
	c, counted := quiet(), counter{}
	i := c.instance(dynamolanes.Options{})
	i.queue.Worker, i.queue.Meter = &broken{instance: i, err: fault.New(fault.NotFound, "fact-not-found", "It is not there.")}, counted
	c.put(t, i, item("desk", "a", 1))
	i.queue.Worker = i
	c.put(t, i, item("desk", "a", 2))
	if counted[dynamolanes.MetricParked] != 1 {
		t.Errorf("counted %v, want one", counted)
	}
}

package dynamolanes_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"handoff/domain/delivery"
	"handoff/events"
	"handoff/infra/dynamolanes"
)

var errKilled = errors.New("the worker was killed")

// fate is what becomes of one step of a worker: a read, a write, a message, a
// request to an endpoint.
type fate int

const (
	lives       fate = iota
	diesBefore       // the step is not done, and the worker does nothing more
	diesAfter        // it is done, and nobody hears of it
	failsBefore      // it is not done, the worker gets an error and goes on
)

// cloud is a table, two queues, a log of deliveries and endpoints, with workers
// that do one step at a time, in whatever order pick says.
type cloud struct {
	pick func(n int) int
	fate func() fate

	now    time.Time
	items  map[[2]string]dynamolanes.Item
	fifo   map[string][]delivery.Item // by message group
	wakes  []wake
	state  map[events.StreamID]delivery.Status
	tries  map[events.StreamID]int
	fails  map[events.StreamID]int // attempts that fail before one does not
	waits  map[events.StreamID]time.Time
	sent   int
	first  map[string][]int // versions that a lane received, at their first reception
	writes int

	steps   chan *step
	running int
	parked  []*step
}

type wake struct {
	at   time.Time
	lane string
}

type step struct {
	by    *instance
	do    func()
	error error
	done  chan struct{}
	over  bool // it is the end of an invocation
}

func newCloud(pick func(int) int, fate func() fate) *cloud {
	return &cloud{
		pick: pick, fate: fate, now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC), items: map[[2]string]dynamolanes.Item{},
		fifo: map[string][]delivery.Item{}, state: map[events.StreamID]delivery.Status{}, tries: map[events.StreamID]int{},
		fails: map[events.StreamID]int{}, waits: map[events.StreamID]time.Time{}, first: map[string][]int{}, steps: make(chan *step),
	}
}

// instance is an environment of a function with its queue. It implements what
// the queue needs, step by step.
type instance struct {
	*cloud
	queue *dynamolanes.Queue
	mu    sync.Mutex
	dead  bool
	busy  bool // an environment has one invocation at a time
	ticks time.Duration
}

func (c *cloud) instance(o dynamolanes.Options) *instance {
	i := &instance{cloud: c}
	i.queue = dynamolanes.New(i, i, i.clock, o)
	i.queue.Worker = i
	return i
}

// clock grows with every look, as clocks do.
func (i *instance) clock() time.Time {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ticks++
	return i.now.Add(i.ticks)
}

// step has the scheduler do something.
func (i *instance) step(do func()) error {
	i.mu.Lock()
	dead := i.dead
	i.mu.Unlock()
	if dead {
		return errKilled
	}
	s := &step{by: i, do: do, done: make(chan struct{})}
	i.steps <- s
	<-s.done
	return s.error
}

// Read implements dynamolanes.Store.
func (i *instance) Read(_ context.Context, p, from string, limit int) (found []dynamolanes.Item, err error) {
	err = i.step(func() {
		for k, item := range i.items {
			if k[0] == p && k[1] >= from {
				found = append(found, item)
			}
		}
		slices.SortFunc(found, func(a, b dynamolanes.Item) int { return cmp.Compare(a.O, b.O) })
		found = found[:min(limit, len(found))]
	})
	return found, err
}

// Swap implements dynamolanes.Store.
func (i *instance) Swap(_ context.Context, was, is dynamolanes.Item) (ok bool, err error) {
	err = i.step(func() {
		k := [2]string{was.P, was.O}
		there := i.items[k]
		ok = there.N == was.N || is.N == 0 && there.N == 0
		if !ok {
			return
		}
		i.writes++
		if i.items[k] = is; is.N == 0 {
			delete(i.items, k)
		}
	})
	return ok, err
}

// Due implements dynamolanes.Index.
func (i *instance) Due(_ context.Context, prefix string, until time.Time) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		var found []string
		if err := i.step(func() { found = i.due(prefix, until) }); err != nil {
			yield("", err)
			return
		}
		for _, p := range found {
			if !yield(p, nil) {
				return
			}
		}
	}
}

func (c *cloud) due(prefix string, until time.Time) (found []string) {
	for k, item := range c.items {
		if strings.HasPrefix(k[0], prefix) && !item.Due.IsZero() && (until.IsZero() || !item.Due.After(until)) {
			found = append(found, k[0])
		}
	}
	slices.Sort(found)
	return found
}

// Wake implements dynamolanes.Timers.
func (i *instance) Wake(_ context.Context, delay time.Duration, lanes ...string) error {
	return i.step(func() {
		for _, lane := range lanes {
			i.wakes = append(i.wakes, wake{i.now.Add(delay + time.Second - 1), lane})
		}
	})
}

// Attempt implements dynamolanes.Worker, with the three moves of the real one.
func (i *instance) Attempt(_ context.Context, item delivery.Item, last bool) (delivery.Progress, error) {
	p := delivery.Progress{Status: delivery.Pending}
	var n int
	if err := i.step(func() { p.Status, n, p.RetryAt = i.state[item.ID], i.tries[item.ID], i.waits[item.ID] }); err != nil {
		return delivery.Progress{}, err
	}
	if p.Status == delivery.Delivered || p.Status == delivery.Parked {
		return p, nil
	}
	p.Status = delivery.Pending
	if i.clock().Before(p.RetryAt) {
		return p, nil
	}
	if err := i.step(func() { p.Outcome = i.receive(item) }); err != nil {
		return delivery.Progress{}, err
	}
	p.Tried = true
	err := i.step(func() {
		if i.state[item.ID] == delivery.Delivered {
			p.Status = delivery.Delivered
			return
		}
		i.tries[item.ID] = max(i.tries[item.ID], n+1)
		switch {
		case p.Outcome.Delivered():
			p.Status = delivery.Delivered
		case last:
			p.Status = delivery.Parked
		default:
			p.RetryAt = i.now.Add(time.Duration(n+1) * 5 * time.Second)
		}
		i.state[item.ID] = p.Status
	})
	if err != nil {
		return delivery.Progress{}, err
	}
	return p, nil
}

// receive is an endpoint.
func (c *cloud) receive(item delivery.Item) delivery.Outcome {
	c.sent++
	if c.fails[item.ID] > 0 {
		c.fails[item.ID]--
		return delivery.Outcome{Code: "status-500", Status: 500}
	}
	lane := item.Subject.Endpoint + " " + item.Subject.Stream
	if !slices.Contains(c.first[lane], item.Subject.Version) {
		c.first[lane] = append(c.first[lane], item.Subject.Version)
	}
	return delivery.Outcome{Code: delivery.CodeDelivered, Status: 200}
}

// GiveUp implements dynamolanes.Worker.
func (i *instance) GiveUp(_ context.Context, item delivery.Item, _ string) error {
	return i.step(func() { i.state[item.ID] = delivery.Parked })
}

// begin starts an invocation.
func (c *cloud) begin(i *instance, f func(context.Context) error, end func(error)) {
	c.running++
	i.busy = true
	go func() {
		err := f(context.Background())
		s := &step{by: i, over: true, done: make(chan struct{}), do: func() { end(err) }}
		c.steps <- s
		<-s.done
	}()
}

// settle waits until every invocation stands before its next step.
func (c *cloud) settle() {
	for c.running > 0 {
		s := <-c.steps
		c.running--
		if s.over {
			s.do()
			s.by.busy = false
			close(s.done)
			continue
		}
		c.parked = append(c.parked, s)
	}
}

// grant lets one invocation do its next step.
func (c *cloud) grant(n int, f fate) {
	s := c.parked[n]
	c.parked = slices.Delete(c.parked, n, n+1)
	if s.by.dead {
		f = diesBefore // it died in another step
	}
	if f == lives || f == diesAfter {
		s.do()
	}
	if f != lives {
		s.error = errKilled
	}
	if f == diesBefore || f == diesAfter {
		s.by.mu.Lock()
		s.by.dead = true
		s.by.mu.Unlock()
	}
	c.running++
	close(s.done)
	c.settle()
}

// item is fact n of a conversation for an endpoint.
func item(endpoint, conversation string, n int) delivery.Item {
	var id events.StreamID
	copy(id[:], fmt.Sprintf("%-6.6s%-6.6s%04d", endpoint, conversation, n))
	return delivery.Item{ID: id, Tenant: "default", Subject: events.DeliverySubject{
		Event: fmt.Sprint(conversation, "@", n), EventType: "handoff.escalation.routed.v1", Stream: conversation, Version: n,
		Connection: "store-bot", Endpoint: endpoint,
	}}
}

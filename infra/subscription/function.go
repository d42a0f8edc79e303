package subscription

import (
	"container/heap"
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/sqlitedb"
)

const (
	maxInFlight = 1024    // facts that are taken and neither handled nor put aside
	maxAside    = 100_000 // facts that are put aside; then the log itself is the queue
)

// function runs one subscription. One goroutine owns all that is not shared; it
// starts a goroutine for each call and hears of the outcome.
type function struct {
	Subscription
	tail    *tail
	now     func() time.Time
	types   map[string]bool // empty: all
	handled watermark
	again   chan *item // parked facts that somebody wants tried again
	book    ledger

	read     int64                     // position of the last fact that was taken
	window   []*item                   // taken and at some time not done, in order
	lanes    map[events.StreamID]*lane // streams with facts that are not handled
	ready    []*lane
	resting  resting
	busy     int
	outcomes chan outcome
	aside    int            // items that are put aside
	seen     map[int64]bool // put aside or parked before a crash, after the checkpoint
	full     bool           // it was said that too much is put aside
}

// outcome is how one call went.
type outcome struct {
	*lane
	err error
}

func newFunction(s Subscription, db *sqlitedb.DB, t *tail, now func() time.Time) *function {
	f := &function{
		Subscription: s, tail: t, now: now, types: set(s.Types), again: make(chan *item),
		book:  ledger{name: s.Name, db: db, now: now, saved: make(chan saving, 1)},
		lanes: make(map[events.StreamID]*lane), outcomes: make(chan outcome, s.Concurrency), seen: make(map[int64]bool),
	}
	return f
}

func set(types []string) map[string]bool {
	m := make(map[string]bool, len(types))
	for _, t := range types {
		m[t] = true
	}
	return m
}

// load begins where the checkpoint says.
func (f *function) load(ctx context.Context) error {
	c, err := restore(ctx, f.book.db, f.Name)
	if err != nil {
		return err
	}
	f.read, f.book.position = c.position, c.position
	for _, r := range c.aside {
		if r.Position > c.position {
			f.seen[r.Position] = true
		}
		if !r.Parked {
			f.aside++
			f.enqueue(&item{row: r, done: true, aside: true})
		}
	}
	f.handled.set(c.position)
	return nil
}

// run works until ctx ends.
func (f *function) run(ctx context.Context) {
	var wg sync.WaitGroup
	taken := make(chan []events.Record)
	from := f.read
	wg.Go(func() { f.take(ctx, from, taken) })
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	for ctx.Err() == nil {
		f.wake()
		f.book.save(ctx, &wg)
		f.call(ctx, &wg)
		alarm.Reset(f.next())
		in := taken
		if !f.room(ctx) {
			in = nil
		}
		select {
		case <-ctx.Done():
		case facts := <-in:
			f.offer(facts)
		case o := <-f.outcomes:
			f.settle(ctx, o)
		case i := <-f.again:
			f.revive(i)
		case s := <-f.book.saved:
			f.book.settle(ctx, s)
		case <-alarm.C:
		}
	}
	wg.Wait()
	f.finish(ctx)
}

// take reads the log until ctx ends.
func (f *function) take(ctx context.Context, at int64, to chan<- []events.Record) {
	for {
		facts, err := f.tail.next(ctx, at)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			slog.ErrorContext(ctx, "event log can't be read", "subscription", f.Name, "error", err)
			pause(ctx, readPause)
			continue
		}
		select {
		case <-ctx.Done():
			return
		case to <- facts:
			at = facts[len(facts)-1].Position
		}
	}
}

// room reports whether more facts may be taken.
func (f *function) room(ctx context.Context) bool {
	full := f.aside >= maxAside
	if full != f.full {
		f.full = full
		slog.WarnContext(ctx, "facts put aside reached or left their limit", "subscription", f.Name, "standing_still", full, "aside", f.aside)
	}
	return !full && len(f.window) < maxInFlight
}

// next returns how long there is nothing to do by the clock.
func (f *function) next() time.Duration {
	d := f.book.next()
	if len(f.resting) > 0 && f.busy < f.Concurrency {
		d = min(d, f.resting[0].until.Sub(f.now()))
	}
	return max(d, 0)
}

// offer takes facts from the log.
func (f *function) offer(facts []events.Record) {
	for i := range facts {
		r := &facts[i]
		f.read = r.Position
		if f.seen[r.Position] {
			delete(f.seen, r.Position)
			continue
		}
		if len(f.types) > 0 && !f.types[r.Type] {
			continue
		}
		it := &item{row: row{Position: r.Position, Stream: r.Stream, Version: r.Version, Type: r.Type}, note: new(events.Notify(*r))}
		f.window = append(f.window, it)
		if l := f.lanes[r.Stream]; l != nil && l.halted() {
			f.putAside(it)
		}
		f.enqueue(it)
	}
	f.advance(false)
}

// enqueue adds an item to the lane of its stream.
func (f *function) enqueue(i *item) {
	l := f.lanes[i.Stream]
	if l == nil {
		l = new(lane)
		f.lanes[i.Stream] = l
	}
	if l.queue = append(l.queue, i); len(l.queue) == 1 {
		f.schedule(l)
	}
}

// schedule has the lane's first item called when its time comes.
func (f *function) schedule(l *lane) {
	if l.until = l.queue[0].Next; l.until.After(f.now()) {
		heap.Push(&f.resting, l)
		return
	}
	f.ready = append(f.ready, l)
}

// wake makes lanes ready whose rest is over.
func (f *function) wake() {
	for now := f.now(); len(f.resting) > 0 && !f.resting[0].until.After(now); {
		l, _ := heap.Pop(&f.resting).(*lane)
		f.ready = append(f.ready, l)
	}
}

// call begins as many calls as may run side by side.
func (f *function) call(ctx context.Context, wg *sync.WaitGroup) {
	for f.busy < f.Concurrency && len(f.ready) > 0 {
		l := f.ready[0]
		f.ready[0] = nil
		f.ready = f.ready[1:]
		f.busy++
		position, note := l.queue[0].Position, l.queue[0].note
		wg.Go(func() { f.outcomes <- outcome{l, f.handle(ctx, position, note)} })
	}
}

// handle makes one call. A panic is an error like any other.
func (f *function) handle(ctx context.Context, position int64, note *events.Notification) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s panicked: %v\n%s", f.Name, p, debug.Stack())
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, f.Timeout)
	defer cancel()
	if note == nil {
		r, err := f.tail.one(ctx, position)
		if err != nil {
			return err
		}
		note = new(events.Notify(r))
	}
	return f.Handle(ctx, *note)
}

// settle draws the consequence of a call.
func (f *function) settle(ctx context.Context, o outcome) {
	f.busy--
	if o.err != nil && ctx.Err() != nil {
		return // it was interrupted: it comes again
	}
	i := o.queue[0]
	switch now := f.now(); {
	case o.err == nil:
		f.leave(o.lane, nil)
	case fault.KindOf(o.err).Permanent() || i.exhausted(now, f.MaxAge):
		i.failed(now, f.MaxAge, o.err)
		i.Parked, i.Next = true, time.Time{}
		slog.ErrorContext(ctx, "fact parked", "subscription", f.Name, "fact_id", i.id(), "position", i.Position,
			"type", i.Type, "tries", i.Tries, "code", i.Code, "error", o.err)
		f.leave(o.lane, &i.row)
	default:
		i.failed(now, f.MaxAge, o.err)
		if i.Tries == 1 {
			slog.WarnContext(ctx, "fact put aside", "subscription", f.Name, "fact_id", i.id(), "position", i.Position,
				"type", i.Type, "code", i.Code, "next_at", i.Next, "error", o.err)
		}
		f.halt(o.lane)
	}
	f.advance(true)
}

// leave takes the first item off a lane; r is what remains of it.
func (f *function) leave(l *lane, r *row) {
	i := l.queue[0]
	i.done = true
	if i.aside {
		f.aside--
	}
	if i.aside || r != nil {
		f.book.note(i.Position, r)
	}
	l.queue[0] = nil
	if l.queue = l.queue[1:]; len(l.queue) == 0 {
		delete(f.lanes, i.Stream)
		return
	}
	f.schedule(l)
}

// halt puts everything in a lane aside until its first item is tried again.
func (f *function) halt(l *lane) {
	for n, i := range l.queue {
		if !i.aside {
			f.putAside(i)
		} else if n == 0 {
			f.book.note(i.Position, &i.row)
		}
	}
	f.schedule(l)
}

func (f *function) putAside(i *item) {
	i.aside, i.done, i.note = true, true, nil
	f.aside++
	f.book.note(i.Position, &i.row)
}

// revive takes up a fact that was parked.
func (f *function) revive(i *item) {
	if l := f.lanes[i.Stream]; l != nil && slices.ContainsFunc(l.queue, func(o *item) bool { return o.Position == i.Position }) {
		return
	}
	f.putAside(i)
	f.enqueue(i)
}

// advance moves the watermark over everything that is done.
func (f *function) advance(worked bool) {
	for len(f.window) > 0 && f.window[0].done {
		f.window[0] = nil
		f.window = f.window[1:]
	}
	pos := f.read
	if len(f.window) > 0 {
		pos = f.window[0].Position - 1
	}
	f.handled.set(pos)
	f.book.reach(pos, worked)
}

// finish settles what was under way when ctx ended, and saves it.
func (f *function) finish(ctx context.Context) {
	close(f.outcomes)
	for o := range f.outcomes {
		f.settle(ctx, o)
	}
	f.book.close(ctx)
}

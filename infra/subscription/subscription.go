// Package subscription hands facts of the event log to functions and read
// models on one machine, in order and at least once.
//
// Each subscription has a durable checkpoint and reads the log after it. A
// function's facts of one stream are handled one after the other, those of
// different streams side by side. A fact that can't be handled for now is put
// aside, together with all later facts of its stream, and tried again with
// growing pauses; one that never can be, or that was tried for too long, is
// parked: it is listed and can be tried again by hand. Neither holds up the
// facts of other streams.
//
// What is put aside is saved in one transaction with the checkpoint, a few
// times a second and off the path of those who append. A crash therefore loses
// nothing, but makes some facts come twice: functions are idempotent. A
// projection writes to the same file as its checkpoint, in the same
// transaction, so each fact counts there exactly once.
package subscription

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/sqlitedb"
)

// What a subscription does unless it says otherwise.
const (
	DefaultMaxAge      = 72 * time.Hour
	DefaultTimeout     = time.Minute
	DefaultConcurrency = 16
)

// Subscription has a function told of facts.
type Subscription struct {
	// Name is unique and never changes: the checkpoint is kept under it.
	Name string
	// Types are those of the facts that are handed over; none means all.
	Types []string
	// Handle is called again with the same fact where it returned an error of
	// a kind that is not permanent, after a crash, or by an operator's wish.
	Handle func(context.Context, events.Notification) error
	// MaxAge is how long after its first failure a fact is still tried.
	MaxAge time.Duration
	// Timeout bounds one call of Handle.
	Timeout time.Duration
	// Concurrency is how many streams are handled side by side.
	Concurrency int
}

// Projection keeps a read model in the same file as the checkpoints.
type Projection struct {
	// Name is unique and never changes.
	Name string
	// Version grows when the read model does; it is then built anew.
	Version int
	// Types are those of the facts that are applied; none means all.
	Types []string
	// Apply adds one fact, without its sealed bytes. A permanent fault parks
	// the fact, any other error undoes the batch and is tried again.
	Apply func(*sqlite.Conn, events.Record) error
	// Clear empties the read model before it is built anew.
	Clear func(*sqlite.Conn) error
}

// Feed is the log that is read, in the order in which facts became visible.
type Feed interface {
	ReadAll(ctx context.Context, after int64) iter.Seq2[events.Record, error]
	// Wait returns nil once the log holds a fact after a position.
	Wait(ctx context.Context, after int64) error
	// Last returns the position of the last fact, 0 if there is none.
	Last(ctx context.Context) (int64, error)
}

// Runner runs the subscriptions of one machine. It is safe for concurrent use.
type Runner struct {
	db          *sqlitedb.DB
	tail        *tail
	functions   []*function
	projections []*projection
}

// New returns a runner over a file that was opened with Schema. It reports a
// name that is missing or used twice.
func New(db *sqlitedb.DB, feed Feed, now func() time.Time, functions []Subscription, projections []Projection) (*Runner, error) {
	r := &Runner{db: db, tail: newTail(feed)}
	names := make(map[string]bool)
	use := func(name string) error {
		if name == "" || names[name] {
			return fmt.Errorf("subscription %q: the name is missing or used twice", name)
		}
		names[name] = true
		return nil
	}
	for _, s := range functions {
		if err := use(s.Name); err != nil {
			return nil, err
		}
		s.MaxAge, s.Timeout = cmp.Or(s.MaxAge, DefaultMaxAge), cmp.Or(s.Timeout, DefaultTimeout)
		s.Concurrency = cmp.Or(s.Concurrency, DefaultConcurrency)
		r.functions = append(r.functions, newFunction(s, db, r.tail, now))
	}
	for _, p := range projections {
		if err := use(p.Name); err != nil {
			return nil, err
		}
		r.projections = append(r.projections, newProjection(p, db, r.tail, now))
	}
	return r, nil
}

// Run works until ctx ends, then waits for every function that was called, saves
// what is known and returns nil. It returns an error only where it can't begin.
// It is called once.
func (r *Runner) Run(ctx context.Context) error {
	for _, p := range r.projections {
		if err := p.load(ctx); err != nil {
			return err
		}
	}
	for _, f := range r.functions {
		if err := f.load(ctx); err != nil {
			return err
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() { r.tail.run(ctx) })
	for _, p := range r.projections {
		wg.Go(func() { p.run(ctx) })
	}
	for _, f := range r.functions {
		wg.Go(func() { f.run(ctx) })
	}
	wg.Wait()
	return nil
}

// CatchUp returns nil once the named subscription has dealt with every fact up
// to a position: handled it, put it aside or parked it. Give ctx a deadline.
func (r *Runner) CatchUp(ctx context.Context, name string, position int64) error {
	w := r.progress(name)
	if w == nil {
		return fmt.Errorf("catch up: there is no subscription %q", name)
	}
	if err := w.wait(ctx, position); err != nil {
		return fmt.Errorf("wait until %s has seen fact %d: %w", name, position, err)
	}
	return nil
}

func (r *Runner) progress(name string) *watermark {
	for _, f := range r.functions {
		if f.Name == name {
			return &f.handled
		}
	}
	if p := r.projection(name); p != nil {
		return &p.handled
	}
	return nil
}

func (r *Runner) projection(name string) *projection {
	for _, p := range r.projections {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// Rebuild empties the read model of the named projection and builds it anew
// from the log, while it can be queried.
func (r *Runner) Rebuild(ctx context.Context, name string) error {
	p := r.projection(name)
	if p == nil {
		return fault.Newf(fault.NotFound, "projection-not-found", "There is no projection %q.", name)
	}
	return p.rebuild(ctx)
}

// Lag is how far a subscription is.
type Lag struct {
	Name     string
	Position int64 // of the last fact up to which all were dealt with
	Behind   int64 // facts in the log after that
	Waiting  int   // facts that are put aside and tried again
	Parked   int   // facts that were given up
}

// Lag tells how far each subscription is, functions first.
func (r *Runner) Lag(ctx context.Context) ([]Lag, error) {
	last, err := r.tail.feed.Last(ctx)
	if err != nil {
		return nil, fmt.Errorf("measure lag: %w", err)
	}
	waiting, parked, err := count(ctx, r.db)
	if err != nil {
		return nil, fmt.Errorf("measure lag: %w", err)
	}
	lags := make([]Lag, 0, len(r.functions)+len(r.projections))
	add := func(name string, w *watermark) {
		pos := w.get()
		lags = append(lags, Lag{Name: name, Position: pos, Behind: max(0, last-pos), Waiting: waiting[name], Parked: parked[name]})
	}
	for _, f := range r.functions {
		add(f.Name, &f.handled)
	}
	for _, p := range r.projections {
		add(p.Name, &p.handled)
	}
	return lags, nil
}

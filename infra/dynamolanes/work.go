package dynamolanes

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"time"

	"handoff/domain/delivery"
	"handoff/domain/fault"
)

const (
	firstPause = time.Second // after an error of our own
	maxPause   = time.Minute
	// early is by how much a wake-up may come before its time: clocks differ.
	early = 5 * time.Second
	// leaseMargin is what a lease outlasts an attempt by.
	leaseMargin = 15 * time.Second
)

// Work answers a wake-up: it attempts what waits in a lane, in order, until the
// lane is empty, has to wait, or the invocation's time is up. It does nothing if
// the lane is not due or another worker is at it. It may be called any number of
// times.
func (q *Queue) Work(ctx context.Context, p string) error {
	w := worker{Queue: q, p: p, lease: rand.Text()}
	for {
		more, err := w.step(ctx)
		if err != nil {
			return fmt.Errorf("work lane %s: %w", p, err)
		}
		if !more {
			return nil
		}
	}
}

// worker works one lane once.
type worker struct {
	*Queue
	p     string
	lease string
	tried bool
}

// step makes one move. It reports whether there may be another one.
func (w *worker) step(ctx context.Context) (more bool, err error) {
	s, err := w.look(ctx, w.p)
	if err != nil || s.empty() {
		return false, err
	}
	now := w.now()
	mine := s.Lease == w.lease
	if !mine && now.Before(s.due) {
		if s.Lease == "" && s.due.Sub(now) <= early {
			w.wake(ctx, w.p, s.due)
		}
		return false, nil
	}
	if s.head == nil {
		gone, err := w.work.Swap(ctx, s.item, Item{})
		return !gone, err // if it was touched there may be a row now
	}
	if w.tried && !w.inTime(ctx) {
		next := s.about(s.head)
		next.due = now
		return w.leave(ctx, s, next, false)
	}
	if ok, err := w.take(ctx, &s, now); err != nil || !ok {
		return err == nil, err
	}
	return w.carry(ctx, s)
}

// take makes the lane this worker's for as long as an attempt may last.
func (w *worker) take(ctx context.Context, s *sight, now time.Time) (bool, error) {
	if s.Lease == w.lease && s.due.Sub(now) > w.o.Timeout {
		return true, nil
	}
	becomes := s.about(s.head)
	becomes.Lease, becomes.due = w.lease, now.Add(2*w.o.Timeout+leaseMargin)
	return w.save(ctx, s, becomes)
}

// about returns what is known of a row.
func (l lane) about(r *row) lane {
	if l.Head != r.stored.O {
		return lane{Lease: l.Lease, Head: r.stored.O, due: l.due}
	}
	return l
}

// carry makes one attempt and writes down what came of it.
func (w *worker) carry(ctx context.Context, s sight) (more bool, err error) {
	next, done, err := w.carryOut(ctx, s.about(s.head), *s.head)
	if err != nil {
		return false, err
	}
	w.tried = true
	if !done {
		return w.leave(ctx, s, next, next.Waits)
	}
	// If the row was touched it is put in again, and has another look at the log.
	_, err = w.work.Swap(ctx, s.head.stored, Item{})
	return err == nil, err
}

// leave gives the lane back and has it looked at again when it is due. again says
// that a lane which was touched meanwhile is to be looked at once more: what it
// waits for may be there.
func (w *worker) leave(ctx context.Context, s sight, next lane, again bool) (more bool, err error) {
	next.Lease = ""
	for {
		ok, err := w.save(ctx, &s, next)
		if err != nil {
			return false, err
		}
		if ok {
			w.wake(ctx, w.p, next.due)
			return false, nil
		}
		if again {
			return true, nil
		}
		if s, err = w.look(ctx, w.p); err != nil || s.Lease != w.lease {
			return false, err // the lease ran out, and somebody else goes on
		}
	}
}

// carryOut makes an attempt, if the endpoint's breaker lets it. It returns what
// the lane becomes unless the delivery is done with. An error says that nothing
// was found out.
func (q *Queue) carryOut(ctx context.Context, l lane, r row) (next lane, done bool, err error) {
	last := !q.now().Before(r.Expires)
	pass, err := q.gates.admit(ctx, r.Item)
	if err != nil {
		return l, false, err
	}
	if !pass.ok && !last { // what expired has its last attempt all the same
		l.Waits, l.due = false, earlier(q.held(r, pass.until), r.Expires)
		return l, false, nil
	}
	p, err := q.attempt(ctx, r.Item, last)
	if err != nil && ctx.Err() != nil {
		return l, false, err // abandoned: all stays as it was
	}
	if err := q.gates.learn(context.WithoutCancel(ctx), r.Item, pass, p); err != nil {
		slog.WarnContext(ctx, "breaker can't be written down", "endpoint", r.Item.Subject.Endpoint, "connection_id", r.Item.Subject.Connection, "error", err)
	}
	l, done = q.settle(ctx, l, r, p, err, last)
	q.report(ctx, l, r, p, done)
	return l, done, nil
}

// held returns when a row that the breaker held back is looked at again.
func (q *Queue) held(r row, until time.Time) time.Time {
	now := q.now()
	return later(until, now.Add(min(now.Sub(r.Queued)/4, MaxDelay)))
}

func (q *Queue) attempt(ctx context.Context, item delivery.Item, last bool) (delivery.Progress, error) {
	select {
	case q.slots <- struct{}{}:
	case <-ctx.Done():
		return delivery.Progress{}, ctx.Err()
	}
	defer func() { <-q.slots }()
	ctx, cancel := context.WithTimeout(ctx, q.o.Timeout)
	defer cancel()
	return q.Worker.Attempt(ctx, item, last)
}

// settle says what an attempt means for the lane, and whether its row is done
// with.
func (q *Queue) settle(ctx context.Context, l lane, r row, p delivery.Progress, err error, last bool) (lane, bool) {
	if err != nil {
		return q.failed(ctx, l, r, err, last)
	}
	l.Errors, l.Waits = 0, !p.Tried
	if p.Tried {
		l.Tries++
		l.Code, l.HTTP = p.Outcome.Code, p.Outcome.Status
	}
	l.due = later(p.RetryAt, q.now())
	if !last {
		l.due = earlier(l.due, r.Expires) // for the last attempt
	}
	return l, p.Status != delivery.Pending
}

// failed says what becomes of a row of whose attempt nothing came.
func (q *Queue) failed(ctx context.Context, l lane, r row, err error, last bool) (lane, bool) {
	s := r.Item.Subject
	slog.ErrorContext(ctx, "delivery could not be attempted", "delivery_id", delivery.NameOf(r.Item.ID),
		"endpoint", s.Endpoint, "connection_id", s.Connection, "error", err)
	code := fault.CodeOf(err)
	if last || fault.KindOf(err).Permanent() {
		err := q.Worker.GiveUp(ctx, r.Item, code)
		if err == nil {
			return l, true
		}
		slog.ErrorContext(ctx, "delivery could not be parked", "delivery_id", delivery.NameOf(r.Item.ID), "error", err)
	}
	l.Errors++
	l.Waits, l.Code, l.HTTP = false, code, 0
	l.due = q.now().Add(min(maxPause, firstPause<<min(l.Errors-1, 10)))
	return l, false
}

func (q *Queue) report(ctx context.Context, l lane, r row, p delivery.Progress, done bool) {
	level := slog.LevelDebug
	switch {
	case done && p.Status != delivery.Delivered:
		level = slog.LevelWarn
		if q.Meter != nil {
			q.Meter.Add(ctx, MetricParked, 1)
		}
	case p.Tried && !p.Outcome.Delivered():
		level = slog.LevelInfo
	}
	s := r.Item.Subject
	slog.Log(ctx, level, "delivery attempted", "delivery_id", delivery.NameOf(r.Item.ID), "event_id", s.Event, "connection_id", s.Connection,
		"endpoint", s.Endpoint, "state", p.Status, "done", done, "code", p.Outcome.Code, "http_status", p.Outcome.Status, "retry_at", l.due)
}

// wake sends a wake-up for when a lane is due, unless that is too far away: then
// Sweep finds it, as it does if the wake-up can't be sent.
func (q *Queue) wake(ctx context.Context, p string, due time.Time) {
	delay := max(0, due.Sub(q.now()))
	if delay > MaxDelay {
		return
	}
	if err := q.timers.Wake(ctx, delay, p); err != nil {
		slog.WarnContext(ctx, "wake-up can't be sent", "lane", p, "error", err)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

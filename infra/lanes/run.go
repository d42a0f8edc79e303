package lanes

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"

	"handoff/domain/delivery"
	"handoff/domain/fault"
	"handoff/infra/breaker"
	"handoff/infra/sqlitedb"
)

const (
	firstPause = time.Second // after an error of our own
	maxPause   = time.Minute
)

// loop is the running queue. Its fields belong to the goroutine of Run.
type loop struct {
	*Queue
	attempt   Attempt
	endpoints map[key]*endpoint
	order     []*endpoint // each begins in turn
	turn      int
	inflight  int
	reload    time.Time // when the endpoints are to be read again, after an error
	finished  chan finished
	attempts  sync.WaitGroup
	ctx       context.Context //nolint:containedctx // of the attempts: they may outlive that of Run for a while
}

// finished is what an attempt tells the loop.
type finished struct {
	endpoint *endpoint
	seq      int64
	next     *entry    // the first of the lane now
	retryAt  time.Time // when the item itself is due again, or zero
}

// Run delivers until ctx ends. Then it begins nothing more, lets what is under
// way finish for as long as Options.Grace allows, abandons the rest, and returns
// nil. What was abandoned is attempted again by the next Run. It returns an
// error only where it can't begin. Run is called once at a time.
func (q *Queue) Run(ctx context.Context, attempt Attempt) error {
	attempts, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	l := &loop{Queue: q, attempt: attempt, endpoints: make(map[key]*endpoint), finished: make(chan finished, q.o.Total), ctx: attempts}
	if err := l.load(ctx); err != nil {
		return fmt.Errorf("begin to deliver: %w", err)
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		l.dispatch(ctx)
		timer.Reset(l.wait())
		select {
		case <-ctx.Done():
		case <-timer.C:
			l.again(ctx)
		case <-q.wake:
			l.awake(ctx)
		case f := <-l.finished:
			l.ended(f)
		}
	}
	l.stop(cancel)
	return nil
}

// load reads the endpoints that are not known yet.
func (l *loop) load(ctx context.Context) error {
	return l.db.Read(ctx, func(conn *sqlite.Conn) error {
		return sqlitedb.Query(conn, allEndpoints, func(s *sqlite.Stmt) {
			k := key{s.ColumnText(1), s.ColumnText(2), s.ColumnText(3)}
			if l.endpoints[k] != nil {
				return
			}
			e := &endpoint{key: k, id: s.ColumnInt64(0), claimed: make(map[int64]claim), stale: true}
			e.gate.threshold = l.o.Failures
			e.gate.restore(breaker.Breaker{Failures: s.ColumnInt(4), Trips: s.ColumnInt(5), Until: sqlitedb.Instant(s.ColumnInt64(6))})
			l.endpoints[k] = e
			l.order = append(l.order, e)
		})
	})
}

// awake looks at the endpoints that were named to Wake.
func (l *loop) awake(ctx context.Context) {
	for k := range l.takeWoken() {
		if l.endpoints[k] == nil {
			if err := l.load(ctx); err != nil {
				l.later(ctx, k, err)
				return
			}
		}
		if e := l.endpoints[k]; e != nil {
			e.stale = true
		}
	}
}

// later has all endpoints looked at again after one could not be read.
func (l *loop) later(ctx context.Context, k key, err error) {
	slog.ErrorContext(ctx, "deliveries can't be read", "endpoint", k.endpoint, "connection_id", k.connection, "error", err)
	l.reload = l.now().Add(firstPause)
}

// again does so once it is time.
func (l *loop) again(ctx context.Context) {
	if l.reload.IsZero() || l.now().Before(l.reload) {
		return
	}
	l.reload = time.Time{}
	if err := l.load(ctx); err != nil {
		l.later(ctx, key{}, err)
	}
	for _, e := range l.order {
		e.stale = true
	}
}

// dispatch begins whatever may be begun.
func (l *loop) dispatch(ctx context.Context) {
	now := l.now()
	for _, e := range l.order {
		if l.inflight >= l.o.Total {
			return
		}
		if err := e.refill(ctx, l.Queue, now); err != nil && ctx.Err() == nil {
			e.stale, e.next = false, now.Add(firstPause)
			slog.ErrorContext(ctx, "deliveries can't be read", "endpoint", e.endpoint, "connection_id", e.connection, "error", err)
		}
	}
	for idle := 0; idle < len(l.order) && l.inflight < l.o.Total; {
		l.turn = (l.turn + 1) % len(l.order)
		e := l.order[l.turn]
		it, probe, ok := e.begin(l.o.PerEndpoint, now)
		if !ok {
			idle++
			continue
		}
		idle = 0
		l.inflight++
		l.attempts.Go(func() { l.finished <- l.carryOut(e, it, probe) })
	}
}

func (l *loop) ended(f finished) {
	l.inflight--
	f.endpoint.ended(f, l.now())
}

// wait returns how long there is nothing to do.
func (l *loop) wait() time.Duration {
	now, d := l.now(), time.Hour
	if !l.reload.IsZero() {
		d = l.reload.Sub(now)
	}
	if l.inflight >= l.o.Total {
		return d // an attempt has to end first
	}
	for _, e := range l.order {
		if at := e.wakeAt(now); !at.IsZero() {
			d = min(d, at.Sub(now))
		}
	}
	return d // not above 0: at once
}

func (l *loop) stop(abandon func()) {
	over := make(chan struct{})
	go func() { defer close(over); l.attempts.Wait() }()
	timer := time.NewTimer(l.o.Grace)
	defer timer.Stop()
	select {
	case <-over:
	case <-timer.C:
		abandon()
		<-over
	}
}

// carryOut makes one attempt and writes what came of it.
func (l *loop) carryOut(e *endpoint, it entry, probe bool) finished {
	ctx, cancel := context.WithTimeout(l.ctx, l.o.Timeout)
	defer cancel()
	last := !l.now().Before(it.expires)
	p, err := l.attempt(ctx, it.item, last)
	f := finished{endpoint: e, seq: it.seq}
	if err != nil && l.ctx.Err() != nil {
		return f // abandoned: all stays as it was
	}
	d := done{entry: it, endpoint: e.id, status: p.Status, retryAt: p.RetryAt, outcome: p.Outcome}
	d.errors = 0
	if err != nil {
		d = l.failed(d, last, err)
	}
	d.breaker = l.learn(e, p.Tried, d.outcome, probe)
	if p.Tried {
		d.tries++
	}
	if d.status == delivery.Pending && !last && it.expires.Before(d.retryAt) {
		d.retryAt = it.expires // for the last attempt
	}
	ctx = context.WithoutCancel(ctx) // what happened is written down
	err = l.db.Write(ctx, func(conn *sqlite.Conn) (err error) { f.retryAt, f.next, err = finish(conn, d, l.now()); return err })
	if err != nil {
		slog.ErrorContext(ctx, "delivery can't be written down", "delivery_id", delivery.NameOf(it.item.ID), "error", err)
		f.next, f.retryAt = nil, l.now().Add(firstPause)
	}
	l.report(ctx, d, p.Tried)
	return f
}

// failed says what becomes of an item of whose attempt nothing came.
func (l *loop) failed(d done, last bool, err error) done {
	slog.ErrorContext(l.ctx, "delivery could not be attempted", "delivery_id", delivery.NameOf(d.item.ID),
		"endpoint", d.item.Subject.Endpoint, "connection_id", d.item.Subject.Connection, "error", err)
	d.errors++
	d.outcome = delivery.Outcome{Code: fault.CodeOf(err)}
	d.status, d.retryAt = delivery.Pending, l.now().Add(min(maxPause, firstPause<<min(d.errors-1, 10)))
	if last || fault.KindOf(err).Permanent() {
		d.status = delivery.Parked
	}
	return d
}

// learn tells the breaker of an attempt. It returns the breaker if it is to be
// saved.
func (l *loop) learn(e *endpoint, tried bool, o delivery.Outcome, probe bool) *breaker.Breaker {
	if !tried {
		if probe {
			e.gate.release()
		}
		return nil
	}
	if !e.gate.record(o.Delivered(), probe, l.now()) {
		return nil
	}
	s := e.gate.save()
	slog.WarnContext(l.ctx, "breaker changed", "endpoint", e.endpoint, "connection_id", e.connection, "state", e.gate.state(l.now()), "until", s.Until)
	return &s
}

func (l *loop) report(ctx context.Context, d done, tried bool) {
	level := slog.LevelDebug
	switch {
	case d.status == delivery.Parked:
		level = slog.LevelWarn
	case tried && !d.outcome.Delivered():
		level = slog.LevelInfo
	}
	s := d.item.Subject
	slog.Log(ctx, level, "delivery attempted", "delivery_id", delivery.NameOf(d.item.ID), "event_id", s.Event, "connection_id", s.Connection,
		"endpoint", s.Endpoint, "state", d.status, "code", d.outcome.Code, "http_status", d.outcome.Status, "attempts", d.tries, "retry_at", d.retryAt)
}

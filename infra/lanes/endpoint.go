package lanes

import (
	"context"
	"time"

	"zombiezen.com/go/sqlite"

	"handoff/infra/breaker"
	"handoff/infra/sqlitedb"
)

// batch is how many items of an endpoint are fetched at once.
const batch = 256

// endpoint is what the running queue knows of one endpoint. Only its loop
// touches it, the gate excepted.
type endpoint struct {
	key
	id       int64
	gate     gate
	ready    []entry         // fetched, due and not begun
	claimed  map[int64]claim // by seq: those that are ready or under way
	inflight int
	// stale: there may be due items that were not fetched.
	stale bool
	// next is when the next item becomes due; zero: none is known.
	next time.Time
}

// claim is an item that is ready or under way.
type claim struct {
	puts   int64 // as fetched
	outrun bool  // it was put in again or hurried since
}

// refill fetches items if there may be some and none is at hand.
func (e *endpoint) refill(ctx context.Context, q *Queue, now time.Time) error {
	if !e.next.IsZero() && !now.Before(e.next) {
		e.stale, e.next = true, time.Time{}
	}
	state := e.gate.state(now)
	if !e.stale || len(e.ready) > 0 || e.inflight >= q.o.PerEndpoint || state == breaker.Open {
		return nil
	}
	sql := selectDue
	if state == breaker.HalfOpen {
		sql = selectOldest
	}
	limit, found := batch+len(e.claimed), 0
	return q.db.Read(ctx, func(conn *sqlite.Conn) error {
		err := sqlitedb.Query(conn, sql, func(s *sqlite.Stmt) {
			found++
			e.take(scan(s, e.key))
		}, e.id, now, int64(limit))
		if err != nil || found == limit {
			return err
		}
		e.stale = false
		next, err := number(conn, selectNext, 0, e.id, now)
		e.next = sqlitedb.Instant(next)
		return err
	})
}

// take makes an item ready, unless it is or is under way.
func (e *endpoint) take(got entry) {
	if c, ok := e.claimed[got.seq]; ok {
		c.outrun = c.outrun || c.puts != got.puts
		e.claimed[got.seq] = c
		return
	}
	e.claimed[got.seq] = claim{puts: got.puts}
	e.ready = append(e.ready, got)
}

// begin returns the next item that may be begun now.
func (e *endpoint) begin(perEndpoint int, now time.Time) (it entry, probe, ok bool) {
	if len(e.ready) == 0 || e.inflight >= perEndpoint {
		return entry{}, false, false
	}
	it = e.ready[0]
	ok, probe = e.gate.admit(now)
	if !ok && now.Before(it.expires) { // what expired has its last attempt all the same
		return entry{}, false, false
	}
	e.ready = e.ready[1:]
	e.inflight++
	return it, probe, true
}

// ended takes note of an attempt that is over.
func (e *endpoint) ended(f finished, now time.Time) {
	e.inflight--
	e.stale = e.stale || e.claimed[f.seq].outrun // what was fetched of it was passed over
	delete(e.claimed, f.seq)
	e.dueAt(f.retryAt)
	if e.gate.state(now) != breaker.Closed {
		e.putBack()
	} else if f.next != nil {
		e.take(*f.next)
		return
	}
	e.stale = e.stale || f.next != nil
}

// dueAt takes note that an item becomes due.
func (e *endpoint) dueAt(t time.Time) {
	if !t.IsZero() && (e.next.IsZero() || t.Before(e.next)) {
		e.next = t
	}
}

// putBack gives up what was fetched while all was well: of an endpoint that is
// down the oldest item goes first.
func (e *endpoint) putBack() {
	for _, it := range e.ready {
		delete(e.claimed, it.seq)
	}
	e.ready, e.stale = nil, true
}

// wakeAt returns when the endpoint is to be looked at if nothing happens before.
func (e *endpoint) wakeAt(now time.Time) time.Time {
	if e.gate.state(now) == breaker.Open {
		if !e.stale && len(e.ready) == 0 && e.next.IsZero() {
			return time.Time{}
		}
		return e.gate.save().Until
	}
	return e.next
}

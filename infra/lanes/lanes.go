// Package lanes is the durable queue of deliveries on one machine.
//
// A lane is an endpoint and a conversation. Inside a lane deliveries go one
// after the other: the next one is not begun before the one ahead is delivered
// or parked, so that an endpoint hears of a conversation in its order. Lanes
// know nothing of each other; one that fails holds up no other. An endpoint
// that fails many times in a row is left alone for a while by its breaker, and
// what the breaker holds back is no attempt and leaves no fact.
//
// The queue says when and in which order; what an attempt is, and when a
// delivery is done, says the function that it calls. The queue is no record
// either: the event log says what was delivered, and a delivery that is put in
// twice, or taken up again after a crash, is found done there.
//
// Its tables stand in the same file as the log, so that a delivery can be put
// in within one transaction with a checkpoint. They hold nothing private.
package lanes

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"

	"handoff/domain/delivery"
	"handoff/infra/breaker"
	"handoff/infra/sqlitedb"
)

// Attempt makes one attempt. last says that the item is too old for another
// one. An error means that nothing came of it: the item is taken up again
// after a pause, or parked if the error is of a permanent kind.
type Attempt func(ctx context.Context, item delivery.Item, last bool) (delivery.Progress, error)

// Options are limits. The zero value has sensible ones.
type Options struct {
	// Total is how many attempts are under way at once, PerEndpoint how many
	// of them to one endpoint; 0 means 128 and 64.
	Total, PerEndpoint int
	// Failures is how many attempts to an endpoint fail in a row before its
	// breaker opens; 0 means 5.
	Failures int
	// Timeout bounds one attempt as a whole; 0 means a minute.
	Timeout time.Duration
	// Grace is how long attempts may finish when the queue stops; 0 means 10 s.
	Grace time.Duration
}

func (o Options) withDefaults() Options {
	o.Total, o.PerEndpoint = cmp.Or(o.Total, 128), cmp.Or(o.PerEndpoint, 64)
	o.Failures = cmp.Or(o.Failures, breaker.DefaultThreshold)
	o.Timeout, o.Grace = cmp.Or(o.Timeout, time.Minute), cmp.Or(o.Grace, 10*time.Second)
	return o
}

// Queue is the queue. It is safe for concurrent use.
type Queue struct {
	db  *sqlitedb.DB
	now func() time.Time
	o   Options

	mu    sync.Mutex
	woken map[key]struct{} // endpoints with something new since they were last looked at
	wake  chan struct{}    // of size 1: woken is not empty
}

// key names an endpoint.
type key struct{ tenant, connection, endpoint string }

func keyOf(i delivery.Item) key { return key{i.Tenant, i.Subject.Connection, i.Subject.Endpoint} }

// New returns the queue of a file that was opened with Schema.
func New(db *sqlitedb.DB, now func() time.Time, o Options) *Queue {
	return &Queue{db: db, now: now, o: o.withDefaults(), woken: make(map[key]struct{}), wake: make(chan struct{}, 1)}
}

// Put adds items in their order, durably. One that is there already is left
// alone; one that was parked goes to the end of its lane.
func (q *Queue) Put(ctx context.Context, items ...delivery.Item) error {
	if len(items) == 0 {
		return nil
	}
	if err := q.db.Write(ctx, func(conn *sqlite.Conn) error { return q.Enqueue(conn, items...) }); err != nil {
		return fmt.Errorf("queue %d deliveries: %w", len(items), err)
	}
	q.Wake(items...)
	return nil
}

// Enqueue is Put within a transaction of the caller, who calls Wake once it is
// committed.
func (q *Queue) Enqueue(conn *sqlite.Conn, items ...delivery.Item) error {
	now := q.now()
	for _, item := range items {
		if err := enqueue(conn, item, now); err != nil {
			return fmt.Errorf("queue delivery %s: %w", item.ID, err)
		}
	}
	return nil
}

// Hurry makes items due that were put off before their first attempt. Those
// that failed keep their pause.
func (q *Queue) Hurry(ctx context.Context, items ...delivery.Item) error {
	if len(items) == 0 {
		return nil
	}
	now := q.now()
	err := q.db.Write(ctx, func(conn *sqlite.Conn) error {
		for _, item := range items {
			if err := hurry(conn, item.ID, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("hurry %d deliveries: %w", len(items), err)
	}
	q.Wake(items...)
	return nil
}

// Wake has the queue look at the items' endpoints.
func (q *Queue) Wake(items ...delivery.Item) {
	q.mu.Lock()
	for _, item := range items {
		q.woken[keyOf(item)] = struct{}{}
	}
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default: // it is to look already, and will find these too
	}
}

// takeWoken returns the endpoints to look at.
func (q *Queue) takeWoken() map[key]struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	taken := q.woken
	q.woken = make(map[key]struct{})
	return taken
}

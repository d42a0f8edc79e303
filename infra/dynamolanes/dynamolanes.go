// Package dynamolanes is the queue of deliveries on AWS: what package lanes is
// on one machine, with DynamoDB in place of the file and any number of
// instances in place of the one loop.
//
// A lane is an endpoint and a conversation. A delivery that is put in is
// attempted at once if nothing waits in its lane: that costs one read and
// writes nothing. What fails, or has to wait, is written down as a row of its
// lane, and a wake-up is sent through a queue that holds messages back for up to
// 15 minutes. A wake-up works its lane in order until it is empty or has to wait
// again. Longer waits, and wake-ups that got lost, are found by Sweep, which
// asks an index for the lanes that are due.
//
// Two rules keep the order, whoever is killed when. A delivery goes past the
// lane only if a consistent read found the lane empty; and of a lane only the
// first row is attempted, as a consistent read found it, and the next one not
// before that row is deleted, which is after its delivery is confirmed or
// parked in the event log. So no delivery is received for the first time before
// those ahead of it were, or were parked. Rows are ordered by the version of
// their fact, whose row has a name of its own, so that a delivery that is put in
// twice is there once.
//
// The lease on a lane is no part of that proof. It saves attempts: two workers
// on one lane would send the same event twice, which receivers must bear anyway.
// Every write is a comparison with what was read, revision by revision.
//
// The breaker of an endpoint is an item that is only there while the breaker is
// not closed. Each instance counts failures by itself, and believes for a few
// seconds what it read; so up to one threshold of attempts an instance reach an
// endpoint that is down. What it holds back is looked at again after a quarter
// of the time it waited, so that a long outage does not have everything looked
// at all the time.
//
// What is confirmed at once costs one read unit, one more each few seconds for
// the breaker, and no write. What fails once costs five writes of a unit each,
// and four of the index, until it is gone again.
//
// The queue is no record: the event log says what was delivered and what was
// parked. Its items hold nothing private.
package dynamolanes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"handoff/domain/delivery"
)

// Worker makes attempts. Nobody else sends.
type Worker interface {
	// Attempt makes one attempt. last says that the item is too old for another
	// one. An error means that nothing came of it: it is made again after a
	// pause, or given up if the error is of a permanent kind.
	Attempt(ctx context.Context, item delivery.Item, last bool) (delivery.Progress, error)
	// GiveUp parks a delivery of whose attempts nothing comes, in the log.
	GiveUp(ctx context.Context, item delivery.Item, code string) error
}

// Timers sends wake-ups. A wake-up that is lost costs time and nothing else.
type Timers interface {
	// Wake has Work called with each of the lanes after a delay of at most
	// MaxDelay.
	Wake(ctx context.Context, delay time.Duration, lanes ...string) error
}

// MaxDelay is the longest time for which SQS holds a message back (Amazon SQS
// API Reference, SendMessage, DelaySeconds).
const MaxDelay = 15 * time.Minute

// Meter counts what operators should see.
type Meter interface {
	Add(ctx context.Context, metric string, value float64)
}

// MetricParked counts deliveries that end parked.
const MetricParked = "DeliveriesParked"

// Options are limits. The zero value has sensible ones.
type Options struct {
	// Total is how many attempts an instance makes at once; 0 means 64. Over all
	// instances the event sources' maximum concurrency counts.
	Total int
	// Failures is how many attempts to an endpoint fail in a row before its
	// breaker opens; 0 means what the queue of one machine has.
	Failures int
	// Timeout bounds one attempt as a whole; 0 means 30 s. A function needs to be
	// allowed at least twice that, or it attempts nothing that is put in.
	Timeout time.Duration
}

// Queue is the queue. It is safe for concurrent use.
type Queue struct {
	work   Work
	timers Timers
	now    func() time.Time
	o      Options
	gates  *gates
	slots  chan struct{}
	// Worker is set before the queue is used. Without one, Put writes everything
	// down and sends wake-ups: for functions that don't send.
	Worker Worker
	// Meter is set before the queue is used, or left out.
	Meter Meter
}

// New returns a queue over a table.
func New(work Work, timers Timers, now func() time.Time, o Options) *Queue {
	o.Total, o.Timeout = cmp.Or(o.Total, 64), cmp.Or(o.Timeout, 30*time.Second)
	return &Queue{work: work, timers: timers, now: now, o: o, gates: newGates(work, now, o), slots: make(chan struct{}, o.Total)}
}

// Put delivers items in their order, or writes them down. When it returns nil
// each is confirmed, parked or durably queued. One that is queued already stays
// where it is; one that was parked is taken up again. Items of different lanes
// are attempted at the same time.
func (q *Queue) Put(ctx context.Context, items ...delivery.Item) error {
	var order []string
	lanes := make(map[string][]delivery.Item)
	for _, item := range items {
		p := laneOf(item)
		if lanes[p] == nil {
			order = append(order, p)
		}
		lanes[p] = append(lanes[p], item)
	}
	errs := make([]error, len(order))
	var wg sync.WaitGroup
	for i, p := range order {
		wg.Go(func() {
			for _, item := range lanes[p] {
				if errs[i] = q.put(ctx, p, item); errs[i] != nil {
					errs[i] = fmt.Errorf("queue delivery %s: %w", delivery.NameOf(item.ID), errs[i])
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// put attempts an item if nothing is ahead of it, and writes it down if it is
// not done with then.
func (q *Queue) put(ctx context.Context, p string, item delivery.Item) error {
	l, err := q.look(ctx, p)
	if err != nil {
		return err
	}
	now := q.now()
	next := lane{due: now}
	if l.empty() && q.Worker != nil && q.inTime(ctx) {
		r := row{Item: item, Queued: now, Expires: now.Add(delivery.MaxAge)}
		var done bool
		if next, done, err = q.carryOut(ctx, lane{}, r); done || err != nil {
			return err
		}
	}
	return q.add(ctx, p, item, next)
}

// add writes an item into its lane: the row first, so that nothing overtakes it,
// then the lane, so that it is found. next is what the lane becomes if it is
// not there.
func (q *Queue) add(ctx context.Context, p string, item delivery.Item, next lane) error {
	if err := q.addRow(ctx, p, item); err != nil {
		return err
	}
	for {
		l, err := q.look(ctx, p)
		if err != nil || l.head == nil {
			return err // without the row somebody was at it already
		}
		becomes, made := l.lane, l.item.N == 0
		if made {
			becomes = next
			becomes.Head = l.head.stored.O
		}
		ok, err := q.save(ctx, &l, becomes) // a worker that is about to leave notices that the lane was touched
		if err != nil {
			return err
		}
		if ok && made {
			q.wake(ctx, p, becomes.due)
		}
		if ok {
			return nil
		}
	}
}

// addRow writes a row, or touches the one that is there: whoever is about to
// delete that one must not take the item with it.
func (q *Queue) addRow(ctx context.Context, p string, item delivery.Item) error {
	place := Item{P: p, O: rowName(item)}
	for {
		now := q.now()
		is := place.made(now, time.Time{}, encode(row{Item: item, Queued: now, Expires: now.Add(delivery.MaxAge)}))
		if ok, err := q.work.Swap(ctx, place, is); ok || err != nil {
			return err
		}
		found, err := q.work.Read(ctx, p, place.O, 1)
		if err != nil {
			return err
		}
		if len(found) == 0 || found[0].O != place.O {
			continue // it went just now
		}
		if ok, err := q.work.Swap(ctx, found[0], found[0].next(time.Time{}, found[0].Body)); ok || err != nil {
			return err
		}
	}
}

// Hurry has items attempted at once that wait for a transcript. Those that
// failed keep their pause.
func (q *Queue) Hurry(ctx context.Context, items ...delivery.Item) error {
	var errs []error
	for _, item := range items {
		if err := q.hurry(ctx, laneOf(item)); err != nil {
			errs = append(errs, fmt.Errorf("hurry delivery %s: %w", delivery.NameOf(item.ID), err))
		}
	}
	return errors.Join(errs...)
}

func (q *Queue) hurry(ctx context.Context, p string) error {
	for {
		l, err := q.look(ctx, p)
		if err != nil || l.item.N == 0 {
			return err
		}
		now := q.now()
		becomes := l.lane // a worker that is at it notices that the lane was touched
		if becomes.Lease == "" {
			if !becomes.Waits {
				return nil
			}
			becomes.Waits, becomes.due = false, now
		}
		ok, err := q.save(ctx, &l, becomes)
		if err != nil {
			return err
		}
		if ok && becomes.Lease == "" {
			q.wake(ctx, p, now)
		}
		if ok {
			return nil
		}
	}
}

// inTime reports whether an attempt that begins now can end before the
// invocation does.
func (q *Queue) inTime(ctx context.Context) bool {
	end, ok := ctx.Deadline()
	return !ok || end.Sub(q.now()) >= q.o.Timeout
}

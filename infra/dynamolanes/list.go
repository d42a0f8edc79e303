package dynamolanes

import (
	"context"
	"fmt"
	"iter"
	"time"

	"handoff/domain/delivery"
)

// Row is a delivery that waits, as people see it.
type Row struct {
	Item    delivery.Item
	Behind  bool // it waits for another one of its lane
	Queued  time.Time
	Due     time.Time // when its lane is looked at
	Expires time.Time // after it the next attempt is the last
	Tries   int       // since it waits
	Code    string    // of the last attempt
	HTTP    int
}

// page is how many rows are read at once.
const page = 100

// Waiting yields the deliveries of a tenant that wait: of all connections, of
// one, or for one of its endpoints. Those of a lane come in their order, lanes in
// none. It may miss what began to wait a moment ago, and costs a read for each
// lane.
func (q *Queue) Waiting(ctx context.Context, tenant, connection, endpoint string) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for p, err := range q.work.Due(ctx, lanesOf(tenant, connection, endpoint), time.Time{}) {
			if err != nil {
				yield(Row{}, fmt.Errorf("list deliveries: %w", err))
				return
			}
			for r, err := range q.lane(ctx, p) {
				if !yield(r, err) || err != nil {
					return
				}
			}
		}
	}
}

// lane yields the rows of a lane.
func (q *Queue) lane(ctx context.Context, p string) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		s, err := q.look(ctx, p)
		if err != nil {
			yield(Row{}, err)
			return
		}
		for from := "0"; ; {
			found, err := q.work.Read(ctx, p, from, page)
			if err != nil {
				yield(Row{}, err)
				return
			}
			for _, i := range found {
				r, err := decodeRow(i)
				if !yield(s.show(r), err) || err != nil {
					return
				}
				from = i.O + " "
			}
			if len(found) < page {
				return
			}
		}
	}
}

// show returns a row with what its lane says of it.
func (s *sight) show(r row) Row {
	out := Row{Item: r.Item, Behind: s.head != nil && s.head.stored.O < r.stored.O, Queued: r.Queued, Due: s.due, Expires: r.Expires}
	if !out.Behind {
		known := s.about(&r)
		out.Tries, out.Code, out.HTTP = known.Tries, known.Code, known.HTTP
	}
	return out
}

// Find returns a delivery that waits, or false. The item needs its tenant and
// subject.
func (q *Queue) Find(ctx context.Context, item delivery.Item) (Row, bool, error) {
	p := laneOf(item)
	found, err := q.work.Read(ctx, p, rowName(item), 1)
	if err != nil || len(found) == 0 || found[0].O != rowName(item) {
		return Row{}, false, err
	}
	r, err := decodeRow(found[0])
	if err != nil || r.Item.ID != item.ID {
		return Row{}, false, err
	}
	s, err := q.look(ctx, p)
	return s.show(r), err == nil, err
}

// Waits reports whether a delivery waits.
func (q *Queue) Waits(ctx context.Context, item delivery.Item) (bool, error) {
	_, ok, err := q.Find(ctx, item)
	return ok, err
}

// maxSwept is how many lanes a sweep wakes: the rest is still due a minute later.
const maxSwept = 10_000

// Sweep sends a wake-up for every lane that is due: those that wait for longer
// than a wake-up can, and those whose wake-up or worker was lost. It is to be
// called every minute.
func (q *Queue) Sweep(ctx context.Context) error {
	var due []string
	for p, err := range q.work.Due(ctx, lanePrefix, q.now()) {
		if err != nil {
			return fmt.Errorf("sweep lanes: %w", err)
		}
		if due = append(due, p); len(due) == maxSwept {
			break
		}
	}
	if err := q.timers.Wake(ctx, 0, due...); err != nil {
		return fmt.Errorf("sweep lanes: %w", err)
	}
	return nil
}

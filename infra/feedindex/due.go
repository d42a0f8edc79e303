package feedindex

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"time"

	"handoff/events"
	"handoff/infra/feedindex/parallel"
)

const (
	// sweptDeadlines is the row that says up to when deadlines were swept.
	sweptDeadlines = "deadlines"
	// sweepers end escalations side by side: a disconnect gives thousands the
	// same deadline.
	sweepers = 32
	// resweep is how far one goes back behind where one came: what was written
	// meanwhile may have needed as long.
	resweep = 2 * time.Minute
	// sweepBatch is how many are ended before it is noted how far one came.
	sweepBatch = 1024
)

// Due yields the deadlines that escalations were given and that passed between
// two instants, the earliest minute first: whether the escalation is still open,
// and the deadline still its own, is for the reader to see. One may be yielded
// twice, and one that was indexed after it had passed stands at the minute of
// that. It may yield some that pass a minute before or after.
func (x *Index) Due(ctx context.Context, since, until time.Time) iter.Seq2[Entry, error] {
	return x.entries(ctx, Range{Partition: duePartition, From: minute(since), To: minute(until) + "~"})
}

// Sweep calls end for each escalation whose deadline has passed by now and was
// not swept yet, some of them again. It keeps in the index how far it came, and
// begins there next time. What failed is tried again then, and all that passed
// later with it; the errors are returned together, after the others were ended.
// It is to be called about every minute; that two calls overlap does no harm.
func (x *Index) Sweep(ctx context.Context, end func(ctx context.Context, stream events.StreamID, number int) error) error {
	until := x.now()
	since, err := x.swept(ctx)
	if err != nil {
		return err
	}
	var failed []error
	batch := make([]Entry, 0, sweepBatch)
	flush := func(reached time.Time) error {
		failed = append(failed, endAll(ctx, batch, end)...)
		batch = batch[:0]
		if len(failed) > 0 || ctx.Err() != nil {
			return ctx.Err()
		}
		return x.setSwept(ctx, reached)
	}
	for e, err := range x.Due(ctx, since.Add(-resweep), until) {
		if err != nil {
			return fmt.Errorf("read deadlines: %w", err)
		}
		if e.Deadline.After(until) {
			continue // later in this minute: it is read again
		}
		if batch = append(batch, e); len(batch) == sweepBatch {
			if err := flush(later(e.Deadline, since)); err != nil {
				return err
			}
		}
	}
	if err := flush(until); err != nil {
		return err
	}
	return errors.Join(failed...)
}

func endAll(ctx context.Context, due []Entry, end func(context.Context, events.StreamID, int) error) []error {
	failed := make([]error, len(due))
	_ = parallel.Each(ctx, sweepers, len(due), func(ctx context.Context, i int) error {
		failed[i] = end(ctx, due[i].Stream, due[i].Number)
		return nil
	})
	kept := failed[:0]
	for _, err := range failed {
		if err != nil {
			kept = append(kept, err)
		}
	}
	return kept
}

// swept returns up to when deadlines were swept, zero for never.
func (x *Index) swept(ctx context.Context) (time.Time, error) {
	for row, err := range x.table.Query(ctx, Range{Partition: sweptPartition, From: sweptDeadlines, To: sweptDeadlines}) {
		if err == nil && len(row.Data) != 8 {
			err = errPacked
		}
		if err != nil {
			return time.Time{}, fmt.Errorf("read how far deadlines were swept: %w", err)
		}
		return time.Unix(int64(binary.BigEndian.Uint64(row.Data)), 0).UTC(), nil
	}
	return time.Time{}, nil
}

func (x *Index) setSwept(ctx context.Context, t time.Time) error {
	_, err := x.table.Put(ctx, Row{
		Partition: sweptPartition, Order: sweptDeadlines, Data: binary.BigEndian.AppendUint64(nil, uint64(max(t.Unix(), 0))),
	}, false)
	if err != nil {
		return fmt.Errorf("note how far deadlines were swept: %w", err)
	}
	return nil
}

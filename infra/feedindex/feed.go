package feedindex

import (
	"context"
	"fmt"
	"iter"

	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/feedindex/parallel"
)

// Feed returns the order over all streams of the log that the index is of.
// Facts come as they are stored, read ahead a few at a time.
func (x *Index) Feed(log Commits) eventlog.Feed { return feed{x, log} }

type feed struct {
	*Index
	log Commits
}

// ReadAll implements eventlog.Feed.
func (f feed) ReadAll(ctx context.Context, after int64) iter.Seq2[events.Record, error] {
	return f.records(ctx, after, f.gapless(after, f.from(ctx, feedPartition, after)))
}

// ReadConnection implements eventlog.Feed.
func (f feed) ReadConnection(ctx context.Context, tenant, connection string, after int64) iter.Seq2[events.Record, error] {
	return f.records(ctx, after, f.History(ctx, tenant, connection, after))
}

// Entries yields what the feed knows of the commits after a position, in order.
// The first one may begin before it.
func (x *Index) Entries(ctx context.Context, after int64) iter.Seq2[Entry, error] {
	return x.from(ctx, feedPartition, after)
}

// History yields those of one connection, as far as they are settled from rows
// of their own.
func (x *Index) History(ctx context.Context, tenant, connection string, after int64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		settled, err := x.positionAt(ctx, x.now().Add(-settle))
		if err != nil {
			yield(Entry{}, err)
			return
		}
		for e, err := range x.from(ctx, historyPartition(tenant, connection), after) {
			if err == nil && e.Position >= settled {
				break
			}
			if !yield(e, err) {
				return
			}
		}
		for e, err := range x.from(ctx, feedPartition, max(after, settled-1)) {
			mine := err != nil || e.Tenant == tenant && e.Connection == connection && e.Position >= settled
			if mine && !yield(e, err) {
				return
			}
		}
	}
}

// from yields the entries of a partition with facts after a position.
func (x *Index) from(ctx context.Context, partition string, after int64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		from, err := x.floor(ctx, partition, after+1)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		for e, err := range x.entries(ctx, Range{Partition: partition, From: from}) {
			if (err != nil || e.end() > after+1) && !yield(e, err) {
				return
			}
		}
	}
}

// gapless ends with an error where an entry does not follow the one before it.
func (f feed) gapless(after int64, entries iter.Seq2[Entry, error]) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		next := after + 1
		for e, err := range entries {
			if err == nil && e.Position > next {
				err = fmt.Errorf("feedindex: the feed goes on at %d, not at %d", e.Position, next)
			}
			if !yield(e, err) || err != nil {
				return
			}
			next = e.end()
		}
	}
}

// records yields the facts of entries that come after a position.
func (f feed) records(ctx context.Context, after int64, entries iter.Seq2[Entry, error]) iter.Seq2[events.Record, error] {
	return func(yield func(events.Record, error) bool) {
		for facts, err := range parallel.Ordered(ctx, workers, entries, f.read) {
			if err != nil {
				yield(events.Record{}, fmt.Errorf("read the feed: %w", err))
				return
			}
			for _, r := range facts {
				if r.Position <= after {
					continue
				}
				if err := ctx.Err(); err != nil {
					yield(events.Record{}, err)
					return
				}
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

// read reads the facts of an entry from the log.
func (f feed) read(ctx context.Context, e Entry) ([]events.Record, error) {
	c, err := f.log.Commit(ctx, e.Stream, e.Version)
	if err != nil {
		return nil, err
	}
	if c.After.Version+1 != e.Version || len(c.Facts) != e.Facts {
		return nil, fmt.Errorf("feedindex: commit %s is of %d facts, the feed has %d", e, len(c.Facts), e.Facts)
	}
	for i := range c.Facts {
		c.Facts[i].Position = e.Position + int64(i)
	}
	return c.Facts, nil
}

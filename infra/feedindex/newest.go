package feedindex

import (
	"context"
	"iter"
	"net/url"
)

// Newest yields what the feed knows of the commits before a position, the
// newest first.
func (x *Index) Newest(ctx context.Context, before int64) iter.Seq2[Entry, error] {
	return x.newest(ctx, feedPartition, before)
}

// NewestOf yields those of the streams of a connection, and those that moved an
// escalation to it from another one.
func (x *Index) NewestOf(ctx context.Context, tenant, connection string, before int64) iter.Seq2[Entry, error] {
	return newestOf(x.newest(ctx, historyPartition(tenant, connection), before), x.newest(ctx, movedPartition(tenant, connection), before))
}

// NewestParked yields those of a tenant that parked a delivery.
func (x *Index) NewestParked(ctx context.Context, tenant string, before int64) iter.Seq2[Entry, error] {
	return x.newest(ctx, parkedPartition(tenant), before)
}

// newestPage is how many rows a list reads at first. Under load one is enough
// for a page of it.
const newestPage = 16

// newest yields the entries of a partition that is ordered by position.
func (x *Index) newest(ctx context.Context, partition string, before int64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for e, err := range x.entries(ctx, Range{Partition: partition, To: place(before - 1), Newest: true, Page: newestPage}) {
			if (err != nil || e.Position < before) && !yield(e, err) {
				return
			}
		}
	}
}

// newestOf merges two sequences. What is in both it yields once.
func newestOf(a, b iter.Seq2[Entry, error]) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		next, stop := iter.Pull2(b)
		defer stop()
		other, err, more := next()
		older := func(than int64) bool { // yields what comes before
			for ; more && (err != nil || other.Position >= than); other, err, more = next() {
				if (err != nil || other.Position > than) && !yield(other, err) || err != nil {
					return false
				}
			}
			return true
		}
		for e, err := range a {
			if err == nil && !older(e.Position) || !yield(e, err) || err != nil {
				return
			}
		}
		older(-1)
	}
}

// Connections yields the newest ConnectionRequested of each connection of a
// tenant, in the order of their names, from behind the given one.
func (x *Index) Connections(ctx context.Context, tenant, after string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		r := Range{Partition: requestedPartition(tenant)}
		if after != "" {
			r.From = url.QueryEscape(after) + "$" // follows the # that ends a name
		}
		var last Entry
		for e, err := range x.entries(ctx, r) {
			if err != nil || last.Facts > 0 && e.Connection != last.Connection {
				if !yield(last, err) || err != nil {
					return
				}
			}
			last = e
		}
		if last.Facts > 0 {
			yield(last, nil)
		}
	}
}

// EveryConnection yields a ConnectionRequested of each connection of every
// tenant, not always the newest.
func (x *Index) EveryConnection(ctx context.Context) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		var last Entry
		for e, err := range x.entries(ctx, Range{Partition: everyPartition}) {
			if err == nil && e.Stream == last.Stream {
				continue // it was asked for twice in one batch
			}
			if last = e; !yield(e, err) || err != nil {
				return
			}
		}
	}
}

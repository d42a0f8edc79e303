// Package feedindex gives the streams of a log that has no order over all of
// them one: a feed of every commit, without gap and each once, and beside it
// what lists and timers need to find.
//
// A DynamoDB table knows the order within each stream only. Writers are told of
// commits by the table's stream and put them into the feed in segments: one row
// a batch, of some 25 to 45 bytes a commit. The row at the next position is
// stored only if there is none, so the feed is one sequence however many write,
// and who reads it up to its end knows exactly what is in it.
//
// Rows that follow from a segment (the history of each connection, deadlines by
// minute, what moved, what was parked, which connections there are) are written
// after it and depend on it alone; whoever is told of a commit again writes
// them again. So a writer that is killed anywhere leaves nothing half done once
// its batch was delivered to another. While a batch is interrupted its rows may
// be missing; a history therefore reads the last five minutes in the feed
// itself, and stays in order and complete unless an interruption lasts longer
// than that.
//
// What it costs: a batch writes its segment and a row for each connection and
// each deadline's minute in it, a write unit for each KiB; see the table that
// TestWriteUnits prints. A writer remembers a million streams. For a
// commit of one that it does not, it reads the commit before that one and the
// segments from around that time, about three requests. The feed is one
// partition of the table, which takes 1,000 write units a second: some 20,000
// commits. Not verified against AWS itself.
//
// The feed lags behind the log by a second or two; Fresh tells the time of the
// last segment. Only references of customers do not: they are written before
// the commit that they belong to, see WithRefs.
package feedindex

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"handoff/events"
)

// Index reads the feed and what belongs to it. It is safe for concurrent use
// and has nothing to close.
type Index struct {
	table Table
	now   func() time.Time
}

// New returns the index in a DynamoDB table that exists, whose keys are p and o
// (text) and whose attribute ttl expires items.
func New(db *dynamodb.Client, table string, now func() time.Time) *Index {
	return Over(NewTable(db, table), now)
}

// Over returns the index in a table of any kind.
func Over(t Table, now func() time.Time) *Index { return &Index{table: t, now: now} }

// Last returns the position of the last fact in the feed, 0 for an empty one.
func (x *Index) Last(ctx context.Context) (int64, error) {
	position, _, err := x.Fresh(ctx)
	return position, err
}

// Fresh returns the position of the last fact in the feed and when it was put
// there. Both are zero for an empty feed.
func (x *Index) Fresh(ctx context.Context) (position int64, written time.Time, err error) {
	for s, err := range x.segments(ctx, Range{Partition: feedPartition, Newest: true, Limit: 1}) {
		if err != nil {
			return 0, time.Time{}, fmt.Errorf("find the end of the feed: %w", err)
		}
		return s.Entries[len(s.Entries)-1].end() - 1, s.Written, nil
	}
	return 0, time.Time{}, nil
}

// VersionsAt returns up to which version each stream is in the part of the feed
// up to a position, that included.
func (x *Index) VersionsAt(ctx context.Context, position int64) (map[events.StreamID]int, error) {
	versions := make(map[events.StreamID]int)
	for e, err := range x.entries(ctx, Range{Partition: feedPartition, To: place(position)}) {
		if err != nil {
			return nil, fmt.Errorf("read the feed up to %d: %w", position, err)
		}
		if e.Position <= position {
			versions[e.Stream] = min(e.Last(), e.Version+int(position-e.Position))
		}
	}
	return versions, nil
}

// segments yields what rows hold. A row without entries, which nobody writes,
// ends it with an error.
func (x *Index) segments(ctx context.Context, r Range) iter.Seq2[segment, error] {
	return func(yield func(segment, error) bool) {
		for row, err := range x.table.Query(ctx, r) {
			var s segment
			if err == nil {
				s, err = unpack(row.Data)
			}
			if err == nil && len(s.Entries) == 0 {
				err = errPacked
			}
			if err != nil {
				yield(segment{}, fmt.Errorf("read %s %s: %w", r.Partition, row.Order, err))
				return
			}
			if !yield(s, nil) {
				return
			}
		}
	}
}

// entries yields the entries of rows, each row's in the order of the range.
func (x *Index) entries(ctx context.Context, r Range) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for s, err := range x.segments(ctx, r) {
			if err != nil {
				yield(Entry{}, err)
				return
			}
			for i := range s.Entries {
				if r.Newest {
					i = len(s.Entries) - 1 - i
				}
				if !yield(s.Entries[i], nil) {
					return
				}
			}
		}
	}
}

// positionAt returns a position from which on everything stands in the feed
// that was written since an instant.
func (x *Index) positionAt(ctx context.Context, t time.Time) (int64, error) {
	before := minute(t.Add(-time.Minute))
	for row, err := range x.table.Query(ctx, Range{Partition: timePartition, To: before, Newest: true, Limit: 1}) {
		if err == nil && len(row.Data) != 8 {
			err = errPacked
		}
		if err != nil {
			return 0, fmt.Errorf("find the place of %s in the feed: %w", before, err)
		}
		return int64(binary.BigEndian.Uint64(row.Data)), nil
	}
	return 1, nil
}

// floor returns the order of the row of a partition that holds a position, or
// of the first one after it.
func (x *Index) floor(ctx context.Context, partition string, position int64) (string, error) {
	for row, err := range x.table.Query(ctx, Range{Partition: partition, To: place(position), Newest: true, Limit: 1}) {
		return row.Order, err
	}
	return place(position), nil
}

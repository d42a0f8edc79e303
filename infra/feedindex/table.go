package feedindex

import (
	"context"
	"iter"
	"time"
)

// Row is what the index keeps at one place.
type Row struct {
	Partition, Order string
	Data             []byte
	// Expires is when the row may be dropped by itself; zero: never.
	Expires time.Time
}

// Range names rows of a partition whose Order lies between From and To, both
// inclusive; empty means without an end.
type Range struct {
	Partition, From, To string
	// Newest yields the greatest Order first.
	Newest bool
	// Limit is how many rows are yielded at most; 0: all.
	Limit int
	// Page is how many rows are worth reading at first, where the reader is
	// likely to stop early; 0: as many as there can be. It changes no answer.
	Page int
}

// Table is where the index is kept. Implementations are safe for concurrent use.
type Table interface {
	// Put stores a row. With fresh set it leaves a row alone that is there, and
	// reports false; else it replaces it.
	Put(ctx context.Context, r Row, fresh bool) (bool, error)
	// Query yields rows in order, and sees every Put that returned before it.
	// Iteration ends at the first error, which is yielded.
	Query(ctx context.Context, r Range) iter.Seq2[Row, error]
}

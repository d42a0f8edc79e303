// Package eventlog owns the contract of Handoff's event log and the one loop
// that every handler runs over it: rebuild, decide, append.
//
// A log is a set of streams of facts. Facts are stored, hashed, copied and
// exported as bytes; only the Ledger decodes them. An append is atomic, durable
// before it returns, and refused unless the stream ends where the writer thinks
// it does. Adapters live in the packages below; each passes the suite
// tests/eventlogtest.
package eventlog

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"handoff/events"
)

// InlineLimit is the size in bytes up to which sealed bytes stand in the fact
// itself; above it they are a blob, addressed by their SHA-256.
const InlineLimit = 8 << 10

// Head is where a stream ends. The zero value is the head of an empty stream.
type Head struct {
	Version int
	Hash    events.Hash
}

// Commit is what one command appends to one stream.
type Commit struct {
	Stream     events.StreamID
	Tenant     string
	Kind       events.Kind
	Connection string // empty where the stream belongs to none
	// ID is the command's. A commit that is there already with the same ID is
	// one's own, whose answer was lost.
	ID string
	// After is the head that the writer decided upon.
	After Head
	// Facts are one or more records, chained by ChainCommit. Their sealed
	// bytes are inline whatever their size; where they are kept is the log's
	// business.
	Facts []events.Record
	// State is the folded state after this commit. It is not hashed.
	State        []byte
	StateVersion int
}

// Snapshot is a stream's head with the state carried there.
type Snapshot struct {
	Head
	Tenant, Connection string
	Kind               events.Kind
	State              []byte
	StateVersion       int
}

// Log is an append-only store of streams. Implementations are safe for
// concurrent use. Every method honours its context.
type Log interface {
	// Append stores the commit and returns the head after it. The facts are
	// durable when it returns nil. It returns a *ConflictError where the
	// stream does not end at c.After, except if the commit that stands there
	// has the ID of this one: then it returns that commit's head. A stream
	// stays one tenant's, one connection's and of one kind. An error that is
	// no conflict leaves open whether the commit was stored; appending the
	// same commit again tells. The log keeps no memory of its caller's.
	Append(ctx context.Context, c Commit) (Head, error)
	// Load returns the head and state of a stream, zero for a stream that
	// does not exist. It sees every append that returned before it was called.
	Load(ctx context.Context, stream events.StreamID) (Snapshot, error)
	// Read yields the facts of a stream in order, from the given version.
	// Iteration ends at the first error, which is yielded.
	Read(ctx context.Context, stream events.StreamID, from int) iter.Seq2[events.Record, error]
	// Blob returns sealed bytes that a record refers to by their sum.
	Blob(ctx context.Context, sum events.Hash) ([]byte, error)
}

// Feed is the order over all streams, where a log has one.
type Feed interface {
	// ReadAll yields the facts after a position in the order in which they
	// became visible. Positions start at 1 and have no gap.
	ReadAll(ctx context.Context, after int64) iter.Seq2[events.Record, error]
	// ReadConnection yields those of one connection: its own stream and those
	// of its conversations and deliveries.
	ReadConnection(ctx context.Context, tenant, connection string, after int64) iter.Seq2[events.Record, error]
}

// ErrNoBlob is returned by Blob for a sum that the log does not hold.
var ErrNoBlob = errors.New("eventlog: no such blob")

// ConflictError reports an append after a head that is not the stream's.
type ConflictError struct {
	Stream   events.StreamID
	Expected Head
	Actual   Head
}

// Error implements error.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("eventlog: stream %s is at version %d, not %d", e.Stream, e.Actual.Version, e.Expected.Version)
}

// Check reports what is wrong with a commit before anything is stored: no
// facts, a gap in the versions, a fact of another stream, a broken chain.
// Adapters call it first.
func (c *Commit) Check() error {
	if len(c.Facts) == 0 || c.ID == "" || c.After.Version < 0 {
		return fmt.Errorf("eventlog: commit %q to stream %s has no facts, no id or no place", c.ID, c.Stream)
	}
	prev := c.After.Hash
	for i := range c.Facts {
		r := &c.Facts[i]
		want := c.After.Version + i + 1
		if r.Stream != c.Stream || r.Version != want || r.Tenant != c.Tenant || r.Kind != c.Kind ||
			r.Connection != c.Connection || r.Commit != c.ID {
			return fmt.Errorf("eventlog: fact %s does not belong at version %d of commit %q", r.ID(), want, c.ID)
		}
		if r.Hash != events.Chain(prev, r) || r.SealedSum != events.SumSealed(r.Sealed) {
			return fmt.Errorf("eventlog: fact %s is not chained to the one before it", r.ID())
		}
		prev = r.Hash
	}
	return nil
}

// Head returns the head after the commit.
func (c *Commit) Head() Head {
	last := c.Facts[len(c.Facts)-1]
	return Head{Version: last.Version, Hash: last.Hash}
}

// ChainCommit numbers the facts of a commit after c.After and chains them. The
// writer calls it before Append, so that hashing is done outside of any lock.
func ChainCommit(c *Commit) {
	prev := c.After.Hash
	for i := range c.Facts {
		r := &c.Facts[i]
		r.Stream, r.Version = c.Stream, c.After.Version+i+1
		r.Tenant, r.Kind, r.Connection, r.Commit = c.Tenant, c.Kind, c.Connection, c.ID
		r.SealedSum = events.SumSealed(r.Sealed)
		r.Hash = events.Chain(prev, r)
		prev = r.Hash
	}
}

// Step is one fact of a Walk.
type Step struct {
	events.Record
	// Carried is what is stored at the stream's head. It is there with the
	// last fact of each stream, nil with the others.
	Carried *Snapshot
}

// Walker yields a log in the order in which it can be checked without keeping
// it in memory.
type Walker interface {
	// Walk yields all facts stream by stream, each stream in order. A stream
	// that grows meanwhile is yielded up to some point at which it ended. A
	// stream that has a head and no facts, which no append leads to, is
	// yielded once with version 0.
	Walk(ctx context.Context) iter.Seq2[Step, error]
	// Last returns the position of the last fact, 0 for an empty log.
	Last(ctx context.Context) (int64, error)
}

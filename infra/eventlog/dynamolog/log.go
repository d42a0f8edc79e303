// Package dynamolog keeps the event log in a DynamoDB table.
//
// # Layout
//
// A commit is one item, which carries the folded state after it and is never
// changed. Its keys are the stream and the version of the commit's first fact,
// so the facts of a stream lie together and in order.
//
//	s B  stream id, 16 bytes (hash key)
//	v N  version of the first fact (range key)
//	k S  kind of the stream
//	t S  tenant
//	c S  connection, empty where the stream belongs to none
//	d S  id of the commit
//	y S  types of the facts, for people
//	h B  hashes, 32 bytes each: that before the commit, unless it is the first
//	     of its stream, and that of each fact
//	f B  state and facts, packed (see pack) and compressed (DEFLATE, RFC 1951)
//	x B  sealed bytes of the facts, one after the other, uncompressed because
//	     they are noise; missing where there are none
//	i    true in an item that was imported; missing in others
//
// Sealed bytes of more than eventlog.InlineLimit are a blob, stored before the
// item. A commit that is refused after that, because another writer was faster,
// leaves its blob behind; it opens under no other fact and with its
// conversation's key it is gone.
//
// Items are written by PutItem, with the condition that there is none, and read
// by Query; whoever audits reads them all by Scan. A function's role needs
// dynamodb:PutItem and dynamodb:Query on the table, an auditor's dynamodb:Query
// and dynamodb:Scan, and nobody's any other action. The table has no index.
//
// # Appending
//
// Where a stream ended once, at a commit's end, its next commit begins, whoever
// writes it; so a commit that is put after such a head meets an item if another
// was faster, and leaves no gap if none was. What is left to make sure is that
// the stream did end there. That never becomes untrue, so a Log remembers it of
// what it loaded and stored, and an append after a Load is one request. For any
// other head it asks the table once.
//
// A refused put brings the item that stands there. If that is this very commit,
// the answer to an earlier attempt was lost; so the client's own retries, and
// those of callers, store nothing twice.
//
// # Capacity
//
// A write unit pays for 1 KiB of an item, a consistent read unit for 4 KiB; see
// Size. The life of an escalation with a transcript of 20 turns of natural
// language (2.8 KB of text, 2.5 KB sealed), as this package's tests measure it:
//
//	EscalationRaised + EscalationRouted  3.5 KB  4 write units
//	DeliveryAttempted + Delivered        0.5 KB  1
//	EscalationAccepted                   0.5 KB  1
//	EscalationCompleted                  0.5 KB  1
//
// With the facts as a list of maps, uncompressed, the first takes 5 and the
// second 2. Zstandard packs no smaller than DEFLATE here, adds 157 KB to the zip
// of a function, and needs more than any language's standard library to read.
//
// A put that is refused costs as much as one that is not. Loading reads the last
// commit of a stream, which is one read unit up to 4 KiB. A partition takes 1,000
// write units a second and a stream few, so none is ever a hot one by writing. A
// connection's is read for each of its hand-offs, and one partition gives 3,000
// read units a second: fewer hand-offs while its last commit is the one that
// adopted many rules. (Limits: "Quotas" and "Best practices for partition keys"
// in the DynamoDB developer guide. Nothing here was measured on AWS itself.)
package dynamolog

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/lru"
)

// Blobs keeps sealed bytes of more than eventlog.InlineLimit, addressed by their
// SHA-256.
type Blobs interface {
	// Put stores b under its sum. Storing it again changes nothing.
	Put(ctx context.Context, sum events.Hash, b []byte) error
	// Get returns what is stored under a sum, or an error that wraps
	// eventlog.ErrNoBlob.
	Get(ctx context.Context, sum events.Hash) ([]byte, error)
}

// Log is an event log in a table. It is safe for concurrent use and has nothing
// to close.
type Log struct {
	db    *dynamodb.Client
	table string
	blobs Blobs
	// seen are heads that streams had once.
	seen *lru.Cache[place, struct{}]
}

// place is where a commit may go: after a head of a stream.
type place struct {
	stream             events.StreamID
	head               eventlog.Head
	tenant, connection string
	kind               events.Kind
}

// keptPlaces is how many heads are remembered, some 300 bytes each.
const keptPlaces = 4096

var _ eventlog.Log = (*Log)(nil)

// New returns the log in a table that exists, whose keys are s (bytes) and v
// (number).
func New(db *dynamodb.Client, table string, blobs Blobs) *Log {
	return &Log{db: db, table: table, blobs: blobs, seen: lru.New[place, struct{}](keptPlaces)}
}

// remember keeps that the commit's stream had a head.
func (l *Log) remember(c *eventlog.Commit, head eventlog.Head) {
	p := placeAfter(c, head)
	l.seen.Put(p, struct{}{}, l.seen.Mark(p))
}

// known reports whether the commit's stream is known to have ended, once, where
// the commit is to go. Every stream began empty.
func (l *Log) known(c *eventlog.Commit) bool {
	_, seen := l.seen.Get(placeAfter(c, c.After))
	return seen || c.After == (eventlog.Head{})
}

func placeAfter(c *eventlog.Commit, head eventlog.Head) place {
	return place{c.Stream, head, c.Tenant, c.Connection, c.Kind}
}

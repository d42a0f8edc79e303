// Package dynamolog keeps the event log in a DynamoDB table.
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
	// seen are heads that streams had once. A commit after one of them can't
	// leave a gap, nor begin inside another commit.
	seen *lru.Cache[place, struct{}]
}

// place is where a commit may go: after a head of a stream.
type place struct {
	stream             events.StreamID
	head               eventlog.Head
	tenant, connection string
	kind               events.Kind
}

// keptPlaces is how many heads are remembered, some 200 bytes each.
const keptPlaces = 4096

var _ eventlog.Log = (*Log)(nil)

// New returns the log in a table that exists, whose keys are s (bytes) and v
// (number).
func New(db *dynamodb.Client, table string, blobs Blobs) *Log {
	return &Log{db: db, table: table, blobs: blobs, seen: lru.New[place, struct{}](keptPlaces)}
}

package eventlog

import (
	"time"

	"handoff/events"
)

// Change is what a log's stream of changes tells of one item that was stored.
type Change struct {
	// Sequence is the change's place in the stream.
	Sequence string
	// At is about when the commit was stored.
	At time.Time
	// Stored says that a new commit was stored. Anything else, such as one that
	// was replaced or removed, nobody may do.
	Stored bool
	Commit
	// Imported marks a commit that was copied from another log.
	Imported bool
	// Err is why the item can't be read as a commit, or is not what was
	// appended. Then of Commit there is at most what names it.
	Err error
}

// Poison says which commit nobody can be told of, and why. Nothing private is in
// it.
type Poison struct {
	Stream  events.StreamID `json:"stream"`
	Version int             `json:"version"` // of the commit's first fact
	Reason  string          `json:"reason"`  // a stable code
}

// Package indextest keeps a log and its index in memory, for tests.
package indextest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/eventlog/memlog"
	"handoff/infra/feedindex"
)

// Log is a log in memory that knows its commits, as one in a table does. Make
// one with NewLog. It is safe for concurrent use.
type Log struct {
	*memlog.Log
	mu      sync.Mutex
	commits map[events.StreamID][]eventlog.Commit
	torn    map[string]bool
	reads   int
}

var _ feedindex.Commits = (*Log)(nil)

// NewLog returns an empty log.
func NewLog() *Log {
	return &Log{Log: memlog.New(), commits: make(map[events.StreamID][]eventlog.Commit), torn: make(map[string]bool)}
}

// Append implements eventlog.Log.
func (l *Log) Append(ctx context.Context, c eventlog.Commit) (eventlog.Head, error) {
	head, err := l.Log.Append(ctx, c)
	l.mu.Lock()
	defer l.mu.Unlock()
	known := slices.ContainsFunc(l.commits[c.Stream], func(o eventlog.Commit) bool { return o.After == c.After })
	if err == nil && !known {
		l.commits[c.Stream] = append(l.commits[c.Stream], c)
	}
	return head, err
}

// Commit implements feedindex.Commits. What it returns is the caller's.
func (l *Log) Commit(ctx context.Context, stream events.StreamID, version int) (eventlog.Commit, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads++
	for _, c := range l.commits[stream] {
		if c.After.Version >= version || c.Head().Version < version {
			continue
		}
		if l.torn[c.ID] {
			return eventlog.Commit{}, fmt.Errorf("commit %s is torn", c.ID)
		}
		c.Facts = slices.Clone(c.Facts)
		for i := range c.Facts {
			if f := &c.Facts[i]; len(f.Sealed) > eventlog.InlineLimit {
				f.Sealed = nil
			}
		}
		return c, ctx.Err()
	}
	return eventlog.Commit{}, fault.New(fault.NotFound, "no-such-fact", "There is none.")
}

// Commits returns those of each stream.
func (l *Log) Commits() map[events.StreamID][]eventlog.Commit {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.commits)
}

// Tear makes the commit with an id unreadable, or readable again.
func (l *Log) Tear(id string, torn bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.torn[id] = torn
}

// Reads returns how often a commit was asked for.
func (l *Log) Reads() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reads
}

// Changes returns commits as the stream of a log's table tells of them.
func Changes(at time.Time, commits ...eventlog.Commit) []eventlog.Change {
	all := make([]eventlog.Change, len(commits))
	for i, c := range commits {
		all[i] = eventlog.Change{Sequence: fmt.Sprint(i), Stored: true, At: at, Commit: c}
	}
	return all
}

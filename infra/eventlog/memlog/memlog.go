// Package memlog keeps the event log in memory, for tests. It promises what
// every log promises except that a process which ends takes it along, and it
// passes the same suite.
package memlog

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"

	"handoff/events"
	"handoff/infra/eventlog"
)

// Log is an event log in memory. Make one with New. It is safe for concurrent
// use and needs no closing.
type Log struct {
	mu      sync.Mutex
	facts   []events.Record // in order of position
	streams map[events.StreamID]*stream
	blobs   map[events.Hash][]byte
	risen   chan struct{} // closed when facts are added
}

type stream struct {
	eventlog.Snapshot
	facts []int // indexes into Log.facts
}

var (
	_ eventlog.Log  = (*Log)(nil)
	_ eventlog.Feed = (*Log)(nil)
)

// New returns an empty log.
func New() *Log {
	return &Log{streams: make(map[events.StreamID]*stream), blobs: make(map[events.Hash][]byte), risen: make(chan struct{})}
}

// Append implements eventlog.Log.
func (l *Log) Append(ctx context.Context, c eventlog.Commit) (eventlog.Head, error) {
	if err := c.Check(); err != nil {
		return eventlog.Head{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return eventlog.Head{}, err
	}
	s := l.streams[c.Stream]
	if s == nil {
		s = &stream{Snapshot: eventlog.Snapshot{Tenant: c.Tenant, Connection: c.Connection, Kind: c.Kind}}
	}
	if s.Tenant != c.Tenant || s.Connection != c.Connection || s.Kind != c.Kind {
		return eventlog.Head{}, fmt.Errorf("memlog: stream %s is another tenant's, connection's or kind's", c.Stream)
	}
	if s.Head != c.After {
		if head := l.find(s, c.After.Version, c.ID); head.Version > 0 {
			return head, nil
		}
		return eventlog.Head{}, &eventlog.ConflictError{Stream: c.Stream, Expected: c.After, Actual: s.Head}
	}
	l.add(s, &c)
	return s.Head, nil
}

// find returns the head after the commit with the given id that follows a
// version, zero if another one does.
func (l *Log) find(s *stream, version int, id string) (head eventlog.Head) {
	for _, i := range s.facts[min(version, len(s.facts)):] {
		r := &l.facts[i]
		if r.Commit != id {
			break
		}
		head = eventlog.Head{Version: r.Version, Hash: r.Hash}
	}
	return head
}

func (l *Log) add(s *stream, c *eventlog.Commit) {
	for _, r := range c.Facts {
		r.Clear, r.Sealed = bytes.Clone(r.Clear), bytes.Clone(r.Sealed)
		if len(r.Sealed) > eventlog.InlineLimit {
			l.blobs[r.SealedSum], r.Sealed = r.Sealed, nil
		}
		r.Position = int64(len(l.facts)) + 1
		s.facts = append(s.facts, len(l.facts))
		l.facts = append(l.facts, r)
	}
	s.Head, s.State, s.StateVersion = c.Head(), bytes.Clone(c.State), c.StateVersion
	l.streams[c.Stream] = s
	close(l.risen)
	l.risen = make(chan struct{})
}

// Load implements eventlog.Log.
func (l *Log) Load(ctx context.Context, id events.StreamID) (eventlog.Snapshot, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return eventlog.Snapshot{}, err
	}
	s := l.streams[id]
	if s == nil {
		return eventlog.Snapshot{}, nil
	}
	snap := s.Snapshot
	snap.State = bytes.Clone(snap.State)
	return snap, nil
}

// Blob implements eventlog.Log.
func (l *Log) Blob(ctx context.Context, sum events.Hash) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b, ok := l.blobs[sum]
	if !ok {
		return nil, fmt.Errorf("read blob %s: %w", sum, eventlog.ErrNoBlob)
	}
	return slices.Clone(b), nil
}

// Read implements eventlog.Log.
func (l *Log) Read(ctx context.Context, id events.StreamID, from int) iter.Seq2[events.Record, error] {
	return l.each(ctx, max(from-1, 0), func(i int) int {
		if s := l.streams[id]; s != nil && i < len(s.facts) {
			return s.facts[i]
		}
		return len(l.facts)
	})
}

// ReadAll implements eventlog.Feed.
func (l *Log) ReadAll(ctx context.Context, after int64) iter.Seq2[events.Record, error] {
	return l.each(ctx, int(max(after, 0)), func(i int) int { return i })
}

// ReadConnection implements eventlog.Feed.
func (l *Log) ReadConnection(ctx context.Context, tenant, connection string, after int64) iter.Seq2[events.Record, error] {
	return func(yield func(events.Record, error) bool) {
		for r, err := range l.ReadAll(ctx, after) {
			if err == nil && (r.Tenant != tenant || r.Connection != connection) {
				continue
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// each yields the facts that index names for i, i+1, and so on, until it names
// none. The log is not locked while the consumer works.
func (l *Log) each(ctx context.Context, i int, index func(int) int) iter.Seq2[events.Record, error] {
	return func(yield func(events.Record, error) bool) {
		for at := i; ; at++ {
			if err := ctx.Err(); err != nil {
				yield(events.Record{}, err)
				return
			}
			r, ok := l.at(func() int { return index(at) })
			if !ok || !yield(r, nil) {
				return
			}
		}
	}
}

func (l *Log) at(index func() int) (r events.Record, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := index()
	if i >= len(l.facts) {
		return r, false
	}
	r = l.facts[i]
	r.Clear, r.Sealed = bytes.Clone(r.Clear), bytes.Clone(r.Sealed)
	return r, true
}

// Last returns the position of the last fact, 0 in an empty log.
func (l *Log) Last(ctx context.Context) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int64(len(l.facts)), ctx.Err()
}

// Wait returns nil once the log holds a fact after the given position.
func (l *Log) Wait(ctx context.Context, after int64) error {
	for {
		l.mu.Lock()
		last, risen := int64(len(l.facts)), l.risen
		l.mu.Unlock()
		if last > after {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-risen:
		}
	}
}

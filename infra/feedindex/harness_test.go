package feedindex_test

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/feedindex"
	"handoff/infra/feedindex/indextest"
)

func at(minutes int) time.Time {
	return time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC).Add(time.Duration(minutes) * time.Minute)
}

// clock is a time that tests set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

// script is a table whose puts fail where a test says so.
type script struct {
	indextest.Table
	put   func(r feedindex.Row) error // nil: none fails
	after func(r feedindex.Row) error // fails a put that was stored
	mu    sync.Mutex
	puts  []feedindex.Row
}

func (s *script) Put(ctx context.Context, r feedindex.Row, fresh bool) (bool, error) {
	if s.put != nil {
		if err := s.put(r); err != nil {
			return false, err
		}
	}
	stored, err := s.Table.Put(ctx, r, fresh)
	if stored {
		s.mu.Lock()
		s.puts = append(s.puts, r)
		s.mu.Unlock()
	}
	if err == nil && s.after != nil {
		err = s.after(r)
	}
	return stored, err
}

// bench is an index over a log in memory.
type bench struct {
	t     testing.TB
	log   *indextest.Log
	table *script
	clock *clock
	index *feedindex.Index
	codec *events.Codec
}

func newBench(t testing.TB) *bench {
	b := &bench{t: t, log: indextest.NewLog(), table: &script{}, clock: &clock{now: at(0)}, codec: events.Register()}
	b.index = feedindex.Over(b.table, b.clock.Now)
	return b
}

func (b *bench) writer() *feedindex.Writer { return b.index.Writer(b.log, b.codec) }

// append appends a commit of facts to a stream of a connection, and returns it.
func (b *bench) append(connection string, kind events.Kind, stream events.StreamID, facts ...events.Fact) eventlog.Commit {
	b.t.Helper()
	snap, err := b.log.Load(b.t.Context(), stream)
	if err != nil {
		b.t.Fatal(err)
	}
	c := eventlog.Commit{Stream: stream, Tenant: "default", Connection: connection, Kind: kind, ID: fmt.Sprint(stream, snap.Version), After: snap.Head}
	for _, f := range facts {
		clear, _, schema, err := b.codec.Encode(f)
		if err != nil {
			b.t.Fatal(err)
		}
		c.Facts = append(c.Facts, events.Record{Clear: clear, Header: events.Header{Type: f.FactType(), Schema: schema, Time: b.clock.Now().UnixNano()}})
	}
	return b.store(c)
}

func (b *bench) store(c eventlog.Commit) eventlog.Commit {
	b.t.Helper()
	eventlog.ChainCommit(&c)
	if _, err := b.log.Append(b.t.Context(), c); err != nil {
		b.t.Fatal(err)
	}
	return c
}

// accept appends a commit that says little.
func (b *bench) accept(stream events.StreamID) eventlog.Commit {
	b.t.Helper()
	return b.append("bot-1", events.KindConversation, stream, &events.EscalationAccepted{Number: 1})
}

func (b *bench) add(w *feedindex.Writer, commits ...eventlog.Commit) {
	b.t.Helper()
	left, err := w.Add(b.t.Context(), indextest.Changes(b.clock.Now(), commits...))
	if err != nil || len(left) > 0 {
		b.t.Fatalf("Add = %v, %v", left, err)
	}
}

// feed returns the entries of the feed as text: stream by its letter, and
// version.
func (b *bench) feed() string { return b.show(b.index.Entries(b.t.Context(), 0)) }

func (b *bench) history(connection string) string {
	return b.show(b.index.History(b.t.Context(), "default", connection, 0))
}

func (b *bench) show(entries iter.Seq2[feedindex.Entry, error]) string {
	b.t.Helper()
	var all []string
	for e, err := range entries {
		if err != nil {
			b.t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%c%d", e.Stream[0], e.Version))
	}
	return strings.Join(all, " ")
}

// stream returns the stream that is known by a letter.
func stream(letter byte) events.StreamID {
	return events.StreamID{letter, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, letter}
}

// exact fails the test unless the feed holds every commit of the log once, each
// stream in order.
func (b *bench) exact() {
	b.t.Helper()
	seen := make(map[events.StreamID]int)
	facts := int64(0)
	for r, err := range b.index.Feed(b.log).ReadAll(b.t.Context(), 0) {
		if err != nil {
			b.t.Fatal(err)
		}
		if facts++; r.Position != facts || r.Version != seen[r.Stream]+1 {
			b.t.Fatalf("position %d has %s after version %d of its stream; it is fact %d of the feed", r.Position, r.ID(), seen[r.Stream], facts)
		}
		seen[r.Stream] = r.Version
	}
	lost, doubled := 0, 0
	for id, commits := range b.log.Commits() {
		want := commits[len(commits)-1].Head().Version
		lost, doubled = lost+max(0, want-seen[id]), doubled+max(0, seen[id]-want)
	}
	if lost+doubled > 0 {
		b.t.Errorf("lost %d, doubled %d", lost, doubled)
	}
}

// due returns the deadlines between two instants as text.
func (b *bench) due(since, until time.Time) string {
	b.t.Helper()
	return b.show(b.index.Due(b.t.Context(), since, until.Add(24*time.Hour)))
}

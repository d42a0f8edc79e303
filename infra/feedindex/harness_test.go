package feedindex_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/eventlog/memlog"
	"handoff/infra/feedindex"
	"handoff/infra/feedindex/memtable"
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

// book is a log in memory that knows its commits.
type book struct {
	*memlog.Log
	mu      sync.Mutex
	commits map[events.StreamID][]eventlog.Commit
	torn    map[string]bool // ids of commits that can't be read
	reads   int
}

func newBook() *book {
	return &book{Log: memlog.New(), commits: make(map[events.StreamID][]eventlog.Commit), torn: make(map[string]bool)}
}

func (b *book) Append(ctx context.Context, c eventlog.Commit) (eventlog.Head, error) {
	head, err := b.Log.Append(ctx, c)
	b.mu.Lock()
	defer b.mu.Unlock()
	known := slices.ContainsFunc(b.commits[c.Stream], func(o eventlog.Commit) bool { return o.After == c.After })
	if err == nil && !known {
		b.commits[c.Stream] = append(b.commits[c.Stream], c)
	}
	return head, err
}

// Commit implements feedindex.Commits. What it returns is the caller's.
func (b *book) Commit(ctx context.Context, stream events.StreamID, version int) (eventlog.Commit, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reads++
	for _, c := range b.commits[stream] {
		if c.After.Version >= version || c.Head().Version < version {
			continue
		}
		if b.torn[c.ID] {
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

// script is a table whose puts fail where a test says so.
type script struct {
	memtable.Table
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
	log   *book
	table *script
	clock *clock
	index *feedindex.Index
	codec *events.Codec
}

func newBench(t testing.TB) *bench {
	b := &bench{t: t, log: newBook(), table: &script{}, clock: &clock{now: at(0)}, codec: events.Register()}
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
	left, err := w.Add(b.t.Context(), changes(b.clock.Now(), commits...))
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
	for id, commits := range b.log.commits {
		want := commits[len(commits)-1].Head().Version
		lost, doubled = lost+max(0, want-seen[id]), doubled+max(0, seen[id]-want)
	}
	if lost+doubled > 0 {
		b.t.Errorf("lost %d, doubled %d", lost, doubled)
	}
}

// changes returns commits as the stream of the log's table tells of them.
func changes(at time.Time, commits ...eventlog.Commit) []eventlog.Change {
	all := make([]eventlog.Change, len(commits))
	for i, c := range commits {
		all[i] = eventlog.Change{Sequence: fmt.Sprint(i), Stored: true, At: at, Commit: c}
	}
	return all
}

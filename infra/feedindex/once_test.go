package feedindex_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/feedindex"
	"handoff/infra/feedindex/indextest"
)

// TestEachCommitHasOnePlace says what happens to batches, and then looks at the
// feed and at the history of the connection.
func TestEachCommitHasOnePlace(t *testing.T) {
	t.Parallel()
	a, b := stream('a'), stream('b')
	for sentence, c := range map[string]struct {
		run  func(*bench)
		want string
	}{
		"told once": {func(x *bench) {
			x.add(x.writer(), x.accept(a), x.accept(b), x.accept(a))
		}, "a1 b1 a2"},
		"told twice": {func(x *bench) {
			w, one := x.writer(), x.accept(a)
			x.add(w, one)
			x.add(w, one)
		}, "a1"},
		"told twice in one batch": {func(x *bench) {
			one, two := x.accept(a), x.accept(a)
			x.add(x.writer(), one, two, one, two)
		}, "a1 a2"},
		"told again to another writer, with more": {func(x *bench) {
			one, two := x.accept(a), x.accept(b)
			x.add(x.writer(), one, two)
			x.add(x.writer(), two, x.accept(a), one)
		}, "a1 b1 a2"},
		"told in the wrong order": {func(x *bench) {
			one, two, three := x.accept(a), x.accept(a), x.accept(a)
			x.add(x.writer(), three, one, two)
		}, "a1 a2 a3"},
		"one before was never told": {func(x *bench) {
			_, _ = x.accept(a), x.accept(a)
			x.add(x.writer(), x.accept(a))
		}, "a1 a2 a3"},
		"one before is told later": {func(x *bench) {
			w, one, two := x.writer(), x.accept(a), x.accept(a)
			x.add(w, two)
			x.add(w, one)
		}, "a1 a2"},
		"a writer that is behind learns of others": {func(x *bench) {
			w, v := x.writer(), x.writer()
			x.add(w, x.accept(a))
			x.add(v, x.accept(b))
			one := x.accept(a)
			x.add(w, one)
			x.add(v, one, x.accept(b))
		}, "a1 b1 a2 b2"},
		"a stream goes on after days": {func(x *bench) {
			for range 3 {
				x.add(x.writer(), x.accept(a), x.accept(b))
				x.clock.set(x.clock.Now().Add(50 * time.Hour))
			}
		}, "a1 b1 a2 b2 a3 b3"},
		"a writer that knows nothing is told of what another one placed": {func(x *bench) {
			w, one := x.writer(), x.accept(a)
			x.add(w, one)
			x.add(w, x.accept(b))
			two := x.accept(a)
			x.add(w, two)
			x.clock.set(at(1))
			x.add(x.writer(), two)
			x.add(x.writer(), one, x.accept(b))
		}, "a1 b1 a2 b2"},
		"the shard of a writer is hours behind": {func(x *bench) {
			late := x.accept(a)
			stored := x.clock.Now()
			w := x.writer()
			for range 4 {
				x.clock.set(x.clock.Now().Add(time.Hour))
				x.add(w, x.accept(b))
			}
			x.addAt(x.writer(), stored, late)
			x.addAt(w, stored, late)
			v := x.writer()
			x.add(v, x.accept(b))
			x.addAt(v, stored, late)
		}, "b1 b2 b3 b4 a1 b5"},
		"what was imported has old times": {func(x *bench) {
			now := x.clock.Now()
			x.clock.set(now.Add(-1000 * time.Hour))
			one, two := x.accept(a), x.accept(a)
			x.clock.set(now)
			x.add(x.writer(), x.accept(b))
			x.add(x.writer(), one, two)
			x.clock.set(now.Add(10 * time.Hour))
			x.add(x.writer(), x.accept(a))
		}, "b1 a1 a2 a3"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			x := newBench(t)
			c.run(x)
			if got := x.feed(); got != c.want {
				t.Errorf("feed = %s, want %s", got, c.want)
			}
			for range 2 { // at once, and settled
				if got := x.history("bot-1"); got != c.want {
					t.Errorf("history = %s, want %s", got, c.want)
				}
				x.clock.set(x.clock.Now().Add(time.Hour))
			}
			x.exact()
		})
	}
}

// addAt adds commits that were stored at an instant.
func (b *bench) addAt(w *feedindex.Writer, stored time.Time, commits ...eventlog.Commit) {
	b.t.Helper()
	if left, err := w.Add(b.t.Context(), indextest.Changes(stored, commits...)); err != nil || len(left) > 0 {
		b.t.Fatalf("Add = %v, %v", left, err)
	}
}

func TestWhatCannotBeReadIsLeftOut(t *testing.T) {
	t.Parallel()
	x := newBench(t)
	w := x.writer()
	one, two := x.accept(stream('a')), x.accept(stream('a'))
	x.log.Tear(one.ID, true)
	batch := append(indextest.Changes(x.clock.Now(), two, x.accept(stream('b'))),
		eventlog.Change{Stored: true, Commit: eventlog.Commit{Stream: stream('c')}, Err: errors.New("torn")}, eventlog.Change{Stored: false})
	left, err := w.Add(t.Context(), batch)
	if err != nil || len(left) != 2 || x.feed() != "b1" {
		t.Errorf("Add = %v, %v with feed %s, want two left out and b1", left, err, x.feed())
	}
	x.log.Tear(one.ID, false)
	x.add(w, x.accept(stream('a')))
	if got := x.feed(); got != "b1 a1 a2 a3" {
		t.Errorf("feed = %s, want what was left out before what comes after it", got)
	}
}

// A commit before this one can't be read, so nobody can tell whether it is in
// the feed: then nothing of the stream may be placed again.
func TestWhatIsInTheFeedIsNotPlacedAgainBecauseItIsTorn(t *testing.T) {
	t.Parallel()
	x := newBench(t)
	one, two := x.accept(stream('a')), x.accept(stream('a'))
	x.add(x.writer(), one, two)
	x.hours(10)
	x.log.Tear(two.ID, true)
	if left, err := x.writer().Add(t.Context(), indextest.Changes(x.clock.Now(), x.accept(stream('a')))); err != nil || len(left) != 1 {
		t.Errorf("Add = %v, %v, want the stream left out", left, err)
	}
	if got := strings.Count(x.feed(), "a"); got != 2 {
		t.Errorf("feed = %s, want a1 and a2 of stream a", x.feed())
	}
}

func TestAWriterReadsLittle(t *testing.T) {
	t.Parallel()
	x := newBench(t)
	w := x.writer()
	for range 10 {
		x.add(w, x.accept(stream('a')), x.accept(stream('b')))
	}
	if n := x.log.Reads(); n != 0 {
		t.Errorf("a writer that knows its streams reads %d commits", n)
	}
	x.hours(10)
	x.add(x.writer(), x.accept(stream('a')), x.accept(stream('b')))
	if n := x.log.Reads(); n != 2 {
		t.Errorf("one that knows nothing reads %d commits of two streams", n)
	}
}

// TestAmongOthers has hours go by, so that a writer that begins anew does not
// read all of the feed.
func TestAmongOthers(t *testing.T) {
	t.Parallel()
	a := stream('a')
	for sentence, run := range map[string]func(*bench){
		"told again, hours later": func(x *bench) {
			stored, one := x.clock.Now(), x.accept(a)
			x.add(x.writer(), one)
			x.hours(3)
			w := x.writer()
			x.add(w, x.accept(stream('b'))) // which knows nothing of then
			x.addAt(w, stored, one)
			x.addAt(x.writer(), stored, one)
		},
		"the clock of a machine was wrong by a day": func(x *bench) {
			now := x.clock.Now()
			x.clock.set(now.Add(24 * time.Hour))
			one := x.accept(a)
			x.clock.set(now)
			x.addAt(x.writer(), now, one)
			x.hours(3)
			x.add(x.writer(), x.accept(a))
		},
		"a commit was never told, long ago": func(x *bench) {
			x.add(x.writer(), x.accept(a))
			x.hours(3)
			x.accept(a)
			x.hours(3)
			x.add(x.writer(), x.accept(a))
		},
		"a stream goes on after a day": func(x *bench) {
			x.add(x.writer(), x.accept(a), x.accept(a))
			x.hours(24)
			x.add(x.writer(), x.accept(a))
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			x := newBench(t)
			x.hours(2)
			run(x)
			x.exact()
		})
	}
}

// TestHistoryWaitsForNobody has a writer be killed before it wrote what follows
// from its segment, and another one go on.
func TestHistoryWaitsForNobody(t *testing.T) {
	t.Parallel()
	x := newBench(t)
	x.hours(1)
	soon := func() { x.clock.set(x.clock.Now().Add(time.Minute)) }
	soon()
	lost := x.accept(stream('a'))
	x.table.put = func(r feedindex.Row) error {
		if strings.HasPrefix(r.Partition, "conn#") {
			return errBroken
		}
		return nil
	}
	if _, err := x.writer().Add(t.Context(), indextest.Changes(x.clock.Now(), lost)); !errors.Is(err, errBroken) {
		t.Fatalf("Add = %v, want %v", err, errBroken)
	}
	x.table.put = nil
	soon()
	x.add(x.writer(), x.accept(stream('b')))
	if got := x.history("bot-1"); !strings.HasSuffix(got, " a1 b1") || got != x.feed() {
		t.Errorf("history = %s\nfeed = %s", got, x.feed())
	}
}

// hours lets hours go by in which other conversations are told of.
func (b *bench) hours(n int) {
	b.t.Helper()
	w := b.writer()
	for i := range 4 * n {
		b.clock.set(b.clock.Now().Add(15 * time.Minute))
		b.add(w, b.accept(stream(byte('k'+i%8))))
	}
}

func TestABatchOverARowIsSplit(t *testing.T) {
	t.Parallel()
	x := newBench(t)
	var batch []eventlog.Commit
	for i := range 16_000 {
		s := events.StreamID{'a', byte(i), byte(i >> 8)}
		c := eventlog.Commit{Stream: s, Tenant: "default", Connection: "bot-1", Kind: events.KindConversation, ID: fmt.Sprint(i), Facts: []events.Record{{}}}
		batch = append(batch, x.store(c))
	}
	x.add(x.writer(), batch...)
	x.exact()
	for _, p := range x.table.Partitions() {
		for _, r := range x.table.Rows(feedindex.Range{Partition: p}) {
			if len(r.Data) > 360<<10 {
				t.Errorf("row %s %s has %d bytes", r.Partition, r.Order, len(r.Data))
			}
		}
	}
	if n := len(x.table.Rows(feedindex.Range{Partition: "feed"})); n < 2 {
		t.Errorf("%d segments, want several", n)
	}
}

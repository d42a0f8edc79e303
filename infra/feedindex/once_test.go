package feedindex_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/feedindex"
	"handoff/infra/feedindex/indextest"
)

var errBroken = errors.New("the table does not answer")

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

// TestAWriterThatIsKilledLeavesNothingHalfDone fails each put of a batch, before
// or after it was stored, and has the batch come again, to the same writer or to
// a new one.
func TestAWriterThatIsKilledLeavesNothingHalfDone(t *testing.T) {
	t.Parallel()
	for _, stored := range []bool{false, true} {
		for _, same := range []bool{false, true} {
			for n := 1; ; n++ {
				x := newBench(t)
				w := x.writer()
				x.add(w, x.accept(stream('z')))
				x.clock.set(at(1))
				batch := []eventlog.Commit{x.accept(stream('a')), x.raise(stream('b')), x.accept(stream('z'))}
				failed := x.failPut(n, stored)
				_, err := w.Add(t.Context(), indextest.Changes(x.clock.Now(), batch...))
				if !failed() {
					if n != 5 {
						t.Errorf("a batch makes %d puts, want a segment, a history, a deadline and a minute", n-1)
					}
					break
				}
				if !errors.Is(err, errBroken) {
					t.Fatalf("put %d: Add = %v, want %v", n, err, errBroken)
				}
				if !same {
					w = x.writer()
				}
				x.add(w, batch...)
				x.clock.set(at(600))
				if feed, history, due := x.feed(), x.history("bot-1"), x.due(at(-1), at(600)); feed != "z1 a1 b1 z2" || history != feed || due != "b1" {
					t.Errorf("put %d (stored: %t, same writer: %t): feed = %s, history = %s, due = %s", n, stored, same, feed, history, due)
				}
				x.exact()
			}
		}
	}
}

// failPut fails the n-th put from now on.
func (b *bench) failPut(n int, stored bool) (failed func() bool) {
	var mu sync.Mutex
	seen, hit := 0, false
	fail := func(feedindex.Row) error {
		mu.Lock()
		defer mu.Unlock()
		if seen++; seen == n {
			hit = true
			return errBroken
		}
		return nil
	}
	if b.table.put, b.table.after = fail, nil; stored {
		b.table.put, b.table.after = nil, fail
	}
	return func() bool { return hit }
}

func (b *bench) raise(stream events.StreamID) eventlog.Commit {
	b.t.Helper()
	return b.append("bot-1", events.KindConversation, stream, &events.EscalationRaised{Number: 1, RaisedAt: b.clock.Now(), ExpiresAt: b.clock.Now().Add(24 * time.Hour)})
}

// TestNothingIsLostOrDoubled has commits come in batches that overlap, are out
// of order and fail anywhere, to writers that begin anew at any time, while days
// go by. Only that a batch comes until it succeeds is sure.
func TestNothingIsLostOrDoubled(t *testing.T) {
	t.Parallel()
	var commits, tellings, failures int
	rapid.Check(t, func(r *rapid.T) {
		x := newBench(t)
		fail := func(feedindex.Row) error {
			if rapid.IntRange(0, 5).Draw(r, "fail") == 0 {
				failures++
				return errBroken
			}
			return nil
		}
		type stored struct {
			eventlog.Commit
			at time.Time
		}
		var all []stored
		writers := []*feedindex.Writer{x.writer(), x.writer()}
		tell := func(batch []stored) {
			oldest := batch[0].at
			var told []eventlog.Commit
			for _, s := range batch {
				told = append(told, s.Commit)
				if s.at.Before(oldest) {
					oldest = s.at
				}
			}
			for tries := 0; ; tries++ {
				i := rapid.IntRange(0, len(writers)-1).Draw(r, "writer")
				if rapid.IntRange(0, 3).Draw(r, "restart") == 0 {
					writers[i] = x.writer()
				}
				var mu sync.Mutex
				serial := func(row feedindex.Row) error {
					mu.Lock()
					defer mu.Unlock()
					return fail(row)
				}
				x.table.put, x.table.after = serial, serial
				if tries > 3 {
					x.table.put, x.table.after = nil, nil
				}
				tellings += len(told)
				left, err := writers[i].Add(t.Context(), indextest.Changes(oldest, told...))
				if err == nil && len(left) == 0 {
					return
				}
				if !errors.Is(err, errBroken) {
					r.Fatalf("Add = %v, %v", left, err)
				}
			}
		}
		var waiting []stored
		for range rapid.IntRange(1, 20).Draw(r, "steps") {
			for range rapid.IntRange(1, 4).Draw(r, "commits") {
				c := x.raise(stream(rapid.SampledFrom([]byte("abcd")).Draw(r, "stream")))
				waiting = append(waiting, stored{c, x.clock.Now()})
			}
			pause := rapid.SampledFrom([]time.Duration{0, time.Second, time.Hour, 30 * time.Hour}).Draw(r, "pause")
			x.clock.set(x.clock.Now().Add(pause))
			batch := rapid.Permutation(waiting).Draw(r, "order")
			batch = batch[:rapid.IntRange(0, len(batch)).Draw(r, "told")]
			if len(all) > 0 && rapid.Bool().Draw(r, "again") {
				batch = append(batch, rapid.SampledFrom(all).Draw(r, "repeated"))
			}
			if len(batch) == 0 {
				continue
			}
			tell(batch)
			waiting = slices.DeleteFunc(waiting, func(s stored) bool {
				return slices.ContainsFunc(batch, func(b stored) bool { return b.Stream == s.Stream && b.After == s.After })
			})
			all = append(all, batch...)
		}
		if len(waiting) > 0 {
			tell(waiting)
		}
		x.exact()
		x.clock.set(x.clock.Now().Add(time.Hour))
		if feed, history := x.feed(), x.history("bot-1"); feed != history {
			r.Errorf("history = %s\nfeed = %s", history, feed)
		}
		for _, c := range x.log.Commits() {
			commits += len(c)
		}
	})
	t.Logf("%d commits, told %d times with %d failures: lost 0, doubled 0", commits, tellings, failures)
}

// TestWritersAtOnce has writers take in the same and different commits at the
// same time.
func TestWritersAtOnce(t *testing.T) {
	t.Parallel()
	x := newBench(t)
	const writers, each = 8, 30
	var batches [writers][]eventlog.Commit
	for i := range each {
		for n := range writers {
			batches[n] = append(batches[n], x.accept(stream(byte('a'+(i+n)%5))))
		}
	}
	var wg sync.WaitGroup
	failed := make([]error, 2*writers)
	for n := range failed { // each batch goes to two
		wg.Go(func() {
			w := x.writer()
			for i := 0; i < each && failed[n] == nil; i += 3 {
				_, failed[n] = w.Add(t.Context(), indextest.Changes(x.clock.Now(), batches[n%writers][i:i+3]...))
			}
		})
	}
	wg.Wait()
	if err := errors.Join(failed...); err != nil {
		t.Fatal(err)
	}
	x.exact()
	x.clock.set(at(60))
	if x.history("bot-1") != x.feed() {
		t.Errorf("history = %s\nfeed = %s", x.history("bot-1"), x.feed())
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
	failed := x.failPut(2, false)
	if _, err := x.writer().Add(t.Context(), indextest.Changes(x.clock.Now(), lost)); !failed() || err == nil {
		t.Fatalf("Add = %v, want it interrupted", err)
	}
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

package feedindex_test

import (
	"errors"
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

// weather is what a batch meets on its way into the feed.
type weather struct {
	*rapid.T
	x       *bench
	writers []*feedindex.Writer
	waiting []stored // not told yet

	mu                 sync.Mutex
	tellings, failures int
}

// stored is a commit with the time at which the log stored it.
type stored struct {
	eventlog.Commit
	at time.Time
}

func (w *weather) one(of int, what string) bool { return rapid.IntRange(1, of).Draw(w.T, what) == 1 }

// store has commits be stored, and time go by.
func (w *weather) store() {
	for range rapid.IntRange(1, 4).Draw(w.T, "commits") {
		c := w.x.raise(stream(rapid.SampledFrom([]byte("abcd")).Draw(w.T, "stream")))
		w.waiting = append(w.waiting, stored{c, w.x.clock.Now()})
	}
	pause := rapid.SampledFrom([]time.Duration{0, time.Second, time.Hour, 30 * time.Hour}).Draw(w.T, "pause")
	w.x.clock.set(w.x.clock.Now().Add(pause))
}

// batch draws some of what is waiting, in any order, with something that was
// told before.
func (w *weather) batch(before []stored) []stored {
	batch := slices.Clone(rapid.Permutation(w.waiting).Draw(w.T, "order"))
	n := rapid.IntRange(0, len(batch)).Draw(w.T, "told")
	batch, w.waiting = slices.Clip(batch[:n]), batch[n:]
	if len(before) > 0 && w.one(2, "again") {
		batch = append(batch, rapid.SampledFrom(before).Draw(w.T, "repeated"))
	}
	return batch
}

// tell tells a batch to some writer until that succeeds.
func (w *weather) tell(batch []stored) {
	if len(batch) == 0 {
		return
	}
	oldest := slices.MinFunc(batch, func(a, b stored) int { return a.at.Compare(b.at) }).at
	commits := make([]eventlog.Commit, len(batch))
	for i := range batch {
		commits[i] = batch[i].Commit
	}
	for tries := 0; ; tries++ {
		i := rapid.IntRange(0, len(w.writers)-1).Draw(w.T, "writer")
		if w.one(4, "restart") {
			w.writers[i] = w.x.writer()
		}
		w.x.table.put, w.x.table.after = w.fail(tries), w.fail(tries)
		w.tellings += len(batch)
		left, err := w.writers[i].Add(w.x.t.Context(), indextest.Changes(oldest, commits...))
		if err == nil && len(left) == 0 {
			return
		}
		if !errors.Is(err, errBroken) {
			w.Fatalf("Add = %v, %v", left, err)
		}
	}
}

// fail returns what happens to a put: it fails now and then, but not for ever.
func (w *weather) fail(tries int) func(feedindex.Row) error {
	return func(feedindex.Row) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if tries > 3 || !w.one(6, "fail") {
			return nil
		}
		w.failures++
		return errBroken
	}
}

// TestNothingIsLostOrDoubled has commits come in batches that overlap, are out
// of order and fail anywhere, to writers that begin anew at any time, while days
// go by. Only that a batch comes until it succeeds is sure.
func TestNothingIsLostOrDoubled(t *testing.T) {
	t.Parallel()
	var commits, tellings, failures int
	rapid.Check(t, func(r *rapid.T) {
		x := newBench(t)
		w := &weather{T: r, x: x, writers: []*feedindex.Writer{x.writer(), x.writer()}}
		var told []stored
		for range rapid.IntRange(1, 20).Draw(r, "steps") {
			w.store()
			batch := w.batch(told)
			w.tell(batch)
			told = append(told, batch...)
		}
		w.tell(w.waiting)
		x.exact()
		x.clock.set(x.clock.Now().Add(time.Hour))
		if feed, history := x.feed(), x.history("bot-1"); feed != history {
			r.Errorf("history = %s\nfeed = %s", history, feed)
		}
		if due := len(strings.Fields(x.due(at(0), x.clock.Now()))); due < len(strings.Fields(x.feed())) {
			r.Errorf("%d deadlines of %s", due, x.feed())
		}
		commits, tellings, failures = commits+len(strings.Fields(x.feed())), tellings+w.tellings, failures+w.failures
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

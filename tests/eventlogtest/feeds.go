package eventlogtest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"testing"
	"time"

	"handoff/events"
	"handoff/infra/eventlog"
)

// waiter is a log that tells when it grows.
type waiter interface {
	Wait(ctx context.Context, after int64) error
	Last(ctx context.Context) (int64, error)
}

var feeds = map[string]func(*testing.T, eventlog.Log){
	"feed: an empty log yields nothing": withFeed(func(t *testing.T, log eventlog.Log, feed eventlog.Feed) {
		for _, seq := range both(t.Context(), feed, 0) {
			if got, err := Collect(seq); err != nil || len(got) != 0 {
				t.Errorf("feed = %v, %v, want nothing", got, err)
			}
		}
		if got, err := Collect(feed.ReadAll(t.Context(), 7)); err != nil || len(got) != 0 {
			t.Errorf("ReadAll after the end = %v, %v, want nothing", got, err)
		}
	}),
	"feed: facts come in the order of their commits, as they are stored": withFeed(func(t *testing.T, log eventlog.Log, feed eventlog.Feed) {
		a := Commit(newStream(), "a", eventlog.Head{}, Facts(1, 2)...)
		b := Commit(newStream(), "b", eventlog.Head{}, Facts(3, 3)...)
		c := Commit(a.Stream, "c", a.Head(), Fact(6))
		var want []events.Record
		for _, commit := range []eventlog.Commit{a, b, c} {
			MustAppend(t, log, commit)
			want = append(want, commit.Facts...)
		}
		for after := range len(want) + 1 {
			for name, seq := range both(t.Context(), feed, int64(after)) {
				got, err := Collect(seq)
				if err != nil || len(got) != len(want)-after {
					t.Fatalf("%s after %d = %d facts, %v, want %d", name, after, len(got), err, len(want)-after)
				}
				for i, r := range got {
					w := want[after+i]
					if w.Position = int64(after + i + 1); !reflect.DeepEqual(r, w) {
						t.Errorf("%s: fact %d is %+v, want %+v", name, w.Position, r, w)
					}
				}
			}
		}
	}),
	"feed: a refused commit takes no position": withFeed(func(t *testing.T, log eventlog.Log, feed eventlog.Feed) {
		taken := Commit(newStream(), "taken", eventlog.Head{}, Fact(0))
		MustAppend(t, log, taken)
		together(t, 32, func(i int) error {
			if i%2 == 0 {
				_, err := log.Append(t.Context(), Commit(taken.Stream, fmt.Sprint(i), eventlog.Head{}, Facts(i, 3)...))
				if _, conflict := errors.AsType[*eventlog.ConflictError](err); !conflict {
					return fmt.Errorf("append = %w, want a conflict", err)
				}
				return nil
			}
			_, err := Fill(t.Context(), log, newStream(), 4, 2)
			return err
		})
		wantGapless(t, feed, 1+16*4)
	}),
	followed: following(150),
	"feed: a connection's history is complete, in order and its own": withFeed(func(t *testing.T, log eventlog.Log, feed eventlog.Feed) {
		owners := [][2]string{{"a", "x"}, {"a", "y"}, {"b", "x"}, {"a", ""}, {"b", ""}}
		want := make(map[[2]string][]events.Hash)
		for i := range 40 {
			owner := owners[i%len(owners)]
			c := Commit(newStream(), "c", eventlog.Head{}, Facts(i, 1+i%4)...)
			c.Tenant, c.Connection, c.Kind = owner[0], owner[1], []events.Kind{events.KindConnection, events.KindConversation, events.KindDelivery}[i%3]
			eventlog.ChainCommit(&c)
			MustAppend(t, log, c)
			for _, f := range c.Facts {
				want[owner] = append(want[owner], f.Hash)
			}
		}
		for _, owner := range append(owners, [2]string{"b", "y"}, [2]string{"", ""}) {
			got, err := Collect(feed.ReadConnection(t.Context(), owner[0], owner[1], 0))
			if err != nil || len(got) != len(want[owner]) {
				t.Fatalf("ReadConnection(%v) = %d facts, %v, want %d", owner, len(got), err, len(want[owner]))
			}
			for i, r := range got {
				if r.Hash != want[owner][i] || r.Tenant != owner[0] || r.Connection != owner[1] || i > 0 && r.Position <= got[i-1].Position {
					t.Errorf("ReadConnection(%v): fact %d is %s of %s/%s", owner, i, r.ID(), r.Tenant, r.Connection)
				}
			}
		}
	}),
	"feed: long histories are read to their end": withFeed(func(t *testing.T, log eventlog.Log, feed eventlog.Feed) {
		if _, err := Fill(t.Context(), log, newStream(), 3000, 600); err != nil {
			t.Fatal(err)
		}
		wantGapless(t, feed, 3000)
	}),
	"feed: reading ends with its context": withFeed(func(t *testing.T, log eventlog.Log, feed eventlog.Feed) {
		if _, err := Fill(t.Context(), log, newStream(), 500, 500); err != nil {
			t.Fatal(err)
		}
		for name, seq := range both(cancelled(t), feed, 0) {
			if got, err := Collect(seq); !errors.Is(err, context.Canceled) || len(got) > 0 {
				t.Errorf("%s = %d facts, %v, want %v", name, len(got), err, context.Canceled)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for r, err := range feed.ReadAll(ctx, 0) {
			if r.Position == 100 {
				cancel()
			}
			if r.Position > 100 || err != nil && !errors.Is(err, context.Canceled) {
				t.Fatalf("fact %d, %v after the context ended", r.Position, err)
			}
		}
	}),
}

// followed is the one test of which there is a short form.
const followed = "feed: a follower misses nothing while 16 write"

// RunFeed is Run for the feed alone, of a log that passes the rest without it
// and takes milliseconds for each fact.
func RunFeed(t *testing.T, open func(t *testing.T) eventlog.Log) {
	t.Helper()
	short := maps.Clone(feeds)
	short[followed] = following(6)
	for sentence, test := range short {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// following has 16 write as many facts each while others read.
func following(each int) func(*testing.T, eventlog.Log) {
	return withFeed(func(t *testing.T, log eventlog.Log, feed eventlog.Feed) {
		const writers = 16
		together(t, writers+4, func(i int) error {
			if i < writers {
				_, err := Fill(t.Context(), log, newStream(), each, 1+i%3)
				return err
			}
			return follow(t, log, feed, writers*each, i%2 == 0)
		})
		wantGapless(t, feed, writers*each)
	})
}

var waits = map[string]func(*testing.T, eventlog.Log){
	"wait: one who waits hears of the next fact at once": func(t *testing.T, log eventlog.Log) {
		w := log.(waiter)
		soon, stop := context.WithTimeout(t.Context(), 5*time.Second) // in all, for 50
		defer stop()
		var head eventlog.Head
		stream := newStream()
		for i := range 50 {
			heard := make(chan error, 1)
			go func() { heard <- w.Wait(soon, int64(i)) }()
			head = MustAppend(t, log, Commit(stream, fmt.Sprint(i), head, Fact(i)))
			if err := <-heard; err != nil {
				t.Fatalf("Wait(%d) = %v", i, err)
			}
			if last, err := w.Last(t.Context()); err != nil || last != int64(i+1) {
				t.Fatalf("Last = %d, %v, want %d", last, err, i+1)
			}
		}
		if err := w.Wait(t.Context(), 5); err != nil {
			t.Errorf("Wait for what is there = %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		heard := make(chan error, 1)
		go func() { heard <- w.Wait(ctx, 50) }()
		cancel()
		if err := <-heard; !errors.Is(err, context.Canceled) {
			t.Errorf("Wait = %v, want %v", err, context.Canceled)
		}
	},
}

// withFeed runs a test on a log that has a feed.
func withFeed(test func(*testing.T, eventlog.Log, eventlog.Feed)) func(*testing.T, eventlog.Log) {
	return func(t *testing.T, log eventlog.Log) { test(t, log, log.(eventlog.Feed)) }
}

// both returns the two feeds of a log in which all belongs to Connection.
func both(ctx context.Context, feed eventlog.Feed, after int64) map[string]iter.Seq2[events.Record, error] {
	return map[string]iter.Seq2[events.Record, error]{
		"ReadAll":        feed.ReadAll(ctx, after),
		"ReadConnection": feed.ReadConnection(ctx, Tenant, Connection, after),
	}
}

// wantGapless fails the test unless positions are 1 to want on both feeds, and
// each stream's chain holds.
func wantGapless(t *testing.T, feed eventlog.Feed, want int) {
	t.Helper()
	for name, seq := range both(t.Context(), feed, 0) {
		heads := make(map[events.StreamID]eventlog.Head)
		n := 0
		for r, err := range seq {
			n++
			if err != nil || r.Position != int64(n) {
				t.Fatalf("%s: fact %d is at position %d, %v", name, n, r.Position, err)
			}
			head := heads[r.Stream]
			if r.Version != head.Version+1 || r.Hash != events.Chain(head.Hash, &r) {
				t.Fatalf("%s: %s at position %d does not follow version %d", name, r.ID(), r.Position, head.Version)
			}
			heads[r.Stream] = eventlog.Head{Version: r.Version, Hash: r.Hash}
		}
		if n != want {
			t.Errorf("%s yields %d facts, want %d", name, n, want)
		}
	}
}

// follow reads on, or all over again, as the log grows until it has seen count
// facts, each at the next position.
func follow(t *testing.T, log eventlog.Log, feed eventlog.Feed, count int, again bool) error {
	at := int64(0)
	for at < int64(count) && !t.Failed() {
		if w, ok := log.(waiter); ok {
			if err := w.Wait(t.Context(), at); err != nil {
				return err
			}
		}
		if again {
			at = 0
		}
		for r, err := range feed.ReadAll(t.Context(), at) {
			if err != nil || r.Position != at+1 {
				return fmt.Errorf("after position %d came %d, %w", at, r.Position, err)
			}
			at = r.Position
		}
	}
	return nil
}

package eventlogtest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"handoff/infra/eventlog"
)

var races = map[string]func(*testing.T, eventlog.Log){
	"of 64 writers one wins each version": func(t *testing.T, log eventlog.Log) {
		const writers, versions = 64, 8
		stream := newStream()
		var wins [versions]atomic.Int32
		together(t, writers, func(w int) error {
			var head eventlog.Head
			for v := range versions {
				c := Commit(stream, fmt.Sprintf("%d-%d", w, v), head, Fact(w))
				_, err := log.Append(t.Context(), c)
				if conflict, ok := errors.AsType[*eventlog.ConflictError](err); err != nil && (!ok || conflict.Actual.Version <= v) {
					return fmt.Errorf("writer %d at version %d: %w", w, v, err)
				}
				if err == nil {
					wins[v].Add(1)
				}
				won, err := Collect(log.Read(t.Context(), stream, v+1))
				if err != nil || len(won) == 0 {
					return fmt.Errorf("read(%d) = %d facts, %w", v+1, len(won), err)
				}
				head = eventlog.Head{Version: won[0].Version, Hash: won[0].Hash}
			}
			return nil
		})
		for v := range wins {
			if n := wins[v].Load(); n != 1 {
				t.Errorf("version %d was won %d times, want once", v+1, n)
			}
		}
		if n := len(MustRead(t, log, stream, 1)); n != versions {
			t.Errorf("stream has %d facts, want %d", n, versions)
		}
	},
	"simultaneous repeats of one commit are stored once": func(t *testing.T, log eventlog.Log) {
		c := Commit(newStream(), "a", eventlog.Head{}, Facts(1, 3)...)
		together(t, 16, func(int) error {
			head, err := log.Append(t.Context(), c)
			if err == nil && head != c.Head() {
				err = fmt.Errorf("append = %v, want %v", head, c.Head())
			}
			return err
		})
		wantStored(t, log, c.Stream, c.Facts...)
	},
	"nobody sees part of a commit": func(t *testing.T, log eventlog.Log) {
		const commits, size = 20, 5
		stream := newStream()
		together(t, 3, func(i int) error {
			if i == 0 {
				_, err := Fill(t.Context(), log, stream, commits*size, size)
				return err
			}
			for n := 0; n < commits*size && !t.Failed(); {
				facts, err := Collect(log.Read(t.Context(), stream, 1))
				if n = len(facts); err != nil || n%size != 0 {
					return fmt.Errorf("read = %d facts of commits of %d, %w", n, size, err)
				}
				snap, err := log.Load(t.Context(), stream)
				if err != nil || snap.Version%size != 0 || snap.Version < n {
					return fmt.Errorf("load = version %d after %d facts were read, %w", snap.Version, n, err)
				}
			}
			return nil
		})
	},
	"a failing neighbour harms nobody": func(t *testing.T, log eventlog.Log) {
		taken := Commit(newStream(), "taken", eventlog.Head{}, Fact(0))
		MustAppend(t, log, taken)
		together(t, 32, func(i int) error {
			if i%2 == 0 {
				c := Commit(taken.Stream, fmt.Sprint(i), eventlog.Head{}, big(i))
				if _, err := log.Append(t.Context(), c); err == nil {
					return errors.New("append over a taken version = nil")
				}
				return nil
			}
			_, err := Fill(t.Context(), log, newStream(), 6, 2)
			return err
		})
		wantStored(t, log, taken.Stream, taken.Facts...)
	},
}

// together runs f(0) to f(n-1) at the same time, waits for all of them and
// reports their errors.
func together(t *testing.T, n int, f func(int) error) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if err := f(i); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

package feedindex_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"handoff/events"
	"handoff/infra/feedindex"
)

// deadline appends an escalation that is due at a minute, and tells the index.
func (b *bench) deadline(w *feedindex.Writer, letter byte, minute int) {
	b.t.Helper()
	b.add(w, b.append("bot-1", events.KindConversation, stream(letter), &events.EscalationRaised{Number: 1, ExpiresAt: at(minute)}))
}

// sweep returns what a sweep ends, in the order of letters.
func (b *bench) sweep(fail string) (ended string, err error) {
	b.t.Helper()
	var mu sync.Mutex
	var all []string
	err = b.index.Sweep(b.t.Context(), func(_ context.Context, s events.StreamID, number int) error {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, fmt.Sprintf("%c%d", s[0], number))
		if strings.Contains(fail, string(s[0])) {
			return errBroken
		}
		return nil
	})
	slices.Sort(all)
	return strings.Join(all, " "), err
}

func TestSweepEndsWhatIsDue(t *testing.T) {
	t.Parallel()
	x := newBench(t)
	w := x.writer()
	x.deadline(w, 'a', 10)
	x.deadline(w, 'b', 20)
	x.deadline(w, 'c', 20)
	x.deadline(w, 'd', 500)
	x.add(w, x.append("bot-1", events.KindConversation, stream('d'), &events.EscalationDeadlineSet{Number: 1, Deadline: at(30), Code: "drained"}))
	step := func(minute int, fail, want string, broken bool) {
		t.Helper()
		x.clock.set(at(minute))
		got, err := x.sweep(fail)
		if got != want || errors.Is(err, errBroken) != broken || !broken && err != nil {
			t.Errorf("sweep at minute %d = %q, %v, want %q", minute, got, err, want)
		}
	}
	step(9, "", "", false)
	step(10, "", "a1", false)
	step(13, "", "a1", false) // once more, for what may have been late
	step(16, "", "", false)
	step(20, "b", "b1 c1", true) // c was ended all the same
	step(25, "b", "b1 c1", true) // and one comes by again until b is
	step(26, "", "b1 c1", false)
	step(28, "", "", false)
	x.clock.set(at(29).Add(30 * time.Second))
	x.deadline(w, 'e', 12) // the index learns of it when it has passed long since
	step(30, "", "d1 e1", false)
	step(33, "", "d1 e1", false)
	step(40, "", "", false)
	step(600, "", "d1", false) // its first deadline
}

func TestSweepKeepsItsPlaceInALongList(t *testing.T) {
	t.Parallel()
	x := newBench(t)
	w := x.writer()
	const n = 3000
	var mu sync.Mutex
	ended := make(map[events.StreamID]bool)
	for i := range n {
		s := events.StreamID{byte(i), byte(i >> 8)}
		x.add(w, x.append("bot-1", events.KindConversation, s, &events.EscalationRaised{Number: 1, ExpiresAt: at(i / 100)}))
	}
	x.clock.set(at(60))
	ctx, cancel := context.WithCancel(t.Context())
	interrupted := x.index.Sweep(ctx, func(ctx context.Context, s events.StreamID, _ int) error {
		mu.Lock()
		defer mu.Unlock()
		if ended[s] = true; len(ended) == n/2 {
			cancel()
		}
		return ctx.Err()
	})
	if !errors.Is(interrupted, context.Canceled) || len(ended) >= n {
		t.Fatalf("Sweep = %v after %d", interrupted, len(ended))
	}
	again := 0
	err := x.index.Sweep(t.Context(), func(_ context.Context, s events.StreamID, _ int) error {
		mu.Lock()
		defer mu.Unlock()
		ended[s] = true
		again++
		return nil
	})
	if err != nil || len(ended) != n || again > n-512 {
		t.Errorf("the next sweep ended %d, %v; of %d in all %d were", again, err, n, len(ended))
	}
}

func TestDueIsByMinute(t *testing.T) {
	t.Parallel()
	x := newBench(t)
	w := x.writer()
	for i, letter := range []byte("abc") {
		x.deadline(w, letter, 10*(i+1))
	}
	var got []string
	for e, err := range x.index.Due(t.Context(), at(10), at(20)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%c of %s at %s", e.Stream[0], e.Tenant, e.Deadline.Format("15:04")))
	}
	if want := []string{"a of default at 09:10", "b of default at 09:20"}; !slices.Equal(got, want) {
		t.Errorf("due = %v, want %v", got, want)
	}
}

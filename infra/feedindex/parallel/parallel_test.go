package parallel_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"handoff/infra/feedindex/parallel"
)

var errBroken = errors.New("broken")

// count yields 0, 1, … and then fails.
func count(n int, err error) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range n {
			if !yield(i, nil) {
				return
			}
		}
		if err != nil {
			yield(0, err)
		}
	}
}

func TestOrderedKeepsOrderAndLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		do := func(_ context.Context, i int) (string, error) {
			defer now.Add(-1)
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(time.Duration(i*7919%100) * time.Millisecond)
			return fmt.Sprint(i), nil
		}
		next := 0
		for s, err := range parallel.Ordered(t.Context(), 5, count(100, nil), do) {
			if err != nil || s != fmt.Sprint(next) {
				t.Fatalf("after %d came %q, %v", next, s, err)
			}
			next++
		}
		if next != 100 || most.Load() != 5 {
			t.Errorf("%d values, %d at a time, want 100 and 5", next, most.Load())
		}
	})
}

func TestOrderedEndsAtTheFirstError(t *testing.T) {
	t.Parallel()
	same := func(_ context.Context, i int) (int, error) { return i, nil }
	for sentence, seq := range map[string]iter.Seq2[int, error]{
		"of the values": parallel.Ordered(t.Context(), 3, count(7, errBroken), same),
		"of the work": parallel.Ordered(t.Context(), 3, count(100, nil), func(_ context.Context, i int) (int, error) {
			if i == 7 {
				return 0, errBroken
			}
			return i, nil
		}),
	} {
		n, last := 0, error(nil)
		for _, err := range seq {
			if last = err; err == nil {
				n++
			}
		}
		if n != 7 || !errors.Is(last, errBroken) {
			t.Errorf("error %s: %d values and %v, want 7 and %v", sentence, n, last, errBroken)
		}
	}
}

func TestNothingIsUnderWayAfterTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // which fails if a goroutine is left
		var under atomic.Int32
		do := func(ctx context.Context, i int) (int, error) {
			under.Add(1)
			defer under.Add(-1)
			select {
			case <-ctx.Done():
				return 0, ctx.Err()
			case <-time.After(time.Duration(i) * time.Second):
				return i, nil
			}
		}
		for i := range parallel.Ordered(t.Context(), 4, count(100, nil), do) {
			if i == 3 {
				break
			}
		}
		if n := under.Load(); n > 0 {
			t.Errorf("%d are under way after the consumer stopped", n)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		last := error(nil)
		for _, err := range parallel.Ordered(ctx, 4, count(100, nil), do) {
			last = err
		}
		if !errors.Is(last, context.DeadlineExceeded) || under.Load() > 0 {
			t.Errorf("the last error is %v, %d are under way", last, under.Load())
		}
	})
}

func TestEachDoesAll(t *testing.T) {
	t.Parallel()
	var sum atomic.Int64
	err := parallel.Each(t.Context(), 8, 1000, func(_ context.Context, i int) error {
		sum.Add(int64(i))
		return nil
	})
	if err != nil || sum.Load() != 499_500 {
		t.Errorf("sum = %d, %v", sum.Load(), err)
	}
	done := atomic.Int64{}
	err = parallel.Each(t.Context(), 2, 1000, func(_ context.Context, i int) error {
		if i == 10 {
			return errBroken
		}
		done.Add(1)
		return nil
	})
	if !errors.Is(err, errBroken) || done.Load() > 20 {
		t.Errorf("Each = %v after %d", err, done.Load())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := parallel.Each(ctx, 2, 10, func(context.Context, int) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("Each under a context that has ended = %v", err)
	}
}

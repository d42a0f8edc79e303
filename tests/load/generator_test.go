package load_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"handoff/tests/load"
)

func TestOpenCountsFromWhenARequestWasDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := load.Generator{Now: time.Now}
		r := g.Open(t.Context(), 100, time.Second, func(context.Context, int64) error {
			time.Sleep(30 * time.Millisecond) // longer than the time between two
			return nil
		})
		if len(r.Latencies) != 100 || r.Quantile(0.5) != 30*time.Millisecond || r.Quantile(1) != 30*time.Millisecond {
			t.Errorf("%d requests, median %s, slowest %s, want 100 of 30ms", len(r.Latencies), r.Quantile(0.5), r.Quantile(1))
		}
	})
}

func TestClosedWaitsForAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var most, now atomic.Int64
		g := load.Generator{Now: time.Now}
		r := g.Closed(t.Context(), 4, time.Second, func(_ context.Context, n int64) error {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			time.Sleep(10 * time.Millisecond)
			if n%2 == 0 {
				return errors.New("refused")
			}
			return nil
		})
		if most.Load() > 4 || len(r.Latencies)+r.Failed != 400 || r.Failed != 200 || r.PerSecond() != 200 {
			t.Errorf("%d at once, %d answered, %d failed, %f/s", most.Load(), len(r.Latencies), r.Failed, r.PerSecond())
		}
	})
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	var r load.Result
	if got := r.Quantile(0.99); got != 0 {
		t.Errorf("quantile of nothing = %s", got)
	}
	for n := range 100 {
		r.Latencies = append(r.Latencies, time.Duration(99-n))
	}
	for q, want := range map[float64]time.Duration{0: 0, 0.5: 50, 0.99: 99, 1: 99} {
		if got := r.Quantile(q); got != want {
			t.Errorf("quantile %v = %d, want %d", q, got, want)
		}
	}
}

package breaker_test

import (
	"testing"
	"time"

	"handoff/infra/breaker"
)

func TestRestsGrowUpToALimit(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	var b breaker.Breaker
	for n := 1; n < 3; n++ {
		if after, changed := b.After(false, false, now, 3); changed || after.At(now) != breaker.Closed {
			t.Fatalf("%d failures change the state: %+v", n, after)
		} else {
			b = after
		}
	}
	for _, rest := range []int{10, 20, 40, 80, 160, 300, 300} {
		var changed bool
		if b, changed = b.After(false, !b.Until.IsZero(), now, 3); !changed || b.Until.Sub(now) != time.Duration(rest)*time.Second {
			t.Errorf("rests until %s (changed %t), want for %d s", b.Until, changed, rest)
		}
		if s := b.At(b.Until.Add(-1)); s != breaker.Open {
			t.Errorf("during the rest it is %s", s)
		}
		if now = b.Until; b.At(now) != breaker.HalfOpen {
			t.Errorf("after the rest it is %s", b.At(now))
		}
	}
}

func TestWhatBeganBeforeItOpened(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	open := breaker.Breaker{Failures: 5, Trips: 2, Until: now.Add(time.Minute)}
	if after, changed := open.After(false, false, now, 5); changed || !after.Until.Equal(open.Until) || after.Trips != 2 {
		t.Errorf("a late failure makes it %+v", after)
	}
	if after, changed := open.After(true, false, now, 5); !changed || after != (breaker.Breaker{}) {
		t.Errorf("a late success makes it %+v, want closed", after)
	}
	if _, changed := (breaker.Breaker{Failures: 4}).After(true, false, now, 5); changed {
		t.Error("a success changes a closed one")
	}
}

package lanes

import (
	"sync"
	"time"
)

// BreakerState is whether an endpoint is asked at all.
type BreakerState string

// The states of a breaker.
const (
	Closed   BreakerState = "closed"    // it is asked
	Open     BreakerState = "open"      // it is left alone until an instant
	HalfOpen BreakerState = "half-open" // that instant came: one attempt decides
)

const (
	firstRest = 10 * time.Second
	maxRest   = 5 * time.Minute
)

// breaker leaves an endpoint alone that failed many times in a row, so that a
// receiver that is down is not held down, and its many lanes don't use up the
// places of others. It is safe for concurrent use.
type breaker struct {
	threshold int

	mu       sync.Mutex
	failures int       // in a row
	trips    int       // in a row, each rests for longer
	until    time.Time // end of the rest; zero: closed
	probing  bool      // the one attempt of half-open is under way
}

func (b *breaker) state(now time.Time) BreakerState {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stateAt(now)
}

func (b *breaker) stateAt(now time.Time) BreakerState {
	switch {
	case b.until.IsZero():
		return Closed
	case now.Before(b.until):
		return Open
	}
	return HalfOpen
}

// admit reports whether an attempt may begin, and counts the one that probes.
func (b *breaker) admit(now time.Time) (ok, probe bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch b.stateAt(now) {
	case Closed:
		return true, false
	case HalfOpen:
		probe = !b.probing
		b.probing = true
		return probe, probe
	}
	return false, false
}

// release takes back the probe that came to nothing: the endpoint was not asked.
func (b *breaker) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
}

// record learns how an attempt went, and reports whether the state changed. An
// attempt that began before the breaker opened changes an open one only if it
// succeeded.
func (b *breaker) record(delivered, probe bool, now time.Time) (changed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if probe {
		b.probing = false
	}
	if delivered {
		changed = !b.until.IsZero()
		b.failures, b.trips, b.until = 0, 0, time.Time{}
		return changed
	}
	b.failures++
	if b.failures < b.threshold || !b.until.IsZero() && !probe {
		return false
	}
	b.until = now.Add(min(maxRest, firstRest<<min(b.trips, 10)))
	b.trips++
	return true
}

// saved is what a restart must know of a breaker.
type saved struct {
	failures, trips int
	until           time.Time
}

func (b *breaker) save() saved {
	b.mu.Lock()
	defer b.mu.Unlock()
	return saved{b.failures, b.trips, b.until}
}

func (b *breaker) restore(s saved) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.trips, b.until = s.failures, s.trips, s.until
}

// Package breaker decides whether an endpoint is asked at all. One that failed
// many times in a row is left alone for a while, so that a receiver that is
// down is not held down, and its many deliveries don't use up the places of
// others. After the rest one attempt decides how it goes on.
//
// It is arithmetic on a plain value. Where the value is kept, and that there is
// only one attempt after a rest, is the business of each queue.
package breaker

import "time"

// State is whether an endpoint is asked.
type State string

// The states of a breaker.
const (
	Closed   State = "closed"    // it is asked
	Open     State = "open"      // it is left alone until an instant
	HalfOpen State = "half-open" // that instant came: one attempt decides
)

// DefaultThreshold is how many attempts fail in a row before a breaker opens,
// unless a queue is told otherwise.
const DefaultThreshold = 5

const (
	firstRest = 10 * time.Second
	maxRest   = 5 * time.Minute
)

// Breaker is what is known of an endpoint. Its zero value is closed.
type Breaker struct {
	Failures int       `json:"failures"`       // in a row
	Trips    int       `json:"trips"`          // in a row; each rests for longer
	Until    time.Time `json:"until,omitzero"` // end of the rest; zero: closed
}

// At returns the state at an instant.
func (b Breaker) At(now time.Time) State {
	switch {
	case b.Until.IsZero():
		return Closed
	case now.Before(b.Until):
		return Open
	}
	return HalfOpen
}

// After returns the breaker after an attempt, and whether its state changed.
// probe says that the attempt was the one that HalfOpen lets through. Any other
// changes an open breaker only if it was delivered: it began before.
func (b Breaker) After(delivered, probe bool, now time.Time, threshold int) (after Breaker, changed bool) {
	if delivered {
		return Breaker{}, !b.Until.IsZero()
	}
	b.Failures++
	if b.Failures < threshold || !b.Until.IsZero() && !probe {
		return b, false
	}
	b.Until = now.Add(min(maxRest, firstRest<<min(b.Trips, 10)))
	b.Trips++
	return b, true
}

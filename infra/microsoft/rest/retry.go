package rest

import (
	"context"
	"math/rand/v2"
	"time"

	"handoff/domain/fault"
)

// Retry says how often and how patiently a call is made again. Its zero value
// is what most callers want.
type Retry struct {
	Attempts int           // at most, the first included; 0 means 4
	Pause    time.Duration // before the second attempt, doubled before each later one; 0 means 500 ms
	// Longest is the longest pause; 0 means 10 s. Where a service asks for more
	// the fault is returned at once, with its RetryAfter: that long is for a
	// queue to wait, and asking earlier only lengthens it.
	Longest time.Duration
}

func (r Retry) withDefaults() Retry {
	if r.Attempts == 0 {
		r.Attempts = 4
	}
	if r.Pause == 0 {
		r.Pause = 500 * time.Millisecond
	}
	if r.Longest == 0 {
		r.Longest = 10 * time.Second
	}
	return r
}

// again reports whether a call that failed is worth another try.
func (c *Client) again(ctx context.Context, r Request, attempt int, err error) bool {
	if ctx.Err() != nil || attempt >= c.Retry.withDefaults().Attempts {
		return false
	}
	k := fault.KindOf(err)
	return k == fault.RateLimited || k == fault.Unavailable && r.Repeatable
}

// wait pauses before the next attempt. It fails where the service asks for too
// long a pause, and when ctx ends.
func (r Retry) wait(ctx context.Context, attempt int, err error) error {
	r = r.withDefaults()
	pause := r.pause(attempt, fault.Of(err))
	if pause > r.Longest {
		return err
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pause returns what the service asked for, or else doubles each time and
// varies by half, so that many callers don't come back together.
func (r Retry) pause(attempt int, f *fault.Error) time.Duration {
	if f != nil && f.RetryAfter > 0 {
		return f.RetryAfter
	}
	full := min(r.Pause<<(attempt-1), r.Longest)
	return full/2 + rand.N(full/2+1)
}

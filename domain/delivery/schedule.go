package delivery

import (
	"encoding/binary"
	"hash/fnv"
	"time"

	"handoff/events"
)

// schedule is how long to wait after the first failed attempt of a round, the
// second, and so on: the example of Standard Webhooks 1.0.0 ("Deliverability
// and reliability") with more attempts in the first hour, when most receivers
// come back. It adds up to 75 h 42 min 35 s.
func schedule() [11]time.Duration {
	return [...]time.Duration{
		5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, 2 * time.Hour,
		5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
}

const (
	jitterShare   = 0.2            // a wait grows by up to this share
	maxRetryAfter = 24 * time.Hour // no endpoint may ask for more
)

// MaxAge is how old a delivery in a queue may become: past it the next attempt
// is the last one, even if earlier ones were held back.
const MaxAge = 96 * time.Hour

// MaxAttempts returns how many attempts one round has.
func MaxAttempts() int { return len(schedule()) + 1 } //nolint:staticcheck // it is called for the length of its array

// Wait returns how long to wait after failed attempt n of a round, counted from
// 1. jitter between 0 and 1 lengthens the wait, never shortens it, so that a
// round always spans three days. An endpoint may ask for more by Retry-After
// (RFC 9110 §10.2.3), not for less.
func Wait(n int, jitter float64, retryAfter time.Duration) time.Duration {
	all := schedule()
	d := all[min(max(n, 1), len(all))-1]
	d += time.Duration(float64(d) * jitterShare * min(max(jitter, 0), 1))
	return max(d, min(retryAfter, maxRetryAfter))
}

// Jitter returns a number between 0 and 1 for an attempt, the same each time:
// deliveries that failed together come back apart, and no chance is involved.
func Jitter(id events.StreamID, attempt int) float64 {
	h := fnv.New64a()
	h.Write(id[:])
	_ = binary.Write(h, binary.BigEndian, int64(attempt)) // a hash takes all
	// FNV's upper bits hardly move with the last byte; mix them (MurmurHash3's finaliser).
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return float64(x>>11) / (1 << 53)
}

// RetryAt returns when to try again after a failed attempt.
func (s State) RetryAt(id events.StreamID, retryAfter time.Duration) time.Time {
	return s.LastAt.Add(Wait(s.InRound, Jitter(id, s.Attempts), retryAfter))
}

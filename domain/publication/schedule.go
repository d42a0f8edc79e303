package publication

import (
	"hash/fnv"
	"time"
)

// Due reports whether a connection is to be looked at within a span of time,
// its begin left out: once in every interval, at a moment of its own. That is
// drawn from a hash of its name, so that many connections are spread evenly over
// the interval and each keeps its place over restarts and on every machine.
// After a pause longer than the interval it is due once.
func Due(tenant, connection string, every time.Duration, after, until time.Time) bool {
	if every <= 0 || !until.After(after) {
		return false
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(tenant + "\x00" + connection)) // it never fails
	phase := time.Duration(h.Sum64() % uint64(every))
	return round(until, phase, every) > round(after, phase, every)
}

// round returns how many intervals ended before an instant.
func round(at time.Time, phase, every time.Duration) int64 {
	n := at.UnixNano() - int64(phase)
	if n < 0 { // division rounds towards zero
		n -= int64(every) - 1
	}
	return n / int64(every)
}

package httpapi

import (
	"strconv"
	"strings"
	"time"

	"handoff/domain/fault"
)

// parseDuration reads a span of time as Go writes it (1h30m) or as ISO 8601
// does (PT1H30M, P2DT12H, P1W). Months and years have no fixed length and are
// not read; neither is a span below zero or above 292 years.
func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	ok := err == nil
	if strings.HasPrefix(s, "P") {
		d, ok = parseISO(s[1:])
	}
	if !ok || d < 0 {
		return 0, fault.New(fault.Unprocessable, "duration-invalid", "Write a span of time such as 1h30m or PT1H30M.")
	}
	return d, nil
}

const day = 24 * time.Hour

// parseISO reads what follows the P: each unit once at most, in this order.
func parseISO(s string) (time.Duration, bool) {
	date, clock, timed := strings.Cut(s, "T")
	d, ok := units(date, []unit{{'W', 7 * day}, {'D', day}})
	c, fine := units(clock, []unit{{'H', time.Hour}, {'M', time.Minute}, {'S', time.Second}})
	sum := d + c
	return sum, ok && fine && s != "" && (clock != "") == timed && sum >= 0
}

type unit struct {
	letter byte
	length time.Duration
}

func units(s string, known []unit) (sum time.Duration, ok bool) {
	for s != "" {
		digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
		n, err := strconv.ParseInt(s[:digits], 10, 64)
		if err != nil || digits == len(s) {
			return 0, false
		}
		for len(known) > 0 && known[0].letter != s[digits] {
			known = known[1:]
		}
		if len(known) == 0 || n > int64((1<<63-1-sum)/known[0].length) {
			return 0, false
		}
		sum += time.Duration(n) * known[0].length
		s, known = s[digits+1:], known[1:]
	}
	return sum, true
}

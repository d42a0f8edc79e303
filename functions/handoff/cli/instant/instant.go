// Package instant reads times and spans of time the way people write them on a
// command line.
package instant

import (
	"strconv"
	"strings"
	"time"

	"handoff/domain/fault"
)

const day = 24 * time.Hour

// layout is a way to write a time without a zone.
type layout struct {
	pattern string
	clock   bool // of today
	seconds bool
}

func layouts() []layout {
	return []layout{
		{pattern: "2006-01-02 15:04"},
		{pattern: "2006-01-02T15:04"},
		{pattern: "2006-01-02"},
		{pattern: "2006-01-02 15:04:05", seconds: true},
		{pattern: "2006-01-02T15:04:05", seconds: true},
		{pattern: "15:04", clock: true},
		{pattern: "15:04:05", clock: true, seconds: true},
	}
}

// Parse reads an instant: "now", RFC 3339, a date and time, a time of today, or
// how long ago it is, such as "10m ago". What names no zone is in that of now.
//
// Timelines show seconds. So a time that is written to the second, and names no
// zone, means the end of that second: the state at a time that was copied from a
// timeline includes the fact that stands beside it. Anything that can't be read
// is an Invalid fault time-invalid.
func Parse(s string, now time.Time) (time.Time, error) {
	s = strings.TrimSpace(s)
	if strings.EqualFold(s, "now") {
		return now, nil
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	if span, ok := cutAgo(s); ok {
		d, err := ParseSpan(span)
		if err != nil {
			return time.Time{}, invalid(s)
		}
		return now.Add(-d), nil
	}
	for _, l := range layouts() {
		if t, err := time.ParseInLocation(l.pattern, s, now.Location()); err == nil {
			return l.complete(t, now), nil
		}
	}
	return time.Time{}, invalid(s)
}

func (l layout) complete(t, now time.Time) time.Time {
	if l.clock {
		t = time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), now.Location())
	}
	if l.seconds && t.Nanosecond() == 0 {
		t = t.Add(time.Second - 1)
	}
	return t
}

func cutAgo(s string) (string, bool) {
	span, ok := strings.CutSuffix(strings.ToLower(s), "ago")
	return strings.TrimSpace(span), ok
}

// ParseSpan reads a span of time that is not negative: "1h30m", "90s", "7d",
// "2 weeks". A day has 24 hours. Anything else is an Invalid fault span-invalid.
func ParseSpan(s string) (time.Duration, error) {
	var sum time.Duration
	rest := strings.ToLower(strings.Join(strings.Fields(s), ""))
	if rest == "" {
		return 0, invalidSpan(s)
	}
	for rest != "" {
		var n time.Duration
		var ok bool
		if n, rest, ok = part(rest); !ok || sum+n < sum {
			return 0, invalidSpan(s)
		}
		sum += n
	}
	return sum, nil
}

// part reads one number with its unit.
func part(s string) (d time.Duration, rest string, ok bool) {
	digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
	n, err := strconv.ParseInt(s[:digits], 10, 64)
	letters := len(s[digits:]) - len(strings.TrimLeft(s[digits:], "abcdefghijklmnopqrstuvwxyz"))
	unit := unitOf(s[digits : digits+letters])
	if err != nil || unit == 0 || n > int64((1<<63-1)/unit) {
		return 0, "", false
	}
	return time.Duration(n) * unit, s[digits+letters:], true
}

func unitOf(name string) time.Duration {
	switch name {
	case "ms":
		return time.Millisecond
	case "s", "sec", "second", "seconds":
		return time.Second
	case "m", "min", "minute", "minutes":
		return time.Minute
	case "h", "hour", "hours":
		return time.Hour
	case "d", "day", "days":
		return day
	case "w", "week", "weeks":
		return 7 * day
	}
	return 0
}

func invalid(s string) error {
	return fault.Newf(fault.Invalid, "time-invalid",
		`%q is no time. Write it as 2026-11-22T09:10:12Z, "2026-11-22 09:10", 09:10:12 (today) or "10m ago".`, s)
}

func invalidSpan(s string) error {
	return fault.Newf(fault.Invalid, "span-invalid", "%q is no span of time. Write it as 90s, 1h30m or 7d.", s)
}

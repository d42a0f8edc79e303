package transcript

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// longestTime is more than RFC 3339 needs with nine digits and a zone.
const longestTime = 40

// Time reads an instant, in UTC, from RFC 3339 text (at most nine digits after
// the point count; the Bot Framework writes six or seven) or from a number of
// seconds since 1970, as in Dataverse transcripts and Omnichannel activities.
// A number of 100,000,000,000 or more is taken for milliseconds: as seconds it
// would be beyond the year 5000. It reports false for what is neither, and for
// years that RFC 3339 can't write.
func Time(written string) (at time.Time, ok bool) {
	if written == "" || len(written) > longestTime {
		return time.Time{}, false
	}
	at, err := time.Parse(time.RFC3339Nano, written)
	if err != nil {
		if at, ok = epoch(written); !ok {
			return time.Time{}, false
		}
	}
	at = at.UTC()
	return at, at.Year() >= 1 && at.Year() <= 9999
}

// Written returns the instant and, where the RFC 3339 form of it differs from
// what was written, the latter, so that both can be given back.
func Written(written string) (at time.Time, text string, ok bool) {
	if at, ok = Time(written); !ok {
		return time.Time{}, "", false
	}
	if at.Format(time.RFC3339Nano) != written {
		text = written
	}
	return at, text, true
}

func epoch(written string) (time.Time, bool) {
	if strings.ContainsAny(written, "eE") {
		return scientific(written)
	}
	whole, fraction, _ := strings.Cut(written, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	nanos, ok := billionths(fraction)
	if err != nil || !ok || n > latest || n < -latest {
		return time.Time{}, false
	}
	if strings.HasPrefix(written, "-") {
		nanos = -nanos
	}
	return instant(n, nanos), true
}

const (
	// latest is past the year 9999 in milliseconds.
	latest = 300_000_000_000_000
	// fromMillis is the first number that is taken for milliseconds.
	fromMillis = 100_000_000_000
)

// instant returns the time of n seconds or milliseconds and some billionths of
// that unit since 1970.
func instant(n, billionths int64) time.Time {
	if n >= fromMillis || n <= -fromMillis {
		return time.UnixMilli(n).Add(time.Duration(billionths / 1000))
	}
	return time.Unix(n, billionths)
}

// scientific reads numbers such as 1.714640001E9.
func scientific(written string) (time.Time, bool) {
	f, err := strconv.ParseFloat(written, 64)
	if err != nil || math.Abs(f) > latest || math.IsNaN(f) {
		return time.Time{}, false
	}
	whole, part := math.Modf(f)
	return instant(int64(whole), int64(part*1e9)), true
}

// billionths reads the digits after a point.
func billionths(digits string) (int64, bool) {
	if strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt((digits + "000000000")[:9], 10, 64)
	return n, err == nil
}

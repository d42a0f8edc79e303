package instant_test

import (
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/functions/handoff/cli/instant"
)

func amsterdam() *time.Location { return time.FixedZone("CET", 3600) }

func now() time.Time { return time.Date(2026, 11, 22, 10, 15, 30, 500, amsterdam()) }

func TestParse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"now":                         {"now", "2026-11-22T10:15:30.0000005+01:00"},
		"a time of RFC 3339 is exact": {"2026-11-22T09:10:12Z", "2026-11-22T09:10:12Z"},
		"so is one with a fraction and an offset":    {"2026-11-22T09:10:12.004+05:30", "2026-11-22T09:10:12.004+05:30"},
		"date and minute are local":                  {"2026-11-22 09:10", "2026-11-22T09:10:00+01:00"},
		"a T may stand between them":                 {"2026-11-22T09:10", "2026-11-22T09:10:00+01:00"},
		"a date is its first instant":                {"2026-11-21", "2026-11-21T00:00:00+01:00"},
		"a second includes what happened in it":      {"2026-11-22 09:10:12", "2026-11-22T09:10:12.999999999+01:00"},
		"a time alone is of today":                   {"09:10:12", "2026-11-22T09:10:12.999999999+01:00"},
		"a fraction is exact":                        {"09:10:12.25", "2026-11-22T09:10:12.25+01:00"},
		"so is a minute":                             {" 09:10 ", "2026-11-22T09:10:00+01:00"},
		"minutes ago":                                {"10m ago", "2026-11-22T10:05:30.0000005+01:00"},
		"several units ago, in words and upper case": {"1 Day 2 hours Ago", "2026-11-21T08:15:30.0000005+01:00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := instant.Parse(c.in, now())
			if err != nil {
				t.Fatal(err)
			}
			if got := got.Format(time.RFC3339Nano); got != c.want {
				t.Errorf("Parse(%q) = %s, want %s", c.in, got, c.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"", "yesterday", "25:00", "2026-13-01", "ago", "-5m ago", "5 parsecs ago", "2026-11-22T09:10:12+1"} {
		if got, err := instant.Parse(in, now()); !fault.Is(err, "time-invalid") {
			t.Errorf("Parse(%q) = %v, %v, want time-invalid", in, got, err)
		}
	}
}

func TestParseSpan(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]time.Duration{
		"0s": 0, "90s": 90 * time.Second, "1h30m": 90 * time.Minute, "7d": 168 * time.Hour, "2 weeks": 336 * time.Hour, "250ms": 250 * time.Millisecond,
	} {
		if got, err := instant.ParseSpan(in); err != nil || got != want {
			t.Errorf("ParseSpan(%q) = %v, %v, want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "5", "h", "-1h", "1.5h", "1y", "99999999999999999999s", "15250w15250w"} {
		if got, err := instant.ParseSpan(in); !fault.Is(err, "span-invalid") {
			t.Errorf("ParseSpan(%q) = %v, %v, want span-invalid", in, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"now", "10m ago", "09:10:12", "2026-11-22", "2026-11-22T09:10:12Z", "1w2d3h4m5s", "9223372036854775807ms"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, err := instant.Parse(s, now())
		if err != nil && !fault.Is(err, "time-invalid") {
			t.Errorf("Parse(%q) fails with %v", s, err)
		}
		if err != nil {
			return
		}
		if again, err := instant.Parse(at.Format(time.RFC3339Nano), now()); at.Year() > 0 && at.Year() < 10000 && (err != nil || !again.Equal(at)) {
			t.Errorf("Parse(%q) = %v, which reads as %v, %v", s, at, again, err)
		}
		if d, err := instant.ParseSpan(s); err == nil && d < 0 {
			t.Errorf("ParseSpan(%q) = %v", s, d)
		}
	})
}

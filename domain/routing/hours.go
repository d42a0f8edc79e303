package routing

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const dayMinutes = 24 * 60

// dayNames are the days as rules write them, by time.Weekday.
//
//nolint:gochecknoglobals // a table that never changes
var dayNames = [7]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// span is a range of hours on some days of the week. One that ends before it
// begins goes over midnight and belongs to the day on which it begins.
type span struct {
	days     uint8 // a bit for each time.Weekday
	from, to int   // minutes since midnight; to is outside
	text     string
}

// covers reports whether the local time t lies in the span.
func (s *span) covers(t time.Time) bool {
	day, minute := int(t.Weekday()), t.Hour()*60+t.Minute()
	if s.from < s.to {
		return s.has(day) && s.from <= minute && minute < s.to
	}
	return s.has(day) && minute >= s.from || s.has((day+6)%7) && minute < s.to
}

func (s *span) has(day int) bool { return s.days&(1<<day) != 0 }

// parseHours reads "mon-fri 08:00-18:00, sat 10:00-14:00".
func parseHours(text string) ([]span, error) {
	var spans []span
	for part := range strings.SplitSeq(text, ",") {
		s, err := parseSpan(strings.Fields(part))
		if err != nil {
			return nil, err
		}
		spans = append(spans, s)
	}
	return spans, nil
}

// parseSpan reads days and hours, or hours for every day. Days alone are
// refused: in "mon, wed 08:00-10:00" nobody means the whole of Monday.
func parseSpan(words []string) (span, error) {
	s := span{days: 1<<7 - 1}
	if len(words) == 2 {
		var err error
		if s.days, s.text, err = parseDays(words[0]); err != nil {
			return span{}, err
		}
		s.text += " "
		words = words[1:]
	}
	if len(words) != 1 || !strings.Contains(words[0], ":") {
		return span{}, fmt.Errorf("%q is not days and hours such as mon-fri 08:00-18:00 (a whole day is 00:00-24:00)", strings.Join(words, " "))
	}
	from, to, _ := strings.Cut(words[0], "-")
	var err error
	if s.from, err = parseClock(from); err != nil {
		return span{}, err
	}
	if s.to, err = parseClock(to); err != nil {
		return span{}, err
	}
	if s.from == s.to || s.from == dayMinutes {
		return span{}, fmt.Errorf("%q is no length of time (a whole day is 00:00-24:00)", words[0])
	}
	s.text += words[0]
	return s, nil
}

// parseDays reads "mon" or "mon-fri", which may wrap: "sat-mon".
func parseDays(text string) (days uint8, name string, err error) {
	first, last, ranged := strings.Cut(text, "-")
	from, err := parseDay(first)
	if err != nil {
		return 0, "", err
	}
	if !ranged {
		return 1 << from, title(from), nil
	}
	to, err := parseDay(last)
	if err != nil {
		return 0, "", err
	}
	for day := from; ; day = (day + 1) % 7 {
		days |= 1 << day
		if day == to {
			return days, title(from) + "-" + title(to), nil
		}
	}
}

func parseDay(text string) (int, error) {
	for i, name := range dayNames {
		if strings.EqualFold(text, name) {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%q is no day: use mon, tue, wed, thu, fri, sat, sun", text)
}

func title(day int) string { return time.Weekday(day).String()[:3] }

// parseClock reads "08:00" up to "24:00" as minutes since midnight.
func parseClock(text string) (int, error) {
	h, m, _ := strings.Cut(text, ":")
	hour, err1 := strconv.ParseUint(h, 10, 8)
	minute, err2 := strconv.ParseUint(m, 10, 8)
	total := int(hour)*60 + int(minute)
	if err1 != nil || err2 != nil || len(h) > 2 || len(m) != 2 || minute > 59 || total > dayMinutes {
		return 0, fmt.Errorf("%q is no time of day: use 00:00 to 24:00", text)
	}
	return total, nil
}

// date is a day of the calendar; year 0 means every year.
type date struct {
	year       int
	month, day int
	text       string
}

func (d *date) is(t time.Time) bool {
	year, month, day := t.Date()
	return d.day == day && d.month == int(month) && (d.year == 0 || d.year == year)
}

// parseDate reads "2026-12-25", or "12-25" for every year.
func parseDate(text string) (date, error) {
	if t, err := time.Parse("2006-01-02", text); err == nil {
		return date{t.Year(), int(t.Month()), t.Day(), text}, nil
	}
	// A leap year, so that 02-29 is a date.
	if t, err := time.Parse("2006-01-02", "2000-"+text); err == nil {
		return date{0, int(t.Month()), t.Day(), text}, nil
	}
	return date{}, fmt.Errorf("%q is no date: write 2026-12-25, or 12-25 for every year", text)
}

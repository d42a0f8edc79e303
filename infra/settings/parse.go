package settings

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// span reads a length of time into a setting.
func span(at func(*Settings) *time.Duration, least, most time.Duration) func(*Settings, string) error {
	return func(s *Settings, v string) error {
		d, err := parseDuration(v)
		switch {
		case err != nil:
			return err
		case d < least || d > most:
			return fmt.Errorf("%s is out of range; use %s to %s", v, write(least), write(most))
		}
		*at(s) = d
		return nil
	}
}

// parseDuration reads what Go writes, such as 1h30m, and whole days, such as 7d.
func parseDuration(v string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(v, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return time.Duration(n) * day, nil
		}
	}
	d, err := time.ParseDuration(v)
	if err != nil {
		return 0, fmt.Errorf("%q is no length of time; write one such as 15s, 90m, 24h or 7d", v)
	}
	return d, nil
}

// write is the reverse of parseDuration for round lengths.
func write(d time.Duration) string {
	if d >= day && d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	s := d.String()
	s = strings.Replace(s, "m0s", "m", 1)
	return strings.Replace(s, "h0m", "h", 1)
}

// count reads a positive number into a setting.
func count(at func(*Settings) *int, most int) func(*Settings, string) error {
	return func(s *Settings, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > most {
			return fmt.Errorf("%q is out of range; use a number from 1 to %d", v, most)
		}
		*at(s) = n
		return nil
	}
}

// parseSize reads bytes, with KiB, MiB or GiB behind the number or nothing.
func parseSize(v string, least, most int64) (int64, error) {
	number, unit := v, int64(1)
	for i, name := range []string{"KiB", "MiB", "GiB"} {
		if rest, ok := strings.CutSuffix(v, name); ok {
			number, unit = strings.TrimSpace(rest), 1<<(10*(i+1))
		}
	}
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is no size; write one such as 512KiB or 1MiB, or a number of bytes", v)
	}
	if size := int64(n) * unit; size >= least && size <= most {
		return size, nil
	}
	return 0, fmt.Errorf("%s is out of range; use %s to %s", v, writeSize(least), writeSize(most))
}

func writeSize(n int64) string {
	if n >= 1<<20 {
		return strconv.FormatInt(n>>20, 10) + "MiB"
	}
	return strconv.FormatInt(n>>10, 10) + "KiB"
}

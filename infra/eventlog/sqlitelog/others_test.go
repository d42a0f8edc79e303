//go:build linux

package sqlitelog_test

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// reportOthers reports, at the end of the benchmark, which share of the machine
// others used meanwhile, so that its figures are read with that in mind.
func reportOthers(b *testing.B) {
	b.Helper()
	busy, own, start := busyTime(b), ownTime(b), time.Now()
	b.Cleanup(func() {
		others := busyTime(b) - busy - (ownTime(b) - own)
		whole := time.Since(start) * time.Duration(cpus(b))
		b.ReportMetric(100*max(0, others.Seconds()/whole.Seconds()), "others-%")
	})
}

// busyTime returns how long the processors worked since the machine started:
// the first line of /proc/stat without idle and iowait (proc(5)), in ticks of
// 10 ms.
func busyTime(b *testing.B) time.Duration {
	b.Helper()
	var ticks int
	for i, f := range strings.Fields(procStat(b)[0])[1:9] {
		n, err := strconv.Atoi(f)
		if err != nil {
			b.Fatal(err)
		}
		if i != 3 && i != 4 {
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

func cpus(b *testing.B) (n int) {
	b.Helper()
	for _, line := range procStat(b)[1:] {
		if strings.HasPrefix(line, "cpu") {
			n++
		}
	}
	return n
}

func procStat(b *testing.B) []string {
	b.Helper()
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		b.Fatal(err)
	}
	return strings.Split(string(stat), "\n")
}

func ownTime(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

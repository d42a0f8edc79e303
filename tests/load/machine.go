package load

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Machine says what the machine is, in one line.
func Machine() string {
	model := "unknown processor"
	info, _ := os.ReadFile("/proc/cpuinfo") // where there is none the line says less
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	return fmt.Sprintf("%d × %s, %s/%s, %s", runtime.NumCPU(), model, runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// Share is what the machine's processors did over a span, in parts of 1.
type Share struct {
	Idle   float64
	Others float64 // used by other programs than those that were watched
}

// Watch measures until the returned function is called. pids are the processes
// under load beside this one; they must live until then. Where the operating
// system does not tell, as all but Linux do, the shares are 0.
func Watch(pids ...int) (stop func() Share) {
	idle, total := processors()
	own := used(os.Getpid()) + used(pids...)
	return func() Share {
		idleNow, totalNow := processors()
		span := float64(totalNow - total)
		if span <= 0 {
			return Share{}
		}
		s := Share{Idle: float64(idleNow-idle) / span}
		s.Others = max(0, 1-s.Idle-float64(used(os.Getpid())+used(pids...)-own)/span)
		return s
	}
}

// processors returns how many ticks the processors spent idle, waiting for disks
// included, and in all (proc_stat(5)).
func processors() (idle, total int64) {
	stat, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(stat), "\n")
	for i, f := range strings.Fields(line) {
		if i < 1 || i > 8 { // later ones are counted in earlier ones
			continue
		}
		n, _ := strconv.ParseInt(f, 10, 64)
		total += n
		if i == 4 || i == 5 {
			idle += n
		}
	}
	return idle, total
}

// CPU returns how long processors worked for a process so far, to 10 ms.
func CPU(pid int) time.Duration {
	const tick = 10 * time.Millisecond // USER_HZ is 100 wherever Go runs
	return time.Duration(used(pid)) * tick
}

// used returns the ticks of processes, utime and stime of proc_pid_stat(5).
func used(pids ...int) (ticks int64) {
	for _, pid := range pids {
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		_, rest, _ := strings.Cut(string(stat), ") ") // the name before may have spaces
		f := strings.Fields(rest)
		const utime, stime = 14 - 3, 15 - 3
		for _, i := range []int{utime, stime} {
			if i < len(f) {
				n, _ := strconv.ParseInt(f[i], 10, 64)
				ticks += n
			}
		}
	}
	return ticks
}

// Memory returns how many bytes of a process are in memory now and were at most
// (VmRSS and VmHWM of proc_pid_status(5)).
func Memory(pid int) (now, most int64) {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch name {
		case "VmRSS":
			now = kib << 10
		case "VmHWM":
			most = kib << 10
		}
	}
	return now, most
}

// Files returns how many files a process has open, sockets included (proc_pid_fd(5)).
func Files(pid int) int {
	all, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(all)
}

// Sample calls take now and then until the returned function is called, which
// waits for it to end.
func Sample(every time.Duration, take func()) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			take()
			select {
			case <-end:
				return
			case <-tick.C:
			}
		}
	}()
	return func() { close(end); <-ended }
}

package load_test

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff/tests/harness"
	"handoff/tests/load"
)

var (
	table   = flag.Bool("table", false, "measure everything and print the table of the README")
	streams = flag.Int("streams", 50_000, "conversations that are in the large log beforehand")
	span    = flag.Duration("span", 10*time.Second, "how long each load lasts")
)

// whole is the scale of benchmarks and of the table.
func whole() scale {
	return scale{span: *span, streams: *streams, facts: 10_000, backlog: 5_000, chats: []int{1, 100, 1000}}
}

// programs are the executables under load.
type programs struct{ handoff, floor string }

func build(t testing.TB) programs {
	t.Helper()
	return programs{handoff: harness.Build(t, harness.Program), floor: harness.Build(t, "handoff/tests/load/floor")}
}

// TestSmoke measures everything for a moment, so that the benchmarks can be run
// whenever somebody wants to.
func TestSmoke(t *testing.T) {
	t.Parallel()
	rows := measure(t, build(t), scale{span: 300 * time.Millisecond, streams: 200, facts: 20, backlog: 100, chats: []int{1, 2, 4}})
	for _, r := range rows {
		if r.figure == "" || strings.Contains(r.figure, "NaN") {
			t.Errorf("%s: %q", r.what, r.figure)
		}
	}
}

// TestTable prints the table of the README.
func TestTable(t *testing.T) {
	t.Parallel()
	if !*table {
		return // nobody wants it
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s, %s.\n\n", load.Machine(), time.Now().Format(time.DateOnly))
	fmt.Fprintf(&b, "| what | figure | bar | beside it, same run | machine idle · used by others |\n|---|---|---|---|---|\n")
	for _, r := range measure(t, build(t), whole()) {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %.0f %% · %.0f %% |\n", r.what, r.figure, r.bar, r.beside, 100*r.share.Idle, 100*r.share.Others)
	}
	if _, err := t.Output().Write([]byte(b.String())); err != nil {
		t.Error(err)
	}
}

// row is a line of the table.
type row struct {
	what, figure, bar, beside string
	share                     load.Share
}

// figures are everything that is measured.
type figures struct {
	size           scale
	in             intake
	empty, large   steady
	sent           arrival
	deliveries     float64
	deliveredWhile load.Share
	memory         steady
	read           reading
	lengths        map[int]time.Duration
	lengthsWhile   load.Share
	relayed        relayed
}

// measure measures everything, one after the other.
func measure(t testing.TB, p programs, size scale) []row {
	t.Helper()
	f := figures{size: size}
	s := newStand(t, harness.NewSite(t, p.handoff))
	f.in = measureIntake(t, p, s, size)
	f.empty = measureSteady(t, s, quiet, 1000, size)
	f.sent = measureArrival(t, s, 200, size)
	f.deliveries, f.deliveredWhile = measureDeliveries(t, s, size)
	s.stop(t)
	large := newFilled(t, p.handoff, size.streams)
	f.read = measureReading(t, large)
	s = newStand(t, large)
	f.large = measureSteady(t, s, quiet, 1000, size)
	f.memory = measureSteady(t, s, loud, 1000, size)
	s.stop(t)
	f.lengths, f.lengthsWhile = measureLength(t, []int{1, size.facts / 10, size.facts})
	f.relayed = measureRelayed(t, p, size)
	return slices.Concat(f.intakeRows(), f.otherRows(), f.relayed.rows())
}

func (f figures) intakeRows() []row {
	return []row{
		{
			what: "intake over HTTP, 20 KiB, 50 turns, signed, 64 clients", bar: "≥ 2,000/s on 2 cores", share: f.in.share,
			figure: fmt.Sprintf("%s/s, p50 %s, p99 %s, %.2f ms of a processor each",
				count(f.in.handoff.PerSecond()), ms(f.in.handoff, 0.5), ms(f.in.handoff, 0.99), f.in.cpu.Seconds()*1000),
			beside: fmt.Sprintf("answer only %s/s; raw fdatasync log %s/s", count(f.in.floor.PerSecond()), count(f.in.raw.PerSecond())),
		},
		{
			what: "the same at 1,000/s", bar: "p99 < 20 ms", share: f.empty.share,
			figure: fmt.Sprintf("p50 %s, p99 %s", ms(f.empty.Result, 0.5), ms(f.empty.Result, 0.99)), beside: "–",
		},
		{
			what: fmt.Sprintf("the same with %s streams present", count(float64(f.size.streams))), bar: "p99 ≤ 2 × empty log", share: f.large.share,
			figure: fmt.Sprintf("p50 %s, p99 %s", ms(f.large.Result, 0.5), ms(f.large.Result, 0.99)),
			beside: "empty log p99 " + ms(f.empty.Result, 0.99),
		},
		{
			what: "memory of `handoff serve` at 1,000 escalations/s, deliveries included", bar: "< 256 MiB", share: f.memory.share,
			figure: fmt.Sprintf("%s MiB, at most %s MiB", count(mib(f.memory.mean)), count(mib(f.memory.most))),
			beside: "p99 meanwhile " + ms(f.memory.Result, 0.99),
		},
	}
}

func (f figures) otherRows() []row {
	return []row{
		{
			what: "202 → request at the endpoint, 200/s", bar: "p99 < 50 ms", share: f.sent.share,
			figure: fmt.Sprintf("p50 %s, p99 %s", ms(f.sent.Result, 0.5), ms(f.sent.Result, 0.99)), beside: "–",
		},
		{
			what: "deliveries sustained to a fast receiver", bar: "≥ 1,000/s", share: f.deliveredWhile,
			figure: count(f.deliveries) + "/s", beside: "–",
		},
		{
			what: fmt.Sprintf("scan · verify · replay of %s facts", count(float64(f.read.facts))), bar: "≥ 500 k · 250 k · 120 k facts/s", share: f.read.share,
			figure: fmt.Sprintf("%s · %s · %s facts/s", count(f.read.scan), count(f.read.verify), count(f.read.replay)),
			beside: fmt.Sprintf("SQLite stepping over the same rows %s facts/s", count(f.read.raw)),
		},
		{
			what: "an append by its stream's length, one writer, median", bar: "flat", share: f.lengthsWhile,
			figure: costs(f.lengths), beside: "–",
		},
	}
}

// count writes a number with separators: 12,345.
func count(f float64) string {
	s := fmt.Sprintf("%.0f", f)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func ms(r load.Result, q float64) string {
	return fmt.Sprintf("%.1f ms", r.Quantile(q).Seconds()*1000)
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

func costs(by map[int]time.Duration) string {
	var all []string
	for _, length := range slices.Sorted(maps.Keys(by)) {
		all = append(all, fmt.Sprintf("%s: %.2f ms", count(float64(length)), by[length].Seconds()*1000))
	}
	return strings.Join(all, " · ")
}

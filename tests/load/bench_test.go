package load_test

import (
	"strconv"
	"testing"

	"handoff/tests/harness"
	"handoff/tests/load"
)

func report(b *testing.B, s load.Share) {
	b.Helper()
	b.ReportMetric(100*s.Idle, "idle-%")
	b.ReportMetric(100*s.Others, "others-%")
}

func latency(b *testing.B, r load.Result) {
	b.Helper()
	b.ReportMetric(r.Quantile(0.5).Seconds()*1000, "p50-ms")
	b.ReportMetric(r.Quantile(0.99).Seconds()*1000, "p99-ms")
}

// BenchmarkIntake has 64 clients hand over as fast as they are answered, beside
// a server that only answers and one that appends to a raw log.
func BenchmarkIntake(b *testing.B) {
	p := build(b)
	s := newStand(b, harness.NewSite(b, p.handoff))
	for b.Loop() {
		m := measureIntake(b, p, s, whole())
		latency(b, m.handoff)
		b.ReportMetric(m.handoff.PerSecond(), "handoffs/s")
		b.ReportMetric(m.cpu.Seconds()*1000, "cpu-ms/handoff")
		b.ReportMetric(m.floor.PerSecond(), "answers/s")
		b.ReportMetric(m.raw.PerSecond(), "raw-appends/s")
		report(b, m.share)
	}
}

// BenchmarkSteady hands over at 1,000/s, with an empty log and with a large one.
func BenchmarkSteady(b *testing.B) {
	p := build(b)
	for _, present := range []int{0, *streams} {
		b.Run("streams="+strconv.Itoa(present), func(b *testing.B) {
			s := newStand(b, newFilled(b, p.handoff, present))
			for b.Loop() {
				m := measureSteady(b, s, quiet, 1000, whole())
				latency(b, m.Result)
				report(b, m.share)
			}
		})
	}
}

// BenchmarkMemory is the same with deliveries.
func BenchmarkMemory(b *testing.B) {
	s := newStand(b, harness.NewSite(b, build(b).handoff))
	for b.Loop() {
		m := measureSteady(b, s, loud, 1000, whole())
		latency(b, m.Result)
		b.ReportMetric(mib(m.mean), "MiB")
		b.ReportMetric(mib(m.most), "most-MiB")
		report(b, m.share)
	}
}

// BenchmarkArrival measures from the answer to the request at the endpoint.
func BenchmarkArrival(b *testing.B) {
	s := newStand(b, harness.NewSite(b, build(b).handoff))
	for b.Loop() {
		m := measureArrival(b, s, 200, whole())
		latency(b, m.Result)
		report(b, m.share)
	}
}

// BenchmarkDeliveries sends what has piled up.
func BenchmarkDeliveries(b *testing.B) {
	s := newStand(b, harness.NewSite(b, build(b).handoff))
	for b.Loop() {
		perSecond, share := measureDeliveries(b, s, whole())
		b.ReportMetric(perSecond, "deliveries/s")
		report(b, share)
	}
}

// BenchmarkReading reads a large log in four ways.
func BenchmarkReading(b *testing.B) {
	s := newFilled(b, "none", *streams)
	for b.Loop() {
		m := measureReading(b, s)
		b.ReportMetric(m.raw, "raw-facts/s")
		b.ReportMetric(m.scan, "scanned/s")
		b.ReportMetric(m.verify, "verified/s")
		b.ReportMetric(m.replay, "replayed/s")
		report(b, m.share)
	}
}

// BenchmarkLength appends to a stream that grows.
func BenchmarkLength(b *testing.B) {
	for b.Loop() {
		cost, share := measureLength(b, []int{1, 1000, 10_000})
		for length, median := range cost {
			b.ReportMetric(median.Seconds()*1000, "ms-at-"+strconv.Itoa(length))
		}
		report(b, share)
	}
}

// BenchmarkRelay has customers of more and more open conversations write to a
// bot behind Handoff, beside as many who write to it directly.
func BenchmarkRelay(b *testing.B) {
	p := build(b)
	for b.Loop() {
		m := measureRelayed(b, p, whole())
		for i, n := range m.sizes {
			b.ReportMetric(m.talks[i].relayed.Quantile(0.99).Seconds()*1000, "p99-ms-of-"+strconv.Itoa(n))
			b.ReportMetric(m.talks[i].direct.Quantile(0.99).Seconds()*1000, "direct-p99-ms-of-"+strconv.Itoa(n))
		}
		latency(b, m.most.Result)
		b.ReportMetric(m.most.PerSecond(), "answers/s")
		b.ReportMetric(m.most.ours.Seconds()*1000, "cpu-ms/answer")
		b.ReportMetric(m.alone.handoff.PerSecond(), "activities/s")
		b.ReportMetric(m.kept.facts, "facts/message")
		report(b, m.most.share)
	}
}

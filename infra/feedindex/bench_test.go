package feedindex_test

import (
	"fmt"
	"testing"
	"time"

	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/feedindex/indextest"
)

// BenchmarkAdd takes in batches of new streams: what a writer does beside its
// requests, and 1 µs for each commit to hash it.
func BenchmarkAdd(b *testing.B) {
	for _, size := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			x := newBench(b)
			w := x.writer()
			clear, _, schema, err := x.codec.Encode(&events.EscalationRaised{Number: 1, ExpiresAt: at(600)})
			if err != nil {
				b.Fatal(err)
			}
			n, batch := 0, make([]eventlog.Commit, size)
			b.ReportAllocs()
			for b.Loop() {
				for i := range batch {
					n++
					batch[i] = eventlog.Commit{
						Stream: events.StreamID{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}, Tenant: "default", Connection: "store-bot", Kind: events.KindConversation,
						Facts: []events.Record{{Header: events.Header{Type: "EscalationRaised", Schema: schema, Time: at(0).UnixNano()}, Clear: clear}},
					}
					eventlog.ChainCommit(&batch[i])
				}
				x.clock.set(x.clock.Now().Add(time.Second))
				if left, err := w.Add(b.Context(), indextest.Changes(x.clock.Now(), batch...)); err != nil || len(left) > 0 {
					b.Fatal(left, err)
				}
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "commits/s")
		})
	}
}

// BenchmarkVersionsAt reads a feed of 100,000 commits.
func BenchmarkVersionsAt(b *testing.B) {
	x := newBench(b)
	w := x.writer()
	for n := range 100 {
		batch := make([]eventlog.Commit, 1000)
		for i := range batch {
			batch[i] = eventlog.Commit{Stream: events.StreamID{byte(n), byte(i), byte(i >> 8)}, Tenant: "default", Connection: "store-bot", Kind: events.KindConversation, Facts: []events.Record{{}}}
			eventlog.ChainCommit(&batch[i])
		}
		if left, err := w.Add(b.Context(), indextest.Changes(x.clock.Now(), batch...)); err != nil || len(left) > 0 {
			b.Fatal(left, err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if all, err := x.index.VersionsAt(b.Context(), 100_000); err != nil || len(all) != 100_000 {
			b.Fatalf("%d streams, %v", len(all), err)
		}
	}
	b.ReportMetric(100_000*float64(b.N)/b.Elapsed().Seconds(), "commits/s")
}

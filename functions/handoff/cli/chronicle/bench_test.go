package chronicle_test

import (
	"testing"
	"time"

	"handoff/events"
	"handoff/functions/handoff/cli/chronicle"
)

// BenchmarkTell tells each fact that was ever released.
func BenchmarkTell(b *testing.B) {
	all := released(b)
	teller := chronicle.New(events.Register(), time.UTC)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		_ = teller.Tell(all[n%len(all)])
		n++
	}
}

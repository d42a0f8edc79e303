package seal_test

import (
	"encoding/json"
	"fmt"
	"testing"
)

// conversation returns about 20 KiB of JSON as a bot sends it.
func conversation(tb testing.TB) []byte {
	tb.Helper()
	var turns []map[string]any
	for i := range 110 {
		turns = append(turns, map[string]any{
			"id": fmt.Sprintf("%x", noise(8)[:8]), "from": []string{"customer", "bot"}[i%2], "at": fmt.Sprintf("2026-11-22T09:%02d:%02dZ", i/60, i%60),
			"text": fmt.Sprintf("Order %d was to arrive on day %d, and it is not here. Parcel %x.", i*7919, i%31, noise(8)[:8]),
		})
	}
	b, err := json.Marshal(turns)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func BenchmarkSeal(b *testing.B) {
	k, plain := newKey(b), conversation(b)
	b.SetBytes(int64(len(plain)))
	b.ReportAllocs()
	var sealed []byte
	for b.Loop() {
		var err error
		if sealed, err = k.Seal([]byte("aad"), plain); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(sealed))/float64(len(plain)), "sealed/plain")
}

func BenchmarkOpen(b *testing.B) {
	k, plain := newKey(b), conversation(b)
	sealed, err := k.Seal([]byte("aad"), plain)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(plain)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Open([]byte("aad"), sealed); err != nil {
			b.Fatal(err)
		}
	}
}

package sqlitekeys_test

import (
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"

	"handoff/events"
	"handoff/infra/keyring"
)

// context20K returns about 20 KiB of JSON as a bot sends it.
func context20K(tb testing.TB) []byte {
	tb.Helper()
	var turns []map[string]any
	for i := range 150 {
		turns = append(turns, map[string]any{
			"id": fmt.Sprintf("%08x", i*2654435761), "from": []string{"customer", "bot"}[i%2], "at": fmt.Sprintf("2026-11-22T09:%02d:%02dZ", i/60, i%60),
			"text": fmt.Sprintf("Order %d was to arrive on day %d, and it is not here.", i*7919, i%31),
		})
	}
	b, err := json.Marshal(turns)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// Sealing 200 bytes under a key that is made for it, from 64 goroutines.
func BenchmarkSealNewKeys(b *testing.B) {
	k, plain := openAt(b, b.TempDir()), make([]byte, 200)
	var next atomic.Int64
	b.ReportAllocs()
	b.SetParallelism(32) // times 2 processors
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			stream := k.SystemStreamID(events.KindConversation, fmt.Sprint(next.Add(1)))
			if _, err := k.Seal(b.Context(), "acme", events.NewKeyID(stream, 0), nil, plain); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "keys/s")
}

func BenchmarkSeal20K(b *testing.B) {
	k, plain := openAt(b, b.TempDir()), context20K(b)
	b.SetBytes(int64(len(plain)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Seal(b.Context(), "acme", "key.0", []byte("aad"), plain); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen20K(b *testing.B) {
	k, plain := openAt(b, b.TempDir()), context20K(b)
	sealed, err := k.Seal(b.Context(), "acme", "key.0", []byte("aad"), plain)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(plain)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Open(b.Context(), "acme", "key.0", []byte("aad"), sealed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDestroy(b *testing.B) {
	k := openAt(b, b.TempDir())
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := k.Destroy(b.Context(), "acme", events.KeyID(fmt.Sprint("key.", i))); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	k := openAt(b, b.TempDir())
	token, _, err := k.APIKeys().Issue(b.Context(), keyring.NewKey{Tenant: "acme", Role: "admin"})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.APIKeys().Authenticate(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStreamID(b *testing.B) {
	k := openAt(b, b.TempDir())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.StreamID("acme", events.KindConversation, "store-bot", "Kx81c"); err != nil {
			b.Fatal(err)
		}
	}
}

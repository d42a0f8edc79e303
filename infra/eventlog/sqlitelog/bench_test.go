//go:build linux

package sqlitelog_test

import (
	"flag"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"handoff/infra/sqlitedb"

	"github.com/google/uuid"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/eventlog/sqlitelog"
	"handoff/tests/eventlogtest"
)

// manyStreams is how many streams a log holds in the benchmarks of large logs;
// the design's bar is a million.
var manyStreams = flag.Int("streams", 20_000, "streams in the benchmarks of large logs")

// life is how many commits a stream gets before the next is begun.
const life = 4

// benchCommit returns a commit of one fact with a full header, 400 bytes of
// clear JSON, 600 sealed and 200 of state, chained after a head.
func benchCommit(stream events.StreamID, after eventlog.Head, n int) eventlog.Commit {
	f := eventlogtest.Fact(n)
	f.Causation, f.Correlation, f.Actor = "req_01J8ZK3V9W5X7Y2B4N6M8P0Q1R", "cor_01J8ZK3V9W5X7Y2B4N6M8P0Q1R", "key_01J8ZK3V9W5X7Y"
	f.Key = events.NewKeyID(stream, 0)
	f.Clear, f.Sealed = clearPart, slices.Clone(sealedPart)
	c := eventlog.Commit{
		Stream: stream, Tenant: eventlogtest.Tenant, Connection: eventlogtest.Connection, Kind: events.KindConversation,
		ID: "cmd_01J8ZK3V9W5X7Y2B4N6M8P" + strconv.Itoa(n), After: after, Facts: []events.Record{f}, State: clearPart[:200], StateVersion: 1,
	}
	eventlog.ChainCommit(&c)
	return c
}

var (
	clearPart  = fmt.Appendf(nil, `{"number":1,"text":"%0380d"}`, 7)[:400]
	sealedPart = eventlogtest.Bytes(1, 600)
)

// spread has writers append count commits in all, and returns how long it took.
func spread(b *testing.B, writers, count int, appendOne func(c eventlog.Commit) error) time.Duration {
	b.Helper()
	start := time.Now()
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			var stream events.StreamID
			var head eventlog.Head
			for i := range count / writers {
				if i%life == 0 {
					stream, head = uuid.New(), eventlog.Head{}
				}
				c := benchCommit(stream, head, i)
				if err := appendOne(c); err != nil {
					b.Error(err)
					return
				}
				head = c.Head()
			}
		})
	}
	wg.Wait()
	return time.Since(start)
}

// BenchmarkAppend appends durably, round by round to the log and to a raw file
// beside it, so that both meet the same disk and neighbours.
func BenchmarkAppend(b *testing.B) {
	for writers, count := range map[int]int{1: 400, 64: 6400} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			reportOthers(b)
			log, raw := open(b, newFile(b)), openRaw(b)
			b.ReportAllocs()
			var ours, bare time.Duration
			rounds := 0
			for b.Loop() {
				bare += spread(b, writers, count, func(c eventlog.Commit) error { return raw.append(&c) })
				ours += spread(b, writers, count, func(c eventlog.Commit) error {
					_, err := log.Append(b.Context(), c)
					return err
				})
				rounds++
			}
			n := float64(rounds * count)
			b.ReportMetric(n/ours.Seconds(), "appends/s")
			b.ReportMetric(n/bare.Seconds(), "raw/s")
			b.ReportMetric(bare.Seconds()/ours.Seconds(), "of-raw")
		})
	}
}

// BenchmarkAppendTo shows that an append costs the same whatever the length of
// its stream and the number of streams: 64 writers, one stream each.
func BenchmarkAppendTo(b *testing.B) {
	for _, length := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("length=%d", length), func(b *testing.B) {
			log := open(b, newFile(b))
			stream := uuid.New()
			head := grow(b, log, stream, length)
			for n := 0; b.Loop(); n++ {
				c := benchCommit(stream, head, n)
				head = eventlogtest.MustAppend(b, log, c)
			}
		})
	}
	for _, streams := range []int{0, *manyStreams} {
		b.Run(fmt.Sprintf("streams=%d", streams), func(b *testing.B) {
			log := open(b, newFile(b))
			fillStreams(b, log, streams)
			reportOthers(b)
			var took time.Duration
			rounds := 0
			for b.Loop() {
				took += spread(b, 64, 6400, func(c eventlog.Commit) error {
					_, err := log.Append(b.Context(), c)
					return err
				})
				rounds++
			}
			b.ReportMetric(float64(rounds*6400)/took.Seconds(), "appends/s")
		})
	}
}

// grow appends facts to a stream, many in a commit.
func grow(b *testing.B, log eventlog.Log, stream events.StreamID, length int) (head eventlog.Head) {
	b.Helper()
	for head.Version < length {
		c := benchCommit(stream, head, head.Version)
		for len(c.Facts) < min(500, length-head.Version) {
			c.Facts = append(c.Facts, c.Facts[0])
		}
		eventlog.ChainCommit(&c)
		head = eventlogtest.MustAppend(b, log, c)
	}
	return head
}

// fillStreams begins streams with 64 writers and returns their ids.
func fillStreams(b *testing.B, log *sqlitelog.Log, count int) []events.StreamID {
	b.Helper()
	ids := make([]events.StreamID, count)
	var wg sync.WaitGroup
	for w := range 64 {
		wg.Go(func() {
			for i := w; i < count; i += 64 {
				ids[i] = uuid.New()
				if _, err := log.Append(b.Context(), benchCommit(ids[i], eventlog.Head{}, i)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return ids
}

// BenchmarkLoad loads aggregates by their carried state.
func BenchmarkLoad(b *testing.B) {
	for _, length := range []int{1, 10_000} {
		b.Run(fmt.Sprintf("length=%d", length), func(b *testing.B) {
			log := open(b, newFile(b))
			stream := uuid.New()
			grow(b, log, stream, length)
			b.ReportAllocs()
			for b.Loop() {
				if snap, err := log.Load(b.Context(), stream); err != nil || snap.Version != length {
					b.Fatal(snap.Version, err)
				}
			}
		})
	}
	b.Run(fmt.Sprintf("streams=%d", *manyStreams), func(b *testing.B) {
		log := open(b, newFile(b))
		ids := fillStreams(b, log, *manyStreams)
		b.ReportAllocs()
		for n := 0; b.Loop(); n += 7919 {
			if snap, err := log.Load(b.Context(), ids[n%len(ids)]); err != nil || snap.Version != 1 {
				b.Fatal(snap.Version, err)
			}
		}
	})
}

// BenchmarkReadOne reads one fact out of the middle of a stream.
func BenchmarkReadOne(b *testing.B) {
	for _, length := range []int{10, 1_000} {
		b.Run(fmt.Sprintf("length=%d", length), func(b *testing.B) {
			log := open(b, newFile(b))
			stream := uuid.New()
			grow(b, log, stream, length)
			b.ReportAllocs()
			for b.Loop() {
				for r, err := range log.Read(b.Context(), stream, 2) {
					if err != nil || r.Version != 2 {
						b.Fatal(r.Version, err)
					}
					break
				}
			}
		})
	}
}

// BenchmarkScan reads all facts in global order, beside a statement that only
// steps over the same rows. They are checkpointed first: of a large log, only a
// small part is in the write-ahead log.
func BenchmarkScan(b *testing.B) {
	log, db := openFile(b, newFile(b), sqlitedb.Options{Schema: sqlitelog.Schema})
	fillStreams(b, log, *manyStreams)
	if err := db.Truncate(b.Context()); err != nil {
		b.Fatal(err)
	}
	reportOthers(b)
	b.ReportAllocs()
	var plain, ours time.Duration
	n := 0
	for b.Loop() {
		start := time.Now()
		if err := db.Read(b.Context(), func(conn *sqlite.Conn) error {
			return sqlitex.Execute(conn, "SELECT * FROM facts", &sqlitex.ExecOptions{ResultFunc: func(*sqlite.Stmt) error { return nil }})
		}); err != nil {
			b.Fatal(err)
		}
		plain, start = plain+time.Since(start), time.Now()
		for r, err := range log.ReadAll(b.Context(), 0) {
			if err != nil || r.Version != 1 {
				b.Fatal(r.Version, err)
			}
			n++
		}
		ours += time.Since(start)
	}
	b.ReportMetric(float64(n)/ours.Seconds(), "facts/s")
	b.ReportMetric(float64(n)/plain.Seconds(), "plain/s")
	b.ReportMetric(plain.Seconds()/ours.Seconds(), "of-plain")
}

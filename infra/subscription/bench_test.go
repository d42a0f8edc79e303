package subscription_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/eventlog/memlog"
	"handoff/infra/sqlitedb"
	"handoff/infra/subscription"
	"handoff/tests/eventlogtest"
)

// BenchmarkCatchUp measures facts per second through functions that do nothing,
// and through many of them at once, as the single program has them.
func BenchmarkCatchUp(b *testing.B) {
	const streams, facts = 2000, 10
	log := memlog.New()
	for s := range streams {
		c := eventlogtest.Commit(stream(s), "c", eventlog.Head{}, eventlogtest.Facts(0, facts)...)
		if _, err := log.Append(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
	for _, functions := range []int{1, 10} {
		b.Run(fmt.Sprint(functions, " functions"), func(b *testing.B) {
			for b.Loop() {
				catchUpOnce(b, log, functions, streams*facts)
			}
			b.ReportMetric(float64(b.N*streams*facts)/b.Elapsed().Seconds(), "facts/s")
		})
	}
}

func catchUpOnce(b *testing.B, log *memlog.Log, functions int, last int64) {
	b.Helper()
	db, err := sqlitedb.Open(b.Context(), filepath.Join(b.TempDir(), "handoff.db"), sqlitedb.Options{Schema: subscription.Schema})
	if err != nil {
		b.Fatal(err)
	}
	var subs []subscription.Subscription
	for i := range functions {
		subs = append(subs, one(fmt.Sprint("f", i), func(context.Context, events.Notification) error { return nil })...)
	}
	r, err := subscription.New(db, log, time.Now, subs, nil)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	p := &process{Runner: r, db: db, cancel: cancel, ended: make(chan error, 1)}
	go func() { p.ended <- r.Run(ctx) }()
	for _, s := range subs {
		if err := r.CatchUp(ctx, s.Name, last); err != nil {
			b.Fatal(err)
		}
	}
	p.cancel()
	<-p.ended
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
}

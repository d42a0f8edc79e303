package directory_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"handoff/domain/escid"
	"handoff/domain/listing"
	"handoff/events"
	"handoff/infra/directory"
	"handoff/infra/eventlog"
	"handoff/infra/eventlog/sqlitelog"
	"handoff/infra/subscription"
)

const batch = 256 // facts in one transaction, as the subscription has them

// lives returns the facts of whole lives of escalations, interleaved as they
// would be: raised and routed in one commit, delivered soon, ended later.
func (h *house) lives(tb testing.TB, first, count int) (records []events.Record) {
	tb.Helper()
	const behind = 1000 // escalations that are open at a time
	add := func(kind events.Kind, n, i int, f events.Fact) {
		records = append(records, h.record(tb, "default", fmt.Sprint("bot-", i%20), kind, stream(n), f))
	}
	for i := first; i < first+count+behind; i++ {
		if i < first+count {
			f := raised(1)
			f.CustomerRefs = []string{fmt.Sprint("ref-", i)}
			add(events.KindConversation, i, i, f)
			add(events.KindConversation, i, i, routed(1, fmt.Sprint("bot-", i%20), fmt.Sprint("queue-", i%50)))
			subject := events.DeliverySubject{Event: "evt", EventType: "handoff.escalation.routed.v1", Stream: stream(i).String(), Version: 2, Connection: fmt.Sprint("bot-", i%20), Endpoint: "desk"}
			add(events.KindDelivery, -i-1, i, &events.DeliveryAttempted{Attempt: 1, Code: "delivered", Status: 200, Subject: subject})
			add(events.KindDelivery, -i-1, i, &events.Delivered{Attempt: 1})
		}
		if old := i - behind; old >= first {
			add(events.KindConversation, old, old, &events.EscalationAccepted{Number: 1})
			add(events.KindConversation, old, old, &events.EscalationCompleted{Number: 1, Code: "solved"})
		}
	}
	return records
}

func (h *house) applyInBatches(tb testing.TB, records []events.Record) {
	tb.Helper()
	for len(records) > 0 {
		n := min(batch, len(records))
		h.apply(tb, records[:n]...)
		records = records[n:]
	}
}

// BenchmarkApply measures facts per second into a directory that holds 100,000
// escalations, in batches.
func BenchmarkApply(b *testing.B) {
	h := open(b)
	h.applyInBatches(b, h.lives(b, 0, 100_000))
	records := h.lives(b, 100_000, 20_000)
	b.ReportAllocs()
	facts := 0
	for b.Loop() {
		n := min(batch, len(records)-facts%len(records))
		h.apply(b, records[facts%len(records):][:n]...)
		if facts += n; facts >= len(records) {
			b.StopTimer()
			records = h.lives(b, int(h.position), 20_000)
			facts = 0
			b.StartTimer()
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/fact")
}

// BenchmarkFind measures queries against 100,000 escalations.
func BenchmarkFind(b *testing.B) {
	h := open(b)
	h.applyInBatches(b, h.lives(b, 0, 100_000))
	h.applyInBatches(b, h.lives(b, 100_000, 10)[:20])
	q := func(q listing.EscalationQuery) func() error {
		q.Tenant = "default"
		return func() error {
			_, _, err := h.Escalations(b.Context(), q)
			return err
		}
	}
	for name, run := range map[string]func() error{
		"all":            q(listing.EscalationQuery{}),
		"connection":     q(listing.EscalationQuery{Connection: "bot-7"}),
		"open":           q(listing.EscalationQuery{Status: "open"}),
		"ended":          q(listing.EscalationQuery{Status: "completed"}),
		"failed here":    q(listing.EscalationQuery{Status: "failed", Connection: "bot-7"}),
		"never":          q(listing.EscalationQuery{Status: "failed"}),
		"queue":          q(listing.EscalationQuery{Queue: "queue-7"}),
		"queue and none": q(listing.EscalationQuery{Queue: "queue-7", Status: "failed"}),
		"customer":       q(listing.EscalationQuery{Customer: "ref-77777"}),
		"short prefix":   q(listing.EscalationQuery{IDPrefix: "esc_00"}),
		"prefix":         q(listing.EscalationQuery{IDPrefix: escid.Of(stream(77), 1)[:8]}),
		"connections": func() error {
			_, _, err := h.Connections(b.Context(), listing.ConnectionQuery{Tenant: "default"})
			return err
		},
		"deliveries": func() error {
			_, _, err := h.Deliveries(b.Context(), listing.DeliveryQuery{Tenant: "default"})
			return err
		},
		"parked": func() error {
			_, _, err := h.Deliveries(b.Context(), listing.DeliveryQuery{Tenant: "default", Status: "parked"})
			return err
		},
		"due": func() error { _, _, err := h.Due(b.Context(), time.Time{}, 100); return err },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRelays lists those of 10,000 relays that are due, as is done each
// second.
func BenchmarkRelays(b *testing.B) {
	h := open(b)
	var records []events.Record
	for i := range 10_000 {
		records = append(records, h.record(b, "default", "bot-1", events.KindConversation, stream(i), &events.RelayStarted{Session: 1, LookAt: at(i)}))
	}
	h.applyInBatches(b, records)
	for _, due := range []int{0, 100, 2048} {
		b.Run(fmt.Sprintf("due=%d", due), func(b *testing.B) {
			for b.Loop() {
				if all, err := h.Relays(b.Context(), at(due-1), 2048); err != nil || len(all) != due {
					b.Fatal(len(all), err)
				}
			}
		})
	}
}

// BenchmarkRebuild measures facts per second from a log in the same file, with
// everything in between.
func BenchmarkRebuild(b *testing.B) {
	h := open(b)
	log, err := sqlitelog.New(b.Context(), h.db)
	if err != nil {
		b.Fatal(err)
	}
	records := h.lives(b, 0, 10_000)
	heads := make(map[events.StreamID]eventlog.Head)
	for _, r := range records {
		c := eventlog.Commit{
			Stream: r.Stream, Tenant: r.Tenant, Connection: r.Connection, Kind: r.Kind, ID: r.ID(), After: heads[r.Stream],
			Facts: []events.Record{r},
		}
		eventlog.ChainCommit(&c)
		if heads[r.Stream], err = log.Append(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
	runner, err := subscription.New(h.db, log, time.Now, nil, []subscription.Projection{h.Projection()})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	for b.Loop() {
		if err := errors.Join(runner.Rebuild(ctx, directory.Name), runner.CatchUp(ctx, directory.Name, int64(len(records)))); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*len(records))/b.Elapsed().Seconds(), "facts/s")
	cancel()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}

package auditreplay_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/connection"
	"handoff/domain/conversation"
	"handoff/domain/delivery"
	"handoff/domain/identity"
	"handoff/events"
	"handoff/functions/auditreplay"
	"handoff/infra/eventlog"
	"handoff/infra/eventlog/sqlitelog"
	"handoff/infra/rulebook"
	"handoff/infra/sqlitedb"
	"handoff/tests/functiontest"
)

var auditor = identity.Principal{ID: "aud", Tenant: functiontest.Tenant, Role: identity.Auditor}

// history is a log of many escalations, each raised, routed, delivered,
// accepted and completed: seven facts in two streams.
type history struct {
	log    *sqlitelog.Log
	ledger *eventlog.Ledger
	keys   *functiontest.Keys
	facts  int64
}

func newHistory(tb testing.TB, escalations int) *history {
	tb.Helper()
	db, err := sqlitedb.Open(tb.Context(), filepath.Join(tb.TempDir(), "handoff.db"), sqlitedb.Options{Schema: sqlitelog.Schema, UnsafeNoSync: true})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	h := &history{keys: new(functiontest.Keys)}
	if h.log, err = sqlitelog.New(tb.Context(), db); err != nil {
		tb.Fatal(err)
	}
	var mu sync.Mutex
	commits := 0
	h.ledger = eventlog.NewLedger(h.log, events.Register(), h.keys, time.Now, func() string {
		mu.Lock()
		defer mu.Unlock()
		commits++
		return fmt.Sprintf("01K%023d", commits)
	})
	h.connect(tb)
	h.escalate(tb, 0, escalations)
	if h.facts, err = h.log.Last(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return h
}

func (h *history) stream(kind events.Kind, parts ...string) eventlog.Stream {
	id, _ := h.keys.StreamID(functiontest.Tenant, kind, parts...)
	return eventlog.Stream{ID: id, Tenant: functiontest.Tenant, Connection: "store-bot"}
}

func (h *history) connect(tb testing.TB) {
	tb.Helper()
	at := h.stream(events.KindConnection, "store-bot")
	to, rules := connection.To(at.ID), functiontest.Adopted(functiontest.Rules)
	for _, cmd := range []eh.Command{
		connection.Request{To: to, Fact: *functiontest.Requested("store-bot"), Rules: rules},
		connection.RegisterApp{To: to, Session: 1, Fact: events.AppRegistered{HubType: "generic", Organisation: "desk", ApplicationID: "a"}},
		connection.EnableChannel{To: to, Session: 1, Fact: events.ChannelEnabled{Channel: "webhook", By: "handoff"}},
		connection.MakeReady{To: to, Session: 1},
	} {
		h.execute(tb, at, cmd)
	}
}

func (h *history) execute(tb testing.TB, at eventlog.Stream, cmd eh.Command) {
	var err error
	by := eventlog.Origin{Actor: "k7q2mabc", Causation: "request", Correlation: "8c1f8c1f8c1f8c1f8c1f8c1f8c1f8c1f"}
	switch cmd.AggregateType() {
	case eh.AggregateType(events.KindConnection):
		_, err = eventlog.Execute(tb.Context(), h.ledger, connection.Decider, at, by, func(connection.State) (eh.Command, error) { return cmd, nil })
	case eh.AggregateType(events.KindConversation):
		_, err = eventlog.Execute(tb.Context(), h.ledger, conversation.Decider, at, by, func(conversation.State) (eh.Command, error) { return cmd, nil })
	default:
		_, err = eventlog.Execute(tb.Context(), h.ledger, delivery.Decider, at, by, func(delivery.State) (eh.Command, error) { return cmd, nil })
	}
	if err != nil {
		tb.Error(err)
	}
}

// escalate adds the escalations from one number up to another.
func (h *history) escalate(tb testing.TB, from, to int) {
	tb.Helper()
	home := h.stream(events.KindConnection, "store-bot")
	c, err := eventlog.State(tb.Context(), h.ledger, connection.Decider, home.ID)
	if err != nil {
		tb.Fatal(err)
	}
	book := rulebook.New(h.ledger)
	work := make(chan int)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for i := range work {
				h.one(tb, i, book, home, c.State)
			}
		})
	}
	for i := from; i < to; i++ {
		work <- i
	}
	close(work)
	wg.Wait()
}

func (h *history) one(tb testing.TB, i int, book *rulebook.Rulebook, home eventlog.Stream, c connection.State) {
	at := h.stream(events.KindConversation, "store-bot", fmt.Sprint(i))
	raised := events.EscalationRaised{
		RaisedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour), Topic: "Refund", Language: "nl-NL", Channel: "web", Reason: "customer_asked",
		Request: events.Request{ID: "0123456789abcdef0123456789abcdef", Fingerprint: "0123456789abcdef0123456789abcdef", Format: "plain"},
		Context: &events.Context{ConversationID: fmt.Sprint(i), LastPhrase: "a person please", Phrases: []string{"hello", "help"}},
	}
	routed, err := book.Decide(tb.Context(), home.ID, c, &raised, time.Now())
	if err != nil {
		tb.Error(err)
		return
	}
	to := conversation.To(at.ID)
	h.execute(tb, at, conversation.Raise{To: to, Fact: raised, Route: routed})
	d := h.stream(events.KindDelivery, fmt.Sprint(i), "desk")
	h.execute(tb, d, delivery.Attempt{
		To: delivery.To(d.ID), Number: 1, Outcome: delivery.Outcome{StartedAt: time.Now(), Duration: time.Millisecond, Status: 204, Code: delivery.CodeDelivered},
		Subject: events.DeliverySubject{Event: "esc_x@2", EventType: "handoff.escalation.routed.v1", Stream: at.ID.String(), Version: 2, Connection: "store-bot", Endpoint: "desk"},
	})
	h.execute(tb, at, conversation.Report{To: to, Number: 1, Status: conversation.Accepted})
	h.execute(tb, at, conversation.Report{To: to, Number: 1, Status: conversation.Completed})
}

func (h *history) handler() *auditreplay.Handler {
	return &auditreplay.Handler{Ledger: h.ledger, Feed: h.log, Walker: h.log, Streams: h.keys}
}

// rate reports how many of the history's facts were dealt with in a second.
func rate(b *testing.B, facts int64) {
	b.ReportMetric(float64(facts)*float64(b.N)/b.Elapsed().Seconds(), "facts/s")
}

const benchEscalations = 20_000

func BenchmarkScan(b *testing.B) {
	h := newHistory(b, benchEscalations)
	for b.Loop() {
		for _, err := range h.log.ReadAll(context.Background(), 0) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	rate(b, h.facts)
}

func BenchmarkVerify(b *testing.B) {
	h := newHistory(b, benchEscalations)
	for b.Loop() {
		v, err := h.handler().Verify(context.Background(), auditor, "", nil)
		if err != nil || !v.OK {
			b.Fatalf("verify = %+v, %v", v, err)
		}
	}
	rate(b, h.facts)
}

func BenchmarkReplay(b *testing.B) {
	h := newHistory(b, benchEscalations)
	for b.Loop() {
		past, err := h.handler().StateAt(context.Background(), auditor, "store-bot", time.Now())
		if err != nil || past.Facts != h.facts {
			b.Fatalf("past = %+v, %v, want %d facts", past, err, h.facts)
		}
	}
	rate(b, h.facts)
}

func BenchmarkWalk(b *testing.B) {
	h := newHistory(b, benchEscalations)
	for b.Loop() {
		for _, err := range h.log.Walk(context.Background()) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	rate(b, h.facts)
}

package lists_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"handoff/domain/delivery"
	"handoff/events"
	"handoff/infra/dynamolanes"
	"handoff/infra/eventlog"
	"handoff/infra/feedindex"
	"handoff/infra/feedindex/indextest"
	"handoff/infra/feedindex/lists"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

func at(minutes int) time.Time {
	return time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC).Add(time.Duration(minutes) * time.Minute)
}

// house is a log with lists of it.
type house struct {
	*lists.Lists
	log    *indextest.Log
	table  *indextest.Table
	writer *feedindex.Writer
	refs   *feedindex.Referred
	codec  *events.Codec
	minute int
	lanes  *waiting
}

func open(tb testing.TB) *house {
	tb.Helper()
	h := &house{log: indextest.NewLog(), table: &indextest.Table{}, codec: events.Register(), lanes: &waiting{}}
	now := func() time.Time { return at(h.minute) }
	index := feedindex.Over(h.table, now)
	h.writer = index.Writer(h.log, h.codec)
	h.refs = feedindex.WithRefs(h.log, index, h.codec)
	h.Lists = &lists.Lists{
		Index: index, Ledger: eventlog.NewLedger(h.log, h.codec, noSealer{}, now, func() string { return "id" }),
		Names: names{}, Lanes: h.lanes, Now: now, Lifetime: 24 * time.Hour,
	}
	return h
}

// commit appends facts in one commit, a minute after the one before, and tells
// the index.
func (h *house) commit(tb testing.TB, tenant, connection string, kind events.Kind, stream events.StreamID, facts ...events.Fact) {
	tb.Helper()
	h.minute++
	snap, err := h.log.Load(tb.Context(), stream)
	if err != nil {
		tb.Fatal(err)
	}
	c := eventlog.Commit{Stream: stream, Tenant: tenant, Connection: connection, Kind: kind, ID: fmt.Sprint("commit-", snap.Version), After: snap.Head}
	for _, f := range facts {
		clear, _, schema, err := h.codec.Encode(f)
		if err != nil {
			tb.Fatal(err)
		}
		c.Facts = append(c.Facts, events.Record{Clear: clear, Header: events.Header{Type: f.FactType(), Schema: schema, Time: at(h.minute).UnixNano()}})
	}
	eventlog.ChainCommit(&c)
	if _, err := h.refs.Append(tb.Context(), c); err != nil {
		tb.Fatal(err)
	}
	if left, err := h.writer.Add(tb.Context(), indextest.Changes(at(h.minute), c)); err != nil || len(left) > 0 {
		tb.Fatalf("Add = %v, %v", left, err)
	}
}

// talk appends facts of a conversation of tenant default, one by one.
func (h *house) talk(tb testing.TB, connection string, stream events.StreamID, facts ...events.Fact) {
	tb.Helper()
	for _, f := range facts {
		h.commit(tb, "default", connection, events.KindConversation, stream, f)
	}
}

// deliver appends facts of the delivery of a fact to an endpoint of bot-1.
func (h *house) deliver(tb testing.TB, subject events.StreamID, version int, endpoint string, facts ...events.Fact) string {
	tb.Helper()
	id, _ := names{}.StreamID("default", events.KindDelivery, events.Header{Stream: subject, Version: version}.ID(), "bot-1", endpoint)
	for _, f := range facts {
		if a, ok := f.(*events.DeliveryAttempted); ok {
			a.Subject = events.DeliverySubject{
				Event: "event", EventType: "handoff.escalation.routed.v1", Stream: subject.String(), Version: version, Connection: "bot-1", Endpoint: endpoint,
			}
		}
	}
	h.commit(tb, "default", "bot-1", events.KindDelivery, id, facts...)
	return delivery.NameOf(id)
}

func raised(number int) *events.EscalationRaised {
	return &events.EscalationRaised{
		Number: number, RaisedAt: at(number), ExpiresAt: at(number + 100), Reason: "asked", Topic: "Billing", Language: "de", Channel: "web",
		CustomerRefs: []string{"ref-1", "ref-2"},
	}
}

func routed(number int, connection, queue string) *events.EscalationRouted {
	return &events.EscalationRouted{
		Number: number, Connection: connection, Queue: events.Queue{ID: queue, Name: strings.ToUpper(queue), HubQueue: "q-7"}, Priority: 3,
		Route: events.Route{Rule: "vip"},
	}
}

func moved(number int, connection, queue string) *events.EscalationRouted {
	f := routed(number, connection, queue)
	f.Moved = true
	return f
}

// stream returns the n-th stream of a test; ids of different n differ in the
// first digits.
func stream(n int) events.StreamID {
	return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "conversation %d", n))
}

type names struct{}

func (names) StreamID(tenant string, kind events.Kind, parts ...string) (events.StreamID, error) {
	return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, tenant, kind, parts)), nil
}

type noSealer struct{}

var errNothingSealed = errors.New("nothing is sealed here")

func (noSealer) Seal(context.Context, string, events.KeyID, []byte, []byte) ([]byte, error) {
	return nil, errNothingSealed
}

func (noSealer) Open(context.Context, string, events.KeyID, []byte, []byte) ([]byte, error) {
	return nil, errNothingSealed
}

// waiting are lanes with rows that a test gives them.
type waiting struct{ rows []dynamolanes.Row }

func (w *waiting) Waiting(_ context.Context, tenant, connection, _ string) iter.Seq2[dynamolanes.Row, error] {
	return func(yield func(dynamolanes.Row, error) bool) {
		for _, r := range w.rows {
			if r.Item.Tenant == tenant && (connection == "" || connection == r.Item.Subject.Connection) && !yield(r, nil) {
				return
			}
		}
	}
}

func (w *waiting) Find(_ context.Context, item delivery.Item) (dynamolanes.Row, bool, error) {
	for _, r := range w.rows {
		if r.Item.ID == item.ID {
			return r, true, nil
		}
	}
	return dynamolanes.Row{}, false, nil
}

// unstored returns a commit that names a customer and that the log refused.
func (h *house) unstored(stream events.StreamID, ref string) eventlog.Commit {
	clear, _, schema, _ := h.codec.Encode(&events.EscalationContextAdded{Number: 1, CustomerRefs: []string{ref}})
	return eventlog.Commit{Stream: stream, Tenant: "default", Facts: []events.Record{{Clear: clear, Header: events.Header{Type: "EscalationContextAdded", Schema: schema}}}}
}

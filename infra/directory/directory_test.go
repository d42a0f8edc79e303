package directory_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"handoff/domain/delivery"
	"handoff/domain/escid"
	"handoff/domain/fault"
	"handoff/domain/listing"
	"handoff/domain/publication"
	"handoff/events"
	"handoff/infra/directory"
	"handoff/infra/eventlog/sqlitelog"
	"handoff/infra/sqlitedb"
	"handoff/infra/subscription"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

func at(minutes int) time.Time {
	return time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC).Add(time.Duration(minutes) * time.Minute)
}

// house is a directory with the facts that a test gives it.
type house struct {
	*directory.Directory
	db       *sqlitedb.DB
	codec    *events.Codec
	position int64
	versions map[events.StreamID]int
}

func open(tb testing.TB) *house {
	tb.Helper()
	db, err := sqlitedb.Open(tb.Context(), filepath.Join(tb.TempDir(), "handoff.db"), sqlitedb.Options{
		Schema: sqlitelog.Schema + subscription.Schema + directory.Schema, UnsafeNoSync: true,
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	codec := events.Register()
	return &house{Directory: directory.New(db, codec), db: db, codec: codec, versions: make(map[events.StreamID]int)}
}

// record makes the next fact of a stream.
func (h *house) record(tb testing.TB, tenant, connection string, kind events.Kind, stream events.StreamID, f events.Fact) events.Record {
	tb.Helper()
	clear, _, schema, err := h.codec.Encode(f)
	if err != nil {
		tb.Fatal(err)
	}
	h.position++
	h.versions[stream]++
	return events.Record{Position: h.position, Clear: clear, Header: events.Header{
		Stream: stream, Version: h.versions[stream], Kind: kind, Type: f.FactType(), Schema: schema,
		Tenant: tenant, Connection: connection, Time: at(int(h.position)).UnixNano(),
	}}
}

// apply applies records in one transaction.
func (h *house) apply(tb testing.TB, records ...events.Record) {
	tb.Helper()
	p := h.Projection()
	err := h.db.Write(tb.Context(), func(conn *sqlite.Conn) error {
		for _, r := range records {
			if err := p.Apply(conn, r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// talk applies facts of a conversation of tenant default.
func (h *house) talk(tb testing.TB, connection string, stream events.StreamID, facts ...events.Fact) {
	tb.Helper()
	for _, f := range facts {
		h.apply(tb, h.record(tb, "default", connection, events.KindConversation, stream, f))
	}
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
		Route: events.Route{Rule: "vip", Fallback: false},
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

func (h *house) one(tb testing.TB, id string) listing.Escalation {
	tb.Helper()
	e, err := h.Escalation(tb.Context(), "default", id)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

func TestAnEscalationIsListedAsItsFactsSay(t *testing.T) {
	t.Parallel()
	fresh := listing.Escalation{
		ID: escid.Of(stream(1), 1), Connection: "store-bot", Number: 1, Status: "raised", Reason: "asked", Topic: "Billing",
		Language: "de", Channel: "web", RaisedAt: at(1), Deadline: at(101), Stream: stream(1),
	}
	with := func(change func(*listing.Escalation)) listing.Escalation {
		e := fresh
		change(&e)
		return e
	}
	toBilling := func(e *listing.Escalation) {
		e.Status, e.Queue, e.Priority, e.Rule = "routed", events.Queue{ID: "billing", Name: "BILLING", HubQueue: "q-7"}, 3, "vip"
	}
	for sentence, c := range map[string]struct {
		given []events.Fact
		want  listing.Escalation
	}{
		"raised":  {nil, fresh},
		"routed":  {[]events.Fact{routed(1, "store-bot", "billing")}, with(toBilling)},
		"expired": {[]events.Fact{&events.EscalationExpired{Number: 1}}, with(func(e *listing.Escalation) { e.Status, e.Code = "expired", "expired" })},
		"moved": {[]events.Fact{routed(1, "store-bot", "general"), moved(1, "other-bot", "billing")}, with(func(e *listing.Escalation) {
			toBilling(e)
			e.RoutedBy = "other-bot"
		})},
		"moved after it was accepted": {[]events.Fact{&events.EscalationAccepted{Number: 1}, moved(1, "other-bot", "billing")}, with(func(e *listing.Escalation) {
			toBilling(e)
			e.RoutedBy = "other-bot"
		})},
		"accepted and completed": {
			[]events.Fact{routed(1, "store-bot", "billing"), &events.EscalationAccepted{Number: 1}, &events.EscalationCompleted{Number: 1, Code: "solved"}},
			with(func(e *listing.Escalation) {
				toBilling(e)
				e.Status, e.Code = "completed", "solved"
			}),
		},
		"failed at a deadline of a disconnect": {[]events.Fact{
			&events.EscalationDeadlineSet{Number: 1, Deadline: at(5), Code: "drained"}, &events.EscalationFailed{Number: 1, Code: "drained"},
		}, with(func(e *listing.Escalation) { e.Status, e.Code, e.Deadline = "failed", "drained", at(5) })},
		"erased":                         {[]events.Fact{&events.ContextErased{}}, with(func(e *listing.Escalation) { e.Erased = true })},
		"not erased with the one before": {[]events.Fact{&events.EscalationExpired{Number: 1}, raised(2)}, with(func(e *listing.Escalation) { e.Status, e.Code = "expired", "expired" })},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			h := open(t)
			h.talk(t, "store-bot", stream(1), append([]events.Fact{raised(1)}, c.given...)...)
			if got := h.one(t, c.want.ID); got != c.want {
				t.Errorf("escalation = %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestAFactThatCannotBeReadIsAPermanentFault(t *testing.T) {
	t.Parallel()
	h := open(t)
	r := h.record(t, "default", "store-bot", events.KindConversation, stream(1), raised(1))
	r.Schema = 99
	err := h.db.Write(t.Context(), func(conn *sqlite.Conn) error { return h.Projection().Apply(conn, r) })
	if !fault.Is(err, "fact-unreadable") || !fault.KindOf(err).Permanent() {
		t.Errorf("Apply = %v, want fact-unreadable", err)
	}
}

func TestConnectionsAreListedByNameWithWhatIsOpen(t *testing.T) {
	t.Parallel()
	h := open(t)
	ready := []events.Fact{
		&events.ConnectionRequested{Hub: events.Hub{Type: "generic", Organisation: "acme"}}, &events.AppRegistered{}, &events.ChannelEnabled{}, &events.ConnectionReady{},
	}
	for i, name := range []string{"b-bot", "a-bot", "c-bot"} {
		for _, f := range append(ready[:1:1], ready[1:4-i]...) {
			h.apply(t, h.record(t, "default", name, events.KindConnection, stream(100+i), f))
		}
	}
	h.apply(t, h.record(t, "other", "z-bot", events.KindConnection, stream(200), ready[0]))
	h.talk(t, "b-bot", stream(1), raised(1))
	h.talk(t, "b-bot", stream(2), raised(1), moved(1, "a-bot", "q"))
	h.talk(t, "b-bot", stream(3), raised(1), &events.EscalationExpired{Number: 1})
	var got []string
	cursor := ""
	for range 3 {
		rows, next, err := h.Connections(t.Context(), listing.ConnectionQuery{Tenant: "default", Page: listing.Page{Limit: 1, Cursor: cursor}})
		if err != nil || len(rows) != 1 || rows[0].HubType != "generic" || rows[0].Organisation != "acme" || rows[0].RequestedAt.IsZero() {
			t.Fatalf("Connections = %+v, %v", rows, err)
		}
		got, cursor = append(got, fmt.Sprint(rows[0].ID, " ", rows[0].Status, " ", rows[0].Open)), next
	}
	if want := []string{"a-bot channel_enabled 1", "b-bot ready 1", "c-bot app_registered 0"}; !slices.Equal(got, want) || cursor != "" {
		t.Errorf("connections = %q, then %q, want %q", got, cursor, want)
	}
	h.apply(t, h.record(t, "default", "b-bot", events.KindConnection, stream(100), &events.Disconnected{Policy: "drain"}))
	rows, _, err := h.Connections(t.Context(), listing.ConnectionQuery{Tenant: "default"})
	if err != nil || len(rows) != 3 || rows[1].Status != "disconnected" {
		t.Errorf("after the disconnect = %+v, %v", rows, err)
	}
}

func TestConnectionsShowWhetherTheBotIsPublished(t *testing.T) {
	t.Parallel()
	h := open(t)
	asked := &events.ConnectionRequested{Hub: events.Hub{Type: "omnichannel", Organisation: "acme"}}
	for _, c := range []struct {
		fact events.Fact
		want publication.State
	}{
		{asked, publication.Unknown},
		{&events.BotPublished{}, publication.Published},
		{&events.BotPublished{LastPublishFailed: true}, publication.Outdated},
		{&events.BotUnpublished{Code: "inactive"}, publication.Unpublished},
		{&events.BotUnpublished{Code: "row-missing", Deleted: true}, publication.Deleted},
		{asked, publication.Unknown},
	} {
		h.apply(t, h.record(t, "default", "b-bot", events.KindConnection, stream(100), c.fact))
		rows, _, err := h.Connections(t.Context(), listing.ConnectionQuery{Tenant: "default"})
		if err != nil || len(rows) != 1 || rows[0].Bot != c.want {
			t.Errorf("after %s = %+v, %v, want %q", c.fact.FactType(), rows, err, c.want)
		}
	}
}

func (h *house) attempt(tb testing.TB, n int, about events.StreamID, version int, connection string, facts ...events.Fact) string {
	tb.Helper()
	id := stream(1000 + n)
	first := &events.DeliveryAttempted{Attempt: 1, Code: "status-500", Status: 500, Subject: events.DeliverySubject{
		Event: "evt", EventType: "handoff.escalation.routed.v1", Stream: about.String(), Version: version, Connection: connection, Endpoint: "desk",
	}}
	for _, f := range append([]events.Fact{first}, facts...) {
		h.apply(tb, h.record(tb, "default", connection, events.KindDelivery, id, f))
	}
	return delivery.NameOf(id)
}

func TestDeliveriesAreFoundByWhatTheyAreAbout(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.talk(t, "a-bot", stream(1), raised(1), routed(1, "a-bot", "q"), &events.EscalationExpired{Number: 1}, raised(2), routed(2, "a-bot", "q"))
	pending := h.attempt(t, 1, stream(1), 2, "a-bot")
	parked := h.attempt(t, 2, stream(1), 3, "a-bot", &events.DeliveryParked{Attempt: 1, Code: "endpoint-gone"})
	delivered := h.attempt(t, 3, stream(1), 5, "a-bot", &events.Delivered{Attempt: 1})
	resent := h.attempt(t, 4, stream(2), 2, "b-bot", &events.DeliveryParked{Attempt: 1}, &events.DeliveryResent{Round: 2})
	for sentence, c := range map[string]struct {
		q    listing.DeliveryQuery
		want []string
	}{
		"all, newest first":                {listing.DeliveryQuery{}, []string{resent, delivered, parked, pending}},
		"of a connection":                  {listing.DeliveryQuery{Connection: "a-bot"}, []string{delivered, parked, pending}},
		"parked":                           {listing.DeliveryQuery{Status: "parked"}, []string{parked}},
		"pending of a connection":          {listing.DeliveryQuery{Status: "pending", Connection: "a-bot"}, []string{pending}},
		"delivered":                        {listing.DeliveryQuery{Status: "delivered"}, []string{delivered}},
		"of a conversation's first":        {listing.DeliveryQuery{Escalation: escid.Of(stream(1), 1)}, []string{parked, pending}},
		"of a conversation's second":       {listing.DeliveryQuery{Escalation: escid.Of(stream(1), 2)}, []string{delivered}},
		"of a conversation's first, by it": {listing.DeliveryQuery{Escalation: escid.Of(stream(1), 1), Status: "parked"}, []string{parked}},
	} {
		c.q.Tenant = "default"
		rows, next, err := h.Deliveries(t.Context(), c.q)
		var got []string
		for _, r := range rows {
			got = append(got, r.ID)
		}
		if err != nil || !slices.Equal(got, c.want) || next != "" {
			t.Errorf("%s = %q, %q, %v, want %q", sentence, got, next, err, c.want)
		}
	}
	if _, _, err := h.Deliveries(t.Context(), listing.DeliveryQuery{Tenant: "default", Escalation: escid.Of(stream(9), 1)}); !fault.Is(err, "escalation-not-found") {
		t.Errorf("deliveries of no escalation: %v", err)
	}
	row, err := h.Delivery(t.Context(), "default", parked)
	if err != nil || row.Status != "parked" || row.Code != "endpoint-gone" || row.Attempts != 1 || row.HTTPStatus != 500 || row.Endpoint != "desk" {
		t.Errorf("delivery = %+v, %v", row, err)
	}
	for _, id := range []string{parked, "dlv_nonsense", delivery.NameOf(stream(5))} {
		if _, err := h.Delivery(t.Context(), "other", id); !fault.Is(err, "delivery-not-found") {
			t.Errorf("delivery %q of another tenant: %v", id, err)
		}
	}
}

// dump returns every row of every list.
func (h *house) dump(tb testing.TB) (rows []string) {
	tb.Helper()
	err := h.db.Read(tb.Context(), func(conn *sqlite.Conn) error {
		for _, table := range []string{"escalations", "customers", "connections", "deliveries"} {
			err := sqlitex.ExecuteTransient(conn, "SELECT * FROM "+table, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
				var row strings.Builder
				row.WriteString(table)
				for i := range s.ColumnCount() {
					fmt.Fprintf(&row, "|%s", s.ColumnText(i))
				}
				rows = append(rows, row.String())
				return nil
			}})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return rows
}

func TestBuiltAnewItIsTheSame(t *testing.T) {
	t.Parallel()
	h := open(t)
	var all []events.Record
	for s := range 20 {
		for _, f := range []events.Fact{raised(1), routed(1, "a-bot", "q"), moved(1, "b-bot", "q"), &events.EscalationCompleted{Number: 1}, raised(2)} {
			all = append(all, h.record(t, "default", "a-bot", events.KindConversation, stream(s), f))
		}
	}
	h.apply(t, all...)
	before := h.dump(t)
	if err := h.db.Write(t.Context(), directory.Clear); err != nil {
		t.Fatal(err)
	}
	if left := h.dump(t); len(left) != 0 {
		t.Fatalf("Clear left %q", left)
	}
	h.apply(t, all...)
	if after := h.dump(t); len(before) == 0 || !slices.Equal(before, after) {
		t.Error("the lists differ after they were built anew")
	}
}

package lists_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"handoff/domain/delivery"
	"handoff/domain/escid"
	"handoff/domain/fault"
	"handoff/domain/listing"
	"handoff/events"
	"handoff/infra/dynamolanes"
)

func tried(n int, code string, status int) *events.DeliveryAttempted {
	return &events.DeliveryAttempted{Attempt: n, StartedAt: at(n), Status: status, Code: code}
}

// deliveries gives a house a conversation of two escalations and deliveries of
// its facts, known by letters: a was delivered, b parked, c parked and resent, d
// failed once, e is of the second escalation and went to an endpoint that is
// removed since.
func deliveries(tb testing.TB) (*house, map[string]string) {
	tb.Helper()
	h := open(tb)
	home, _ := names{}.StreamID("default", events.KindConnection, "bot-1")
	h.commit(tb, "default", "bot-1", events.KindConnection, home, &events.ConnectionRequested{Connection: "bot-1"})
	h.commit(tb, "default", "bot-1", events.KindConnection, home, &events.EndpointSet{Endpoint: "desk"}, &events.EndpointSet{Endpoint: "bi"})
	h.talk(tb, "bot-1", stream(1), raised(1), routed(1, "bot-1", "billing"), &events.EscalationCompleted{Number: 1})
	parked := &events.DeliveryParked{Attempt: 1, Code: "endpoint-gone"}
	a := h.deliver(tb, stream(1), 2, "desk", tried(1, "delivered", 200), &events.Delivered{Attempt: 1})
	b := h.deliver(tb, stream(1), 2, "bi", tried(1, "endpoint-gone", 410), parked)
	c := h.deliver(tb, stream(1), 3, "desk", tried(1, "endpoint-gone", 410), parked)
	h.deliver(tb, stream(1), 3, "desk", &events.DeliveryResent{Round: 2})
	d := h.deliver(tb, stream(1), 3, "bi", tried(1, "status-503", 503))
	h.talk(tb, "bot-1", stream(1), raised(2), routed(2, "bot-1", "billing"))
	e := h.deliver(tb, stream(1), 5, "desk", tried(1, "delivered", 200), &events.Delivered{Attempt: 1})
	h.commit(tb, "default", "bot-1", events.KindConnection, home, &events.EndpointDisabled{Endpoint: "desk", Code: "removed"})
	return h, map[string]string{a: "a", b: "b", c: "c", d: "d", e: "e"}
}

func TestDeliveriesAreFoundByEveryFilter(t *testing.T) {
	t.Parallel()
	h, names := deliveries(t)
	for sentence, c := range map[string]struct {
		q    listing.DeliveryQuery
		want string
	}{
		"all, newest first":            {listing.DeliveryQuery{}, "edcba"},
		"of a connection":              {listing.DeliveryQuery{Connection: "bot-1"}, "edcba"},
		"of another connection":        {listing.DeliveryQuery{Connection: "bot-2"}, ""},
		"another tenant's":             {listing.DeliveryQuery{Tenant: "other"}, ""},
		"delivered":                    {listing.DeliveryQuery{Status: "delivered"}, "ea"},
		"parked and not resent":        {listing.DeliveryQuery{Status: "parked"}, "b"},
		"parked on another connection": {listing.DeliveryQuery{Status: "parked", Connection: "bot-2"}, ""},
		"of one escalation":            {listing.DeliveryQuery{Escalation: escid.Of(stream(1), 1)}, "dcba"},
		"of the next one":              {listing.DeliveryQuery{Escalation: escid.Of(stream(1), 2)}, "e"},
		"of one and parked":            {listing.DeliveryQuery{Escalation: escid.Of(stream(1), 1), Status: "parked"}, "b"},
	} {
		if c.q.Tenant == "" {
			c.q.Tenant = "default"
		}
		rows, next, err := h.Deliveries(t.Context(), c.q)
		var got strings.Builder
		for _, r := range rows {
			got.WriteString(names[r.ID])
		}
		if err != nil || next != "" || got.String() != c.want {
			t.Errorf("%s = %q, %q, %v, want %q", sentence, got.String(), next, err, c.want)
		}
	}
	for _, id := range []string{escid.Of(stream(1), 3), escid.Of(stream(2), 1)} {
		if _, _, err := h.Deliveries(t.Context(), listing.DeliveryQuery{Tenant: "default", Escalation: id}); !fault.Is(err, "escalation-not-found") {
			t.Errorf("deliveries of %s: %v, want escalation-not-found", id, err)
		}
	}
	if _, _, err := h.Deliveries(t.Context(), listing.DeliveryQuery{Tenant: "other", Escalation: escid.Of(stream(1), 1)}); !fault.Is(err, "escalation-not-found") {
		t.Errorf("deliveries of another tenant's escalation: %v, want escalation-not-found", err)
	}
}

func TestADeliveryIsListedAsItsFactsSay(t *testing.T) {
	t.Parallel()
	h := open(t)
	want := listing.Delivery{
		Event: "event", EventType: "handoff.escalation.routed.v1", Connection: "bot-1", Endpoint: "desk",
		Status: "pending", Attempts: 1, Code: "status-503", HTTPStatus: 503, UpdatedAt: at(1),
	}
	want.ID = h.deliver(t, stream(1), 2, "desk", tried(1, "status-503", 503))
	wantDelivery(t, h, want)
	h.deliver(t, stream(1), 2, "desk", tried(2, "endpoint-gone", 410), &events.DeliveryParked{Attempt: 2, Code: "endpoint-gone"})
	want.Status, want.Attempts, want.Code, want.HTTPStatus, want.UpdatedAt = "parked", 2, "endpoint-gone", 410, at(2)
	wantDelivery(t, h, want)
	h.deliver(t, stream(1), 2, "desk", &events.DeliveryResent{Round: 2})
	want.Status, want.UpdatedAt = "pending", at(3)
	wantDelivery(t, h, want)
	for sentence, c := range map[string]struct{ tenant, id string }{
		"of another tenant": {"other", want.ID}, "that is none": {"default", delivery.NameOf(stream(9))}, "that is no id": {"default", "dlv_!"},
	} {
		if _, err := h.Delivery(t.Context(), c.tenant, c.id); !fault.Is(err, "delivery-not-found") {
			t.Errorf("delivery %s: %v, want delivery-not-found", sentence, err)
		}
	}
}

func wantDelivery(t *testing.T, h *house, want listing.Delivery) {
	t.Helper()
	if got, err := h.Delivery(t.Context(), "default", want.ID); err != nil || got != want {
		t.Errorf("delivery = %+v, %v\nwant %+v", got, err, want)
	}
}

func TestPendingDeliveriesAreThoseThatWait(t *testing.T) {
	t.Parallel()
	h, known := deliveries(t)
	var ids []string
	for i, letter := range []string{"d", "c", "a"} { // a was delivered a moment ago
		for id, name := range known {
			if name == letter {
				stream, _ := delivery.ParseName(id)
				h.lanes.rows = append(h.lanes.rows, wait(stream, at(100+i)))
				ids = append(ids, id)
			}
		}
	}
	h.lanes.rows = append(h.lanes.rows, wait(stream(7), at(50)))
	rows, next, err := h.Deliveries(t.Context(), listing.DeliveryQuery{Tenant: "default", Status: "pending"})
	got := make([]string, len(rows))
	for i := range rows {
		got[i] = rows[i].ID
	}
	if want := []string{ids[1], ids[0], delivery.NameOf(stream(7))}; err != nil || next != "" || !slices.Equal(got, want) {
		t.Errorf("pending = %v, %q, %v, want %v", got, next, err, want)
	}
	c, _ := delivery.ParseName(ids[1])
	if due, err := h.NextTry(t.Context(), c); err != nil || !due.Equal(at(201)) {
		t.Errorf("NextTry of what waits = %v, %v, want %v", due, err, at(201))
	}
	for sentence, id := range map[string]events.StreamID{"a delivered one": mustParse(t, ids[2]), "an unknown one": stream(8)} {
		if due, err := h.NextTry(t.Context(), id); err != nil || !due.IsZero() {
			t.Errorf("NextTry of %s = %v, %v, want none", sentence, due, err)
		}
	}
}

func mustParse(t *testing.T, id string) events.StreamID {
	t.Helper()
	stream, err := delivery.ParseName(id)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

func wait(id events.StreamID, queued time.Time) dynamolanes.Row {
	return dynamolanes.Row{
		Item:   delivery.Item{ID: id, Tenant: "default", Subject: events.DeliverySubject{Connection: "bot-1", Endpoint: "desk"}},
		Queued: queued, Due: queued.Add(100 * time.Minute),
	}
}

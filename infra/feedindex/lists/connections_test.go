package lists_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"handoff/domain/listing"
	"handoff/events"
	"handoff/infra/feedindex/lists"
)

func TestConnectionsAreListedByName(t *testing.T) {
	t.Parallel()
	h := open(t)
	for i, id := range []string{"store", "bank", "bank-2", "bank 3"} {
		h.commit(t, "default", id, events.KindConnection, stream(100+i), &events.ConnectionRequested{
			Connection: id, Hub: events.Hub{Type: "generic", Organisation: "org-" + id},
		})
	}
	h.commit(t, "default", "bank", events.KindConnection, stream(101), &events.AppRegistered{ApplicationID: "1"}, &events.BotUnpublished{Code: "inactive"})
	h.commit(t, "default", "store", events.KindConnection, stream(100), &events.Disconnected{Policy: "drain"})
	h.commit(t, "default", "store", events.KindConnection, stream(100), &events.ConnectionRequested{Connection: "store", Hub: events.Hub{Type: "generic"}})
	h.commit(t, "other", "shop", events.KindConnection, stream(110), &events.ConnectionRequested{Connection: "shop"})
	h.talk(t, "bank", stream(1), raised(1), &events.EscalationCompleted{Number: 1})
	h.talk(t, "bank", stream(1), raised(2))
	h.talk(t, "bank", stream(2), raised(1), moved(1, "store", "q"))
	h.talk(t, "bank", stream(3), raised(1))

	var got []string
	q := listing.ConnectionQuery{Tenant: "default", Page: listing.Page{Limit: 2}}
	for more := true; more; more = q.Cursor != "" {
		rows, next, err := h.Connections(t.Context(), q)
		if err != nil || len(rows) > 2 {
			t.Fatalf("page of %d rows, %v", len(rows), err)
		}
		for _, r := range rows {
			got = append(got, fmt.Sprintf("%s %s %s %d %s%s", r.ID, r.Status, r.Organisation, r.Open, r.RequestedAt.Format("15:04"), r.Bot))
		}
		q.Cursor = next
	}
	want := []string{"bank app_registered org-bank 2 09:02unpublished", "bank 3 requested org-bank 3 0 09:04", "bank-2 requested org-bank-2 0 09:03", "store requested  1 09:07"}
	if !slices.Equal(got, want) {
		t.Errorf("connections = %q\nwant %q", got, want)
	}
}

func TestConnectionsOfAllTenantsAreListedOnce(t *testing.T) {
	t.Parallel()
	h := open(t)
	all := []string{"b bank", "a shop", "a#x shop", "a shop-2"}
	for _, name := range append(all, "a shop") {
		tenant, id, _ := strings.Cut(name, " ")
		h.commit(t, tenant, id, events.KindConnection, stream(100+slices.Index(all, name)), &events.ConnectionRequested{Connection: id})
	}
	h.talk(t, "bank", stream(1), raised(1))
	var got []string
	for r, err := range (lists.Everywhere{Index: h.Index}).Connections(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		name := r.Tenant + " " + r.ID
		if got = append(got, name); r.Stream != stream(100+slices.Index(all, name)) {
			t.Errorf("%s has the stream %s", name, r.Stream)
		}
	}
	if want := []string{"a shop", "a shop-2", "a#x shop", "b bank"}; !slices.Equal(got, want) {
		t.Errorf("connections = %q, want %q", got, want)
	}
}

func TestOpenIsNotDisturbedByItsConsumer(t *testing.T) {
	t.Parallel()
	h := open(t)
	const n = 300
	for i := range n {
		h.talk(t, "bot-1", stream(i), raised(1))
	}
	seen := 0
	for id, err := range h.Open(t.Context(), "default", "bot-1", 0) {
		if err != nil {
			t.Fatal(err)
		}
		h.talk(t, "bot-1", id, moved(1, "bot-2", "q"))
		seen++
	}
	if seen != n {
		t.Errorf("yielded %d, want %d", seen, n)
	}
}

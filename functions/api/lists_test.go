package api_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"handoff/domain/delivery"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/domain/listing"
	"handoff/events"
	"handoff/functions/api"
)

// asked keeps what the lists were asked for, and lists one of each.
type asked struct {
	api.Lists

	escalations listing.EscalationQuery
	connections listing.ConnectionQuery
	deliveries  listing.DeliveryQuery
	row         listing.Delivery
	fault       error
}

func (a *asked) Escalations(_ context.Context, q listing.EscalationQuery) ([]listing.Escalation, string, error) {
	a.escalations = q
	return []listing.Escalation{{ID: "esc_1"}}, "more", a.fault
}

func (a *asked) Connections(_ context.Context, q listing.ConnectionQuery) ([]listing.Connection, string, error) {
	a.connections = q
	return []listing.Connection{{ID: "store-bot"}}, "more", a.fault
}

func (a *asked) Deliveries(_ context.Context, q listing.DeliveryQuery) ([]listing.Delivery, string, error) {
	a.deliveries = q
	return []listing.Delivery{a.row}, "more", a.fault
}

func (a *asked) Delivery(_ context.Context, tenant, id string) (listing.Delivery, error) {
	if tenant != admin.Tenant || id != a.row.ID {
		return listing.Delivery{}, fault.New(fault.NotFound, "delivery-not-found", "")
	}
	return a.row, a.fault
}

func TestListsAreCutToTheCaller(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		by          identity.Principal
		asked, want string
	}{
		"all of a tenant":             {admin, "", ""},
		"one connection of a tenant":  {admin, "store-bot", "store-bot"},
		"a key of one connection":     {hub("store-bot"), "", "store-bot"},
		"a key that asks for another": {hub("store-bot"), "other-bot", "store-bot"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lists := new(asked)
			h := &api.Handler{Lists: lists}
			_, next, err := h.Escalations(t.Context(), c.by, listing.EscalationQuery{Tenant: "acme", Connection: c.asked})
			if want := (listing.EscalationQuery{Tenant: admin.Tenant, Connection: c.want}); next != "more" || err != nil || lists.escalations != want {
				t.Errorf("asked for %+v (%v), want %+v", lists.escalations, err, want)
			}
			_, _, err = h.Deliveries(t.Context(), c.by, listing.DeliveryQuery{Tenant: "acme", Connection: c.asked})
			if want := (listing.DeliveryQuery{Tenant: admin.Tenant, Connection: c.want}); err != nil || lists.deliveries != want {
				t.Errorf("asked for %+v (%v), want %+v", lists.deliveries, err, want)
			}
			_, _, err = h.Connections(t.Context(), c.by, listing.ConnectionQuery{Tenant: "acme"})
			if want := (listing.ConnectionQuery{Tenant: admin.Tenant}); err != nil || lists.connections != want {
				t.Errorf("asked for %+v (%v), want %+v", lists.connections, err, want)
			}
		})
	}
}

func TestADeliveryIsShownWithItsFactsAndItsNextAttempt(t *testing.T) {
	t.Parallel()
	b, h := ready(t)
	stream := b.Stream(events.KindDelivery, "escalation", "desk")
	b.GiveTo(stream, events.KindDelivery, "store-bot", &events.DeliveryAttempted{Attempt: 1})
	lists := &asked{row: listing.Delivery{ID: delivery.NameOf(stream), Connection: "store-bot", Status: string(delivery.Pending)}}
	again := b.Clock.Add(time.Minute)
	h.Lists, h.NextTry = lists, func(_ context.Context, id events.StreamID) (time.Time, error) {
		if id != stream {
			return time.Time{}, errors.New("asked for another")
		}
		return again, nil
	}
	row, facts, err := h.Delivery(t.Context(), admin, lists.row.ID)
	if err != nil || len(facts) != 1 || facts[0].Type != "DeliveryAttempted" || !row.NextAt.Equal(again) {
		t.Errorf("delivery = %+v with %d facts (%v), want one, and the next attempt at %v", row, len(facts), err, again)
	}
	rows, _, err := h.Deliveries(t.Context(), admin, listing.DeliveryQuery{})
	if err != nil || !rows[0].NextAt.Equal(again) {
		t.Errorf("rows = %+v (%v), want the next attempt at %v", rows, err, again)
	}
	_, _, err = h.Delivery(t.Context(), hub("other-bot"), lists.row.ID)
	wantCode(t, err, "delivery-not-found")
	lists.row.Status = string(delivery.Parked)
	if row, _, err := h.Delivery(t.Context(), admin, lists.row.ID); err != nil || !row.NextAt.IsZero() {
		t.Errorf("a parked delivery has %v as its next attempt (%v)", row.NextAt, err)
	}
}

// keys is a keyring that keeps what it was asked for.
type keys struct {
	issued  identity.NewKey
	revoked string
}

func (k *keys) Issue(_ context.Context, n identity.NewKey) (string, identity.Principal, error) {
	k.issued = n
	return "hk_token", identity.Principal{ID: "new", Tenant: n.Tenant, Role: n.Role, Connection: n.Connection, Name: n.Name}, nil
}

func (k *keys) List(_ context.Context, tenant string) ([]identity.APIKey, error) {
	first := identity.APIKey{Principal: identity.Principal{ID: "first", Tenant: tenant}}
	second := identity.APIKey{Principal: identity.Principal{ID: "second", Tenant: tenant}, Revoked: time.Unix(1, 0)}
	return []identity.APIKey{second, first}, nil
}

func (k *keys) Revoke(_ context.Context, tenant, id string) error {
	k.revoked = tenant + "/" + id
	return nil
}

func TestAPIKeysStayInTheCallersTenant(t *testing.T) {
	t.Parallel()
	b, h := ready(t)
	ring := new(keys)
	h.APIKeys = ring
	until := b.Clock.Add(time.Hour)
	_, _, err := h.IssueKey(t.Context(), admin, identity.NewKey{Role: identity.Bot, Connection: "no-bot"})
	wantCode(t, err, "connection-not-found")
	k, token, err := h.IssueKey(t.Context(), admin, identity.NewKey{Tenant: "acme", Role: identity.Hub, Connection: "store-bot", Name: "Desk", Expires: until})
	if want := (identity.NewKey{Tenant: admin.Tenant, Role: identity.Hub, Connection: "store-bot", Name: "Desk", Expires: until}); err != nil || token != "hk_token" || ring.issued != want {
		t.Errorf("issued %+v (%v), want %+v", ring.issued, err, want)
	}
	want := identity.APIKey{
		Principal: identity.Principal{ID: "new", Tenant: admin.Tenant, Role: identity.Hub, Connection: "store-bot", Name: "Desk"}, Created: b.Clock, Expires: until,
	}
	if k != want {
		t.Errorf("key = %+v, want %+v", k, want)
	}
	all, err := h.Issued(t.Context(), admin)
	if err != nil || len(all) != 1 || all[0].ID != "first" || all[0].Tenant != admin.Tenant {
		t.Errorf("keys = %+v (%v), want the one that is not revoked", all, err)
	}
	if err := h.RevokeKey(t.Context(), admin, "first"); err != nil || ring.revoked != admin.Tenant+"/first" {
		t.Errorf("revoked %s (%v)", ring.revoked, err)
	}
}

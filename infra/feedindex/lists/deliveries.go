package lists

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"handoff/domain/connection"
	"handoff/domain/delivery"
	"handoff/domain/escid"
	"handoff/domain/fault"
	"handoff/domain/listing"
	"handoff/events"
	"handoff/infra/dynamolanes"
	"handoff/infra/eventlog"
	"handoff/infra/feedindex"
	"handoff/infra/feedindex/parallel"
)

// The letters of cursors: by position, and sorted.
const (
	listDeliveries       = 'd'
	listSortedDeliveries = 'D'
)

// delivered is a row with what is not shown of it. The zero value is none.
type delivered struct {
	listing.Delivery
	item   delivery.Item
	begun  time.Time
	parked int // version of the last DeliveryParked
}

// Deliveries returns a page of deliveries, newest first, and the cursor of the
// next. When a pending one is tried again, NextTry tells.
func (l *Lists) Deliveries(ctx context.Context, q listing.DeliveryQuery) (rows []listing.Delivery, next string, err error) {
	switch {
	case q.Escalation != "":
		rows, next, err = l.about(ctx, q)
	case q.Status == string(delivery.Pending):
		rows, next, err = l.waiting(ctx, q)
	default:
		rows, next, err = l.newestDeliveries(ctx, q)
	}
	if err != nil {
		return nil, "", fmt.Errorf("list deliveries: %w", err)
	}
	return rows, next, nil
}

func (l *Lists) newestDeliveries(ctx context.Context, q listing.DeliveryQuery) ([]listing.Delivery, string, error) {
	before, err := listing.Before(listDeliveries, q.Cursor)
	if err != nil {
		return nil, "", err
	}
	parked := q.Status == string(delivery.Parked)
	var entries iter.Seq2[feedindex.Entry, error]
	switch {
	case parked:
		entries = l.Index.NewestParked(ctx, q.Tenant, before)
	case q.Connection != "":
		entries = l.Index.NewestOf(ctx, q.Tenant, q.Connection, before)
	default:
		entries = l.Index.Newest(ctx, before)
	}
	want := func(e feedindex.Entry) bool {
		return e.Tenant == q.Tenant && e.Kind == events.KindDelivery && (parked || e.Version == 1) &&
			(q.Connection == "" || e.Connection == q.Connection)
	}
	return page(ctx, listDeliveries, q.Rows(), candidates(entries, want, maxLooked), func(ctx context.Context, c candidate) (listing.Delivery, bool, error) {
		d, err := l.delivery(ctx, c.Stream)
		last := !parked || c.Version <= d.parked && d.parked <= c.Last()
		return d.Delivery, d.matches(q) && last, leaveOut(ctx, c.Stream, err)
	})
}

// matches reports whether it is among those asked for.
func (d delivered) matches(q listing.DeliveryQuery) bool {
	return d.ID != "" && d.item.Tenant == q.Tenant && (q.Connection == "" || d.Connection == q.Connection) && (q.Status == "" || d.Status == q.Status)
}

// delivery rebuilds a row, the zero value where a stream is no delivery's.
func (l *Lists) delivery(ctx context.Context, stream events.StreamID) (d delivered, err error) {
	var s delivery.State
	var head events.Header
	err = l.facts(ctx, stream, func(r events.Record, f events.Fact) {
		s, head = delivery.Decider.Evolve(s, f), r.Header
		if r.Version == 1 {
			d.begun = r.At()
		}
		if _, parked := f.(*events.DeliveryParked); parked {
			d.parked = r.Version
		}
	})
	if err != nil || head.Kind != events.KindDelivery {
		return delivered{}, err
	}
	d.item = delivery.Item{ID: stream, Tenant: head.Tenant, Subject: s.Subject}
	d.Delivery = listing.Delivery{
		ID: delivery.NameOf(stream), Event: s.Subject.Event, EventType: s.Subject.EventType, Connection: s.Subject.Connection,
		Endpoint: s.Subject.Endpoint, Status: string(s.Status), Attempts: s.Attempts, Code: s.Code, HTTPStatus: s.HTTPStatus, UpdatedAt: head.At(),
	}
	return d, nil
}

// waiting lists the deliveries that wait in lanes, those put in last first.
func (l *Lists) waiting(ctx context.Context, q listing.DeliveryQuery) ([]listing.Delivery, string, error) {
	var all []timed[dynamolanes.Row]
	for r, err := range l.Lanes.Waiting(ctx, q.Tenant, q.Connection, "") {
		if err != nil {
			return nil, "", err
		}
		if all = append(all, timed[dynamolanes.Row]{r, r.Queued.UnixNano(), r.Item.ID.String()}); len(all) == maxWaiting {
			break
		}
	}
	items, next, err := sorted(listSortedDeliveries, all, q.Page)
	if err != nil {
		return nil, "", err
	}
	rows := make([]delivered, len(items))
	err = parallel.Each(ctx, loaders, len(items), func(ctx context.Context, i int) (err error) {
		rows[i], err = l.delivery(ctx, items[i].Item.ID)
		if rows[i].ID == "" { // nobody tried it yet
			rows[i] = untried(items[i])
		}
		return leaveOut(ctx, items[i].Item.ID, err)
	})
	rows = slices.DeleteFunc(rows, func(d delivered) bool { return !d.matches(q) }) // done meanwhile
	out := make([]listing.Delivery, len(rows))
	for i := range rows {
		out[i] = rows[i].Delivery
	}
	return out, next, err
}

func untried(r dynamolanes.Row) delivered {
	s := r.Item.Subject
	return delivered{item: r.Item, Delivery: listing.Delivery{
		ID: delivery.NameOf(r.Item.ID), Event: s.Event, EventType: s.EventType, Connection: s.Connection, Endpoint: s.Endpoint,
		Status: string(delivery.Pending), Attempts: r.Tries, Code: r.Code, HTTPStatus: r.HTTP, UpdatedAt: r.Queued,
	}}
}

// about lists the deliveries of what happened to one escalation. Their names
// follow from its facts and from the endpoints that its connections ever had.
func (l *Lists) about(ctx context.Context, q listing.DeliveryQuery) ([]listing.Delivery, string, error) {
	names, err := l.deliveriesAbout(ctx, q.Tenant, q.Escalation)
	if err != nil {
		return nil, "", err
	}
	rows := make([]delivered, len(names))
	err = parallel.Each(ctx, loaders, len(names), func(ctx context.Context, i int) (err error) {
		rows[i], err = l.delivery(ctx, names[i])
		return leaveOut(ctx, names[i], err)
	})
	if err != nil {
		return nil, "", err
	}
	var all []timed[listing.Delivery]
	for _, d := range rows {
		if d.matches(q) {
			all = append(all, timed[listing.Delivery]{d.Delivery, d.begun.UnixNano(), d.ID})
		}
	}
	return sorted(listSortedDeliveries, all, q.Page)
}

// deliveriesAbout returns the streams that deliveries of an escalation have, if
// there are any.
func (l *Lists) deliveriesAbout(ctx context.Context, tenant, id string) (names []events.StreamID, err error) {
	stream, number, err := escid.Parse(id)
	if err != nil {
		return nil, err
	}
	var facts []string       // of the escalation
	var connections []string // that any escalation of the conversation was routed by
	last, mine := 0, false
	err = l.facts(ctx, stream, func(r events.Record, f events.Fact) {
		switch f := f.(type) {
		case *events.EscalationRaised:
			last = f.Number
		case *events.EscalationRouted:
			if !slices.Contains(connections, f.Connection) {
				connections = append(connections, f.Connection)
			}
		}
		if mine = mine || r.Tenant == tenant && last == number; mine && last == number {
			facts = append(facts, r.ID())
		}
	})
	if err == nil && !mine {
		err = fault.Newf(fault.NotFound, "escalation-not-found", "There is no escalation %q.", id)
	}
	for _, c := range connections {
		if err == nil {
			names, err = l.appendNames(ctx, names, tenant, c, facts)
		}
	}
	return names, err
}

// appendNames adds the names of deliveries of facts to the endpoints of a
// connection, those it has no more included.
func (l *Lists) appendNames(ctx context.Context, names []events.StreamID, tenant, id string, facts []string) ([]events.StreamID, error) {
	home, err := l.Names.StreamID(tenant, events.KindConnection, id)
	if err != nil {
		return nil, err
	}
	c, err := eventlog.State(ctx, l.Ledger, connection.Decider, home)
	if err != nil {
		return nil, err
	}
	for _, e := range c.State.Endpoints {
		for _, fact := range facts {
			name, err := l.Names.StreamID(tenant, events.KindDelivery, fact, id, e.ID)
			if err != nil {
				return nil, err
			}
			names = append(names, name)
		}
	}
	return names, nil
}

// Delivery returns the delivery with an id.
func (l *Lists) Delivery(ctx context.Context, tenant, id string) (listing.Delivery, error) {
	stream, err := delivery.ParseName(id)
	if err != nil {
		return listing.Delivery{}, err
	}
	d, err := l.delivery(ctx, stream)
	if err == nil && !d.matches(listing.DeliveryQuery{Tenant: tenant}) {
		err = fault.New(fault.NotFound, "delivery-not-found", "There is no such delivery.")
	}
	if err != nil {
		return listing.Delivery{}, fmt.Errorf("find delivery: %w", err)
	}
	return d.Delivery, nil
}

// NextTry returns when a delivery is tried again, zero where that is not known:
// it does not wait, or waits for another one of its lane. It is an api.NextTry.
func (l *Lists) NextTry(ctx context.Context, stream events.StreamID) (time.Time, error) {
	d, err := l.delivery(ctx, stream)
	if err != nil || d.Status != string(delivery.Pending) {
		return time.Time{}, err
	}
	row, waits, err := l.Lanes.Find(ctx, d.item)
	if err != nil || !waits || row.Behind {
		return time.Time{}, err
	}
	return row.Due, nil
}

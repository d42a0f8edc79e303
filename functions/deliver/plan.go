package deliver

import (
	"context"
	"fmt"
	"slices"
	"time"

	"handoff/domain/connection"
	"handoff/domain/delivery"
	"handoff/domain/emission"
	"handoff/events"
	"handoff/infra/eventlog"
)

// Plan is what a fact leads to.
type Plan struct {
	// Items are to be delivered.
	Items []delivery.Item
	// Hurry are items planned before, which wait for what the fact says.
	Hurry []delivery.Item
	// Bus is what the bus is owed, whatever endpoints there are: a subject
	// without an endpoint, or nil.
	Bus *events.DeliverySubject
}

// Owed returns the deliveries that a fact leads to.
func (h *Handler) Owed(ctx context.Context, n events.Notification) ([]delivery.Item, error) {
	p, err := h.Plan(ctx, n)
	return p.Items, err
}

// Plan says which endpoints are owed an event because of a fact. It changes
// nothing.
func (h *Handler) Plan(ctx context.Context, n events.Notification) (Plan, error) {
	f, err := h.Ledger.Decode(events.Record{Header: events.Header{Type: n.Type, Schema: n.Schema}, Clear: n.Clear})
	if err != nil {
		return Plan{}, err
	}
	switch f := f.(type) {
	case *events.DeliveryResent:
		return h.again(ctx, n)
	case *events.EscalationRouted: // the common case needs no look at the log
		items, err := h.owed(ctx, n, emission.Routed, f.Number, f.Connection)
		return Plan{Items: items, Bus: new(subject(n, emission.Routed, f.Number, f.Connection))}, err
	}
	so, err := h.soFar(ctx, n)
	if err != nil {
		return Plan{}, err
	}
	switch f := f.(type) {
	case *events.ContextErased:
		return h.told(ctx, n, so)
	case *events.TranscriptMissing:
		return h.transcript(ctx, n, so, f.Number, false)
	case *events.TranscriptStored:
		return h.transcript(ctx, n, so, f.Number, true)
	}
	typ := emission.TypeOf(f)
	if typ == "" || len(so.routes) == 0 {
		return Plan{}, nil // what came before the first route is part of the routed event
	}
	by := so.last().Fact.Connection
	items, err := h.owed(ctx, n, typ, so.number, by)
	return Plan{Items: items, Bus: new(subject(n, typ, so.number, by))}, err
}

// again takes up a delivery that is to be sent once more.
func (h *Handler) again(ctx context.Context, n events.Notification) (Plan, error) {
	d, err := eventlog.State(ctx, h.Ledger, delivery.Decider, n.Stream)
	if err != nil {
		return Plan{}, err
	}
	return Plan{Items: []delivery.Item{{ID: n.Stream, Tenant: n.Tenant, Subject: d.State.Subject}}}, nil
}

// told plans that every endpoint is told of an erasure which may have received
// the context, whatever events it takes, and those that were disabled too: they
// are parked, so that somebody sees whom the message did not reach. A transcript
// that was waited for will not come any more.
func (h *Handler) told(ctx context.Context, n events.Notification, so soFar) (p Plan, err error) {
	if p.Hurry, err = h.waiting(ctx, n, so); err != nil {
		return Plan{}, err
	}
	for _, id := range so.connections {
		items, err := h.items(ctx, n, emission.ContextErased, so.number, id, func(connection.Endpoint) bool { return true })
		if err != nil {
			return Plan{}, err
		}
		p.Items = append(p.Items, items...)
		p.Bus = new(subject(n, emission.ContextErased, so.number, id))
	}
	return p, nil
}

// transcript lets the routed event go that waits for the transcript, and plans
// an event of its own for one that came too late. The bus waits for nothing, so
// every transcript is an event there.
func (h *Handler) transcript(ctx context.Context, n events.Notification, so soFar, number int, stored bool) (p Plan, err error) {
	if len(so.routes) == 0 || so.number != number {
		return Plan{}, nil
	}
	if p.Hurry, err = h.waiting(ctx, n, so); err != nil {
		return Plan{}, err
	}
	last := so.last()
	if stored {
		p.Bus = new(subject(n, emission.ContextAdded, number, last.Fact.Connection))
	}
	if stored && emission.TranscriptLate(last.At, n.Time) {
		p.Items, err = h.owed(ctx, n, emission.ContextAdded, number, last.Fact.Connection)
	}
	return p, err
}

// waiting returns the deliveries of the last route, which may wait for a
// transcript.
func (h *Handler) waiting(ctx context.Context, n events.Notification, so soFar) ([]delivery.Item, error) {
	if len(so.routes) == 0 {
		return nil, nil
	}
	last := so.last()
	n.Version = last.Version
	n.ID = events.Header{Stream: n.Stream, Version: last.Version}.ID()
	return h.owed(ctx, n, emission.Routed, so.number, last.Fact.Connection)
}

// owed plans an event for the endpoints of a connection that take its type.
func (h *Handler) owed(ctx context.Context, n events.Notification, typ string, number int, id string) ([]delivery.Item, error) {
	return h.items(ctx, n, typ, number, id, func(e connection.Endpoint) bool { return e.Takes(typ) })
}

func (h *Handler) items(ctx context.Context, n events.Notification, typ string, number int, id string, takes func(connection.Endpoint) bool) ([]delivery.Item, error) {
	c, _, err := h.connection(ctx, n.Tenant, id)
	if err != nil {
		return nil, err
	}
	var items []delivery.Item
	for _, e := range c.Endpoints {
		if !takes(e) {
			continue
		}
		stream, err := h.Streams.StreamID(n.Tenant, events.KindDelivery, n.ID, id, e.ID)
		if err != nil {
			return nil, fmt.Errorf("name a delivery to %s: %w", e.ID, err)
		}
		s := subject(n, typ, number, id)
		s.Endpoint = e.ID
		items = append(items, delivery.Item{ID: stream, Tenant: n.Tenant, Subject: s})
	}
	return items, nil
}

func subject(n events.Notification, typ string, number int, connection string) events.DeliverySubject {
	return events.DeliverySubject{
		Event: emission.EventID(n.Stream, number, n.Version), EventType: typ,
		Stream: n.Stream.String(), Version: n.Version, Connection: connection,
	}
}

// soFar is what a conversation was at a fact, as far as its clear parts tell.
type soFar struct {
	number      int      // of its last escalation
	routes      []routed // of that escalation
	connections []string // that any escalation was routed by
}

type routed struct {
	Version int
	At      time.Time
	Fact    *events.EscalationRouted
}

func (s soFar) last() routed { return s.routes[len(s.routes)-1] }

func (h *Handler) soFar(ctx context.Context, n events.Notification) (so soFar, err error) {
	for r, err := range h.Ledger.Log().Read(ctx, n.Stream, 1) {
		if err != nil {
			return so, err
		}
		if r.Version > n.Version {
			break
		}
		f, err := h.Ledger.Decode(r)
		if err != nil {
			return so, err
		}
		so.observe(r, f)
	}
	return so, nil
}

func (s *soFar) observe(r events.Record, f events.Fact) {
	switch f := f.(type) {
	case *events.EscalationRaised:
		s.number, s.routes = f.Number, nil
	case *events.EscalationRouted:
		s.routes = append(s.routes, routed{Version: r.Version, At: r.At(), Fact: f})
		if !slices.Contains(s.connections, f.Connection) {
			s.connections = append(s.connections, f.Connection)
		}
	}
}

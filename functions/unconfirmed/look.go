package unconfirmed

import (
	"context"
	"fmt"

	"handoff/domain/connection"
	"handoff/domain/conversation"
	"handoff/domain/delivery"
	"handoff/domain/emission"
	"handoff/domain/relay"
	"handoff/events"
	"handoff/infra/eventlog"
)

// undelivered reports whether a delivery that the fact leads to was neither
// confirmed nor parked, and does not wait either.
func (h *Handler) undelivered(ctx context.Context, n events.Notification) (bool, error) {
	items, err := h.Planner.Owed(ctx, n)
	if err != nil {
		return false, err
	}
	for _, item := range items {
		open, err := h.open(ctx, n, item)
		if open || err != nil {
			return open, err
		}
	}
	return false, nil
}

func (h *Handler) open(ctx context.Context, n events.Notification, item delivery.Item) (bool, error) {
	d, err := eventlog.State(ctx, h.Ledger, delivery.Decider, item.ID)
	if err != nil || d.State.Status == delivery.Delivered || d.State.Status == delivery.Parked {
		return false, err
	}
	waits, err := h.Lanes.Waits(ctx, item)
	if err != nil || waits {
		return false, err
	}
	if item.ID == n.Stream {
		return true, nil // somebody asked for it to be sent again
	}
	return h.owedThen(ctx, n, item)
}

// owedThen reports whether the endpoint was there when the fact happened, and
// took such events. Plans are made with the endpoints of today, and one that was
// added since is owed nothing of the past.
func (h *Handler) owedThen(ctx context.Context, n events.Notification, item delivery.Item) (bool, error) {
	s := item.Subject
	stream, err := h.Streams.StreamID(n.Tenant, events.KindConnection, s.Connection)
	if err != nil {
		return false, fmt.Errorf("find connection %s: %w", s.Connection, err)
	}
	var c connection.State
	for r, err := range h.Ledger.Log().Read(ctx, stream, 1) {
		if err != nil {
			return false, fmt.Errorf("read connection %s: %w", s.Connection, err)
		}
		if r.At().After(n.Time) {
			break
		}
		f, err := h.Ledger.Decode(r)
		if err != nil {
			return false, err
		}
		c = connection.Decider.Evolve(c, f)
	}
	e, ok := c.Endpoint(s.Endpoint)
	return ok && (s.EventType == emission.ContextErased || e.Takes(s.EventType)), nil
}

// ineffective reports whether nothing shows that the function did its work which
// is told of the fact. Disconnects and erasures are told of again in any case:
// they are rare, and their work is spread over many streams, or shows nowhere.
func (h *Handler) ineffective(ctx context.Context, n events.Notification) (bool, error) {
	switch n.Type {
	case "EscalationRaised":
		return h.stuckEscalation(ctx, n)
	case "ConnectionRequested":
		return h.stuckConnection(ctx, n, connection.Requested)
	case "AppRegistered":
		return h.stuckConnection(ctx, n, connection.AppRegistered)
	case "ChannelEnabled":
		return h.stuckConnection(ctx, n, connection.ChannelEnabled)
	case "Disconnected", "ContextErased":
		return true, nil
	}
	return false, nil
}

// stuckEscalation reports whether an escalation is not routed yet, or its
// transcript neither read nor given up.
func (h *Handler) stuckEscalation(ctx context.Context, n events.Notification) (bool, error) {
	f, err := h.Ledger.Decode(events.Record{Header: events.Header{Type: n.Type, Schema: n.Schema}, Clear: n.Clear})
	if err != nil {
		return false, err
	}
	raised, ok := f.(*events.EscalationRaised)
	if !ok {
		return false, fmt.Errorf("read %s: it is no EscalationRaised", n.ID)
	}
	c, err := eventlog.State(ctx, h.Ledger, conversation.Decider, n.Stream)
	if err != nil {
		return false, err
	}
	e, ok := c.State.Escalation(raised.Number)
	return ok && (e.Status == conversation.Raised || e.Pending && e.Status.Open()), nil
}

// stuckRelay reports whether something is owed in a relayed conversation, or
// nobody looked at it when its time came. Whoever is told of one of its facts does
// all that is owed.
func (h *Handler) stuckRelay(ctx context.Context, n events.Notification) (bool, error) {
	c, err := eventlog.State(ctx, h.Ledger, conversation.Decider, n.Stream)
	if err != nil {
		return false, err
	}
	r := c.State.Relay
	switch r.Owed(h.Now()).Do {
	case relay.Nothing, relay.Listen:
		return r.Active() && !r.LookAt.IsZero() && r.LookAt.Before(h.Now().Add(-Grace)), nil
	}
	return true, nil
}

// stuckConnection reports whether a connection still stands where the fact put
// it, and not for a reason that lasts.
func (h *Handler) stuckConnection(ctx context.Context, n events.Notification, at connection.Status) (bool, error) {
	c, err := eventlog.State(ctx, h.Ledger, connection.Decider, n.Stream)
	if err != nil {
		return false, err
	}
	return c.State.Status == at && (c.State.Failure == nil || !c.State.Failure.Permanent), nil
}

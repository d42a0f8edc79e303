package api

import (
	"context"
	"fmt"
	"time"

	"handoff/domain/delivery"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/domain/listing"
	"handoff/events"
)

// Lists are the read models of an engine. They are many methods and one thing:
// whatever keeps one of the lists keeps all of them.
type Lists interface {
	// Escalation returns the one whose id begins with prefix.
	Escalation(ctx context.Context, tenant, prefix string) (listing.Escalation, error)
	// ByCustomer returns the conversations with a customer, up to date with
	// everything that was appended before the call.
	ByCustomer(ctx context.Context, tenant, ref string) ([]events.StreamID, error)

	Escalations(ctx context.Context, q listing.EscalationQuery) (rows []listing.Escalation, next string, err error)
	Connections(ctx context.Context, q listing.ConnectionQuery) (rows []listing.Connection, next string, err error)
	Deliveries(ctx context.Context, q listing.DeliveryQuery) (rows []listing.Delivery, next string, err error)
	Delivery(ctx context.Context, tenant, id string) (listing.Delivery, error)
}

// Resender begins another round of attempts of a delivery.
type Resender interface {
	Resend(ctx context.Context, by identity.Principal, id string) (delivery.State, error)
}

// Escalations lists those in the principal's reach, newest first.
func (h *Handler) Escalations(ctx context.Context, by identity.Principal, q listing.EscalationQuery) ([]listing.Escalation, string, error) {
	q.Tenant, q.Connection = by.Tenant, reach(by, q.Connection)
	return h.Lists.Escalations(ctx, q)
}

// Connections lists those of the principal's tenant by name.
func (h *Handler) Connections(ctx context.Context, by identity.Principal, q listing.ConnectionQuery) ([]listing.Connection, string, error) {
	q.Tenant = by.Tenant
	return h.Lists.Connections(ctx, q)
}

// Deliveries lists those in the principal's reach, newest first.
func (h *Handler) Deliveries(ctx context.Context, by identity.Principal, q listing.DeliveryQuery) ([]listing.Delivery, string, error) {
	q.Tenant, q.Connection = by.Tenant, reach(by, q.Connection)
	rows, next, err := h.Lists.Deliveries(ctx, q)
	for i := range rows {
		if err == nil {
			err = h.schedule(ctx, &rows[i])
		}
	}
	return rows, next, err
}

// Delivery returns a delivery and the facts that it consists of.
func (h *Handler) Delivery(ctx context.Context, by identity.Principal, id string) (listing.Delivery, []events.Record, error) {
	row, err := h.Lists.Delivery(ctx, by.Tenant, id)
	if err == nil && row.Connection != reach(by, row.Connection) {
		err = fault.New(fault.NotFound, "delivery-not-found", "There is no such delivery.")
	}
	if err == nil {
		err = h.schedule(ctx, &row)
	}
	if err != nil {
		return listing.Delivery{}, nil, err
	}
	stream, err := delivery.ParseName(row.ID)
	if err != nil {
		return listing.Delivery{}, nil, err
	}
	var facts []events.Record
	for r, err := range h.Ledger.Log().Read(ctx, stream, 1) {
		if err != nil {
			return listing.Delivery{}, nil, fmt.Errorf("read delivery %s: %w", id, err)
		}
		facts = append(facts, r)
	}
	return row, facts, nil
}

// Resend begins another round of attempts and returns the delivery as it is
// listed now.
func (h *Handler) Resend(ctx context.Context, by identity.Principal, id string) (listing.Delivery, error) {
	if _, err := h.Resender.Resend(ctx, by, id); err != nil {
		return listing.Delivery{}, err
	}
	row, _, err := h.Delivery(ctx, by, id)
	return row, err
}

// schedule says when a pending delivery is tried again, which is in no fact.
func (h *Handler) schedule(ctx context.Context, d *listing.Delivery) error {
	if d.Status != string(delivery.Pending) || h.NextTry == nil {
		return nil
	}
	stream, err := delivery.ParseName(d.ID)
	if err != nil {
		return err
	}
	at, err := h.NextTry(ctx, stream)
	if err != nil {
		return fmt.Errorf("find when delivery %s is tried again: %w", d.ID, err)
	}
	d.NextAt = at
	return nil
}

// NextTry returns when a delivery is tried again, zero where that is not known.
type NextTry func(ctx context.Context, delivery events.StreamID) (time.Time, error)

// reach returns the connection that a list is cut to, empty for all.
func reach(by identity.Principal, asked string) string {
	if by.Connection != "" {
		return by.Connection
	}
	return asked
}

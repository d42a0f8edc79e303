package deliver

import (
	"context"
	"fmt"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/delivery"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/events"
	"handoff/infra/eventlog"
)

// Resend begins another round of attempts of a delivery that is parked or
// confirmed. The fact that it appends puts the delivery into the queue, so
// nothing is lost between the two. One that is pending needs no fact; it is put
// in again in case the queue gave it up for an error of ours.
func (h *Handler) Resend(ctx context.Context, by identity.Principal, name string) (delivery.State, error) {
	stream, err := delivery.ParseName(name)
	if err != nil {
		return delivery.State{}, err
	}
	snap, err := h.Ledger.Log().Load(ctx, stream)
	if err != nil {
		return delivery.State{}, fmt.Errorf("resend %s: %w", name, err)
	}
	if snap.Version == 0 || snap.Tenant != by.Tenant || snap.Kind != events.KindDelivery {
		return delivery.State{}, fault.New(fault.NotFound, "delivery-not-found", "There is no such delivery.")
	}
	at := eventlog.Stream{ID: stream, Tenant: snap.Tenant, Connection: snap.Connection}
	r, err := eventlog.Execute(ctx, h.Ledger, delivery.Decider, at, eventlog.Origin{Actor: by.ID},
		func(delivery.State) (eh.Command, error) { return delivery.Resend{To: delivery.To(stream)}, nil })
	if err != nil {
		return delivery.State{}, fmt.Errorf("resend %s: %w", name, err)
	}
	if len(r.Facts) == 0 {
		err = h.Queue.Put(ctx, delivery.Item{ID: stream, Tenant: snap.Tenant, Subject: r.State.Subject})
	}
	return r.State, err
}

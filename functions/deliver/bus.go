package deliver

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"

	"handoff/domain/delivery"
	"handoff/domain/emission"
	"handoff/domain/fault"
	"handoff/events"
)

// Bus takes events for whoever listens, beside the endpoints.
type Bus interface {
	// Emit puts an event on the bus. It may be handed the same event more than
	// once. An event that can never fit is a fault of kind TooLarge.
	Emit(ctx context.Context, e emission.Event) error
}

// emit puts the event of a fact on the bus. There is one for each fact, with the
// id that endpoints see too, even if no endpoint is told. It waits for no
// transcript: that is an event of its own there.
func (h *Handler) emit(ctx context.Context, n events.Notification, owed *events.DeliverySubject) error {
	if h.Bus == nil || owed == nil {
		return nil
	}
	r, err := h.read(ctx, delivery.Item{Tenant: n.Tenant, Subject: *owed})
	if err != nil {
		return fmt.Errorf("emit %s: %w", owed.Event, err)
	}
	mode := cmp.Or(h.BusMode, emission.Thin)
	err = h.emitAs(ctx, r.in, mode)
	if mode == emission.Full && fault.KindOf(err) == fault.TooLarge {
		slog.WarnContext(ctx, "event is too large for the bus and goes without its context", "event_id", owed.Event)
		err = h.emitAs(ctx, r.in, emission.Thin)
	}
	if err != nil {
		return fmt.Errorf("emit %s: %w", owed.Event, err)
	}
	return nil
}

func (h *Handler) emitAs(ctx context.Context, in emission.Input, mode emission.Mode) error {
	e, err := h.Builder.Build(in, mode)
	if err != nil {
		return err
	}
	return h.Bus.Emit(ctx, e)
}

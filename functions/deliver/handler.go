// Package deliver sends what happened to an escalation to the endpoints of its
// connection. It is the only sender.
//
// It has two halves. Plan answers a fact: it says which endpoints are owed an
// event, and puts a delivery for each into a queue. Attempt answers the queue:
// it rebuilds the delivery from the log, sends once, and appends how that went.
// A crash between sending and appending sends the same event again under the
// same id, so a receiver that drops repeated ids sees each event once.
//
// Both may be called any number of times with the same input.
package deliver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"handoff/domain/connection"
	"handoff/domain/delivery"
	"handoff/domain/emission"
	"handoff/events"
	"handoff/infra/eventlog"
)

const function = "deliver"

// Streams names streams.
type Streams interface {
	StreamID(tenant string, kind events.Kind, parts ...string) (events.StreamID, error)
}

// Queue holds deliveries until they are done.
type Queue interface {
	// Put adds items in their order, durably. One that is there already is
	// left alone, one that was parked is taken up again.
	Put(ctx context.Context, items ...delivery.Item) error
	// Hurry takes items that wait for something up at once.
	Hurry(ctx context.Context, items ...delivery.Item) error
}

// Sender makes one attempt. An error means that none was made.
type Sender interface {
	Send(ctx context.Context, to delivery.Endpoint, e emission.Event) (delivery.Outcome, error)
}

// Handler delivers. Every field is needed, those of the bus excepted. It is safe
// for concurrent use.
type Handler struct {
	Ledger  *eventlog.Ledger
	Streams Streams
	Queue   Queue
	Sender  Sender
	Builder emission.Builder
	Now     func() time.Time
	// Bus gets every event once more, or is nil, and BusMode is how much of it.
	// The zero mode is thin.
	Bus     Bus
	BusMode emission.Mode
}

// Types returns the types of the facts that Handle is to be told of.
func Types() []string {
	return []string{
		"EscalationRouted", "EscalationContextAdded", "TranscriptStored", "TranscriptMissing", "EscalationAccepted",
		"EscalationCompleted", "EscalationFailed", "EscalationExpired", "ContextErased", "DeliveryResent",
	}
}

// Handle plans what a fact leads to, tells the bus, and puts it into the queue.
func (h *Handler) Handle(ctx context.Context, n events.Notification) error {
	p, err := h.Plan(ctx, n)
	if err != nil {
		return fmt.Errorf("plan deliveries of %s: %w", n.ID, err)
	}
	// A bus that is down holds up no endpoint, and a slow endpoint not the bus.
	failed := h.emit(ctx, n, p.Bus)
	if err := h.Queue.Put(ctx, p.Items...); err != nil {
		return errors.Join(failed, fmt.Errorf("queue deliveries of %s: %w", n.ID, err))
	}
	if err := h.Queue.Hurry(ctx, p.Hurry...); err != nil {
		return errors.Join(failed, fmt.Errorf("hurry deliveries before %s: %w", n.ID, err))
	}
	return failed
}

// connection rebuilds a connection.
func (h *Handler) connection(ctx context.Context, tenant, id string) (connection.State, events.StreamID, error) {
	stream, err := h.Streams.StreamID(tenant, events.KindConnection, id)
	if err != nil {
		return connection.State{}, stream, fmt.Errorf("find connection %s: %w", id, err)
	}
	c, err := eventlog.State(ctx, h.Ledger, connection.Decider, stream)
	if err != nil {
		return connection.State{}, stream, fmt.Errorf("read connection %s: %w", id, err)
	}
	return c.State, stream, nil
}

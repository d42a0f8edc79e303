package deliver

import (
	"context"
	"errors"
	"fmt"
	"time"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/connection"
	"handoff/domain/delivery"
	"handoff/domain/emission"
	"handoff/events"
	"handoff/infra/eventlog"
)

// Attempt sends an item once, if it is still owed, and appends how that went.
// last says that there will be no further attempt: the item is too old. An
// error means that nothing was decided; the queue calls again.
func (h *Handler) Attempt(ctx context.Context, item delivery.Item, last bool) (delivery.Progress, error) {
	p, err := h.attempt(ctx, item, last)
	if err != nil {
		return delivery.Progress{}, fmt.Errorf("deliver %s to %s: %w", item.Subject.Event, item.Subject.Endpoint, err)
	}
	return p, nil
}

func (h *Handler) attempt(ctx context.Context, item delivery.Item, last bool) (delivery.Progress, error) {
	d, err := eventlog.State(ctx, h.Ledger, delivery.Decider, item.ID)
	if err != nil {
		return delivery.Progress{}, err
	}
	if d.State.Status == delivery.Delivered || d.State.Status == delivery.Parked {
		return delivery.Progress{Status: d.State.Status, Outcome: delivery.Outcome{Code: d.State.Code, Status: d.State.HTTPStatus}}, nil
	}
	c, stream, err := h.connection(ctx, item.Tenant, item.Subject.Connection)
	if err != nil {
		return delivery.Progress{}, err
	}
	to, ok := c.Endpoint(item.Subject.Endpoint)
	if !ok || to.Disabled != "" {
		return h.park(ctx, item)
	}
	in, wait, err := h.input(ctx, item, to)
	if err != nil || !wait.IsZero() {
		return delivery.Progress{Status: delivery.Pending, RetryAt: wait}, err
	}
	e, err := h.Builder.Build(in, emission.Mode(to.Mode))
	if err != nil {
		return delivery.Progress{}, err
	}
	o, err := h.Sender.Send(ctx, delivery.Endpoint{Tenant: item.Tenant, Connection: item.Subject.Connection, ID: to.ID, URL: to.URL}, e)
	if err != nil {
		return delivery.Progress{}, err
	}
	// The answer is there: it is recorded even if the program is to stop now.
	ctx = context.WithoutCancel(ctx)
	if o.Code == delivery.CodeGone {
		if err := h.disable(ctx, item, stream, to); err != nil {
			return delivery.Progress{}, err
		}
	}
	return h.record(ctx, item, o, delivery.Attempt{
		To: delivery.To(item.ID), Number: d.State.Attempts + 1, Subject: item.Subject, Outcome: o, Erased: e.Erased, Last: last,
	})
}

// input reads the escalation at the fact that is to be sent. A time to wait for
// is returned where a full event should have a transcript that is being read.
func (h *Handler) input(ctx context.Context, item delivery.Item, to connection.Endpoint) (emission.Input, time.Time, error) {
	read, err := h.read(ctx, item)
	if err != nil {
		return emission.Input{}, time.Time{}, err
	}
	until := read.in.At.Add(emission.TranscriptWait)
	if to.Mode == connection.ModeFull && read.waits() && h.Now().Before(until) {
		return emission.Input{}, until, nil
	}
	return read.in, time.Time{}, nil
}

func (h *Handler) record(ctx context.Context, item delivery.Item, o delivery.Outcome, cmd eh.Command) (delivery.Progress, error) {
	after, err := h.execute(ctx, item, cmd)
	if err != nil {
		return delivery.Progress{}, err
	}
	p := delivery.Progress{Status: after.Status, Tried: true, Outcome: o}
	if after.Status == delivery.Pending {
		p.RetryAt = after.RetryAt(item.ID, o.RetryAfter)
	}
	return p, nil
}

// park gives up on an endpoint that takes nothing any more.
func (h *Handler) park(ctx context.Context, item delivery.Item) (delivery.Progress, error) {
	now := delivery.Outcome{Code: delivery.CodeDisabled, StartedAt: h.Now()}
	after, err := h.execute(ctx, item, delivery.Park{To: delivery.To(item.ID), Subject: item.Subject, Code: delivery.CodeDisabled, Now: now})
	return delivery.Progress{Status: after.Status, Outcome: now}, err
}

// GiveUp parks a delivery of whose attempts nothing comes for an error of ours,
// with its code, so that it is listed and can be sent again.
func (h *Handler) GiveUp(ctx context.Context, item delivery.Item, code string) error {
	_, err := h.execute(ctx, item, delivery.Park{
		To: delivery.To(item.ID), Subject: item.Subject, Code: code, Now: delivery.Outcome{Code: code, StartedAt: h.Now()},
	})
	if err != nil {
		return fmt.Errorf("give up %s to %s: %w", item.Subject.Event, item.Subject.Endpoint, err)
	}
	return nil
}

func (h *Handler) execute(ctx context.Context, item delivery.Item, cmd eh.Command) (delivery.State, error) {
	at := eventlog.Stream{ID: item.ID, Tenant: item.Tenant, Connection: item.Subject.Connection}
	by := eventlog.Origin{Actor: "function:" + function, Causation: fmt.Sprintf("%s@%d", item.Subject.Stream, item.Subject.Version)}
	r, err := eventlog.Execute(ctx, h.Ledger, delivery.Decider, at, by, func(delivery.State) (eh.Command, error) { return cmd, nil })
	return r.State, err
}

// errChanged: the endpoint is not the one that answered 410 any more.
var errChanged = errors.New("the endpoint was changed meanwhile")

// disable ends deliveries to an endpoint that is gone, unless it was given
// another URL since. It comes before the attempt is recorded: if the program
// ends between the two, the next attempt finds the endpoint disabled.
func (h *Handler) disable(ctx context.Context, item delivery.Item, stream events.StreamID, gone connection.Endpoint) error {
	at := eventlog.Stream{ID: stream, Tenant: item.Tenant, Connection: item.Subject.Connection}
	by := eventlog.Origin{Actor: "function:" + function, Causation: fmt.Sprintf("%s@%d", item.Subject.Stream, item.Subject.Version)}
	_, err := eventlog.Execute(ctx, h.Ledger, connection.Decider, at, by, func(s connection.State) (eh.Command, error) {
		if e, ok := s.Endpoint(gone.ID); !ok || e.URL != gone.URL {
			return nil, errChanged
		}
		return connection.DisableEndpoint{
			To: connection.To(stream), Fact: events.EndpointDisabled{Endpoint: gone.ID, Code: delivery.CodeGone},
		}, nil
	})
	if errors.Is(err, errChanged) {
		return nil
	}
	return err
}

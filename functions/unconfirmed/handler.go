// Package unconfirmed finds what was never dealt with, and has it dealt with. It
// is the net below everything that passes facts on: a publisher that was dead
// for longer than the stream of changes lasts, a message that ended in a
// dead-letter queue, history that was copied from another log.
//
// It is started by a schedule and walks the feed from a durable checkpoint up to
// facts that are so young that they may be under way still. A fact that leads to
// deliveries is dealt with if each of them was confirmed, was parked, or waits in
// its lane; a fact that a function is told of, if what that function does
// shows; one that the relay is told of, if nothing is owed in its conversation.
// Everything else is told again: the same facts under the same ids, in the order
// of the feed, by the same ways, to functions that bear repetition. The checkpoint
// moves past nothing else.
//
// What it can't see is a lost event on the bus that no endpoint was owed: nobody
// confirms those.
package unconfirmed

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"time"

	"handoff/domain/delivery"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/eventlog"
)

// Grace is how old a fact is when it is looked at.
const Grace = 10 * time.Minute

const (
	batch      = 256              // facts between two checkpoints
	atOnce     = 32               // facts that are looked at side by side
	maxFacts   = 100_000          // in one run
	timeToStop = 20 * time.Second // no batch is begun with less time left
)

// Feed is the order over all streams.
type Feed interface {
	ReadAll(ctx context.Context, after int64) iter.Seq2[events.Record, error]
}

// Streams names streams.
type Streams interface {
	StreamID(tenant string, kind events.Kind, parts ...string) (events.StreamID, error)
}

// Planner says which deliveries a fact leads to.
type Planner interface {
	Owed(ctx context.Context, n events.Notification) ([]delivery.Item, error)
}

// Lanes says whether a delivery waits to be attempted.
type Lanes interface {
	Waits(ctx context.Context, item delivery.Item) (bool, error)
}

// Parking says of which streams nothing is to be published.
type Parking interface {
	Parked(ctx context.Context, stream events.StreamID) (bool, error)
}

// Sender passes facts on.
type Sender interface {
	// Send returns an error for each fact, nil for one that was taken.
	Send(ctx context.Context, facts []events.Notification) []error
}

// Checkpoint is a position in the feed, kept durably. It never goes back.
type Checkpoint interface {
	Load(ctx context.Context) (int64, error)
	Save(ctx context.Context, position int64) error
}

// Handler looks for what was never dealt with. Every field is needed. It is safe
// for concurrent use: two runs at once repeat each other.
type Handler struct {
	Feed       Feed
	Ledger     *eventlog.Ledger
	Streams    Streams
	Planner    Planner
	Lanes      Lanes
	Parking    Parking
	Types      []string // of facts that may lead to deliveries
	Deliveries Sender   // of those
	Bus        Sender   // of facts that other functions are told of
	RelayTypes []string // of facts that the relay is told of
	Relay      Sender   // of those
	Checkpoint Checkpoint
	Now        func() time.Time
}

// Run looks at facts from the checkpoint on, as many as there are, or as fit
// into the time of the invocation: the next run goes on there.
func (h *Handler) Run(ctx context.Context) error {
	at, err := h.Checkpoint.Load(ctx)
	if err != nil {
		return fmt.Errorf("look for unconfirmed facts: %w", err)
	}
	young, facts, n := h.Now().Add(-Grace), make([]events.Notification, 0, batch), 0
	for r, err := range h.Feed.ReadAll(ctx, at) {
		if err != nil {
			return fmt.Errorf("look for unconfirmed facts after %d: %w", at, err)
		}
		if r.At().After(young) {
			break
		}
		if facts = append(facts, events.Notify(r)); len(facts) < batch {
			continue
		}
		if err := h.confirm(ctx, facts); err != nil {
			return err
		}
		if n += len(facts); n >= maxFacts || !h.inTime(ctx) {
			return nil
		}
		facts = facts[:0]
	}
	return h.confirm(ctx, facts)
}

func (h *Handler) inTime(ctx context.Context) bool {
	end, ok := ctx.Deadline()
	return !ok || end.Sub(h.Now()) >= timeToStop
}

// confirm looks at facts, tells what has to be told again, and moves the
// checkpoint past them.
func (h *Handler) confirm(ctx context.Context, facts []events.Notification) error {
	if len(facts) == 0 {
		return nil
	}
	lost, err := h.lost(ctx, facts)
	if err != nil {
		return fmt.Errorf("confirm facts up to %d: %w", facts[len(facts)-1].Position, err)
	}
	for _, again := range []struct {
		to    Sender
		facts []events.Notification
	}{{h.Deliveries, lost.deliveries}, {h.Bus, lost.bus}, {h.Relay, lost.relay}} {
		if err := tell(ctx, again.to, again.facts); err != nil {
			return fmt.Errorf("tell again of facts up to %d: %w", facts[len(facts)-1].Position, err)
		}
	}
	return h.Checkpoint.Save(ctx, facts[len(facts)-1].Position)
}

// tell sends facts once more. Those that can never be sent are only logged.
func tell(ctx context.Context, to Sender, facts []events.Notification) error {
	if len(facts) == 0 {
		return nil
	}
	var errs []error
	for i, err := range to.Send(ctx, facts) {
		n := facts[i]
		switch {
		case err == nil:
			slog.WarnContext(ctx, "fact was not dealt with and is told again", "fact_id", n.ID, "type", n.Type, "connection_id", n.Connection)
		case fault.KindOf(err).Permanent():
			slog.ErrorContext(ctx, "fact can't be told again", "fact_id", n.ID, "type", n.Type, "error", err)
		default:
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// lost are facts that were not dealt with, in the order of the feed.
type lost struct{ deliveries, bus, relay []events.Notification }

// lost looks at facts, many at once.
func (h *Handler) lost(ctx context.Context, facts []events.Notification) (l lost, err error) {
	verdicts, errs := make([]verdict, len(facts)), make([]error, len(facts))
	places := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i, n := range facts {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			verdicts[i], errs[i] = h.look(ctx, n)
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return l, err
	}
	for i, n := range facts {
		if verdicts[i].deliveries {
			l.deliveries = append(l.deliveries, n)
		}
		if verdicts[i].bus {
			l.bus = append(l.bus, n)
		}
		if verdicts[i].relay {
			l.relay = append(l.relay, n)
		}
	}
	return l, nil
}

// verdict says where a fact has to be told of again.
type verdict struct{ deliveries, bus, relay bool }

// look decides whether a fact was dealt with. Where it can't, and looking again
// would not help, it was not: to be told twice does no harm.
func (h *Handler) look(ctx context.Context, n events.Notification) (v verdict, err error) {
	if v.deliveries = slices.Contains(h.Types, n.Type); v.deliveries {
		if v.deliveries, err = h.undelivered(ctx, n); err != nil {
			v.deliveries = true
		}
	}
	if err == nil {
		v.bus, err = h.ineffective(ctx, n)
	}
	if err == nil && slices.Contains(h.RelayTypes, n.Type) {
		v.relay, err = h.stuckRelay(ctx, n)
	}
	if err != nil {
		if ctx.Err() != nil || fault.KindOf(err) == fault.Unavailable {
			return verdict{}, fmt.Errorf("look at %s: %w", n.ID, err)
		}
		slog.ErrorContext(ctx, "fact can't be looked at", "fact_id", n.ID, "type", n.Type, "error", err)
	}
	if v == (verdict{}) {
		return v, nil
	}
	parked, err := h.Parking.Parked(ctx, n.Stream)
	if err != nil {
		return verdict{}, fmt.Errorf("look at %s: %w", n.ID, err)
	}
	if parked {
		return verdict{}, nil // the publisher goes on with it once somebody released it
	}
	return v, nil
}

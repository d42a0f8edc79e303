// Package hubwatch reads what became of escalations in the agent hub, and
// records it: the queue that the hub really chose, who took the conversation,
// how it ended. It is started by a schedule, once for each connection with a
// hub that keeps records, and reads what changed since it looked last: one
// query, however many conversations there are.
//
// A record is matched by the id that Handoff gave the escalation, which the hub
// has as a context variable, whichever way it came there. The bot is told of
// what is recorded by functions/relay.
package hubwatch

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/connection"
	"handoff/domain/conversation"
	"handoff/domain/escid"
	"handoff/domain/fault"
	"handoff/domain/hubrecord"
	"handoff/events"
	"handoff/infra/eventlog"
)

const function = "hubwatch"

// Records are a hub's.
type Records interface {
	// Changed returns the records of a connection that changed since a
	// watermark, the oldest change first, and the watermark for the next call.
	// A record may come again. A zero watermark means that nobody looked yet.
	Changed(ctx context.Context, tenant, connection string, since time.Time) ([]hubrecord.Record, time.Time, error)
}

// Refs hashes what identifies.
type Refs interface {
	Ref(tenant, label, value string) (string, error)
}

// Handler watches hubs. It is safe for concurrent use.
type Handler struct {
	Ledger  *eventlog.Ledger
	Records Records
	Refs    Refs
	Log     *slog.Logger
}

// Look records what changed in a connection's hub since a watermark, and returns
// the watermark to look from next time. Where it fails the old one still holds;
// looking twice at the same changes nothing. The caller keeps the watermark: it
// is no fact, and where it is lost an earlier one costs a longer look.
func (h *Handler) Look(ctx context.Context, tenant, conn string, since time.Time) (next time.Time, err error) {
	records, next, err := h.Records.Changed(ctx, tenant, conn, since)
	if err != nil {
		return since, fmt.Errorf("look at the hub of connection %s: %w", conn, err)
	}
	for _, r := range records {
		if r.Escalation == "" {
			continue
		}
		if err := h.observe(ctx, tenant, conn, r); err != nil {
			return since, fmt.Errorf("observe escalation %s in the hub: %w", r.Escalation, err)
		}
	}
	return next, nil
}

// observe records what one record says. A context variable is anybody's to
// write, so an id that is none, or another connection's, is no reason to stop.
func (h *Handler) observe(ctx context.Context, tenant, conn string, r hubrecord.Record) error {
	at, number, err := h.find(ctx, tenant, conn, r.Escalation)
	if err != nil && fault.KindOf(err).Permanent() {
		h.Log.WarnContext(ctx, "hub record names no escalation of this connection", "connection_id", conn, "hub_record", r.ID, "error", err)
		return nil
	}
	if err != nil {
		return err
	}
	seen := r.Observation()
	if seen.Agent != "" {
		if seen.AgentRef, err = h.Refs.Ref(tenant, "human-agent", seen.Agent); err != nil {
			return fmt.Errorf("hash the id of a human agent: %w", err)
		}
	}
	_, err = eventlog.Execute(ctx, h.Ledger, conversation.Decider, at, eventlog.Origin{Actor: "function:" + function},
		func(conversation.State) (eh.Command, error) {
			return conversation.Observe{To: conversation.To(at.ID), Number: number, Seen: seen}, nil
		})
	return err
}

// find returns where an escalation of a connection is.
func (h *Handler) find(ctx context.Context, tenant, conn, id string) (eventlog.Stream, int, error) {
	stream, number, err := escid.Parse(id)
	if err != nil {
		return eventlog.Stream{}, 0, err
	}
	s, err := eventlog.State(ctx, h.Ledger, conversation.Decider, stream)
	if err != nil {
		return eventlog.Stream{}, 0, err
	}
	home := s.Home
	if _, there := s.State.Escalation(number); !there || home.Tenant != tenant || home.Connection != conn {
		return eventlog.Stream{}, 0, fault.New(fault.NotFound, "escalation-not-found", "There is no such escalation of this connection.")
	}
	return home, number, nil
}

// Wants reports whether a connection's hub keeps records that can be read.
func Wants(hub events.Hub) bool { return hub.Type == connection.Omnichannel }

// Package auditreplay reads the log for people who must be able to check it: the
// history of a connection, its state at any instant, and whether every fact is
// still the one that was appended.
//
// It reads clear parts only. Nothing is kept of what was read but what an
// answer needs, so the length of a history does not matter.
package auditreplay

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"handoff/domain/audit"
	"handoff/domain/connection"
	"handoff/domain/conversation"
	"handoff/domain/escid"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/events"
	"handoff/infra/eventlog"
)

// maxListed is how many open escalations a past state lists.
const maxListed = 1000

// Streams names streams.
type Streams interface {
	StreamID(tenant string, kind events.Kind, parts ...string) (events.StreamID, error)
}

// Handler reads a log. It is safe for concurrent use.
type Handler struct {
	Ledger  *eventlog.Ledger
	Feed    eventlog.Feed
	Walker  eventlog.Walker
	Streams Streams
}

// History yields the facts of a connection as stored: its own, and those of its
// conversations and deliveries, in the order in which they were appended.
func (h *Handler) History(ctx context.Context, by identity.Principal, id string, after int64) iter.Seq2[events.Record, error] {
	return func(yield func(events.Record, error) bool) {
		if err := h.exists(ctx, by, id); err != nil {
			yield(events.Record{}, err)
			return
		}
		h.Feed.ReadConnection(ctx, by.Tenant, id, after)(yield)
	}
}

// told is after how many facts of others Facts says how far it is.
const told = 512

// Facts yields all facts of the principal's tenant after a position. While it
// finds none it yields records without a type now and then, which say how far
// it read.
func (h *Handler) Facts(ctx context.Context, by identity.Principal, after int64) iter.Seq2[events.Record, error] {
	return func(yield func(events.Record, error) bool) {
		others := 0
		for r, err := range h.Feed.ReadAll(ctx, after) {
			mine := r.Tenant == by.Tenant && (by.Connection == "" || by.Connection == r.Connection)
			if err == nil && !mine {
				if others++; others%told != 0 {
					continue
				}
				r = events.Record{Position: r.Position}
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

func (h *Handler) exists(ctx context.Context, by identity.Principal, id string) error {
	missing := fault.Newf(fault.NotFound, "connection-not-found", "There is no connection %q.", id)
	if by.Connection != "" && by.Connection != id {
		return missing
	}
	stream, err := h.Streams.StreamID(by.Tenant, events.KindConnection, id)
	if err != nil {
		return fmt.Errorf("find connection %s: %w", id, err)
	}
	snap, err := h.Ledger.Log().Load(ctx, stream)
	if err == nil && snap.Version == 0 {
		err = missing
	}
	return err
}

// StateAt rebuilds a connection and its open escalations as they were at an
// instant, from facts alone. What takes longer than ctx lets it is an
// Unavailable fault replay-too-long.
func (h *Handler) StateAt(ctx context.Context, by identity.Principal, id string, at time.Time) (audit.Past, error) {
	past := replay{Past: audit.Past{At: at.UTC(), Queues: make(map[string]int)}, open: make(map[events.StreamID]conversation.State)}
	for r, err := range h.History(ctx, by, id, 0) {
		if err != nil {
			return audit.Past{}, fmt.Errorf("replay connection %s: %w", id, tooLong(ctx, err, "replay-too-long",
				"The connection has more history than can be replayed within the time of one answer. Its history can be read in parts."))
		}
		if r.At().After(at) {
			continue
		}
		past.Facts, past.Position = past.Facts+1, r.Position
		if r.Kind != events.KindConnection && r.Kind != events.KindConversation {
			continue // deliveries change neither
		}
		f, err := h.Ledger.Decode(r)
		if err != nil {
			return audit.Past{}, fmt.Errorf("replay connection %s: %w", id, err)
		}
		past.observe(r, f)
	}
	return past.finish(), nil
}

// replay is a state under construction. It keeps open conversations only:
// what comes after an end begins with a fact that needs nothing before it.
type replay struct {
	audit.Past
	open map[events.StreamID]conversation.State
}

func (p *replay) observe(r events.Record, f events.Fact) {
	if r.Kind == events.KindConnection {
		p.Connection = connection.Decider.Evolve(p.Connection, f)
		return
	}
	s := p.open[r.Stream]
	s.Version = r.Version - 1 // what was forgotten at an end counts all the same
	s = conversation.Decider.Evolve(s, f)
	if _, open := s.Open(); open {
		p.open[r.Stream] = s
	} else {
		delete(p.open, r.Stream)
	}
}

func (p *replay) finish() audit.Past {
	for stream, s := range p.open {
		if s.Last.Connection != "" && s.Last.Connection != p.Connection.ID {
			p.MovedAway++
			continue
		}
		p.Open++
		p.Queues[s.Last.Queue.ID]++
		p.Escalations = append(p.Escalations, audit.PastEscalation{ID: escid.Of(stream, s.Last.Number), Escalation: s.Last})
	}
	slices.SortFunc(p.Escalations, func(a, b audit.PastEscalation) int { return a.Escalation.RaisedAt.Compare(b.Escalation.RaisedAt) })
	if len(p.Escalations) > maxListed {
		p.Escalations, p.More = p.Escalations[:maxListed], true
	}
	return p.Past
}

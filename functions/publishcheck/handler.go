// Package publishcheck looks, on a schedule, whether the bots of connections are
// published, and records what changed.
//
// Each connection is looked at once in an interval, at a moment of its own that
// a hash of its name draws, so that thousands never ask at once. Those of one
// organisation are asked for one after the other, and not before an organisation
// that asked for a pause takes calls again. Whether a bot is published may not be
// found out: that is no fact and no failure, and the next look comes in its time.
package publishcheck

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"time"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/domain/publication"
	"handoff/events"
	"handoff/infra/eventlog"
)

// DefaultEvery is how long it takes until a connection is looked at again.
const DefaultEvery = 15 * time.Minute

// workers is how many organisations are asked side by side.
const workers = 8

// lateness is how far back a round makes up for rounds that were left out. What
// was due before that waits for its next turn, so that whoever comes back after
// a long absence does not look at everything at once.
const lateness = 5 * time.Minute

// mark is where it is kept up to when rounds went.
const mark = "publishcheck"

// Connections lists what there is to look at.
type Connections interface {
	// Connections yields the connections of every tenant in any order, those
	// that are ready at least.
	Connections(ctx context.Context) iter.Seq2[connection.Ref, error]
}

// Bots looks at bots.
type Bots interface {
	// PublishState looks once. What it can't find out is Unknown and has an
	// error, a fault with RetryAfter where the service named a time.
	PublishState(ctx context.Context, c connection.State) (publication.Finding, error)
}

// Marks remember up to when rounds went.
type Marks interface {
	// Mark returns the mark with a name; zero if there is none.
	Mark(ctx context.Context, name string) (time.Time, error)
	SetMark(ctx context.Context, name string, at time.Time) error
}

// Handler looks at bots. Its zero value lacks the interfaces; Every and Log may
// be left out. It is safe for concurrent use.
//
// Pauses are kept in memory: an instance that starts anew asks once, and is told
// again.
type Handler struct {
	Ledger      *eventlog.Ledger
	Connections Connections
	Bots        Bots
	Marks       Marks // of Round
	Now         func() time.Time
	Every       time.Duration // 0 means DefaultEvery
	Log         *slog.Logger  // nil: nothing is logged

	mu     sync.Mutex
	paused map[string]time.Time // organisations, and until when
}

// Round looks at the connections that came due since the last round. It is
// called every minute or so, by one at a time.
func (h *Handler) Round(ctx context.Context) error {
	now := h.Now()
	last, err := h.Marks.Mark(ctx, mark)
	if err != nil {
		return fmt.Errorf("check what is published: %w", err)
	}
	if earliest := now.Add(-lateness); last.Before(earliest) {
		last = earliest
	}
	if err := h.Handle(ctx, last, now); err != nil {
		return err
	}
	if err := h.Marks.SetMark(ctx, mark, now); err != nil {
		return fmt.Errorf("check what is published: %w", err)
	}
	return nil
}

// Handle looks at the connections that are due in a span of time, its begin left
// out. Called for spans that follow each other it looks at each once in every
// interval. Its error is of the log or the lists, never of a bot.
func (h *Handler) Handle(ctx context.Context, after, until time.Time) error {
	groups, err := h.due(ctx, after, until)
	if err != nil {
		return fmt.Errorf("check what is published: %w", err)
	}
	var wg sync.WaitGroup
	failed := make(chan error, len(groups))
	places := make(chan struct{}, workers)
	for organisation, group := range groups {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			failed <- h.organisation(ctx, organisation, group)
		})
	}
	wg.Wait()
	close(failed)
	var all []error
	for err := range failed {
		all = append(all, err)
	}
	return errors.Join(all...)
}

// due returns the ready connections that are due, by whom they ask.
func (h *Handler) due(ctx context.Context, after, until time.Time) (map[string][]found, error) {
	every := h.Every
	if every == 0 {
		every = DefaultEvery
	}
	groups := make(map[string][]found)
	for ref, err := range h.Connections.Connections(ctx) {
		if err != nil {
			return nil, fmt.Errorf("list connections: %w", err)
		}
		if !publication.Due(ref.Tenant, ref.ID, every, after, until) {
			continue
		}
		c, err := h.load(ctx, ref)
		if err != nil {
			return nil, err
		}
		if c.Status == connection.Ready {
			groups[c.organisation()] = append(groups[c.organisation()], c)
		}
	}
	return groups, nil
}

// found is a connection with its stream.
type found struct {
	connection.State
	home eventlog.Stream
}

// organisation names who is asked about the bot.
func (f found) organisation() string {
	switch {
	case f.HealthURL != "":
		return f.HealthURL
	case f.Omnichannel != nil && f.Omnichannel.BotOrganisation != "":
		return f.Omnichannel.BotOrganisation
	}
	return f.Hub.Organisation
}

func (h *Handler) load(ctx context.Context, ref connection.Ref) (found, error) {
	r, err := eventlog.State(ctx, h.Ledger, connection.Decider, ref.Stream)
	if err != nil {
		return found{}, fmt.Errorf("read connection %s: %w", ref.ID, err)
	}
	r.State.Tenant = ref.Tenant
	return found{r.State, eventlog.Stream{ID: ref.Stream, Tenant: ref.Tenant, Connection: ref.ID}}, nil
}

// organisation looks at one bot after the other, until the service wants a pause.
func (h *Handler) organisation(ctx context.Context, name string, group []found) error {
	for _, c := range group {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if h.isPaused(name) {
			return nil
		}
		seen, err := h.Bots.PublishState(ctx, c.State)
		if err != nil {
			h.unknown(ctx, name, c, err)
			continue
		}
		if err := h.record(ctx, c, seen); err != nil {
			return err
		}
	}
	return nil
}

func (h *Handler) record(ctx context.Context, c found, seen publication.Finding) error {
	done, err := eventlog.Execute(ctx, h.Ledger, connection.Decider, c.home, eventlog.Origin{Actor: "function:publishcheck"},
		func(connection.State) (eh.Command, error) {
			return connection.ObserveBot{To: connection.To(c.home.ID), Session: c.Session, Found: seen}, nil
		})
	if err != nil {
		return fmt.Errorf("record what is published of connection %s: %w", c.ID, err)
	}
	for _, f := range done.Facts {
		h.log().LogAttrs(ctx, level(f), "publish state changed", slog.String("tenant", c.Tenant), slog.String("connection_id", c.ID),
			slog.String("state", string(seen.State)), slog.String("code", seen.Reason))
	}
	return nil
}

// level tells operators of a bot that customers don't reach any more.
func level(f events.Fact) slog.Level {
	if _, off := f.(*events.BotUnpublished); off {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

func (h *Handler) unknown(ctx context.Context, organisation string, c found, err error) {
	if f := fault.Of(err); f != nil && f.RetryAfter > 0 {
		h.pause(organisation, h.Now().Add(f.RetryAfter))
	}
	h.log().WarnContext(ctx, "publish state not known", "tenant", c.Tenant, "connection_id", c.ID, "code", fault.CodeOf(err), "error", err)
}

func (h *Handler) isPaused(organisation string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.Now().Before(h.paused[organisation])
}

// pause keeps the later of two pauses, and forgets those that are over.
func (h *Handler) pause(organisation string, until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.paused == nil {
		h.paused = make(map[string]time.Time)
	}
	for name, end := range h.paused {
		if !h.Now().Before(end) {
			delete(h.paused, name)
		}
	}
	if until.After(h.paused[organisation]) {
		h.paused[organisation] = until
	}
}

func (h *Handler) log() *slog.Logger {
	if h.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return h.Log
}

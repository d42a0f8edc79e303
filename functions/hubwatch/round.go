package hubwatch

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/eventlog"
)

// Connections lists what there is to watch.
type Connections interface {
	// Connections yields the connections of every tenant in any order.
	Connections(ctx context.Context) iter.Seq2[connection.Ref, error]
}

// Marks remember up to when hubs were looked at.
type Marks interface {
	// Mark returns the mark with a name; zero if there is none.
	Mark(ctx context.Context, name string) (time.Time, error)
	SetMark(ctx context.Context, name string, at time.Time) error
}

// Forgetter has the secrets of a disconnected connection forgotten, told by the
// fact that disconnected it. Twice is no error.
type Forgetter interface {
	Forget(ctx context.Context, n events.Notification) error
}

const (
	// workers is how many hubs are asked side by side.
	workers = 8
	// A hub that can't be asked is left alone for a while, which doubles each
	// time, or for as long as it says.
	firstPause, lastPause = 15 * time.Second, 5 * time.Minute
)

// Rounds look at the hubs of all connections, again and again. They are safe for
// concurrent use. Pauses are kept in memory: an instance that starts anew asks
// once, and is told again.
type Rounds struct {
	*Handler

	Connections Connections
	Marks       Marks
	Secrets     Forgetter
	Now         func() time.Time

	mu    sync.Mutex
	pause map[events.StreamID]pause
}

// pause is how long a hub is left alone, and until when.
type pause struct {
	long  time.Duration
	until time.Time
}

// Round looks at each hub once, those of disconnected connections for as long as
// their escalations may still finish. Its error is of the log, the lists or the
// marks; what a hub could not tell is logged, and asked again in a later round.
func (r *Rounds) Round(ctx context.Context) error {
	all, err := r.list(ctx)
	if err != nil {
		return fmt.Errorf("watch hubs: %w", err)
	}
	var wg sync.WaitGroup
	failed, places := make(chan error, len(all)+1), make(chan struct{}, workers)
	for n, ref := range all {
		places <- struct{}{}
		if ctx.Err() != nil {
			failed <- fmt.Errorf("watch hubs: the time was over after %d of %d: %w", n, len(all), context.Cause(ctx))
			break
		}
		wg.Go(func() {
			defer func() { <-places }()
			failed <- r.visit(ctx, ref)
		})
	}
	wg.Wait()
	close(failed)
	var errs []error
	for err := range failed {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// list begins at another place each time: a round that is broken off must not
// always leave out the same ones.
func (r *Rounds) list(ctx context.Context) (all []connection.Ref, err error) {
	for ref, err := range r.Connections.Connections(ctx) {
		if err != nil {
			return nil, fmt.Errorf("list connections: %w", err)
		}
		all = append(all, ref)
	}
	if len(all) == 0 {
		return nil, nil
	}
	first := int(uint64(r.Now().UnixNano()) >> 32 % uint64(len(all)))
	return append(all[first:], all[:first]...), nil
}

// visit looks at the hub of one connection.
func (r *Rounds) visit(ctx context.Context, ref connection.Ref) error {
	c, err := eventlog.State(ctx, r.Ledger, connection.Decider, ref.Stream)
	if err != nil {
		return fmt.Errorf("read connection %s: %w", ref.ID, err)
	}
	switch {
	case r.resting(ref):
		return nil
	case over(c.State, r.Now()):
		return r.forget(ctx, ref, c.State)
	case !watched(c.State, r.Now()):
		return nil
	}
	name := "hubwatch/" + ref.Stream.String()
	since, err := r.Marks.Mark(ctx, name)
	if err != nil {
		return err
	}
	next, err := r.Look(ctx, ref.Tenant, ref.ID, since)
	if err != nil {
		r.rest(ctx, ref, err)
		return nil
	}
	r.wake(ref)
	if next.Equal(since) {
		return nil
	}
	return r.Marks.SetMark(ctx, name, next)
}

// watched reports whether a connection's escalations may be in a hub that keeps
// records.
func watched(c connection.State, now time.Time) bool {
	return Wants(c.Hub) && (c.Status == connection.Ready || c.Draining() && !c.Drained(now))
}

// lingering is how long after its drain a disconnected connection keeps its
// secrets: by then the hub has closed what nobody speaks in (documented: after
// half an hour), and the relay has left everything else to it.
const lingering = 30 * time.Minute

// over reports whether a disconnected connection needs its secrets no more.
func over(c connection.State, now time.Time) bool {
	return Wants(c.Hub) && c.Draining() && c.Drained(now.Add(-lingering)) && !c.Forgotten && len(c.Unused()) == 0
}

// forget has the secrets of a connection forgotten that was disconnected, and
// finished. It is tried again in a later round where it failed.
func (r *Rounds) forget(ctx context.Context, ref connection.Ref, c connection.State) error {
	left := events.Header{Stream: ref.Stream, Version: c.End.Version}
	err := r.Secrets.Forget(ctx, events.Notification{
		ID: left.ID(), Stream: ref.Stream, Version: c.End.Version, Type: "Disconnected", Kind: events.KindConnection, Tenant: ref.Tenant, Connection: ref.ID,
	})
	if err != nil {
		r.rest(ctx, ref, err)
	}
	return nil
}

func (r *Rounds) resting(ref connection.Ref) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.Now().Before(r.pause[ref.Stream].until)
}

func (r *Rounds) rest(ctx context.Context, ref connection.Ref, err error) {
	if ctx.Err() != nil {
		return // it is the round that ended
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pause == nil {
		r.pause = make(map[events.StreamID]pause)
	}
	long := min(max(2*r.pause[ref.Stream].long, firstPause), lastPause)
	wait := long
	if f := fault.Of(err); f != nil && f.RetryAfter > wait {
		wait = f.RetryAfter
	}
	r.pause[ref.Stream] = pause{long, r.Now().Add(wait)}
	r.Log.WarnContext(ctx, "hub not looked at", "tenant", ref.Tenant, "connection_id", ref.ID, "code", fault.CodeOf(err), "pause", wait.String(), "error", err)
}

func (r *Rounds) wake(ref connection.Ref) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.pause, ref.Stream)
}

package publisher

import (
	"context"
	"fmt"
	"iter"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/eventlog"
)

// portion is how many commits are published at once.
const portion = 100

// Republish publishes commits as if they had just been appended, such as those
// that were copied from another log. Those of a stream come in their order. It
// stops at the first error; what was published before may be published again.
func (h *Handler) Republish(ctx context.Context, commits iter.Seq2[eventlog.Commit, error]) error {
	batch := make([]eventlog.Change, 0, portion)
	publish := func() error {
		_, err := h.Handle(ctx, batch)
		batch = batch[:0]
		return err
	}
	for c, err := range commits {
		if err != nil {
			return fmt.Errorf("republish: %w", err)
		}
		if batch = append(batch, eventlog.Change{Stored: true, Commit: c}); len(batch) < portion {
			continue
		}
		if err := publish(); err != nil {
			return err
		}
	}
	return publish()
}

// Releaser ends the parking of streams.
type Releaser interface {
	Release(ctx context.Context, stream events.StreamID) error
}

// Resume asks that a parked stream be taken up again.
type Resume struct {
	Stream events.StreamID `json:"stream"`
	// After is the version behind which publishing goes on. Whoever looked at
	// the poison and wants it passed over gives the version of its last fact.
	After int `json:"after"`
}

// Resumed says how far a stream was published.
type Resumed struct {
	Version int `json:"version"`
}

// Resumer takes parked streams up again. Nobody but an operator asks it to.
type Resumer struct {
	Handler *Handler
	Parking Releaser
}

// Resume publishes what a parked stream holds and then lets it go on. Where
// poison is met again the stream stays parked, and that is an error.
func (r Resumer) Resume(ctx context.Context, in Resume) (Resumed, error) {
	version, err := r.publish(ctx, in.Stream, in.After)
	if err != nil {
		return Resumed{}, err
	}
	if err := r.Parking.Release(ctx, in.Stream); err != nil {
		return Resumed{}, fmt.Errorf("release stream %s: %w", in.Stream, err)
	}
	// What was appended meanwhile met a stream that was still parked.
	version, err = r.publish(ctx, in.Stream, version)
	return Resumed{version}, err
}

// publish publishes a stream to its end, parked or not, and returns its version.
func (r Resumer) publish(ctx context.Context, stream events.StreamID, after int) (int, error) {
	h := *r.Handler
	watch := &unparked{Parker: h.Parker}
	h.Parker = watch
	err := h.Republish(ctx, h.commits(ctx, stream, &after))
	if err == nil && watch.met != "" {
		err = fault.Newf(fault.Conflict, "stream-still-poison", "Stream %s stays parked: %s.", stream, watch.met)
	}
	return after, err
}

// commits yields the commits of a stream behind a version, which it moves on.
func (h *Handler) commits(ctx context.Context, stream events.StreamID, after *int) iter.Seq2[eventlog.Commit, error] {
	return func(yield func(eventlog.Commit, error) bool) {
		for {
			c, err := h.Log.Commit(ctx, stream, *after+1)
			if fault.KindOf(err) == fault.NotFound {
				return
			}
			if err == nil {
				*after = c.Head().Version
			}
			if !yield(c, err) || err != nil {
				return
			}
		}
	}
}

// unparked lets everything through, and notes what is parked meanwhile.
type unparked struct {
	Parker
	met string
}

// Parked implements Parker.
func (*unparked) Parked(context.Context, events.StreamID) (bool, error) { return false, nil }

// Park implements Parker.
func (u *unparked) Park(ctx context.Context, p eventlog.Poison) error {
	u.met = p.Reason
	return u.Parker.Park(ctx, p)
}

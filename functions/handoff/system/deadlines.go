package system

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"handoff/infra/directory"
)

// How deadlines are kept: the list of open escalations is the timer, so it
// survives whatever the program does not.
const (
	deadlineBatch = 256
	// deadlineWorkers end escalations side by side, so that they share commits:
	// a disconnect gives thousands the same deadline.
	deadlineWorkers = 32
	// deadlinePause is the longest pause between two looks: a deadline that is
	// set meanwhile may be earlier than all others.
	deadlinePause = time.Second
)

// deadlines ends escalations whose deadline has come, until ctx ends.
func (s *System) deadlines(ctx context.Context) error {
	for {
		due, next, err := s.Directory.Due(ctx, s.cfg.Now(), deadlineBatch)
		if err != nil && ctx.Err() == nil {
			s.cfg.Log.ErrorContext(ctx, "deadlines could not be read", "error", err)
		}
		failed := s.end(ctx, due)
		pause := deadlinePause
		if wait := next.Sub(s.cfg.Now()); !failed && !next.IsZero() && wait < pause {
			pause = max(wait, 0)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// end ends escalations that are due and reports whether one could not be ended.
func (s *System) end(ctx context.Context, due []directory.Due) bool {
	var failed atomic.Bool
	var wg sync.WaitGroup
	places := make(chan struct{}, deadlineWorkers)
	for _, d := range due {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			if err := s.bound.deadline.Handle(ctx, d.Stream, d.Number); err != nil && ctx.Err() == nil {
				failed.Store(true)
				s.cfg.Log.ErrorContext(ctx, "escalation not ended at its deadline", "stream", d.Stream.String(), "number", d.Number, "error", err)
			}
		})
	}
	wg.Wait()
	return failed.Load()
}

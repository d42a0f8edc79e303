package system

import (
	"context"
	"maps"
	"sync"
	"time"

	"handoff/events"
	"handoff/infra/directory"
)

// How relays are looked at whose time has come: the list of relays is the timer.
const (
	lookBatch = 4 * relays
	// lookPause is the pause between two looks at the list.
	lookPause = time.Second
	// lookAgain is when a relay is tried again that could not be looked at, or
	// that looks the same in the list as before, which trails a little.
	lookAgain = 10 * time.Second
)

// looks are the relays that were looked at. It is for one goroutine, but for
// what it starts.
type looks struct {
	*System

	wg     sync.WaitGroup
	places chan struct{}

	mu   sync.Mutex
	seen map[events.StreamID]seen
}

// seen is a look at a relay.
type seen struct {
	due   time.Time // as the list said
	busy  bool
	again time.Time // not before
}

// looks goes on until ctx ends, and waits for the last look.
func (s *System) looks(ctx context.Context) error {
	l := &looks{System: s, places: make(chan struct{}, relays), seen: make(map[events.StreamID]seen)}
	defer l.wg.Wait()
	for {
		now := s.cfg.Now()
		due, err := s.Directory.Relays(ctx, now, lookBatch)
		if err != nil && ctx.Err() == nil {
			s.cfg.Log.ErrorContext(ctx, "relays could not be listed", "error", err)
		}
		l.forget(now)
		l.start(ctx, due, now)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(lookPause):
		}
	}
}

// start begins to look at what is due, as far as there are places.
func (l *looks) start(ctx context.Context, due []directory.Relay, now time.Time) {
	for _, r := range due {
		if !l.take(r, now) {
			continue
		}
		select {
		case l.places <- struct{}{}:
		default:
			l.leave(r, now)
			return
		}
		l.wg.Go(func() {
			defer func() { <-l.places }()
			l.look(ctx, r)
		})
	}
}

// take reports whether a relay is to be looked at now.
func (l *looks) take(r directory.Relay, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	before, known := l.seen[r.Stream]
	if known && (before.busy || before.due.Equal(r.LookAt) && now.Before(before.again)) {
		return false
	}
	l.seen[r.Stream] = seen{due: r.LookAt, busy: true}
	return true
}

func (l *looks) look(ctx context.Context, r directory.Relay) {
	limited, cancel := context.WithTimeout(ctx, relayTimeout)
	defer cancel()
	if err := l.bound.relay.Look(limited, r.Stream); err != nil && ctx.Err() == nil {
		l.cfg.Log.ErrorContext(ctx, "relay not looked at", "stream", r.Stream.String(), "error", err)
	}
	l.leave(r, l.cfg.Now().Add(lookAgain))
}

// leave keeps when a relay may be looked at again.
func (l *looks) leave(r directory.Relay, again time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen[r.Stream] = seen{due: r.LookAt, again: again}
}

// forget drops the looks that say nothing any more.
func (l *looks) forget(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.seen, func(_ events.StreamID, s seen) bool { return !s.busy && now.After(s.again) })
}

// every calls f again and again until ctx ends. What went wrong is logged.
func (s *System) every(pause time.Duration, what string, f func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(pause):
			}
			if err := f(ctx); err != nil && ctx.Err() == nil {
				s.cfg.Log.ErrorContext(ctx, "round failed", "function", what, "error", err)
			}
		}
	}
}

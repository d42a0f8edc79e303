package subscription

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"handoff/events"
)

const (
	pageSize  = 256             // facts that a subscription takes at once
	keepTail  = 2048            // facts that stay at hand, at least
	readPause = 1 * time.Second // after the log could not be read
)

// tail holds the newest facts, so that the log is read once for all
// subscriptions that keep up. One that is behind reads the log itself. Sealed
// bytes are left out: nobody here may open them.
type tail struct {
	feed   Feed
	mu     sync.Mutex
	known  bool            // base is known
	base   int64           // position before recent's first fact
	recent []events.Record // without a gap; never changed in place
	risen  chan struct{}   // closed when there may be more
}

func newTail(feed Feed) *tail { return &tail{feed: feed, risen: make(chan struct{})} }

// run follows the log until ctx ends.
func (t *tail) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := t.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		slog.ErrorContext(ctx, "event log can't be followed", "error", err)
		pause(ctx, readPause)
	}
}

// follow adds facts until the log can't be read.
func (t *tail) follow(ctx context.Context) error {
	at, err := t.start(ctx)
	for err == nil {
		if at, err = t.readOn(ctx, at); err == nil {
			err = t.feed.Wait(ctx, at)
		}
	}
	return err
}

// readOn adds what the log holds after a position and returns the position of
// the last fact. It wakes those who wait once for many facts.
func (t *tail) readOn(ctx context.Context, at int64) (int64, error) {
	from := at
	for r, err := range t.feed.ReadAll(ctx, at) {
		if err != nil {
			t.wake()
			return at, err
		}
		t.add(r)
		if at = r.Position; at-from >= pageSize {
			from = at
			t.wake()
		}
	}
	t.wake()
	return at, nil
}

// start returns the position of the newest fact at hand.
func (t *tail) start(ctx context.Context) (int64, error) {
	t.mu.Lock()
	known, at := t.known, t.base+int64(len(t.recent))
	t.mu.Unlock()
	if known {
		return at, nil
	}
	at, err := t.feed.Last(ctx)
	if err != nil {
		return 0, err
	}
	t.mu.Lock()
	t.known, t.base = true, at
	t.mu.Unlock()
	t.wake()
	return at, nil
}

func (t *tail) add(r events.Record) {
	r.Sealed = nil
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.recent) >= 2*keepTail {
		t.base += int64(len(t.recent) - keepTail)
		t.recent = slices.Clone(t.recent[len(t.recent)-keepTail:])
	}
	t.recent = append(t.recent, r)
}

// wake tells those who wait that there may be more.
func (t *tail) wake() {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.risen)
	t.risen = make(chan struct{})
}

// next returns some facts after a position, waiting for the first. They are
// not to be changed.
func (t *tail) next(ctx context.Context, after int64) ([]events.Record, error) {
	for {
		t.mu.Lock()
		known, base, recent, risen := t.known, t.base, t.recent, t.risen
		t.mu.Unlock()
		if known && after >= base {
			if n := int(after - base); n < len(recent) {
				return recent[n:min(n+pageSize, len(recent))], nil
			}
		} else if page, err := t.page(ctx, after, pageSize); err != nil || len(page) > 0 {
			return page, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-risen:
		}
	}
}

// page reads the log itself.
func (t *tail) page(ctx context.Context, after int64, limit int) (page []events.Record, err error) {
	for r, err := range t.feed.ReadAll(ctx, after) {
		if err != nil {
			return nil, err
		}
		r.Sealed = nil
		if page = append(page, r); len(page) == limit {
			break
		}
	}
	return page, nil
}

// one returns the fact at a position.
func (t *tail) one(ctx context.Context, position int64) (events.Record, error) {
	page, err := t.page(ctx, position-1, 1)
	if err == nil && (len(page) == 0 || page[0].Position != position) {
		err = fmt.Errorf("the log has no fact at position %d", position)
	}
	if err != nil {
		return events.Record{}, fmt.Errorf("read a fact again: %w", err)
	}
	return page[0], nil
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

package subscription

import (
	"context"
	"sync"
)

// watermark is the position up to which all facts were dealt with, for those
// who wait for it. Its zero value is ready to use.
type watermark struct {
	mu      sync.Mutex
	pos     int64
	waiters int
	risen   chan struct{} // nil while nobody waits; closed at a change
	hurry   chan struct{} // told when somebody begins to wait; nil: nobody asks
}

// set moves the watermark; down only where a read model is built anew.
func (w *watermark) set(pos int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if pos == w.pos {
		return
	}
	w.pos = pos
	if w.risen != nil {
		close(w.risen)
		w.risen = nil
	}
}

func (w *watermark) get() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pos
}

// awaited reports whether anybody waits.
func (w *watermark) awaited() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.waiters > 0
}

// wait returns nil once the watermark has reached a position.
func (w *watermark) wait(ctx context.Context, pos int64) error {
	for {
		risen := w.join(pos)
		if risen == nil {
			return nil
		}
		select {
		case w.hurry <- struct{}{}:
		default:
		}
		select {
		case <-risen:
			w.leave()
		case <-ctx.Done():
			w.leave()
			return ctx.Err()
		}
	}
}

// join counts the caller among those who wait and returns what is closed at the
// next change, or nil where there is nothing to wait for.
func (w *watermark) join(pos int64) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pos >= pos {
		return nil
	}
	w.waiters++
	if w.risen == nil {
		w.risen = make(chan struct{})
	}
	return w.risen
}

func (w *watermark) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiters--
}

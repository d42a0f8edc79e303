package lambdarun

import (
	"context"
	"sync"
	"time"
)

// tally counts what a source took and has not finished, so that tests can wait
// for the end of it.
type tally struct {
	mu    sync.Mutex
	under int
	ever  int
}

func (t *tally) begun(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.under += n
	t.ever += n
}

func (t *tally) done(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.under -= n
}

func (t *tally) busy() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.under > 0
}

// Taken returns how much was ever taken.
func (t *tally) Taken() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ever
}

const defaultRetry = 100 * time.Millisecond

// pause waits and reports whether ctx lasted as long.
func pause(ctx context.Context, d time.Duration) bool {
	if d == 0 {
		d = defaultRetry
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

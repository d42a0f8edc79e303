package sqlitelog

import (
	"context"
	"fmt"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"
)

// pollEvery is how often a log that another process writes is looked at.
const pollEvery = 200 * time.Millisecond

// watermark is the last position that is known to be durable. Whoever waits for
// it to rise takes the channel first and looks then.
type watermark struct {
	mu    sync.Mutex
	pos   int64
	risen chan struct{}
}

func (w *watermark) init() { w.risen = make(chan struct{}) }

func (w *watermark) raise(pos int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if pos > w.pos {
		w.pos = pos
		close(w.risen)
		w.risen = make(chan struct{})
	}
}

func (w *watermark) get() (int64, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pos, w.risen
}

// Last returns the position of the last fact, 0 in an empty log.
func (l *Log) Last(ctx context.Context) (pos int64, err error) {
	err = l.db.Read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, "SELECT coalesce(max(pos), 0) FROM facts", func(*sqlite.Stmt) {}, func(s *sqlite.Stmt) error {
			pos = s.ColumnInt64(0)
			return nil
		})
	})
	if err != nil {
		return 0, fmt.Errorf("find the last fact: %w", orDone(ctx, err))
	}
	l.last.raise(pos)
	return pos, nil
}

// Wait returns nil once the log holds a fact after the given position. It looks
// by itself now and then, so it hears of what another process appends too.
func (l *Log) Wait(ctx context.Context, after int64) error {
	look := time.NewTicker(pollEvery)
	defer look.Stop()
	for {
		pos, risen := l.last.get()
		if pos > after {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-risen:
		case <-look.C:
			if _, err := l.Last(ctx); err != nil {
				return err
			}
		}
	}
}

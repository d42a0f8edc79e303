package subscription

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"

	"handoff/infra/sqlitedb"
)

// How often a checkpoint is written: soon where a function worked, seldom where
// facts were only passed over. All subscriptions write at the same instants, so
// that they share a transaction.
const (
	saveSoon   = 50 * time.Millisecond
	saveSeldom = 1 * time.Second
	saveLast   = 5 * time.Second // limit for the last time
)

// ledger keeps what is to be saved of a subscription: its checkpoint, and what
// became of facts that were put aside. Both change in one transaction. It
// belongs to the goroutine of its function.
type ledger struct {
	name     string
	db       *sqlitedb.DB
	now      func() time.Time
	position int64
	changes  map[int64]*row // nil: the row goes
	due      time.Time      // zero while nothing is to be saved
	saving   bool
	saved    chan saving
}

// saving is what one transaction writes.
type saving struct {
	position int64
	changes  map[int64]*row
	err      error
}

// note remembers what became of a fact: a copy of r, or nil if it is done with.
func (b *ledger) note(position int64, r *row) {
	if b.changes == nil {
		b.changes = make(map[int64]*row)
	}
	if r != nil {
		r = new(*r)
	}
	b.changes[position] = r
	b.schedule(saveSoon)
}

// reach moves the checkpoint. worked tells that a function was called.
func (b *ledger) reach(position int64, worked bool) {
	if position == b.position {
		return
	}
	b.position = position
	if worked {
		b.schedule(saveSoon)
		return
	}
	b.schedule(saveSeldom)
}

func (b *ledger) schedule(d time.Duration) {
	due := b.now().Truncate(d).Add(d)
	if b.due.IsZero() || due.Before(b.due) {
		b.due = due
	}
}

// next returns how long nothing is to be saved.
func (b *ledger) next() time.Duration {
	if b.saving || b.due.IsZero() {
		return time.Hour
	}
	return b.due.Sub(b.now())
}

// save begins to write if it is time to.
func (b *ledger) save(ctx context.Context, wg *sync.WaitGroup) {
	if b.saving || b.due.IsZero() || b.due.After(b.now()) {
		return
	}
	s := b.take()
	b.saving = true
	wg.Go(func() {
		s.err = b.write(context.WithoutCancel(ctx), s)
		b.saved <- s
	})
}

func (b *ledger) take() saving {
	s := saving{position: b.position, changes: b.changes}
	b.changes, b.due = nil, time.Time{}
	return s
}

func (b *ledger) write(ctx context.Context, s saving) error {
	return b.db.Write(ctx, func(conn *sqlite.Conn) error {
		for position, r := range s.changes {
			if err := put(conn, b.name, position, r); err != nil {
				return err
			}
		}
		return advance(conn, b.name, 0, s.position)
	})
}

// settle takes back what could not be written. It is written later.
func (b *ledger) settle(ctx context.Context, s saving) {
	b.saving = false
	if s.err == nil {
		return
	}
	slog.ErrorContext(ctx, "checkpoint can't be written", "subscription", b.name, "position", s.position, "error", s.err)
	newer := b.changes
	if b.changes = s.changes; b.changes == nil {
		b.changes = newer
	} else {
		maps.Copy(b.changes, newer)
	}
	b.due = b.now().Add(saveSeldom)
}

// close writes what is left.
func (b *ledger) close(ctx context.Context) {
	if b.saving {
		b.settle(ctx, <-b.saved)
	}
	if b.due.IsZero() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveLast)
	defer cancel()
	if err := b.write(ctx, b.take()); err != nil {
		slog.ErrorContext(ctx, "checkpoint can't be written", "subscription", b.name, "error", err)
	}
}

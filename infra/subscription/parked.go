package subscription

import (
	"context"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"

	"handoff/domain/fault"
	"handoff/events"
)

// Parked is a fact that a subscription gave up.
type Parked struct {
	Position int64
	Fact     string // its id
	Type     string
	Tries    int
	Since    time.Time // of the first failure
	Code     string    // of the last failure
}

// Parked returns facts that the named subscription gave up, after a position.
func (r *Runner) Parked(ctx context.Context, name string, after int64, limit int) (parked []Parked, err error) {
	err = r.db.Read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, selectParked, func(s *sqlite.Stmt) {
			s.BindText(1, name)
			s.BindInt64(2, after)
			s.BindInt64(3, int64(limit))
		}, func(s *sqlite.Stmt) {
			p := scan(s)
			fact := events.Header{Stream: p.Stream, Version: p.Version}.ID()
			parked = append(parked, Parked{Position: p.Position, Fact: fact, Type: p.Type, Tries: p.Tries, Since: p.Since, Code: p.Code})
		})
	})
	if err != nil {
		return nil, fmt.Errorf("list what %s parked: %w", name, err)
	}
	return parked, nil
}

// Retry has a parked fact handled again, after what waits in its stream. It
// needs Run, and returns once the fact is taken up. A read model takes up a
// fact by Rebuild only.
func (r *Runner) Retry(ctx context.Context, name string, position int64) error {
	i, err := r.parked(ctx, name, position)
	if err != nil {
		return fmt.Errorf("try fact %d again: %w", position, err)
	}
	for _, f := range r.functions {
		if f.Name != name {
			continue
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("try fact %d again: %w", position, ctx.Err())
		case f.again <- i:
			return nil
		}
	}
	return fault.Newf(fault.Unprocessable, "subscription-not-a-function", "%q is a read model; build it anew instead.", name)
}

// parked returns a parked fact as one that was never tried.
func (r *Runner) parked(ctx context.Context, name string, position int64) (i *item, err error) {
	err = r.db.Read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, selectOne, func(s *sqlite.Stmt) {
			s.BindText(1, name)
			s.BindInt64(2, position)
		}, func(s *sqlite.Stmt) {
			if p := scan(s); p.Parked {
				i = &item{row: row{Position: p.Position, Stream: p.Stream, Version: p.Version, Type: p.Type}}
			}
		})
	})
	if err == nil && i == nil {
		err = fault.Newf(fault.NotFound, "parked-fact-not-found", "%q has no parked fact at position %d.", name, position)
	}
	return i, err
}

package subscription

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/sqlitedb"
)

// pace is the least time between two transactions of a projection, so that many
// facts share one; who waits in CatchUp does not wait for it.
const pace = 10 * time.Millisecond

// projection keeps one read model up to date.
type projection struct {
	Projection
	db      *sqlitedb.DB
	tail    *tail
	now     func() time.Time
	types   map[string]bool // empty: all
	handled watermark
	mu      sync.Mutex // held while the read model is written
	at      int64      // checkpoint
	restart func()     // ends the wait for facts after at
}

func newProjection(p Projection, db *sqlitedb.DB, t *tail, now func() time.Time) *projection {
	return &projection{Projection: p, db: db, tail: t, now: now, types: set(p.Types), handled: watermark{hurry: make(chan struct{}, 1)}, restart: func() {}}
}

// load begins where the checkpoint says, or anew for another version.
func (p *projection) load(ctx context.Context) error {
	c, err := restore(ctx, p.db, p.Name)
	if err != nil {
		return err
	}
	if c.version != p.Version || c.position == 0 {
		return p.rebuild(ctx)
	}
	p.move(c.position)
	return nil
}

// move sets the checkpoint in memory; p.mu is held, or nobody else is there.
func (p *projection) move(position int64) {
	p.at = position
	p.handled.set(position)
}

func (p *projection) rebuild(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.db.Write(ctx, func(conn *sqlite.Conn) error {
		if err := p.Clear(conn); err != nil {
			return err
		}
		if err := query(conn, deleteAll, func(s *sqlite.Stmt) { s.BindText(1, p.Name) }, nil); err != nil {
			return err
		}
		return advance(conn, p.Name, p.Version, 0)
	})
	if err != nil {
		return fmt.Errorf("clear %s: %w", p.Name, err)
	}
	p.move(0)
	p.restart()
	return nil
}

// begin returns the checkpoint and a context that ends when it is moved back.
func (p *projection) begin(ctx context.Context) (int64, context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.restart = cancel
	return p.at, ctx, cancel
}

// run applies facts until ctx ends.
func (p *projection) run(ctx context.Context) {
	var last time.Time
	limit, tries := pageSize, 0
	for {
		at, waiting, end := p.begin(ctx)
		facts, err := p.collect(waiting, at, last)
		moved := waiting.Err() != nil
		end()
		if ctx.Err() != nil {
			return
		}
		if moved {
			continue
		}
		before := 0
		if err == nil {
			before, err = p.apply(ctx, at, facts[:min(limit, len(facts))])
		}
		if ctx.Err() != nil {
			return // what the end interrupted is applied again
		}
		last = p.now()
		switch {
		case err == nil:
			limit, tries = pageSize, 0
		case before > 0:
			limit = before
		default:
			limit, tries = pageSize, tries+1
			p.stumble(ctx, at, tries, err)
		}
	}
}

// collect returns facts after a position, many of them if more come soon.
func (p *projection) collect(ctx context.Context, at int64, last time.Time) ([]events.Record, error) {
	facts, err := p.tail.next(ctx, at)
	rest := pace - p.now().Sub(last)
	if err != nil || rest <= 0 || len(facts) >= pageSize || p.handled.awaited() {
		return facts, err
	}
	timer := time.NewTimer(rest)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-p.handled.hurry:
	}
	return p.tail.next(ctx, at)
}

// apply writes facts and checkpoint in one transaction. Where a fact makes that
// fail it returns how many stand before that one; none of them was written.
func (p *projection) apply(ctx context.Context, at int64, facts []events.Record) (before int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.at != at { // it is being built anew
		return 0, nil
	}
	end := facts[len(facts)-1].Position
	err = p.db.WriteSized(ctx, size(facts), func(conn *sqlite.Conn) error {
		for i, r := range facts {
			if err := p.applyOne(conn, r); err != nil {
				before = i
				return fmt.Errorf("apply %s to %s: %w", r.ID(), p.Name, err)
			}
		}
		return advance(conn, p.Name, p.Version, end)
	})
	if err == nil {
		p.move(end)
	}
	return before, err
}

func (p *projection) applyOne(conn *sqlite.Conn, r events.Record) error {
	if len(p.types) > 0 && !p.types[r.Type] {
		return nil
	}
	return p.Apply(conn, r)
}

func size(facts []events.Record) int {
	n := 0
	for i := range facts {
		n += 512 + len(facts[i].Clear)
	}
	return n
}

// stumble parks the fact after a position if it never can be applied, and else
// waits before all is tried again: a read model skips nothing that is sound.
func (p *projection) stumble(ctx context.Context, at int64, tries int, err error) {
	if fault.KindOf(err).Permanent() {
		var r events.Record
		if r, err = p.park(ctx, at, err); err == nil {
			slog.ErrorContext(ctx, "fact parked", "subscription", p.Name, "fact_id", r.ID(), "position", r.Position, "type", r.Type)
			return
		}
	}
	slog.ErrorContext(ctx, "read model stands still", "subscription", p.Name, "position", at, "tries", tries, "error", err)
	pause(ctx, min(maxPause/10, readPause*time.Duration(tries)))
}

func (p *projection) park(ctx context.Context, at int64, cause error) (events.Record, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, err := p.tail.one(ctx, at+1)
	if err != nil || p.at != at {
		return r, err
	}
	now := p.now()
	err = p.db.Write(ctx, func(conn *sqlite.Conn) error {
		parked := row{Stream: r.Stream, Version: r.Version, Type: r.Type, Parked: true, Tries: 1, Since: now, Code: fault.CodeOf(cause)}
		if err := put(conn, p.Name, r.Position, &parked); err != nil {
			return err
		}
		return advance(conn, p.Name, p.Version, r.Position)
	})
	if err == nil {
		p.move(r.Position)
	}
	return r, err
}

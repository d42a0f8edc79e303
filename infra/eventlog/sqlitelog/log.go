// Package sqlitelog keeps the event log in a SQLite file.
//
// An append is one job of the file's single writer: all commits that wait at
// the same time become durable with one fsync, and each is refused or stored on
// its own. Positions are given in commit order and have no gap, so that whoever
// has read up to a position has missed nothing. Readers have connections of
// their own and hold none while their consumer works.
//
// The file may hold the tables of other packages, and any process may read it
// while it is written.
package sqlitelog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"zombiezen.com/go/sqlite"

	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/lru"
	"handoff/infra/sqlitedb"
)

// Log is an event log in a SQLite file. It is safe for concurrent use. It has
// nothing to close: the file belongs to whoever opened it.
type Log struct {
	db     *sqlitedb.DB
	places sync.Map // place to int64, and back; committed ones only
	blocks sync.Map // int64 of a place to int64 of its last committed block
	last   watermark
	// heads are what is stored at streams' heads; nil where others append too.
	heads *lru.Cache[events.StreamID, eventlog.Snapshot]
}

// keptHeads is how many heads are kept in memory, about a KiB each.
const keptHeads = 8192

var (
	_ eventlog.Log  = (*Log)(nil)
	_ eventlog.Feed = (*Log)(nil)
)

// place is what a fact's place number stands for.
type place struct{ tenant, connection string }

// New returns the log in a file that was opened with Schema. A file that is
// opened read-only must have the tables already.
func New(ctx context.Context, db *sqlitedb.DB) (*Log, error) {
	l := &Log{db: db}
	l.last.init()
	if _, err := l.Last(ctx); err != nil {
		return nil, fmt.Errorf("open event log: %w", err)
	}
	return l, nil
}

// NewSole returns the log in a file to which nobody else appends, also not
// through another Log. It keeps the heads of the streams in use, so that
// loading one of them again reads no file.
func NewSole(ctx context.Context, db *sqlitedb.DB) (*Log, error) {
	l, err := New(ctx, db)
	if err == nil {
		l.heads = lru.New[events.StreamID, eventlog.Snapshot](keptHeads)
	}
	return l, err
}

// Append implements eventlog.Log.
func (l *Log) Append(ctx context.Context, c eventlog.Commit) (eventlog.Head, error) {
	if l.heads == nil {
		head, _, err := l.append(ctx, c)
		return head, err
	}
	begun := l.heads.Begin(c.Stream) // others may see the facts before append has returned
	head, stored, err := l.append(ctx, c)
	var now *eventlog.Snapshot
	if stored {
		now = &eventlog.Snapshot{
			Head: head, Tenant: c.Tenant, Connection: c.Connection, Kind: c.Kind, State: bytes.Clone(c.State), StateVersion: c.StateVersion,
		}
	}
	l.heads.End(c.Stream, begun, now)
	return head, err
}

// append also reports whether it stored the commit, which may have been there.
func (l *Log) append(ctx context.Context, c eventlog.Commit) (head eventlog.Head, stored bool, err error) {
	if err := c.Check(); err != nil {
		return eventlog.Head{}, false, err
	}
	at := place{c.Tenant, c.Connection}
	a := appending{Commit: &c, place: l.number(at), block: -1}
	if b, ok := l.blocks.Load(a.place); ok {
		a.block, _ = b.(int64)
	}
	known := a.block
	if err := l.db.WriteSized(ctx, a.size(), a.run); err != nil {
		if conflict, ok := errors.AsType[*eventlog.ConflictError](err); ok {
			return eventlog.Head{}, false, conflict
		}
		return eventlog.Head{}, false, fmt.Errorf("append to stream %s: %w", c.Stream, err)
	}
	if l.number(at) == 0 {
		l.learn(at, a.place)
	}
	if a.block != known {
		l.blocks.Store(a.place, a.block)
	}
	l.last.raise(a.pos)
	return a.head, a.pos != 0, nil
}

// Load implements eventlog.Log.
func (l *Log) Load(ctx context.Context, stream events.StreamID) (eventlog.Snapshot, error) {
	if l.heads == nil {
		return l.load(ctx, stream)
	}
	if kept, ok := l.heads.Get(stream); ok {
		kept.State = bytes.Clone(kept.State)
		return kept, ctx.Err()
	}
	mark := l.heads.Mark(stream)
	found, err := l.load(ctx, stream)
	if err == nil && found.Version > 0 {
		kept := found
		kept.State = bytes.Clone(found.State)
		l.heads.Put(stream, kept, mark)
	}
	return found, err
}

func (l *Log) load(ctx context.Context, stream events.StreamID) (eventlog.Snapshot, error) {
	var found Stream
	err := l.db.Read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, selectStream, func(s *sqlite.Stmt) { s.BindBytes(1, stream[:]) }, func(s *sqlite.Stmt) (err error) {
			found, err = l.scanStream(conn, s)
			return err
		})
	})
	if err != nil {
		return eventlog.Snapshot{}, fmt.Errorf("load stream %s: %w", stream, orDone(ctx, err))
	}
	return found.Snapshot, nil
}

// Blob implements eventlog.Log.
func (l *Log) Blob(ctx context.Context, sum events.Hash) ([]byte, error) {
	var b []byte
	err := l.db.Read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, "SELECT bytes FROM blobs WHERE sum = ?1", func(s *sqlite.Stmt) { s.BindBytes(1, sum[:]) }, func(s *sqlite.Stmt) error {
			b = appendColumn(nil, s, 0)
			return nil
		})
	})
	if err == nil && b == nil {
		err = eventlog.ErrNoBlob
	}
	if err != nil {
		return nil, fmt.Errorf("read blob %s: %w", sum, orDone(ctx, err))
	}
	return b, nil
}

// number returns the number of a place that is known to be stored, or 0.
func (l *Log) number(p place) int64 {
	n, _ := l.places.Load(p)
	id, _ := n.(int64)
	return id
}

func (l *Log) learn(p place, n int64) {
	l.places.Store(p, n)
	l.places.Store(n, p)
}

// placeOf returns what a stored number stands for.
func (l *Log) placeOf(conn *sqlite.Conn, n int64) (p place, err error) {
	if v, ok := l.places.Load(n); ok {
		p, _ = v.(place)
		return p, nil
	}
	err = query(conn, "SELECT tenant, connection FROM places WHERE place = ?1", func(s *sqlite.Stmt) { s.BindInt64(1, n) }, func(s *sqlite.Stmt) error {
		p = place{s.ColumnText(0), s.ColumnText(1)}
		l.learn(p, n)
		return nil
	})
	return p, err
}

// query runs a prepared statement to its end, or until row returns errEnough.
func query(conn *sqlite.Conn, sql string, bind func(*sqlite.Stmt), row func(*sqlite.Stmt) error) error {
	s, err := conn.Prepare(sql)
	if err != nil {
		return err
	}
	bind(s)
	more, err := s.Step()
	for ; more && err == nil; more, err = s.Step() {
		if row == nil {
			continue
		}
		if err = row(s); err != nil {
			break
		}
	}
	if e := s.Reset(); err == nil || errors.Is(err, errEnough) {
		err = e
	}
	return err
}

// orDone returns the reason why ctx ended, where that is what interrupted the
// statement.
func orDone(ctx context.Context, err error) error {
	if ctx.Err() != nil && sqlite.ErrCode(err) == sqlite.ResultInterrupt {
		return ctx.Err()
	}
	return err
}

package sqlitelog

import (
	"context"
	"fmt"
	"iter"

	"zombiezen.com/go/sqlite"

	"handoff/events"
	"handoff/infra/eventlog"
)

// A page is what one read transaction returns. The first is small, because most
// streams are; the largest still lets the write-ahead log be reset soon.
const (
	firstPage = 64
	largePage = 1024
)

const (
	columns = `SELECT pos, version, place, stream, kind, type, schema, time, commit_id, causation, correlation, actor, key_id, trace, hash, clear, sealed_sum, sealed FROM facts `

	selectOfStream = columns + `WHERE sid = (SELECT sid FROM streams WHERE key = ?3) AND version > ?1 ORDER BY version LIMIT ?2`
	selectAll      = columns + `WHERE pos > ?1 ORDER BY pos LIMIT ?2`
	selectOfPlace  = columns + `WHERE place = (SELECT place FROM places WHERE tenant = ?3 AND connection = ?4) AND pos > ?1 ORDER BY pos LIMIT ?2`

	streamColumns = `SELECT sid, key, place, kind, head, head_hash, state_version, state FROM streams `
	selectStream  = streamColumns + `WHERE key = ?1`
	selectStreams = streamColumns + `WHERE sid > ?1 ORDER BY sid LIMIT ?2`
)

// Read implements eventlog.Log.
func (l *Log) Read(ctx context.Context, stream events.StreamID, from int) iter.Seq2[events.Record, error] {
	facts := l.facts(selectOfStream, func(s *sqlite.Stmt) { s.BindBytes(3, stream[:]) }, func(r *events.Record) int64 { return int64(r.Version) })
	return named("stream "+stream.String(), pages(ctx, int64(from)-1, facts))
}

// ReadAll implements eventlog.Feed.
func (l *Log) ReadAll(ctx context.Context, after int64) iter.Seq2[events.Record, error] {
	return named("all facts", pages(ctx, after, l.facts(selectAll, func(*sqlite.Stmt) {}, position)))
}

// ReadConnection implements eventlog.Feed.
func (l *Log) ReadConnection(ctx context.Context, tenant, connection string, after int64) iter.Seq2[events.Record, error] {
	facts := l.facts(selectOfPlace, func(s *sqlite.Stmt) {
		s.BindText(3, tenant)
		s.BindText(4, connection)
	}, position)
	return named("connection "+connection, pages(ctx, after, facts))
}

// Stream is a stream with what is stored at its head.
type Stream struct {
	ID events.StreamID
	eventlog.Snapshot
}

// Streams yields every stream, in the order in which they were begun.
func (l *Log) Streams(ctx context.Context) iter.Seq2[Stream, error] {
	return named("streams", pages(ctx, 0, func(ctx context.Context, after int64, limit int) (page []Stream, last int64, err error) {
		err = l.db.Read(ctx, func(conn *sqlite.Conn) error {
			return query(conn, selectStreams, func(s *sqlite.Stmt) {
				s.BindInt64(1, after)
				s.BindInt64(2, int64(limit))
			}, func(s *sqlite.Stmt) error {
				id, snap, err := l.scanStream(conn, s)
				page, last = append(page, Stream{ID: id, Snapshot: snap}), s.ColumnInt64(0)
				return err
			})
		})
		return page, last, err
	}))
}

func position(r *events.Record) int64 { return r.Position }

// fetch returns at most limit rows after a place in an order, and where the
// last of them is in it.
type fetch[T any] func(ctx context.Context, after int64, limit int) (page []T, last int64, err error)

// facts returns a fetch of facts by a statement with after and limit as its
// first two parameters; place tells where a fact is in its order.
func (l *Log) facts(sql string, bind func(*sqlite.Stmt), place func(*events.Record) int64) fetch[events.Record] {
	return func(ctx context.Context, after int64, limit int) (page []events.Record, last int64, err error) {
		page = make([]events.Record, 0, limit)
		err = l.db.Read(ctx, func(conn *sqlite.Conn) error {
			words := make(vocabulary)
			return query(conn, sql, func(s *sqlite.Stmt) {
				s.BindInt64(1, after)
				s.BindInt64(2, int64(limit))
				bind(s)
			}, func(s *sqlite.Stmt) error {
				page = append(page, events.Record{})
				return l.scanFact(conn, s, words, &page[len(page)-1])
			})
		})
		if err == nil && len(page) > 0 {
			last = place(&page[len(page)-1])
		}
		return page, last, err
	}
}

// pages yields what fetch returns, page by page.
func pages[T any](ctx context.Context, after int64, next fetch[T]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		at, limit := after, firstPage
		for {
			page, last, err := next(ctx, at, limit)
			if err != nil {
				yield(none, orDone(ctx, err))
				return
			}
			for i := range page {
				if err := ctx.Err(); err != nil {
					yield(none, err)
					return
				}
				if !yield(page[i], nil) {
					return
				}
			}
			if len(page) < limit {
				return
			}
			at, limit = last, min(4*limit, largePage)
		}
	}
}

// named says in errors what was read.
func named[T any](what string, seq iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for v, err := range seq {
			if err != nil {
				err = fmt.Errorf("read %s: %w", what, err)
			}
			if !yield(v, err) {
				return
			}
		}
	}
}

package sqlitelog

import (
	"context"
	"errors"
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

	selectOfStream = columns + `WHERE sid = (SELECT sid FROM streams WHERE key = ?2) AND version > ?1 ORDER BY version`
	selectAll      = columns + `WHERE pos > ?1 ORDER BY pos`
	selectOfPlace  = columns + `WHERE place = (SELECT place FROM places WHERE tenant = ?2 AND connection = ?3) AND pos > ?1 ORDER BY pos`

	streamColumns = `SELECT sid, key, place, kind, head, head_hash, state_version, state FROM streams `
	selectStream  = streamColumns + `WHERE key = ?1`
	selectStreams = streamColumns + `WHERE sid > ?1 ORDER BY sid`
)

// Read implements eventlog.Log.
func (l *Log) Read(ctx context.Context, stream events.StreamID, from int) iter.Seq2[events.Record, error] {
	return pages(ctx, "stream "+stream.String(), int64(from)-1, l.facts(selectOfStream, func(s *sqlite.Stmt) { s.BindBytes(2, stream[:]) }),
		func(r *events.Record) int64 { return int64(r.Version) })
}

// ReadAll implements eventlog.Feed.
func (l *Log) ReadAll(ctx context.Context, after int64) iter.Seq2[events.Record, error] {
	return pages(ctx, "all facts", after, l.facts(selectAll, func(*sqlite.Stmt) {}), position)
}

// ReadConnection implements eventlog.Feed.
func (l *Log) ReadConnection(ctx context.Context, tenant, connection string, after int64) iter.Seq2[events.Record, error] {
	return pages(ctx, "connection "+connection, after, l.facts(selectOfPlace, func(s *sqlite.Stmt) {
		s.BindText(2, tenant)
		s.BindText(3, connection)
	}), position)
}

func position(r *events.Record) int64 { return r.Position }

// Stream is a stream with what is stored at its head.
type Stream struct {
	ID events.StreamID
	eventlog.Snapshot
	number int64
}

// Streams yields every stream, in the order in which they were begun.
func (l *Log) Streams(ctx context.Context) iter.Seq2[Stream, error] {
	return pages(ctx, "streams", 0, func(ctx context.Context, after int64, page []Stream) ([]Stream, error) {
		err := l.db.Read(ctx, func(conn *sqlite.Conn) error {
			return query(conn, selectStreams, func(s *sqlite.Stmt) { s.BindInt64(1, after) }, func(s *sqlite.Stmt) error {
				stream, err := l.scanStream(conn, s)
				page = append(page, stream)
				return enough(page, err)
			})
		})
		return page, err
	}, func(s *Stream) int64 { return s.number })
}

// fetch appends to page what comes after a place in an order until the page is
// full.
type fetch[T any] func(ctx context.Context, after int64, page []T) ([]T, error)

// facts returns a fetch of facts by a statement whose first parameter is after.
func (l *Log) facts(sql string, bind func(*sqlite.Stmt)) fetch[events.Record] {
	return func(ctx context.Context, after int64, page []events.Record) ([]events.Record, error) {
		err := l.db.Read(ctx, func(conn *sqlite.Conn) error {
			rows := scanner{log: l, conn: conn, buf: make([]byte, 0, 4096), words: make(map[string]string)}
			return query(conn, sql, func(s *sqlite.Stmt) {
				s.BindInt64(1, after)
				bind(s)
			}, func(s *sqlite.Stmt) error {
				page = append(page, events.Record{})
				return enough(page, rows.fact(s, &page[len(page)-1]))
			})
		})
		return page, err
	}
}

// errEnough ends a query before its last row. A limit in the statement would do
// the same, but SQLite plans a statement anew whenever its bound limit changes.
var errEnough = errors.New("enough rows")

// enough ends a query whose page is full.
func enough[T any](page []T, err error) error {
	if err == nil && len(page) == cap(page) {
		return errEnough
	}
	return err
}

// pages yields what next fetches, page by page, and says in errors what was
// read. The place of what was yielded last is where the next page begins.
func pages[T any](ctx context.Context, what string, after int64, next fetch[T], place func(*T) int64) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		page, err := make([]T, 0, firstPage), error(nil)
		for at := after; ; at = place(&page[len(page)-1]) {
			if len(page) > 0 && cap(page) < largePage {
				page = make([]T, 0, 4*cap(page))
			}
			page, err = next(ctx, at, page[:0])
			for i := 0; err == nil && i < len(page); i++ {
				if err = ctx.Err(); err == nil && !yield(page[i], nil) {
					return
				}
			}
			if err != nil {
				var none T
				yield(none, fmt.Errorf("read %s: %w", what, orDone(ctx, err)))
				return
			}
			if len(page) < cap(page) {
				return
			}
		}
	}
}

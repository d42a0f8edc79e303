package sqlitelog

import (
	"context"
	"iter"

	"zombiezen.com/go/sqlite"

	"handoff/events"
	"handoff/infra/eventlog"
)

const (
	columns = `SELECT pos, version, f.place, stream, kind, type, schema, time, commit_id, causation, correlation, actor, key_id, trace, hash, clear, sealed_sum, sealed FROM `

	selectOfStream = columns + `facts AS f WHERE sid = (SELECT sid FROM streams WHERE key = ?2) AND version > ?1 ORDER BY version`
	selectAll      = columns + `facts AS f WHERE pos > ?1 ORDER BY pos`
	selectOfPlace  = columns + `place_blocks AS b CROSS JOIN facts AS f
ON pos BETWEEN max(b.block << 8, ?1 + 1) AND (b.block << 8) + 255 AND f.place = b.place
WHERE b.place = (SELECT place FROM places WHERE tenant = ?2 AND connection = ?3) AND b.block >= (?1 + 1) >> 8 ORDER BY b.block, pos`

	streamColumns = `SELECT sid, key, place, kind, head, head_hash, state_version, state FROM streams `
	selectStream  = streamColumns + `WHERE key = ?1`
	selectStreams = streamColumns + `WHERE sid > ?1 ORDER BY sid`
)

// Read implements eventlog.Log.
func (l *Log) Read(ctx context.Context, stream events.StreamID, from int) iter.Seq2[events.Record, error] {
	size := firstPage
	if from > 1 {
		size = oneFact
	}
	return pages(ctx, "stream "+stream.String(), int64(from)-1, size, l.facts(selectOfStream, func(s *sqlite.Stmt) { s.BindBytes(2, stream[:]) }),
		func(r *events.Record) int64 { return int64(r.Version) })
}

// ReadAll implements eventlog.Feed.
func (l *Log) ReadAll(ctx context.Context, after int64) iter.Seq2[events.Record, error] {
	return pagesAhead(ctx, "all facts", after, l.facts(selectAll, func(*sqlite.Stmt) {}))
}

// ReadConnection implements eventlog.Feed.
func (l *Log) ReadConnection(ctx context.Context, tenant, connection string, after int64) iter.Seq2[events.Record, error] {
	return pages(ctx, "connection "+connection, after, firstPage, l.facts(selectOfPlace, func(s *sqlite.Stmt) {
		s.BindText(2, tenant)
		s.BindText(3, connection)
	}), func(r *events.Record) int64 { return r.Position })
}

// Stream is a stream with what is stored at its head.
type Stream struct {
	ID events.StreamID
	eventlog.Snapshot
	number int64
}

// Streams yields every stream, in the order in which they were begun.
func (l *Log) Streams(ctx context.Context) iter.Seq2[Stream, error] {
	return pages(ctx, "streams", 0, firstPage, func(ctx context.Context, after int64, page []Stream) ([]Stream, error) {
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

package sqlitelog

import (
	"context"
	"fmt"
	"iter"

	"zombiezen.com/go/sqlite"

	"handoff/events"
	"handoff/infra/eventlog"
)

var _ eventlog.Walker = (*Log)(nil)

// selectWalk reads facts by stream, and with the last fact of a stream what is
// stored at its head. One statement sees both at the same instant.
const selectWalk = `SELECT f.pos, f.version, f.place, f.stream, f.kind, f.type, f.schema, f.time, f.commit_id, f.causation, f.correlation,
f.actor, f.key_id, f.trace, f.hash, f.clear, f.sealed_sum, f.sealed, f.sid, s.head = f.version, s.head_hash, s.state_version,
CASE WHEN s.head = f.version THEN s.state END
FROM facts f JOIN streams s ON s.sid = f.sid
WHERE (f.sid, f.version) > (?1, ?2) ORDER BY f.sid, f.version`

// walked is a step with the place from which the next page goes on.
type walked struct {
	eventlog.Step
	sid int64
}

// Walk implements eventlog.Walker. Streams come in the order in which they were
// begun.
func (l *Log) Walk(ctx context.Context) iter.Seq2[eventlog.Step, error] {
	return func(yield func(eventlog.Step, error) bool) {
		page := make([]walked, 0, largePage)
		for at := (walked{}); ; at = page[len(page)-1] {
			var err error
			if page, err = l.walk(ctx, at, page[:0]); err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(eventlog.Step{}, fmt.Errorf("walk the log: %w", orDone(ctx, err)))
				return
			}
			for i := range page {
				if !yield(page[i].Step, nil) {
					return
				}
			}
			if len(page) < cap(page) {
				break
			}
		}
		l.hollow(ctx, yield)
	}
}

// selectHollow finds streams whose facts are gone, all of them.
const selectHollow = streamColumns + `WHERE NOT EXISTS (SELECT 1 FROM facts WHERE facts.sid = streams.sid)`

func (l *Log) hollow(ctx context.Context, yield func(eventlog.Step, error) bool) {
	var found []eventlog.Step
	err := l.db.Read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, selectHollow, func(*sqlite.Stmt) {}, func(s *sqlite.Stmt) error {
			stream, err := l.scanStream(conn, s)
			found = append(found, eventlog.Step{Carried: &stream.Snapshot, Record: events.Record{Header: events.Header{Stream: stream.ID, Kind: stream.Kind}}})
			return err
		})
	})
	for i := 0; err == nil && i < len(found); i++ {
		if !yield(found[i], nil) {
			return
		}
	}
	if err != nil {
		yield(eventlog.Step{}, fmt.Errorf("walk the log: %w", orDone(ctx, err)))
	}
}

func (l *Log) walk(ctx context.Context, after walked, page []walked) ([]walked, error) {
	err := l.db.Read(ctx, func(conn *sqlite.Conn) error {
		rows := scanner{log: l, conn: conn, buf: make([]byte, 0, 4096), words: make(map[string]string)}
		return query(conn, selectWalk, func(s *sqlite.Stmt) {
			s.BindInt64(1, after.sid)
			s.BindInt64(2, int64(after.Version))
		}, func(s *sqlite.Stmt) error {
			page = append(page, walked{sid: s.ColumnInt64(18)})
			w := &page[len(page)-1]
			err := rows.fact(s, &w.Record)
			if s.ColumnInt(19) != 0 {
				w.Carried = carried(s, &w.Record)
			}
			return enough(page, err)
		})
	})
	return page, err
}

func carried(s *sqlite.Stmt, r *events.Record) *eventlog.Snapshot {
	c := &eventlog.Snapshot{
		Head: eventlog.Head{Version: r.Version}, Tenant: r.Tenant, Connection: r.Connection, Kind: r.Kind,
		StateVersion: s.ColumnInt(21), State: appendColumn(nil, s, 22),
	}
	s.ColumnBytes(20, c.Hash[:])
	return c
}

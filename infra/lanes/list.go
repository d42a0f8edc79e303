package lanes

import (
	"context"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"

	"handoff/domain/delivery"
	"handoff/events"
	"handoff/infra/breaker"
	"handoff/infra/sqlitedb"
)

// Row is a delivery that is not done, as people see it.
type Row struct {
	Seq     int64 // where it stands; grows
	Item    delivery.Item
	Status  delivery.Status // Pending or Parked
	Behind  bool            // it waits for another one of its lane
	Queued  time.Time
	Due     time.Time // when it is tried, if nothing holds it back
	Expires time.Time // after it the next attempt is the last
	Tries   int
	Code    string // of the last attempt
	HTTP    int
}

// Query selects rows of one tenant; empty fields select all.
type Query struct {
	Tenant     string
	Connection string
	Endpoint   string
	Status     delivery.Status
	After      int64 // Seq of the last row of the page before
	Limit      int
}

// List returns rows in the order in which they were put in.
func (q *Queue) List(ctx context.Context, want Query) (rows []Row, err error) {
	states, ok := map[delivery.Status]string{delivery.None: "", delivery.Pending: "i.state < 2 AND ", delivery.Parked: "i.state = 2 AND "}[want.Status]
	if !ok {
		return nil, nil // what was delivered has no row
	}
	sql := listColumns + `WHERE ` + states + `e.tenant = ?1 AND (?2 = '' OR e.connection = ?2) AND (?3 = '' OR e.endpoint = ?3)
		AND i.seq > ?4 ORDER BY i.seq LIMIT ?5`
	err = q.db.Read(ctx, func(conn *sqlite.Conn) error {
		return sqlitedb.Query(conn, sql, func(s *sqlite.Stmt) { rows = append(rows, scanRow(s)) },
			want.Tenant, want.Connection, want.Endpoint, want.After, int64(want.Limit))
	})
	if err != nil {
		return nil, fmt.Errorf("list deliveries: %w", err)
	}
	return rows, nil
}

// Find returns the row of a delivery, or false where it is done or was never
// put in.
func (q *Queue) Find(ctx context.Context, id events.StreamID) (row Row, ok bool, err error) {
	err = q.db.Read(ctx, func(conn *sqlite.Conn) error {
		return sqlitedb.Query(conn, listColumns+`WHERE i.id = ?1`, func(s *sqlite.Stmt) { row, ok = scanRow(s), true }, id[:])
	})
	if err != nil {
		return Row{}, false, fmt.Errorf("find delivery %s: %w", id, err)
	}
	return row, ok, nil
}

func scanRow(s *sqlite.Stmt) Row {
	e := scan(s, key{tenant: s.ColumnText(10), connection: s.ColumnText(11), endpoint: s.ColumnText(12)})
	r := Row{
		Seq: e.seq, Item: e.item, Status: delivery.Pending, Behind: s.ColumnInt(13) == waiting, Queued: sqlitedb.Instant(s.ColumnInt64(14)),
		Due: sqlitedb.Instant(s.ColumnInt64(15)), Expires: e.expires, Tries: e.tries, Code: s.ColumnText(16), HTTP: s.ColumnInt(17),
	}
	if s.ColumnInt(13) == parked {
		r.Status = delivery.Parked
	}
	return r
}

// Endpoint is how an endpoint does.
type Endpoint struct {
	Tenant, Connection, ID string
	Breaker                breaker.State
	// Until is when an open breaker lets the next attempt through.
	Until           time.Time
	Pending, Parked int
}

// Endpoints returns all endpoints that ever had a delivery.
func (q *Queue) Endpoints(ctx context.Context) ([]Endpoint, error) {
	now := q.now()
	var all []Endpoint
	place := make(map[int64]int)
	err := q.db.Read(ctx, func(conn *sqlite.Conn) error {
		err := sqlitedb.Query(conn, allEndpoints, func(s *sqlite.Stmt) {
			b := breaker.Breaker{Until: sqlitedb.Instant(s.ColumnInt64(6))}
			place[s.ColumnInt64(0)] = len(all)
			all = append(all, Endpoint{
				Tenant: s.ColumnText(1), Connection: s.ColumnText(2), ID: s.ColumnText(3), Breaker: b.At(now), Until: b.Until,
			})
		})
		if err != nil {
			return err
		}
		return sqlitedb.Query(conn, countItems, func(s *sqlite.Stmt) {
			e := &all[place[s.ColumnInt64(0)]]
			if s.ColumnBool(1) {
				e.Parked = s.ColumnInt(2)
			} else {
				e.Pending = s.ColumnInt(2)
			}
		})
	})
	if err != nil {
		return nil, fmt.Errorf("list endpoints: %w", err)
	}
	return all, nil
}

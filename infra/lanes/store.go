package lanes

import (
	"time"

	"zombiezen.com/go/sqlite"

	"handoff/domain/delivery"
	"handoff/events"
	"handoff/infra/breaker"
	"handoff/infra/sqlitedb"
)

// entry is an item in the queue.
type entry struct {
	seq     int64
	item    delivery.Item
	expires time.Time
	tries   int // attempts that reached the endpoint
	errors  int // in a row, of our own
	puts    int64
}

func enqueue(conn *sqlite.Conn, item delivery.Item, now time.Time) error {
	state, err := number(conn, selectState, -1, item.ID[:])
	if err != nil {
		return err
	}
	if state == waiting || state == first {
		return sqlitedb.Exec(conn, countPut, item.ID[:])
	}
	endpoint, err := endpointID(conn, keyOf(item))
	if err != nil {
		return err
	}
	if state == parked {
		if err := sqlitedb.Exec(conn, deleteByID, item.ID[:]); err != nil {
			return err
		}
	}
	s := item.Subject
	return sqlitedb.Exec(conn, insertItem, item.ID[:], endpoint, s.Stream, int64(s.Version), s.Event, s.EventType, now, now.Add(delivery.MaxAge))
}

// endpointID returns the number of an endpoint, which it gives to a new one.
func endpointID(conn *sqlite.Conn, k key) (int64, error) {
	id, err := number(conn, selectEndpoint, -1, k.tenant, k.connection, k.endpoint)
	if err != nil || id >= 0 {
		return id, err
	}
	if err := sqlitedb.Exec(conn, insertEndpoint, k.tenant, k.connection, k.endpoint); err != nil {
		return 0, err
	}
	return conn.LastInsertRowID(), nil
}

func hurry(conn *sqlite.Conn, id events.StreamID, now time.Time) error {
	return sqlitedb.Exec(conn, hurryItem, id[:], now)
}

// done is what is written after an attempt.
type done struct {
	entry
	endpoint int64
	status   delivery.Status
	retryAt  time.Time
	outcome  delivery.Outcome
	breaker  *breaker.Breaker // where it changed
}

// finish writes what became of an item. It returns when a pending item is due,
// else the first of the lane, if that is due now: another item, or the same one
// where it was put in again while its attempt was under way.
func finish(conn *sqlite.Conn, d done, now time.Time) (due time.Time, next *entry, err error) {
	switch d.status {
	case delivery.Delivered:
		err = sqlitedb.Exec(conn, deleteItem, d.seq, d.puts)
	case delivery.Parked:
		err = sqlitedb.Exec(conn, parkItem, d.seq, d.puts, int64(d.tries), d.outcome.Code, int64(d.outcome.Status))
	default:
		err = sqlitedb.Query(conn, retryItem, func(s *sqlite.Stmt) { due = sqlitedb.Instant(s.ColumnInt64(0)) },
			d.seq, int64(d.tries), d.outcome.Code, int64(d.outcome.Status), d.retryAt, int64(d.errors), d.puts, now)
	}
	if b := d.breaker; err == nil && b != nil {
		err = sqlitedb.Exec(conn, updateEndpoint, d.endpoint, int64(b.Failures), int64(b.Trips), b.Until)
	}
	if err != nil || d.status == delivery.Pending {
		return due, nil, err
	}
	err = sqlitedb.Query(conn, promote, func(s *sqlite.Stmt) {
		e := scan(s, keyOf(d.item))
		next = &e
	}, d.endpoint, d.item.Subject.Stream, now)
	return time.Time{}, next, err
}

// scan reads itemColumns.
func scan(s *sqlite.Stmt, k key) (e entry) {
	e.seq = s.ColumnInt64(0)
	s.ColumnBytes(1, e.item.ID[:])
	e.item.Tenant = k.tenant
	e.item.Subject = events.DeliverySubject{
		Stream: s.ColumnText(2), Version: s.ColumnInt(3), Event: s.ColumnText(4), EventType: s.ColumnText(5),
		Connection: k.connection, Endpoint: k.endpoint,
	}
	e.expires, e.tries, e.errors, e.puts = sqlitedb.Instant(s.ColumnInt64(6)), s.ColumnInt(7), s.ColumnInt(8), s.ColumnInt64(9)
	return e
}

// number returns the one number that a query finds, or none.
func number(conn *sqlite.Conn, sql string, none int64, args ...any) (n int64, err error) {
	n = none
	err = sqlitedb.Query(conn, sql, func(s *sqlite.Stmt) { n = s.ColumnInt64(0) }, args...)
	return n, err
}

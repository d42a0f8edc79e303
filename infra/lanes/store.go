package lanes

import (
	"errors"
	"time"

	"zombiezen.com/go/sqlite"

	"handoff/domain/delivery"
	"handoff/events"
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
		return exec(conn, countPut, item.ID[:])
	}
	endpoint, err := endpointID(conn, keyOf(item))
	if err != nil {
		return err
	}
	if state == parked {
		if err := exec(conn, deleteByID, item.ID[:]); err != nil {
			return err
		}
	}
	s := item.Subject
	return exec(conn, insertItem, item.ID[:], endpoint, s.Stream, int64(s.Version), s.Event, s.EventType, now, now.Add(delivery.MaxAge))
}

// endpointID returns the number of an endpoint, which it gives to a new one.
func endpointID(conn *sqlite.Conn, k key) (int64, error) {
	id, err := number(conn, selectEndpoint, -1, k.tenant, k.connection, k.endpoint)
	if err != nil || id >= 0 {
		return id, err
	}
	if err := exec(conn, insertEndpoint, k.tenant, k.connection, k.endpoint); err != nil {
		return 0, err
	}
	return conn.LastInsertRowID(), nil
}

func hurry(conn *sqlite.Conn, id events.StreamID, now time.Time) error {
	return exec(conn, hurryItem, id[:], now)
}

// done is what is written after an attempt.
type done struct {
	entry
	endpoint int64
	status   delivery.Status
	retryAt  time.Time
	outcome  delivery.Outcome
	breaker  *saved // where it changed
}

// finish writes what became of an item. It returns when a pending item is due,
// else the first of the lane, if that is due now: another item, or the same one
// where it was put in again while its attempt was under way.
func finish(conn *sqlite.Conn, d done, now time.Time) (due time.Time, next *entry, err error) {
	switch d.status {
	case delivery.Delivered:
		err = exec(conn, deleteItem, d.seq, d.puts)
	case delivery.Parked:
		err = exec(conn, parkItem, d.seq, d.puts, int64(d.tries), d.outcome.Code, int64(d.outcome.Status))
	default:
		err = query(conn, retryItem, func(s *sqlite.Stmt) { due = instant(s.ColumnInt64(0)) },
			d.seq, int64(d.tries), d.outcome.Code, int64(d.outcome.Status), d.retryAt, int64(d.errors), d.puts, now)
	}
	if b := d.breaker; err == nil && b != nil {
		err = exec(conn, updateEndpoint, d.endpoint, int64(b.failures), int64(b.trips), b.until)
	}
	if err != nil || d.status == delivery.Pending {
		return due, nil, err
	}
	err = query(conn, promote, func(s *sqlite.Stmt) {
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
	e.expires, e.tries, e.errors, e.puts = instant(s.ColumnInt64(6)), s.ColumnInt(7), s.ColumnInt(8), s.ColumnInt64(9)
	return e
}

func exec(conn *sqlite.Conn, sql string, args ...any) error { return query(conn, sql, nil, args...) }

// number returns the one number that a query finds, or none.
func number(conn *sqlite.Conn, sql string, none int64, args ...any) (n int64, err error) {
	n = none
	err = query(conn, sql, func(s *sqlite.Stmt) { n = s.ColumnInt64(0) }, args...)
	return n, err
}

// query runs a prepared statement to its end.
func query(conn *sqlite.Conn, sql string, each func(*sqlite.Stmt), args ...any) error {
	s, err := conn.Prepare(sql)
	if err != nil {
		return err
	}
	for i, arg := range args {
		bind(s, i+1, arg)
	}
	for {
		if more, err := s.Step(); err != nil || !more {
			return errors.Join(err, s.Reset())
		}
		if each != nil {
			each(s)
		}
	}
}

func bind(s *sqlite.Stmt, i int, arg any) {
	switch v := arg.(type) {
	case int64:
		s.BindInt64(i, v)
	case string:
		s.BindText(i, v)
	case []byte:
		s.BindBytes(i, v)
	case time.Time:
		s.BindInt64(i, nanos(v))
	default:
		panic("lanes: a query's argument is of no known type") // no input can cause it
	}
}

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func instant(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

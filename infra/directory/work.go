package directory

import (
	"context"
	"fmt"
	"iter"
	"time"

	"zombiezen.com/go/sqlite"

	"handoff/events"
	"handoff/infra/sqlitedb"
)

const (
	selectOpen = `SELECT pos, stream, number FROM escalations INDEXED BY escalations_open_here
WHERE tenant = ?1 AND connection = ?2 AND open = 1 AND pos > ?3 ORDER BY pos LIMIT ?4`
	selectDue = `SELECT tenant, stream, number, deadline FROM escalations INDEXED BY escalations_due
WHERE open = 1 ORDER BY deadline LIMIT ?1`
	selectRelays     = `SELECT stream, look_at FROM relays INDEXED BY relays_due WHERE look_at <= ?1 ORDER BY look_at LIMIT ?2`
	selectByCustomer = `SELECT stream FROM customers WHERE tenant = ?1 AND ref = ?2`
)

// openPage is how many open escalations are read at once.
const openPage = 256

// OpenEscalation is an escalation that did not end.
type OpenEscalation struct {
	Stream events.StreamID
	Number int
}

// Open yields the open escalations to which the rules of a connection apply:
// those raised on it that did not move away and those that moved there. What
// the consumer changes meanwhile disturbs nothing.
func (d *Directory) Open(ctx context.Context, tenant, connection string) iter.Seq2[OpenEscalation, error] {
	return func(yield func(OpenEscalation, error) bool) {
		for last, more := int64(0), true; more; {
			var page []OpenEscalation
			err := d.db.Read(ctx, func(conn *sqlite.Conn) error {
				return query(conn, selectOpen, []any{tenant, connection, last, openPage}, func(s *sqlite.Stmt) {
					e := OpenEscalation{Number: s.ColumnInt(2)}
					s.ColumnBytes(1, e.Stream[:])
					page, last = append(page, e), s.ColumnInt64(0)
				})
			})
			if err != nil {
				yield(OpenEscalation{}, fmt.Errorf("list open escalations of %s: %w", connection, err))
				return
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
			}
			more = len(page) == openPage
		}
	}
}

// Due is an open escalation whose deadline has come.
type Due struct {
	Tenant   string
	Stream   events.StreamID
	Number   int
	Deadline time.Time
}

// Due returns at most limit open escalations of all tenants whose deadline is
// not after now, the most overdue first, and the deadline that comes next: that
// of the first one not returned, zero if there is none.
func (d *Directory) Due(ctx context.Context, now time.Time, limit int) (due []Due, next time.Time, err error) {
	var all []Due
	err = d.db.Read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, selectDue, []any{limit + 1}, func(s *sqlite.Stmt) {
			e := Due{Tenant: s.ColumnText(0), Number: s.ColumnInt(2), Deadline: sqlitedb.Instant(s.ColumnInt64(3))}
			s.ColumnBytes(1, e.Stream[:])
			all = append(all, e)
		})
	})
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("list due escalations: %w", err)
	}
	for i, e := range all {
		if i == limit || e.Deadline.After(now) {
			return all[:i], e.Deadline, nil
		}
	}
	return all, time.Time{}, nil
}

// Relay is a relayed conversation that is to be looked at.
type Relay struct {
	Stream events.StreamID
	LookAt time.Time
}

// Relays returns at most limit relays of all tenants that are to be looked at by
// now, the most overdue first.
func (d *Directory) Relays(ctx context.Context, now time.Time, limit int) (all []Relay, err error) {
	err = d.db.Read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, selectRelays, []any{now.UnixNano(), limit}, func(s *sqlite.Stmt) {
			r := Relay{LookAt: sqlitedb.Instant(s.ColumnInt64(1))}
			s.ColumnBytes(0, r.Stream[:])
			all = append(all, r)
		})
	})
	if err != nil {
		return nil, fmt.Errorf("list relays: %w", err)
	}
	return all, nil
}

// ByCustomer returns the conversations of a tenant with the customer of whom a
// reference, which is a keyed hash, was recorded.
func (d *Directory) ByCustomer(ctx context.Context, tenant, ref string) (streams []events.StreamID, err error) {
	err = d.db.Read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, selectByCustomer, []any{tenant, ref}, func(s *sqlite.Stmt) {
			var id events.StreamID
			s.ColumnBytes(0, id[:])
			streams = append(streams, id)
		})
	})
	if err != nil {
		return nil, fmt.Errorf("find conversations of a customer: %w", err)
	}
	return streams, nil
}

package directory

import (
	"context"
	"fmt"
	"math"

	"zombiezen.com/go/sqlite"

	"handoff/domain/delivery"
	"handoff/domain/escid"
	"handoff/domain/fault"
	"handoff/domain/listing"
	"handoff/domain/publication"
	"handoff/infra/sqlitedb"
)

const (
	listConnections = 'c'
	listDeliveries  = 'd'
)

const (
	selectConnections = `SELECT id, status, hub_type, organisation, requested_at, bot,
	(SELECT count(*) FROM escalations e INDEXED BY escalations_open_here WHERE e.tenant = c.tenant AND e.connection = c.id AND e.open = 1)
FROM connections c WHERE tenant = ?1 AND id > ?2 ORDER BY id LIMIT ?3`

	deliveryColumns = `SELECT pos, stream, event, event_type, connection, endpoint, status, attempts, code, http_status, updated_at FROM deliveries `

	// deliveryConditions: ?1 tenant, ?2 connection, ?3 status, ?4 position.
	deliveryConditions = ` AND tenant = ?1 AND pos < ?4 AND (?2 = '' OR connection = ?2) AND (?3 = '' OR status = ?3) ORDER BY pos DESC LIMIT ?5`

	deliveriesOfTenant = deliveryColumns + `INDEXED BY deliveries_of_tenant WHERE 1` + deliveryConditions
	deliveriesHere     = deliveryColumns + `INDEXED BY deliveries_here WHERE connection = ?2` + deliveryConditions
	deliveriesOwed     = deliveryColumns + `INDEXED BY deliveries_owed WHERE status = ?3 AND status <> 'delivered'` + deliveryConditions
	deliveriesAbout    = deliveryColumns + `INDEXED BY deliveries_about WHERE subject = ?6 AND version BETWEEN ?7 AND ?8` + deliveryConditions
	oneDelivery        = deliveryColumns + `WHERE tenant = ?1 AND stream = ?2`

	selectVersions = `SELECT number, version FROM escalations INDEXED BY escalations_of_stream WHERE stream = ?1 AND number BETWEEN ?2 AND ?2 + 1 AND tenant = ?3`
)

// Connections returns a page of connections by name, and the cursor of the next.
func (d *Directory) Connections(ctx context.Context, q listing.ConnectionQuery) (rows []listing.Connection, next string, err error) {
	from, err := listing.Unseal(listConnections, q.Cursor)
	if err != nil {
		return nil, "", err
	}
	n := q.Rows()
	err = d.db.Read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, selectConnections, []any{q.Tenant, string(from), n + 1}, func(s *sqlite.Stmt) {
			rows = append(rows, listing.Connection{
				ID: s.ColumnText(0), Status: s.ColumnText(1), HubType: s.ColumnText(2), Organisation: s.ColumnText(3),
				RequestedAt: sqlitedb.Instant(s.ColumnInt64(4)), Bot: publication.State(s.ColumnText(5)), Open: s.ColumnInt(6),
			})
		})
	})
	if err != nil {
		return nil, "", fmt.Errorf("list connections: %w", err)
	}
	rows, more := listing.Cut(rows, n)
	if more {
		next = listing.Seal(listConnections, []byte(rows[n-1].ID))
	}
	return rows, next, nil
}

// Deliveries returns a page of deliveries, newest first, and the cursor of the
// next. When a pending one is tried again is not known here.
func (d *Directory) Deliveries(ctx context.Context, q listing.DeliveryQuery) (rows []listing.Delivery, next string, err error) {
	pos, err := listing.Before(listDeliveries, q.Cursor)
	if err != nil {
		return nil, "", err
	}
	n := q.Rows()
	args := []any{q.Tenant, q.Connection, q.Status, pos, n + 1}
	sql := deliveriesOfTenant
	switch {
	case q.Escalation != "":
		var about []any
		if about, err = d.about(ctx, q.Tenant, q.Escalation); err != nil {
			return nil, "", err
		}
		sql, args = deliveriesAbout, append(args, about...)
	case q.Status != "" && q.Status != string(delivery.Delivered):
		sql = deliveriesOwed
	case q.Connection != "":
		sql = deliveriesHere
	}
	var last []int64
	err = d.db.Read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, sql, args, func(s *sqlite.Stmt) { rows, last = append(rows, scanDelivery(s)), append(last, s.ColumnInt64(0)) })
	})
	if err != nil {
		return nil, "", fmt.Errorf("list deliveries: %w", err)
	}
	rows, more := listing.Cut(rows, n)
	if more {
		next = listing.After(listDeliveries, last[n-1])
	}
	return rows, next, nil
}

// about returns the stream of an escalation, and the first and last version of
// its facts.
func (d *Directory) about(ctx context.Context, tenant, id string) ([]any, error) {
	stream, number, err := escid.Parse(id)
	if err != nil {
		return nil, err
	}
	from, to := int64(0), int64(math.MaxInt64)
	err = d.db.Read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, selectVersions, []any{stream[:], number, tenant}, func(s *sqlite.Stmt) {
			if v := s.ColumnInt64(1); s.ColumnInt(0) == number {
				from = v
			} else {
				to = v - 1
			}
		})
	})
	if err == nil && from == 0 {
		err = fault.Newf(fault.NotFound, "escalation-not-found", "There is no escalation %q.", id)
	}
	if err != nil {
		return nil, fmt.Errorf("list deliveries: %w", err)
	}
	return []any{stream[:], from, to}, nil
}

// Delivery returns the delivery with an id.
func (d *Directory) Delivery(ctx context.Context, tenant, id string) (row listing.Delivery, err error) {
	stream, err := delivery.ParseName(id)
	if err != nil {
		return row, err
	}
	err = d.db.Read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, oneDelivery, []any{tenant, stream[:]}, func(s *sqlite.Stmt) { row = scanDelivery(s) })
	})
	if err == nil && row.ID == "" {
		err = fault.New(fault.NotFound, "delivery-not-found", "There is no such delivery.")
	}
	if err != nil {
		return row, fmt.Errorf("find delivery: %w", err)
	}
	return row, nil
}

func scanDelivery(s *sqlite.Stmt) listing.Delivery {
	var stream [16]byte
	s.ColumnBytes(1, stream[:])
	return listing.Delivery{
		ID: delivery.NameOf(stream), Event: s.ColumnText(2), EventType: s.ColumnText(3), Connection: s.ColumnText(4), Endpoint: s.ColumnText(5),
		Status: s.ColumnText(6), Attempts: s.ColumnInt(7), Code: s.ColumnText(8), HTTPStatus: s.ColumnInt(9), UpdatedAt: sqlitedb.Instant(s.ColumnInt64(10)),
	}
}

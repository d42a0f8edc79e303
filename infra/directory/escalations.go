package directory

import (
	"context"
	"fmt"
	"math"

	"zombiezen.com/go/sqlite"

	"handoff/domain/conversation"
	"handoff/domain/escid"
	"handoff/domain/listing"
	"handoff/events"
	"handoff/infra/sqlitedb"
)

const listEscalations = 'e'

// Each way to find escalations reads one index in the order of the list, so
// that a page costs the rows that it has; the other conditions are checked row
// by row. INDEXED BY makes SQLite refuse rather than choose another way.
const (
	escalationColumns = `SELECT pos, stream, number, home, connection, status, queue, queue_name, hub_queue, rule, fallback, priority, reason, topic, language, channel, raised_at, deadline, code, erased FROM escalations `

	// conditions: ?1 tenant, ?2 connection, ?3 status, ?4 queue, ?5 position,
	// ?7 and ?8 streams, ?9 number.
	conditions = ` AND tenant = ?1 AND pos < ?5 AND (?2 = '' OR connection = ?2 OR home = ?2) AND (?4 = '' OR queue = ?4)
 AND (?3 = '' OR status = ?3 OR ?3 = 'open' AND open = 1) AND stream BETWEEN ?7 AND ?8 AND (?9 = 0 OR number = ?9)`
	newestFirst = ` ORDER BY pos DESC LIMIT ?6`

	ofTenant  = escalationColumns + `INDEXED BY escalations_of_tenant WHERE 1` + conditions + newestFirst
	allOpen   = escalationColumns + `INDEXED BY escalations_open WHERE open = 1` + conditions + newestFirst
	ended     = escalationColumns + `INDEXED BY escalations_ended WHERE open = 0 AND status = ?3` + conditions + newestFirst
	queued    = escalationColumns + `INDEXED BY escalations_queued WHERE queue = ?4` + conditions + newestFirst
	here      = movedAway + nowOpen + completedHere + failedHere + expiredHere + newestFirst
	openHere  = movedAway + nowOpen + newestFirst
	endedHere = movedAway + nowEnded + ` AND status = ?3` + conditions + newestFirst

	// What belongs to a connection is read from several places at once, each in
	// the order of the list.
	movedAway     = escalationColumns + `INDEXED BY escalations_moved WHERE home = ?2 AND home <> connection` + conditions
	nowOpen       = ` UNION ALL ` + escalationColumns + `INDEXED BY escalations_open_here WHERE open = 1 AND connection = ?2` + conditions
	nowEnded      = ` UNION ALL ` + escalationColumns + `INDEXED BY escalations_ended_here WHERE open = 0 AND connection = ?2`
	completedHere = nowEnded + ` AND status = 'completed'` + conditions
	failedHere    = nowEnded + ` AND status = 'failed'` + conditions
	expiredHere   = nowEnded + ` AND status = 'expired'` + conditions

	// Few have one prefix or one customer; these two are sorted.
	ofStreams  = escalationColumns + `INDEXED BY escalations_of_stream WHERE +pos > 0` + conditions + newestFirst
	ofCustomer = escalationColumns + `INDEXED BY escalations_of_stream WHERE stream IN (SELECT stream FROM customers WHERE tenant = ?1 AND ref = ?10)` + conditions + newestFirst
)

// Escalations returns a page of escalations, newest first, and the cursor of the
// next, empty after the last. Those of a connection are those raised on it and
// those that moved there.
func (d *Directory) Escalations(ctx context.Context, q listing.EscalationQuery) (rows []listing.Escalation, next string, err error) {
	pos, err := listing.Before(listEscalations, q.Cursor)
	if err != nil {
		return nil, "", err
	}
	streams, err := listing.ParsePrefix(q.IDPrefix)
	if err != nil {
		return nil, "", nil //nolint:nilerr // no id begins like that
	}
	n := q.Rows()
	all, err := d.escalations(ctx, plan(q, streams), []any{
		q.Tenant, q.Connection, q.Status, q.Queue, pos, n + 1, streams.From[:], streams.To[:], streams.Number, q.Customer,
	})
	if err != nil {
		return nil, "", fmt.Errorf("list escalations: %w", err)
	}
	all, more := listing.Cut(all, n)
	for i := range all {
		rows = append(rows, all[i].Escalation)
	}
	if more {
		next = listing.After(listEscalations, all[n-1].pos)
	}
	return rows, next, nil
}

// plan chooses the way that reads few rows. Failed and expired ones are rare,
// completed ones are not.
func plan(q listing.EscalationQuery, s listing.Streams) string {
	status := conversation.Status(q.Status)
	open := q.Status == "open" || status.Open()
	rare := status == conversation.Failed || status == conversation.Expired
	switch {
	case q.Customer != "":
		return ofCustomer
	case s.Few:
		return ofStreams
	case open:
		return either(q.Connection, openHere, allOpen)
	case q.Queue != "" && !rare:
		return queued
	case q.Status != "":
		return either(q.Connection, endedHere, ended)
	default:
		return either(q.Connection, here, ofTenant)
	}
}

// either returns the way within a connection if there is one.
func either(connection, within, over string) string {
	if connection != "" {
		return within
	}
	return over
}

// escalation is a row with its place in the list.
type escalation struct {
	listing.Escalation
	pos int64
}

func (d *Directory) escalations(ctx context.Context, sql string, args []any) (rows []escalation, err error) {
	if sql != ofCustomer {
		args = args[:9]
	}
	err = d.db.Read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, sql, args, func(s *sqlite.Stmt) { rows = append(rows, scanEscalation(s)) })
	})
	return rows, err
}

func scanEscalation(s *sqlite.Stmt) escalation {
	e := listing.Escalation{
		Number: s.ColumnInt(2), Connection: s.ColumnText(3), Status: s.ColumnText(5),
		Queue: events.Queue{ID: s.ColumnText(6), Name: s.ColumnText(7), HubQueue: s.ColumnText(8)},
		Rule:  s.ColumnText(9), Fallback: s.ColumnBool(10), Priority: s.ColumnInt(11), Reason: s.ColumnText(12), Topic: s.ColumnText(13),
		Language: s.ColumnText(14), Channel: s.ColumnText(15), RaisedAt: sqlitedb.Instant(s.ColumnInt64(16)), Deadline: sqlitedb.Instant(s.ColumnInt64(17)),
		Code: s.ColumnText(18), Erased: s.ColumnBool(19),
	}
	s.ColumnBytes(1, e.Stream[:])
	e.ID = escid.Of(e.Stream, e.Number)
	if by := s.ColumnText(4); by != e.Connection {
		e.RoutedBy = by
	}
	return escalation{e, s.ColumnInt64(0)}
}

// Escalation returns the one escalation of a tenant whose id is, or begins with,
// the given text.
func (d *Directory) Escalation(ctx context.Context, tenant, prefix string) (listing.Escalation, error) {
	streams, err := listing.ParsePrefix(prefix)
	if err != nil || streams.All() {
		return listing.Escalation{}, listing.NoEscalation(prefix)
	}
	if streams.One() { // a whole id names one number
		streams.Number = max(streams.Number, 1)
	}
	const some = 5
	sql := ofTenant
	if streams.Few {
		sql = ofStreams
	}
	found, err := d.escalations(ctx, sql, []any{
		tenant, "", "", "", int64(math.MaxInt64), some, streams.From[:], streams.To[:], streams.Number,
	})
	switch {
	case err != nil:
		return listing.Escalation{}, fmt.Errorf("find escalation: %w", err)
	case len(found) == 0:
		return listing.Escalation{}, listing.NoEscalation(prefix)
	case len(found) > 1:
		all := make([]listing.Escalation, len(found))
		for i := range found {
			all[i] = found[i].Escalation
		}
		return listing.Escalation{}, listing.Ambiguous(prefix, all)
	}
	return found[0].Escalation, nil
}

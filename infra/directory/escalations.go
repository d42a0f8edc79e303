package directory

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"zombiezen.com/go/sqlite"

	"handoff/domain/conversation"
	"handoff/domain/escid"
	"handoff/domain/fault"
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
	pos, err := before(listEscalations, q.Cursor)
	if err != nil {
		return nil, "", err
	}
	streams, err := parsePrefix(q.IDPrefix)
	if err != nil {
		return nil, "", nil //nolint:nilerr // no id begins like that
	}
	n := limit(q.Page)
	all, err := d.escalations(ctx, plan(q, streams), []any{
		q.Tenant, q.Connection, q.Status, q.Queue, pos, n + 1, streams.from[:], streams.to[:], streams.number, q.Customer,
	})
	if err != nil {
		return nil, "", fmt.Errorf("list escalations: %w", err)
	}
	all, more := cut(all, n)
	for i := range all {
		rows = append(rows, all[i].Escalation)
	}
	if more {
		next = after(listEscalations, all[n-1].pos)
	}
	return rows, next, nil
}

// plan chooses the way that reads few rows. Failed and expired ones are rare,
// completed ones are not.
func plan(q listing.EscalationQuery, s streams) string {
	status := conversation.Status(q.Status)
	open := q.Status == "open" || status.Open()
	rare := status == conversation.Failed || status == conversation.Expired
	switch {
	case q.Customer != "":
		return ofCustomer
	case s.few:
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
	streams, err := parsePrefix(prefix)
	missing := fault.Newf(fault.NotFound, "escalation-not-found", "There is no escalation %.64q.", prefix)
	if err != nil || streams.all() {
		return listing.Escalation{}, missing
	}
	if streams.from == streams.to { // a whole id names one number
		streams.number = max(streams.number, 1)
	}
	const some = 5
	sql := ofTenant
	if streams.few {
		sql = ofStreams
	}
	found, err := d.escalations(ctx, sql, []any{
		tenant, "", "", "", int64(math.MaxInt64), some, streams.from[:], streams.to[:], streams.number,
	})
	switch {
	case err != nil:
		return listing.Escalation{}, fmt.Errorf("find escalation: %w", err)
	case len(found) == 0:
		return listing.Escalation{}, missing
	case len(found) > 1:
		return listing.Escalation{}, ambiguous(prefix, found)
	}
	return found[0].Escalation, nil
}

func ambiguous(prefix string, found []escalation) error {
	ids := make([]string, len(found))
	for i := range found {
		ids[i] = found[i].ID
	}
	return fault.Newf(fault.Conflict, "escalation-ambiguous", "More than one escalation begins with %.64q: %s. Give more of the id.",
		prefix, strings.Join(ids, ", "))
}

// streams are those whose ids begin alike.
type streams struct {
	from, to events.StreamID // inclusive
	number   int             // 0: any
	few      bool            // the prefix is long enough to look them up
}

func (s streams) all() bool { return s.from == streamOf(0x00) && s.to == streamOf(0xff) }

func streamOf(b byte) (id events.StreamID) {
	for i := range id {
		id[i] = b
	}
	return id
}

// digits is how many an id has; of a prefix with lookUp or more, at most one
// stream in 256 is left.
const (
	digits = 26
	lookUp = 2
)

// parsePrefix reads the beginning of an id, with or without "esc_" and with or
// without the number at its end. It reports an error where no id begins so.
func parsePrefix(prefix string) (s streams, err error) {
	if len(prefix) >= len(escid.Prefix) && strings.EqualFold(prefix[:len(escid.Prefix)], escid.Prefix) {
		prefix = prefix[len(escid.Prefix):]
	}
	prefix, number, numbered := strings.Cut(prefix, "-")
	if numbered {
		if s.number, err = strconv.Atoi(number); err != nil || s.number < 1 {
			return s, fmt.Errorf("number %q of an escalation's id", number)
		}
	}
	if s.from, s.to = streamOf(0x00), streamOf(0xff); prefix == "" {
		return s, nil
	}
	fill := func(digit string) (events.StreamID, error) {
		id, _, err := escid.Parse(escid.Prefix + prefix + strings.Repeat(digit, max(0, digits-len(prefix))))
		return id, err
	}
	if s.from, err = fill("0"); err == nil {
		s.to, err = fill("z")
	}
	s.few = len(prefix) >= lookUp
	return s, err
}

package lists

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"handoff/domain/conversation"
	"handoff/domain/listing"
	"handoff/events"
	"handoff/infra/feedindex"
	"handoff/infra/feedindex/parallel"
)

// The letters of cursors. A list that is sorted by time has another than the
// same list by position.
const (
	listEscalations       = 'e'
	listSortedEscalations = 'E'
)

// open is the status that stands for all that are no end.
const open = "open"

// Escalations returns a page of escalations, newest first, and the cursor of the
// next. Those of a connection are those raised on it and those that are there
// now because they moved.
func (l *Lists) Escalations(ctx context.Context, q listing.EscalationQuery) (rows []listing.Escalation, next string, err error) {
	streams, err := listing.ParsePrefix(q.IDPrefix)
	if err != nil {
		return nil, "", nil //nolint:nilerr // no id begins like that
	}
	switch {
	case q.Customer != "":
		var ids []events.StreamID
		if ids, err = l.ByCustomer(ctx, q.Tenant, q.Customer); err == nil {
			rows, next, err = l.ofStreams(ctx, q, streams, ids)
		}
	case streams.One():
		rows, next, err = l.ofStreams(ctx, q, streams, []events.StreamID{streams.From})
	default:
		rows, next, err = l.newest(ctx, q, streams)
	}
	if err != nil {
		return nil, "", fmt.Errorf("list escalations: %w", err)
	}
	return rows, next, nil
}

// ofStreams lists the escalations of conversations that are known.
func (l *Lists) ofStreams(ctx context.Context, q listing.EscalationQuery, s listing.Streams, ids []events.StreamID) ([]listing.Escalation, string, error) {
	seen := make([][]escalation, len(ids))
	err := parallel.Each(ctx, loaders, len(ids), func(ctx context.Context, i int) (err error) {
		seen[i], err = l.conversation(ctx, ids[i])
		return leaveOut(ctx, ids[i], err)
	})
	if err != nil {
		return nil, "", err
	}
	var all []timed[listing.Escalation]
	for _, e := range slices.Concat(seen...) {
		if e.matches(q, s) {
			all = append(all, timed[listing.Escalation]{e.Escalation, e.RaisedAt.UnixNano(), e.ID})
		}
	}
	return sorted(listSortedEscalations, all, q.Page)
}

// newest lists escalations as they stand in the feed, or in the history of a
// connection.
func (l *Lists) newest(ctx context.Context, q listing.EscalationQuery, s listing.Streams) ([]listing.Escalation, string, error) {
	before, err := listing.Before(listEscalations, q.Cursor)
	if err != nil {
		return nil, "", err
	}
	entries := l.Index.Newest(ctx, before)
	if q.Connection != "" {
		entries = l.Index.NewestOf(ctx, q.Tenant, q.Connection, before)
	}
	if onlyOpen(q.Status) {
		entries = until(entries, l.Now().Add(-l.lifetime()-slack))
	}
	want := wanted(q, s)
	limit := maxLooked
	if s.Few {
		limit = maxSearched
	}
	return page(ctx, listEscalations, q.Rows(), candidates(entries, want, limit), func(ctx context.Context, c candidate) (listing.Escalation, bool, error) {
		e, err := l.escalation(ctx, c.Stream, c.Number)
		return e.Escalation, e.matches(q, s) && e.standsAt(c.Entry, q.Connection), leaveOut(ctx, c.Stream, err)
	})
}

func onlyOpen(status string) bool { return status == open || conversation.Status(status).Open() }

// wanted returns which entries may begin a row, as far as the index tells. Its
// answers go by what was asked before: newest entries come first, so that the
// end of an escalation is seen before its beginning.
func wanted(q listing.EscalationQuery, s listing.Streams) func(feedindex.Entry) bool {
	ended := make(map[key]bool)
	return func(e feedindex.Entry) bool {
		if e.Tenant != q.Tenant || e.Kind != events.KindConversation || e.Number == 0 || !s.Has(e.Stream) || s.Number > 0 && s.Number != e.Number {
			return false
		}
		k := key{e.Stream, e.Number}
		if e.Ended {
			ended[k] = true
		}
		begins := e.Raised && (q.Connection == "" || q.Connection == e.Connection)
		arrives := q.Connection != "" && e.Moved == q.Connection && e.Connection != q.Connection
		return (begins || arrives) && (!ended[k] || !onlyOpen(q.Status))
	}
}

// key names an escalation.
type key struct {
	stream events.StreamID
	number int
}

// until ends where commits are older than an instant. What was imported has its
// old time at a new place.
func until(entries func(func(feedindex.Entry, error) bool), old time.Time) func(func(feedindex.Entry, error) bool) {
	return func(yield func(feedindex.Entry, error) bool) {
		for e, err := range entries {
			if err == nil && e.Time.Before(old) && !e.Imported || !yield(e, err) {
				return
			}
		}
	}
}

// escalation is a row with what is not shown of it. The zero value is none.
type escalation struct {
	listing.Escalation
	tenant string
	moved  int // version of its last route, where that is by another connection's rules
}

// matches reports whether it is among those asked for.
func (e escalation) matches(q listing.EscalationQuery, s listing.Streams) bool {
	return e.Number > 0 && e.tenant == q.Tenant && s.Has(e.Stream) && (s.Number == 0 || s.Number == e.Number) &&
		(q.Connection == "" || e.Connection == q.Connection || e.RoutedBy == q.Connection) &&
		(q.Status == "" || e.Status == q.Status || q.Status == open && conversation.Status(e.Status).Open()) &&
		(q.Queue == "" || e.Queue.ID == q.Queue)
}

// standsAt reports whether an entry is where it is listed: where it was raised,
// or among those of another connection where it moved there last.
func (e escalation) standsAt(at feedindex.Entry, connection string) bool {
	return at.Raised && (connection == "" || at.Connection == connection) || at.Version <= e.moved && e.moved <= at.Last()
}

// escalation returns the row of one escalation, the zero value if there is none.
func (l *Lists) escalation(ctx context.Context, stream events.StreamID, number int) (escalation, error) {
	all, err := l.conversation(ctx, stream)
	if number < 1 || number > len(all) {
		return escalation{}, err
	}
	return all[number-1], err
}

// conversation returns the rows of all escalations of a conversation, the first
// one first.
func (l *Lists) conversation(ctx context.Context, stream events.StreamID) (rows []escalation, err error) {
	var v conversation.Viewer
	var head events.Header
	err = l.facts(ctx, stream, func(r events.Record, f events.Fact) {
		head = r.Header
		v.Observe(r.Header, f, false)
	})
	if err != nil || head.Kind != events.KindConversation {
		return nil, err
	}
	for _, w := range v.Escalations() {
		rows = append(rows, rowOf(head, w))
	}
	return rows, nil
}

func rowOf(h events.Header, w conversation.View) escalation {
	e := escalation{tenant: h.Tenant, Escalation: listing.Escalation{
		ID: w.ID, Connection: h.Connection, Number: w.Number, Status: string(w.Status), Queue: w.Queue, Rule: w.Rule, Fallback: w.Fallback,
		Priority: w.Priority, Reason: w.Raised.Reason, Topic: w.Raised.Topic, Language: w.Raised.Language, Channel: w.Raised.Channel,
		RaisedAt: w.RaisedAt, Deadline: w.Deadline, Code: w.Code, Erased: w.Erased, Stream: h.Stream,
	}}
	if by := w.Connection; by != "" && by != h.Connection {
		e.RoutedBy, e.moved = by, w.RoutedAt
	}
	return e
}

// some is how many candidates an ambiguous id is told with.
const some = 5

// Escalation returns the one escalation of a tenant whose id is, or begins with,
// the given text. A whole id names one number.
func (l *Lists) Escalation(ctx context.Context, tenant, prefix string) (listing.Escalation, error) {
	s, err := listing.ParsePrefix(prefix)
	if err != nil || s.All() {
		return listing.Escalation{}, listing.NoEscalation(prefix)
	}
	q := listing.EscalationQuery{Tenant: tenant, Page: listing.Page{Limit: some}}
	var rows []listing.Escalation
	if s.One() {
		s.Number = max(s.Number, 1)
		rows, _, err = l.ofStreams(ctx, q, s, []events.StreamID{s.From})
	} else {
		entries := candidates(l.Index.Newest(ctx, math.MaxInt64), wanted(q, s), maxSearched)
		rows, _, err = page(ctx, listEscalations, some, entries, func(ctx context.Context, c candidate) (listing.Escalation, bool, error) {
			e, err := l.escalation(ctx, c.Stream, c.Number)
			return e.Escalation, e.matches(q, s), leaveOut(ctx, c.Stream, err)
		})
	}
	switch {
	case err != nil:
		return listing.Escalation{}, fmt.Errorf("find escalation: %w", err)
	case len(rows) == 0:
		return listing.Escalation{}, listing.NoEscalation(prefix)
	case len(rows) > 1:
		return listing.Escalation{}, listing.Ambiguous(prefix, rows)
	}
	return rows[0], nil
}

// ByCustomer returns the conversations of a tenant with the customer of whom a
// reference, which is a keyed hash, was recorded. It misses none whose append
// returned before the call.
func (l *Lists) ByCustomer(ctx context.Context, tenant, ref string) ([]events.StreamID, error) {
	noted, err := l.Index.ByCustomer(ctx, tenant, ref)
	if err != nil {
		return nil, err
	}
	said := make([]bool, len(noted))
	err = parallel.Each(ctx, loaders, len(noted), func(ctx context.Context, i int) error {
		return l.facts(ctx, noted[i], func(r events.Record, f events.Fact) {
			said[i] = said[i] || r.Tenant == tenant && slices.Contains(feedindex.CustomerRefs(f), ref)
		})
	})
	if err != nil {
		return nil, fmt.Errorf("find conversations of a customer: %w", err)
	}
	var ids []events.StreamID
	for i, id := range noted {
		if said[i] {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

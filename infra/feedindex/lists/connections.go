package lists

import (
	"context"
	"fmt"
	"iter"
	"math"
	"time"

	"handoff/domain/connection"
	"handoff/domain/conversation"
	"handoff/domain/listing"
	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/feedindex"
	"handoff/infra/feedindex/parallel"
)

const listConnections = 'c'

// counters is how many connections' open escalations are counted at once.
const counters = 4

// Connections returns a page of connections by name, and the cursor of the next.
func (l *Lists) Connections(ctx context.Context, q listing.ConnectionQuery) (rows []listing.Connection, next string, err error) {
	from, err := listing.Unseal(listConnections, q.Cursor)
	if err != nil {
		return nil, "", err
	}
	n := q.Rows()
	for row, err := range parallel.Ordered(ctx, counters, first(n+1, l.Index.Connections(ctx, q.Tenant, string(from))), l.connection) {
		if err != nil {
			return nil, "", fmt.Errorf("list connections: %w", err)
		}
		rows = append(rows, row)
	}
	rows, more := listing.Cut(rows, n)
	if more {
		next = listing.Seal(listConnections, []byte(rows[n-1].ID))
	}
	return rows, next, nil
}

// Everywhere lists the connections of every tenant, for those who go round all of
// them. It knows nothing of the last second or two.
type Everywhere struct{ Index *feedindex.Index }

// Connections yields them in the order of their tenants and names.
func (e Everywhere) Connections(ctx context.Context) iter.Seq2[connection.Ref, error] {
	return func(yield func(connection.Ref, error) bool) {
		for at, err := range e.Index.EveryConnection(ctx) {
			if err != nil {
				yield(connection.Ref{}, fmt.Errorf("list all connections: %w", err))
				return
			}
			if !yield(connection.Ref{Tenant: at.Tenant, ID: at.Connection, Stream: at.Stream}, nil) {
				return
			}
		}
	}
}

// first yields the first n of a sequence.
func first(n int, all iter.Seq2[feedindex.Entry, error]) iter.Seq2[feedindex.Entry, error] {
	return func(yield func(feedindex.Entry, error) bool) {
		left := n
		for e, err := range all {
			if !yield(e, err) {
				return
			}
			if left--; left == 0 {
				return
			}
		}
	}
}

func (l *Lists) connection(ctx context.Context, e feedindex.Entry) (listing.Connection, error) {
	c, err := eventlog.State(ctx, l.Ledger, connection.Decider, e.Stream)
	if err != nil {
		return listing.Connection{}, err
	}
	row := listing.Connection{
		ID: e.Connection, Status: string(c.State.Status), HubType: c.State.Hub.Type, Organisation: c.State.Hub.Organisation, RequestedAt: e.Time,
		Bot: c.State.Publication.State,
	}
	for _, err := range l.open(ctx, e.Tenant, e.Connection, l.Now().Add(-l.lifetime()-slack), maxLooked) {
		if err != nil {
			return listing.Connection{}, err
		}
		row.Open++
	}
	return row, nil
}

// Open yields the conversations of a tenant with an open escalation to which
// the rules of a connection apply: raised on it and not moved away, or moved
// there. It knows nothing of the last second or two, whatever position it is
// given; whoever must not miss any asks again a little later. It implements
// disconnected.Escalations.
func (l *Lists) Open(ctx context.Context, tenant, connection string, _ int64) iter.Seq2[events.StreamID, error] {
	return func(yield func(events.StreamID, error) bool) {
		for id, err := range l.open(ctx, tenant, connection, l.Now().Add(-maxLifetime-slack), math.MaxInt) {
			if err != nil {
				yield(id, fmt.Errorf("list open escalations of %s: %w", connection, err))
				return
			}
			if !yield(id, nil) {
				return
			}
		}
	}
}

// open yields what Open does, of the escalations of which there is a commit
// since an instant, among as many of the newest commits as limit says. For what
// was raised on the connection its history tells everything; of what moved there
// the end is in the history of another.
func (l *Lists) open(ctx context.Context, tenant, connection string, since time.Time, limit int) iter.Seq2[events.StreamID, error] {
	return func(yield func(events.StreamID, error) bool) {
		over := make(map[key]bool) // everything is known of it
		home := make(map[key]bool) // it came back
		looked := 0
		for e, err := range until(l.Index.NewestOf(ctx, tenant, connection, math.MaxInt64), since) {
			k := key{e.Stream, e.Number}
			if looked++; err == nil && looked > limit {
				return
			}
			is := false
			switch {
			case err != nil || over[k] || e.Kind != events.KindConversation || e.Number == 0:
			case e.Ended:
				over[k] = true
			case e.Connection != connection:
				over[k] = true
				is, err = l.openHere(ctx, e, connection)
			case e.Moved == connection:
				home[k] = true
			case e.Moved != "" && !home[k]:
				over[k] = true
			case e.Raised:
				over[k], is = true, true
			}
			if (err != nil || is) && !yield(e.Stream, err) || err != nil {
				return
			}
		}
	}
}

func (l *Lists) openHere(ctx context.Context, e feedindex.Entry, connection string) (bool, error) {
	row, err := l.escalation(ctx, e.Stream, e.Number)
	return row.RoutedBy == connection && conversation.Status(row.Status).Open(), leaveOut(ctx, e.Stream, err)
}

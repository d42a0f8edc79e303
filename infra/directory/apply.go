package directory

import (
	"time"

	"github.com/google/uuid"
	"zombiezen.com/go/sqlite"

	"handoff/domain/connection"
	"handoff/domain/conversation"
	"handoff/domain/delivery"
	"handoff/domain/publication"
	"handoff/domain/relay"
	"handoff/events"
)

const (
	raise = `INSERT INTO escalations (pos, tenant, stream, number, version, home, connection, status, open, reason, topic, language, channel, raised_at, deadline)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, 'raised', 1, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT DO NOTHING`
	rest  = `INSERT INTO relays (stream, look_at) VALUES (?1, ?2) ON CONFLICT (stream) DO UPDATE SET look_at = ?2`
	leave = `DELETE FROM relays WHERE stream = ?1`
	meet  = `INSERT INTO customers (tenant, ref, stream) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING`
	route = `UPDATE escalations SET status = CASE WHEN ?9 OR status = 'raised' THEN 'routed' ELSE status END,
	queue = ?3, queue_name = ?4, hub_queue = ?5, rule = ?6, fallback = ?7, priority = ?8 WHERE stream = ?1 AND number = ?2`
	move     = `UPDATE escalations SET connection = ?3 WHERE stream = ?1 AND number = ?2`
	postpone = `UPDATE escalations SET deadline = ?3 WHERE stream = ?1 AND number = ?2`
	accept   = `UPDATE escalations SET status = 'accepted' WHERE stream = ?1 AND number = ?2`
	end      = `UPDATE escalations SET status = ?3, open = 0, code = ?4 WHERE stream = ?1 AND number = ?2`
	eraseAll = `UPDATE escalations SET erased = 1 WHERE stream = ?1`
	request  = `INSERT OR REPLACE INTO connections (tenant, id, status, hub_type, organisation, requested_at) VALUES (?1, ?2, 'requested', ?3, ?4, ?5)`
	progress = `UPDATE connections SET status = ?3 WHERE tenant = ?1 AND id = ?2`
	observe  = `UPDATE connections SET bot = ?3 WHERE tenant = ?1 AND id = ?2`
	try      = `INSERT INTO deliveries (pos, tenant, stream, subject, version, event, event_type, connection, endpoint, status, attempts, code, http_status, updated_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'pending', ?10, ?11, ?12, ?13)
ON CONFLICT (stream) DO UPDATE SET status = 'pending', attempts = ?10, code = ?11, http_status = ?12, updated_at = ?13`
	settle = `UPDATE deliveries SET status = ?2, updated_at = ?3 WHERE stream = ?1`
	park   = `UPDATE deliveries SET status = ?2, updated_at = ?3, code = ?4 WHERE stream = ?1`
)

// Apply brings the lists up to date with one fact. Facts come in the order of
// their streams.
func Apply(conn *sqlite.Conn, r events.Record, f events.Fact) error {
	switch r.Kind {
	case events.KindConversation:
		return applyConversation(conn, r, f)
	case events.KindConnection:
		return applyConnection(conn, r, f)
	case events.KindDelivery:
		return applyDelivery(conn, r, f)
	default:
		return nil
	}
}

// applyConversation says in SQL what Evolve of package conversation says of one
// escalation; a test holds the two together.
func applyConversation(conn *sqlite.Conn, r events.Record, f events.Fact) error {
	stream := r.Stream[:]
	if at, says := relay.LookAt(f); says {
		return applyRelay(conn, r, f, at)
	}
	switch f := f.(type) {
	case *events.EscalationRaised:
		return applyRaised(conn, r, f)
	case *events.EscalationContextAdded:
		return refer(conn, r, f.CustomerRefs)
	case *events.EscalationRouted:
		return applyRouted(conn, r, f)
	case *events.EscalationDeadlineSet:
		return query(conn, postpone, []any{stream, f.Number, f.Deadline.UnixNano()}, nil)
	case *events.EscalationAccepted:
		return query(conn, accept, []any{stream, f.Number}, nil)
	case *events.EscalationCompleted:
		return query(conn, end, []any{stream, f.Number, string(conversation.Completed), f.Code}, nil)
	case *events.EscalationFailed:
		return query(conn, end, []any{stream, f.Number, string(conversation.Failed), f.Code}, nil)
	case *events.EscalationExpired:
		return query(conn, end, []any{stream, f.Number, string(conversation.Expired), "expired"}, nil)
	case *events.ContextErased:
		return query(conn, eraseAll, []any{stream}, nil)
	}
	return nil
}

// applyRelay notes when a relay is to be looked at; zero: never again.
func applyRelay(conn *sqlite.Conn, r events.Record, f events.Fact, at time.Time) error {
	if started, ok := f.(*events.RelayStarted); ok {
		if err := refer(conn, r, started.CustomerRefs); err != nil {
			return err
		}
	}
	if at.IsZero() {
		return query(conn, leave, []any{r.Stream[:]}, nil)
	}
	return query(conn, rest, []any{r.Stream[:], at.UnixNano()}, nil)
}

func applyRaised(conn *sqlite.Conn, r events.Record, f *events.EscalationRaised) error {
	err := query(conn, raise, []any{
		r.Position, r.Tenant, r.Stream[:], f.Number, r.Version, r.Connection,
		f.Reason, f.Topic, f.Language, f.Channel, f.RaisedAt.UnixNano(), f.ExpiresAt.UnixNano(),
	}, nil)
	if err != nil {
		return err
	}
	return refer(conn, r, f.CustomerRefs)
}

// refer notes whose conversation it is.
func refer(conn *sqlite.Conn, r events.Record, refs []string) error {
	for _, ref := range refs {
		if err := query(conn, meet, []any{r.Tenant, ref, r.Stream[:]}, nil); err != nil {
			return err
		}
	}
	return nil
}

// applyRouted leaves the connection alone where it is the conversation's own,
// because naming a column in an update rewrites its indexes.
func applyRouted(conn *sqlite.Conn, r events.Record, f *events.EscalationRouted) error {
	if f.Moved || f.Connection != r.Connection {
		if err := query(conn, move, []any{r.Stream[:], f.Number, f.Connection}, nil); err != nil {
			return err
		}
	}
	return query(conn, route, []any{
		r.Stream[:], f.Number, f.Queue.ID, f.Queue.Name, f.Queue.HubQueue, f.Route.Rule, f.Route.Fallback, f.Priority, f.Moved,
	}, nil)
}

func applyConnection(conn *sqlite.Conn, r events.Record, f events.Fact) error {
	reach := func(s connection.Status) error {
		return query(conn, progress, []any{r.Tenant, r.Connection, string(s)}, nil)
	}
	switch f := f.(type) {
	case *events.ConnectionRequested:
		return query(conn, request, []any{r.Tenant, r.Connection, f.Hub.Type, f.Hub.Organisation, r.Time}, nil)
	case *events.AppRegistered:
		return reach(connection.AppRegistered)
	case *events.ChannelEnabled:
		return reach(connection.ChannelEnabled)
	case *events.ConnectionReady:
		return reach(connection.Ready)
	case *events.Disconnected:
		return reach(connection.Disconnected)
	case *events.BotPublished, *events.BotUnpublished:
		seen, _ := publication.After(f)
		return query(conn, observe, []any{r.Tenant, r.Connection, string(seen.State)}, nil)
	}
	return nil
}

func applyDelivery(conn *sqlite.Conn, r events.Record, f events.Fact) error {
	switch f := f.(type) {
	case *events.DeliveryAttempted:
		subject, _ := uuid.Parse(f.Subject.Stream) // else it is about no stream that is listed
		return query(conn, try, []any{
			r.Position, r.Tenant, r.Stream[:], subject[:], f.Subject.Version, f.Subject.Event, f.Subject.EventType,
			f.Subject.Connection, f.Subject.Endpoint, f.Attempt, f.Code, f.Status, r.Time,
		}, nil)
	case *events.Delivered:
		return query(conn, settle, []any{r.Stream[:], string(delivery.Delivered), r.Time}, nil)
	case *events.DeliveryParked:
		return query(conn, park, []any{r.Stream[:], string(delivery.Parked), r.Time, f.Code}, nil)
	case *events.DeliveryResent:
		return query(conn, settle, []any{r.Stream[:], string(delivery.Pending), r.Time}, nil)
	}
	return nil
}

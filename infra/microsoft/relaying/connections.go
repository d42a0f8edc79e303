package relaying

import (
	"context"
	"net/http"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/domain/relay"
	"handoff/events"
	"handoff/infra/eventlog"
)

// Names derives the names of streams.
type Names interface {
	StreamID(tenant string, kind events.Kind, parts ...string) (events.StreamID, error)
}

// Connections finds connections as their streams have them. Both fields are
// needed. It is safe for concurrent use.
type Connections struct {
	Ledger *eventlog.Ledger
	Names  Names
}

// State returns the state of a connection; of one that is not known, the zero
// state.
func (s Connections) State(ctx context.Context, l relay.Link) (connection.State, error) {
	stream, err := s.Names.StreamID(l.Tenant, events.KindConnection, l.Connection)
	if err != nil {
		return connection.State{}, err
	}
	c, err := eventlog.State(ctx, s.Ledger, connection.Decider, stream)
	c.State.Tenant = l.Tenant
	return c.State, err
}

// MessagesPath returns the path to which the Azure Bot of a connection posts.
func MessagesPath(tenant, connection string) string {
	return "/v1/messages/" + tenant + "/" + connection
}

// Link returns whose address of that path a request came to, and the application
// id of the connection's own bot. It fails with connection-not-found.
func (s Connections) Link(r *http.Request) (relay.Link, string, error) {
	l := relay.Link{Tenant: r.PathValue("tenant"), Connection: r.PathValue("connection")}
	nobody := fault.New(fault.NotFound, "connection-not-found", "There is no such connection.")
	if !connection.ValidID(l.Tenant) || !connection.ValidID(l.Connection) {
		return l, "", nobody
	}
	c, err := s.State(r.Context(), l)
	if err == nil && c.ApplicationID == "" {
		err = nobody
	}
	return l, c.ApplicationID, err
}

// Package reservation decides who holds an application id. An id is unique in
// the organisation of a hub, across all tenants: each pair has one stream,
// derived from the pair, so that the log's version check settles every race.
package reservation

import (
	"fmt"

	eh "github.com/looplab/eventhorizon"
	"github.com/looplab/eventhorizon/uuid"

	"handoff/domain"
	"handoff/domain/fault"
	"handoff/events"
)

// Decider decides reservations.
//
//nolint:gochecknoglobals // a constant in all but syntax
var Decider = domain.Decider[State]{Kind: events.KindReservation, StateVersion: 1, Evolve: evolve, Decide: decide}

// State says who holds the id; the zero value: nobody.
type State struct {
	Tenant     string `json:"tenant,omitempty"`
	Connection string `json:"connection,omitempty"`
	Session    int    `json:"session,omitempty"` // of the connection
}

func (s State) heldBy(tenant, connection string) bool {
	return s.Tenant == tenant && s.Connection == connection && tenant != ""
}

// To addresses a command to a reservation's stream.
type To uuid.UUID

// AggregateID implements eventhorizon's Command.
func (t To) AggregateID() uuid.UUID { return uuid.UUID(t) }

// AggregateType implements eventhorizon's Command.
func (To) AggregateType() eh.AggregateType { return eh.AggregateType(events.KindReservation) }

// Reserve takes the id. Reserved by the same connection already is success; if
// it was connected again since, the reservation passes to the later session.
type Reserve struct {
	To
	Fact events.Reserved
}

// Release gives the id free. It changes nothing for anybody but the holder, nor
// for a session of the connection that is over: whoever tidies up after an
// earlier one may come late.
type Release struct {
	To
	Fact events.Released
}

// CommandType implements eventhorizon's Command.
func (Reserve) CommandType() eh.CommandType { return "Reserve" }

// CommandType implements eventhorizon's Command.
func (Release) CommandType() eh.CommandType { return "Release" }

func evolve(s State, f events.Fact) State {
	switch f := f.(type) {
	case *events.Reserved:
		return State{Tenant: f.Tenant, Connection: f.Connection, Session: f.Session}
	case *events.Released:
		return State{}
	}
	return s
}

func decide(s State, cmd eh.Command) ([]events.Fact, error) {
	switch c := cmd.(type) {
	case Reserve:
		if c.Fact.Tenant == "" || c.Fact.Connection == "" {
			return nil, fault.New(fault.Unprocessable, "reservation-incomplete", "An application id is reserved for one connection of one tenant.")
		}
		if s.Tenant != "" && !s.heldBy(c.Fact.Tenant, c.Fact.Connection) {
			return nil, taken(s, c.Fact)
		}
		if s.Tenant != "" && s.Session >= c.Fact.Session {
			return nil, nil
		}
		return []events.Fact{&c.Fact}, nil
	case Release:
		if !s.heldBy(c.Fact.Tenant, c.Fact.Connection) || s.Session > c.Fact.Session {
			return nil, nil
		}
		return []events.Fact{&c.Fact}, nil
	}
	return nil, fmt.Errorf("reservation: unknown command %s", cmd.CommandType())
}

// taken names the holder only to its own tenant.
func taken(s State, f events.Reserved) error {
	by := "another customer of this system"
	if s.Tenant == f.Tenant {
		by = fmt.Sprintf("connection %q", s.Connection)
	}
	return fault.Newf(fault.Conflict, "application-id-taken",
		"Application id %s in organisation %s is in use by %s. Use another application id, or disconnect that one first.",
		f.ApplicationID, f.Organisation, by)
}

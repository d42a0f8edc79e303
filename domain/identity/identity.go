// Package identity says who is calling and what they may do.
//
// A principal is one key of one role in one tenant. What it may do is decided in
// one place, Principal.Authorize, from the role, the tenant and the connection;
// nothing that is not allowed there is allowed anywhere. The package is pure:
// keys are kept and checked elsewhere.
package identity

import (
	"slices"

	"handoff/domain/fault"
)

// Role is what a principal is for. There are four, and the zero value may do
// nothing.
type Role string

// The roles.
const (
	// Admin may do everything in its tenant.
	Admin Role = "admin"
	// Bot may raise escalations on its connection and nothing else: its key
	// sits in tools that were not made to keep secrets, so whoever finds it
	// must learn nothing by it.
	Bot Role = "bot"
	// Hub reads the context of escalations and reports what became of them. It
	// may be limited to one connection.
	Hub Role = "hub"
	// Auditor reads what was recorded and why, and verifies it. What customers
	// said stays closed to it: proving that a history is whole takes no look
	// at the private parts.
	Auditor Role = "auditor"
)

// ParseRole returns the role of that name, or an Unprocessable fault
// role-unknown.
func ParseRole(name string) (Role, error) {
	r := Role(name)
	if !slices.Contains([]Role{Admin, Bot, Hub, Auditor}, r) {
		return "", fault.Newf(fault.Unprocessable, "role-unknown", "There is no role %q; there are admin, bot, hub and auditor.", name)
	}
	return r, nil
}

// Action is something that needs permission. Its text completes the sentence
// "This key may not …" where it is refused.
type Action string

// The actions.
const (
	ActRaise            Action = "raise escalations"
	ActStatus           Action = "report the status of escalations"
	ActReadEscalation   Action = "read escalations"
	ActReadContext      Action = "read the context of escalations"
	ActReadWhy          Action = "read why escalations were routed"
	ActReadHistory      Action = "read the history"
	ActVerify           Action = "verify the log"
	ActList             Action = "list what there is"
	ActErase            Action = "erase"
	ActAdminConnections Action = "change connections, their rules or endpoints"
	ActAdminDeliveries  Action = "send deliveries again"
	ActAdminKeys        Action = "manage keys"
)

// Actions returns all of them.
func Actions() []Action {
	return []Action{
		ActRaise, ActStatus, ActReadEscalation, ActReadContext, ActReadWhy, ActReadHistory, ActVerify, ActList,
		ActErase, ActAdminConnections, ActAdminDeliveries, ActAdminKeys,
	}
}

// May reports whether the role may do a at all, wherever. ActReadEscalation,
// ActReadWhy and ActReadHistory cover clear parts only: the customer's own
// words and values in them need ActReadContext too.
func (r Role) May(a Action) bool {
	switch r {
	case Admin:
		return slices.Contains(Actions(), a)
	case Bot:
		return a == ActRaise
	case Hub:
		return a == ActStatus || a == ActReadEscalation || a == ActReadContext
	case Auditor:
		return a == ActReadEscalation || a == ActReadWhy || a == ActReadHistory || a == ActVerify || a == ActList
	default:
		return false
	}
}

// Principal is an authenticated caller. The zero value may do nothing.
type Principal struct {
	// ID is what facts record as their actor. It is never used again for
	// another principal.
	ID     string
	Tenant string
	Role   Role
	// Connection is the only one that the principal reaches; empty means all of
	// its tenant, except for a bot, which then reaches none.
	Connection string
	// Name is for people. It may change and stands in no fact.
	Name string
}

// Resource is what an action is done to.
type Resource struct {
	Tenant string
	// Connection is the one that the thing belongs to; empty means the tenant
	// as a whole. A list is cut to the principal's connection by its caller.
	Connection string
	// Missing is what the caller answers for an id that does not exist. The
	// same is returned where the principal must not learn that it does; nil
	// means a NotFound fault not-found.
	Missing error
}

// Authorize returns nil if p may do a to on. It returns a Forbidden fault
// not-allowed where the role may not do that anywhere, so that this answer
// depends on the key alone, and on.Missing where the thing is out of p's reach.
func (p Principal) Authorize(a Action, on Resource) error {
	if !p.Role.May(a) {
		return fault.Newf(fault.Forbidden, "not-allowed", "This key may not %s: its role is %q.", a, p.Role)
	}
	if p.reaches(on) {
		return nil
	}
	if on.Missing != nil {
		return on.Missing
	}
	return fault.New(fault.NotFound, "not-found", "There is no such thing, or it is not for this key.")
}

func (p Principal) reaches(on Resource) bool {
	if p.Tenant == "" || p.Tenant != on.Tenant {
		return false
	}
	if p.Connection == "" {
		return p.Role != Bot
	}
	return p.Connection == on.Connection
}

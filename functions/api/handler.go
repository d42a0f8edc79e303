// Package api carries out what administrators, hubs and auditors ask for: to
// connect and disconnect, to change endpoints and rules, to look at
// escalations, to report what became of them, and to erase.
//
// It knows no transport. Each operation keeps to the tenant, and where the
// caller is limited to one, to the connection of the principal it acts for.
package api

import (
	"context"
	"fmt"
	"time"

	"handoff/domain/connection"
	"handoff/domain/conversation"
	"handoff/domain/escid"
	"handoff/domain/fault"
	"handoff/domain/geography"
	"handoff/domain/identity"
	"handoff/domain/routing"
	"handoff/events"
	"handoff/infra/eventlog"
)

// DefaultDrain is how long open escalations may still finish after a disconnect.
const DefaultDrain = time.Hour

// Keys derives what identifies without telling, and destroys keys.
type Keys interface {
	StreamID(tenant string, kind events.Kind, parts ...string) (events.StreamID, error)
	Ref(tenant, label, value string) (string, error)
}

// Destroyer makes what was sealed with a key unreadable for ever. Destroying
// twice, or what never was, is no error.
type Destroyer interface {
	Destroy(ctx context.Context, tenant string, key events.KeyID) error
}

// Secrets makes the signing secrets of endpoints; an empty endpoint means the
// bot's webhooks.
type Secrets interface {
	Ensure(ctx context.Context, tenant, connection, endpoint string) (secret string, err error)
	Rotate(ctx context.Context, tenant, connection, endpoint string) (secret string, err error)
}

// Issuer makes the API keys of a connection.
type Issuer interface {
	// EnsureKey issues a key if the connection has none of that role, and
	// returns its token only then.
	EnsureKey(ctx context.Context, tenant, connection string, role identity.Role) (token string, err error)
}

// Hubs knows the types of hubs.
type Hubs interface {
	HubInspector
	HubChanges
	HubSecretRotator
}

// HubInspector looks at what is asked for, and at hubs.
type HubInspector interface {
	// Normal puts a request into the form in which its hub is stored and
	// compared, or refuses it with a pointer. It asks nobody.
	Normal(r connection.Request) (connection.Request, error)
	// Inspect looks at a connection's hub and changes nothing; nil for hubs at
	// which there is nothing to look at.
	Inspect(ctx context.Context, c connection.State) (*connection.Inspection, error)
}

// HubSecrets keeps the secrets by which Handoff calls hubs.
type HubSecrets interface {
	PutSecret(ctx context.Context, tenant, name string, value []byte) error
}

// Rules finds adopted rule sets.
type Rules interface {
	RuleSet(ctx context.Context, stream events.StreamID, rules connection.Rules) (*routing.RuleSet, error)
	Find(ctx context.Context, stream events.StreamID, hash string) (*routing.RuleSet, error)
}

// Handler carries out operations. Every field is needed where nothing else is
// said. It is safe for concurrent use.
type Handler struct {
	Ledger    *eventlog.Ledger
	Keys      Keys
	Destroyer Destroyer
	Secrets   Secrets
	Issuer    Issuer
	APIKeys   KeyStore
	Rules     Rules
	Lists     Lists
	Resender  Resender
	NextTry   NextTry // nil: nobody knows
	Hubs      Hubs    // nil: hubs have no form of their own and can't be looked at
	// HubSecrets is needed where Hubs is.
	HubSecrets HubSecrets
	// Geography is where this server keeps its log; Unknown: plans have to say.
	Geography geography.Geography
	Links     Links // nil: no context is read by a link
	// Opener and Chats are for end-to-end checks; nil: none are made. Positions
	// spares their followers the log before them; nil: they read all of it.
	Opener    ChatOpener
	Chats     Chats
	Positions Positions
	// CheckURL refuses endpoints that may not be reached, with a fault.
	CheckURL func(ctx context.Context, url string) error
	Now      func() time.Time
	Drain    time.Duration // 0 means DefaultDrain
}

// connected is a connection with its stream.
type connected struct {
	connection.State
	stream eventlog.Stream
}

// find returns a connection in the principal's reach.
func (h *Handler) find(ctx context.Context, by identity.Principal, id string) (connected, error) {
	missing := fault.Newf(fault.NotFound, "connection-not-found", "There is no connection %q.", id)
	if by.Connection != "" && by.Connection != id {
		return connected{}, missing
	}
	c, err := h.load(ctx, by.Tenant, id)
	if err != nil {
		return connected{}, err
	}
	if c.Status == connection.None {
		return connected{}, missing
	}
	return c, nil
}

func (h *Handler) load(ctx context.Context, tenant, id string) (connected, error) {
	stream, err := h.Keys.StreamID(tenant, events.KindConnection, id)
	if err != nil {
		return connected{}, fmt.Errorf("find connection %s: %w", id, err)
	}
	c, err := eventlog.State(ctx, h.Ledger, connection.Decider, stream)
	if err != nil {
		return connected{}, fmt.Errorf("find connection %s: %w", id, err)
	}
	return connected{State: c.State, stream: eventlog.Stream{ID: stream, Tenant: tenant, Connection: id}}, nil
}

// found is an escalation with its stream and everything that is known of it.
type found struct {
	conversation.View
	stream eventlog.Stream
}

// escalation finds one by its id, or by the beginning of its id, in the
// principal's reach. What is private is opened only if asked for.
func (h *Handler) escalation(ctx context.Context, by identity.Principal, id string, open bool) (found, error) {
	missing := fault.Newf(fault.NotFound, "escalation-not-found", "There is no escalation %q.", id)
	stream, number, err := escid.Parse(id)
	if err != nil {
		row, err := h.Lists.Escalation(ctx, by.Tenant, id)
		if err != nil {
			return found{}, err
		}
		stream, number = row.Stream, row.Number
	}
	snap, err := h.Ledger.Log().Load(ctx, stream)
	if err != nil {
		return found{}, fmt.Errorf("find escalation %s: %w", id, err)
	}
	if snap.Version == 0 || snap.Kind != events.KindConversation || snap.Tenant != by.Tenant {
		return found{}, missing
	}
	v, err := h.view(ctx, stream, number, open)
	if err != nil {
		return found{}, fmt.Errorf("find escalation %s: %w", id, err)
	}
	if v == nil || (by.Connection != "" && by.Connection != snap.Connection && by.Connection != v.Connection) {
		return found{}, missing
	}
	return found{View: *v, stream: eventlog.Stream{ID: stream, Tenant: snap.Tenant, Connection: snap.Connection}}, nil
}

// view folds a conversation's stream to the view of one escalation, nil if it
// has no such number.
func (h *Handler) view(ctx context.Context, stream events.StreamID, number int, open bool) (*conversation.View, error) {
	var v conversation.Viewer
	for r, err := range h.Ledger.Log().Read(ctx, stream, 1) {
		if err != nil {
			return nil, err
		}
		f, erased, err := h.decode(ctx, r, open)
		if err != nil {
			return nil, err
		}
		v.Observe(r.Header, f, erased)
	}
	w, ok := v.Escalation(number)
	if !ok {
		return nil, nil
	}
	return &w, nil
}

func (h *Handler) decode(ctx context.Context, r events.Record, open bool) (events.Fact, bool, error) {
	if open {
		return h.Ledger.Open(ctx, r)
	}
	f, err := h.Ledger.Decode(r)
	return f, false, err
}

// origin is a command's origin where a principal gives it.
func origin(by identity.Principal) eventlog.Origin { return eventlog.Origin{Actor: by.ID} }

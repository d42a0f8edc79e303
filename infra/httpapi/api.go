// Package httpapi is Handoff's HTTP face: routes, authentication, limits and
// problem+json around functions that know no transport.
//
// The routes are described by openapi.yaml, which is served and checked against
// them in both directions. An API mounts the operations that are bound and no
// others, so that a Lambda function serves its own part with the same code that
// the single program serves whole.
package httpapi

import (
	"context"
	"iter"
	"net/http"
	"time"

	"handoff/domain/audit"
	"handoff/domain/check"
	"handoff/domain/connection"
	"handoff/domain/conversation"
	"handoff/domain/identity"
	"handoff/domain/intake"
	"handoff/domain/listing"
	"handoff/events"
)

// API is the set of operations that are served. A nil operation has no route.
// Every operation takes the principal on whose behalf it runs; httpapi has
// checked that the principal's role may, the operation keeps it in its tenant.
type API struct {
	// Raise hands a conversation over; see functions/webhook.
	Raise func(ctx context.Context, by identity.Principal, connection string, h intake.HandOff, r Request) (conversation.Answer, error)

	Connect     func(ctx context.Context, by identity.Principal, p connection.Plan) (connection.Connected, error)
	Connection  func(ctx context.Context, by identity.Principal, id string) (connection.State, error)
	Connections func(ctx context.Context, by identity.Principal, q listing.ConnectionQuery) (rows []listing.Connection, next string, err error)
	Disconnect  func(ctx context.Context, by identity.Principal, id string, p connection.DisconnectPlan) (connection.State, error)
	// CheckConnection looks at a connection's hub and bot as they are now.
	CheckConnection func(ctx context.Context, by identity.Principal, id string) (connection.Checked, error)
	// RotateApplicationSecret renews the secret of a connection's application id.
	RotateApplicationSecret func(ctx context.Context, by identity.Principal, id string) (connection.State, error)
	// BeginCheck opens a chat in a connection's hub as if a customer had, LookCheck
	// tells how the hub has it, and EndCheck closes it.
	BeginCheck func(ctx context.Context, by identity.Principal, id string, p check.Plan) (check.Begun, error)
	LookCheck  func(ctx context.Context, by identity.Principal, id, chat string) (check.Seen, error)
	EndCheck   func(ctx context.Context, by identity.Principal, id, chat string) error

	SetEndpoint    func(ctx context.Context, by identity.Principal, id string, p connection.EndpointPlan) (e connection.Endpoint, secret string, err error)
	RemoveEndpoint func(ctx context.Context, by identity.Principal, id, endpoint string) error
	// RotateSecret makes a new secret for an endpoint, or with an empty one for
	// the bot's webhooks; the one before stays valid beside it.
	RotateSecret func(ctx context.Context, by identity.Principal, id, endpoint string) (secret string, err error)

	// Rules returns the source of the rules in force and their hash.
	Rules func(ctx context.Context, by identity.Principal, id string) (source []byte, hash string, err error)
	// AdoptRules validates and adopts; ifMatch is the hash that the caller last
	// saw, or empty.
	AdoptRules func(ctx context.Context, by identity.Principal, id string, source []byte, ifMatch string) (hash string, err error)
	// CheckRules validates only.
	CheckRules func(ctx context.Context, source []byte) (hash string, err error)

	Escalation  func(ctx context.Context, by identity.Principal, id string) (listing.Escalation, []conversation.Entry, error)
	Escalations func(ctx context.Context, by identity.Principal, q listing.EscalationQuery) (rows []listing.Escalation, next string, err error)
	// Context returns the private context; the escalation's view is whole.
	Context func(ctx context.Context, by identity.Principal, id string) (conversation.View, error)
	// ContextByLink is Context for whoever has a link; token is the end of it.
	ContextByLink func(ctx context.Context, token string) (conversation.View, error)
	Why           func(ctx context.Context, by identity.Principal, id string) (Why, error)
	Report        func(ctx context.Context, by identity.Principal, id string, status conversation.Status, code, message string) (listing.Escalation, error)
	// Erase erases the conversation of one escalation, or with a nil id all of
	// one customer's.
	Erase func(ctx context.Context, by identity.Principal, e Erasure) (Erased, error)

	Deliveries func(ctx context.Context, by identity.Principal, q listing.DeliveryQuery) (rows []listing.Delivery, next string, err error)
	Delivery   func(ctx context.Context, by identity.Principal, id string) (listing.Delivery, []events.Record, error)
	Resend     func(ctx context.Context, by identity.Principal, id string) (listing.Delivery, error)

	Keys      func(ctx context.Context, by identity.Principal) ([]identity.APIKey, error)
	IssueKey  func(ctx context.Context, by identity.Principal, k identity.NewKey) (key identity.APIKey, token string, err error)
	RevokeKey func(ctx context.Context, by identity.Principal, id string) error

	// History yields a connection's facts as stored, its escalations included.
	// A record without a type, here and in Facts, is no fact: it only says that
	// there is none of the caller's up to its position.
	History func(ctx context.Context, by identity.Principal, connection string, after int64) iter.Seq2[events.Record, error]
	// StateAt rebuilds a connection and its escalations as they were.
	StateAt func(ctx context.Context, by identity.Principal, connection string, at time.Time) (Past, error)
	// Facts yields all facts of the tenant after a position.
	Facts  func(ctx context.Context, by identity.Principal, after int64) iter.Seq2[events.Record, error]
	Verify func(ctx context.Context, by identity.Principal, against string) (Verified, error)

	// Messages takes what agent hubs say to bots, over the Bot Framework's
	// protocol. It admits its callers itself.
	Messages http.Handler

	// Healthy returns why the server can't do its work, nil if it can.
	Healthy func(ctx context.Context) error
}

// What the operations return stands with what it is about.
type (
	// Why is audit.Why.
	Why = audit.Why
	// Past is audit.Past.
	Past = audit.Past
	// PastEscalation is audit.PastEscalation.
	PastEscalation = audit.PastEscalation
	// Verified is audit.Verified.
	Verified = audit.Verified
	// Breach is audit.Breach.
	Breach = audit.Breach
	// Erasure is conversation.Erasure.
	Erasure = conversation.Erasure
	// Erased is conversation.Erased.
	Erased = conversation.Erased
	// Request is conversation.Sending.
	Request = conversation.Sending
)

// Package delivery decides what becomes of one event that is owed to one
// endpoint: it is pending until the endpoint confirmed it or Handoff gave up.
//
// A delivery is a stream of its own, derived from the fact and the endpoint, so
// the log says of every event and every endpoint how often it was tried and how
// each try went. Given up is parked, not lost: a parked delivery is listed, and
// sent again when somebody asks for it.
package delivery

import (
	"time"

	"handoff/domain"
	"handoff/domain/escid"
	"handoff/events"
)

// Decider decides deliveries.
//
//nolint:gochecknoglobals // a constant in all but syntax
var Decider = domain.Decider[State]{Kind: events.KindDelivery, StateVersion: 1, Evolve: evolve, Decide: decide}

// Status is where a delivery stands.
type Status string

// The statuses. None is a delivery that nobody tried.
const (
	None      Status = ""
	Pending   Status = "pending"
	Delivered Status = "delivered"
	Parked    Status = "parked"
)

// Codes of attempts and of parking that this package decides upon. The sender
// has more; see package webhookout.
const (
	CodeDelivered = "delivered"
	CodeGone      = "endpoint-gone"     // answered 410
	CodeDisabled  = "endpoint-disabled" // since the delivery was planned
	CodeExhausted = "retries-exhausted"
)

// State is a delivery. Its zero value is one that nobody tried.
type State struct {
	Version  int                    `json:"version"`
	Subject  events.DeliverySubject `json:"subject,omitzero"`
	Status   Status                 `json:"status"`
	Attempts int                    `json:"attempts"`         // over all rounds
	Round    int                    `json:"round"`            // grows by one with each resend, from 1
	InRound  int                    `json:"in_round"`         // attempts of this round
	LastAt   time.Time              `json:"last_at,omitzero"` // end of the last attempt
	// Code and HTTPStatus are of the last attempt, or Code of the parking.
	Code       string `json:"code,omitempty"`
	HTTPStatus int    `json:"http_status,omitempty"`
}

// Item is one delivery in a queue. It is a plain value.
type Item struct {
	ID      events.StreamID // of the delivery's own stream
	Tenant  string
	Subject events.DeliverySubject
}

// Endpoint is where something is sent. Its secrets are the sender's business.
type Endpoint struct {
	Tenant     string
	Connection string
	ID         string
	URL        string
}

// Outcome is how one attempt went.
type Outcome struct {
	// Code is CodeDelivered, CodeGone or another stable reason.
	Code       string
	Status     int           // of HTTP, 0 if there was no answer
	RetryAfter time.Duration // what the endpoint asked for, or 0
	StartedAt  time.Time
	Duration   time.Duration
}

// Delivered reports whether the endpoint confirmed.
func (o Outcome) Delivered() bool { return o.Code == CodeDelivered }

// Progress tells a queue what to do with an item next.
type Progress struct {
	// Status is Delivered or Parked where the item is done with, else Pending.
	Status  Status
	RetryAt time.Time // when to take a pending item up again
	// Tried says that the endpoint was asked, and Outcome how that went.
	Tried   bool
	Outcome Outcome
}

const namePrefix = "dlv_"

// NameOf returns the id of a delivery as people see it.
func NameOf(stream events.StreamID) string {
	return namePrefix + escid.Of(stream, 1)[len(escid.Prefix):]
}

func evolve(s State, f events.Fact) State {
	s.Version++
	switch f := f.(type) {
	case *events.DeliveryAttempted:
		s.Subject, s.Status, s.Attempts, s.Round, s.InRound = f.Subject, Pending, f.Attempt, max(s.Round, 1), s.InRound+1
		s.LastAt, s.Code, s.HTTPStatus = f.StartedAt.Add(time.Duration(f.DurationMS)*time.Millisecond), f.Code, f.Status
	case *events.Delivered:
		s.Status = Delivered
	case *events.DeliveryParked:
		s.Status, s.Code = Parked, f.Code
	case *events.DeliveryResent:
		s.Status, s.Round, s.InRound = Pending, f.Round, 0
	}
	return s
}

// Package listing names the rows of Handoff's lists and what one may ask for.
//
// Lists are read models: they are built from the facts, hold nothing personal,
// and can be thrown away and built again.
package listing

import (
	"time"

	"handoff/domain/publication"
	"handoff/events"
)

// MaxPage is the most rows that one page has; DefaultPage is what it has if
// nobody says.
const (
	MaxPage     = 500
	DefaultPage = 50
)

// Page says which part of a list is wanted.
type Page struct {
	Cursor string // from the page before; empty for the first
	Limit  int    // 0 means DefaultPage
}

// Escalation is a row of the list of escalations.
type Escalation struct {
	ID         string       `json:"id"`
	Connection string       `json:"connection_id"`
	RoutedBy   string       `json:"routed_by,omitempty"` // connection whose rules apply, if another
	Number     int          `json:"handoff_number"`
	Status     string       `json:"status"`
	Queue      events.Queue `json:"queue,omitzero"`
	Rule       string       `json:"rule,omitempty"`
	Fallback   bool         `json:"fallback,omitempty"`
	Priority   int          `json:"priority,omitempty"`
	Reason     string       `json:"reason,omitempty"`
	Topic      string       `json:"topic,omitempty"`
	Language   string       `json:"language,omitempty"`
	Channel    string       `json:"channel,omitempty"`
	RaisedAt   time.Time    `json:"raised_at"`
	Deadline   time.Time    `json:"deadline"`
	Code       string       `json:"code,omitempty"`
	Erased     bool         `json:"erased,omitempty"`

	Stream events.StreamID `json:"-"`
}

// EscalationQuery selects escalations, newest first.
type EscalationQuery struct {
	Page
	Tenant     string
	Connection string
	Status     string // one status, or "open"
	Queue      string
	IDPrefix   string
	// Customer is a keyed hash of a customer's id, e-mail or phone number.
	Customer string
}

// Connection is a row of the list of connections.
type Connection struct {
	ID           string    `json:"id"`
	Status       string    `json:"status"`
	HubType      string    `json:"hub_type"`
	Organisation string    `json:"organisation"`
	Open         int       `json:"open_escalations"`
	RequestedAt  time.Time `json:"requested_at"`
	// Bot is whether the bot is published; empty where nobody knows.
	Bot publication.State `json:"bot_state,omitempty"`
}

// ConnectionQuery selects connections by name.
type ConnectionQuery struct {
	Page
	Tenant string
}

// Delivery is a row of the list of deliveries.
type Delivery struct {
	ID         string    `json:"id"`
	Event      string    `json:"event_id"`
	EventType  string    `json:"event_type"`
	Connection string    `json:"connection_id"`
	Endpoint   string    `json:"endpoint"`
	Status     string    `json:"status"` // pending, delivered or parked
	Attempts   int       `json:"attempts"`
	Code       string    `json:"code,omitempty"` // of the last attempt
	HTTPStatus int       `json:"http_status,omitempty"`
	NextAt     time.Time `json:"next_at,omitzero"` // when it is tried again
	UpdatedAt  time.Time `json:"updated_at"`
}

// DeliveryQuery selects deliveries, newest first.
type DeliveryQuery struct {
	Page
	Tenant     string
	Connection string
	Status     string
	Escalation string
}

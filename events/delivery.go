package events

import "time"

// DeliveryAttempted records one try to hand an event to an endpoint.
type DeliveryAttempted struct {
	Subject    DeliverySubject `json:"subject"`
	Attempt    int             `json:"attempt"` // from 1, over all rounds
	StartedAt  time.Time       `json:"started_at"`
	DurationMS int64           `json:"duration_ms"`
	// Status is the HTTP status of the answer, 0 if there was none.
	Status int `json:"status,omitempty"`
	// Code says how it went: delivered, or a stable reason such as timeout.
	Code string `json:"code"`
	// Erased says that the context was erased by then and left out.
	Erased bool `json:"erased,omitempty"`
}

// DeliverySubject names what is delivered where.
type DeliverySubject struct {
	Event      string `json:"event"`      // id of the emitted event
	EventType  string `json:"event_type"` // such as handoff.escalation.routed.v1
	Stream     string `json:"stream"`     // of the fact that is emitted
	Version    int    `json:"version"`
	Connection string `json:"connection"`
	Endpoint   string `json:"endpoint"`
}

// Delivered says that the endpoint confirmed the event.
type Delivered struct {
	Attempt int `json:"attempt"`
}

// DeliveryParked says that Handoff gave up until somebody sends it again.
type DeliveryParked struct {
	Attempt int    `json:"attempt"`
	Code    string `json:"code"` // retries-exhausted, endpoint-gone, endpoint-disabled, refused, …
}

// DeliveryResent says that somebody asked for a parked or confirmed delivery to
// be sent once more; a new round of tries begins.
type DeliveryResent struct {
	Round int `json:"round"` // 2 for the first time
}

// FactType implements Fact.
func (*DeliveryAttempted) FactType() string { return "DeliveryAttempted" }

// FactType implements Fact.
func (*Delivered) FactType() string { return "Delivered" }

// FactType implements Fact.
func (*DeliveryParked) FactType() string { return "DeliveryParked" }

// FactType implements Fact.
func (*DeliveryResent) FactType() string { return "DeliveryResent" }

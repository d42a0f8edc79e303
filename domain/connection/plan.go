package connection

import (
	"time"

	"handoff/events"
)

// Plan is what an administrator asks for when connecting a bot to a hub.
type Plan struct {
	Name    string          `json:"name" yaml:"name"`
	Bot     events.Bot      `json:"bot,omitzero" yaml:"bot"`
	Hub     events.Hub      `json:"hub" yaml:"hub"`
	Regions *events.Regions `json:"regions,omitempty" yaml:"regions"`
	Notice  NoticePlan      `json:"notice" yaml:"notice"`
	// Endpoints receive the routed escalations.
	Endpoints []EndpointPlan `json:"endpoints,omitempty" yaml:"endpoints"`
	// Rules is the source of a rules file; empty: everything goes to one
	// queue named general.
	Rules string `json:"rules,omitempty" yaml:"rules"`
}

// NoticePlan says who accepts the notice, and which text of it.
type NoticePlan struct {
	AcceptedBy  string `json:"accepted_by" yaml:"accepted_by"`
	TextVersion string `json:"text_version" yaml:"text_version"`
}

// EndpointPlan is an endpoint to be set.
type EndpointPlan struct {
	ID     string   `json:"id,omitempty" yaml:"id"` // default: desk
	URL    string   `json:"url" yaml:"url"`
	Mode   string   `json:"mode,omitempty" yaml:"mode"` // default: thin
	Events []string `json:"events,omitempty" yaml:"events"`
}

// Credentials are shown once, in the answer to the request that made them.
type Credentials struct {
	// BotKey may raise on this connection and nothing else.
	BotKey string `json:"bot_key,omitempty"`
	// HubKey may report what became of this connection's escalations, and read
	// their context.
	HubKey string `json:"hub_key,omitempty"`
	// WebhookSecret signs the bot's webhooks, for bots that can sign.
	WebhookSecret string `json:"webhook_secret,omitempty"`
	// EndpointSecrets verify what Handoff sends, by endpoint.
	EndpointSecrets map[string]string `json:"endpoint_secrets,omitempty"`
}

// Connected is the answer to a Plan.
type Connected struct {
	State
	Credentials *Credentials `json:"credentials,omitempty"`
}

// DisconnectPlan asks for a disconnect.
type DisconnectPlan struct {
	Reason string `json:"reason,omitempty"`
	// To is the connection that open escalations move to; empty: they drain.
	To string `json:"to,omitempty"`
	// DrainFor is how long open escalations may still finish; 0 means an hour.
	DrainFor time.Duration `json:"-"`
}

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
	// Omnichannel is needed by a hub of that type. ClientSecret is that of its
	// client_id, ApplicationSecret that of hub.application_id where Handoff can't
	// make one. They are put into the secret store and stand in no fact; the ones
	// that are there stay where none are given.
	Omnichannel       *OmnichannelPlan `json:"omnichannel,omitempty" yaml:"omnichannel"`
	ClientSecret      Secret           `json:"client_secret,omitempty" yaml:"-"`
	ApplicationSecret Secret           `json:"application_secret,omitempty" yaml:"-"`
	// DirectLineSecret is the bot's, where its web channel security is on.
	DirectLineSecret Secret `json:"direct_line_secret,omitempty" yaml:"-"`
	// RegionsOverride says who answers for regions that differ.
	RegionsOverride *OverridePlan `json:"regions_override,omitempty" yaml:"regions_override"`
	// HealthURL tells whether a bot of another maker works.
	HealthURL string `json:"health_url,omitempty" yaml:"health_url"`
	// Endpoints receive the routed escalations.
	Endpoints []EndpointPlan `json:"endpoints,omitempty" yaml:"endpoints"`
	// Rules is the source of a rules file; empty: everything goes to one
	// queue named general.
	Rules string `json:"rules,omitempty" yaml:"rules"`
}

// OmnichannelPlan says how a connection stands to Omnichannel, and what whoever
// accepts the notice lets Handoff change there.
type OmnichannelPlan struct {
	events.OmnichannelSet

	// AddHubRules: rules that obey Handoff, before the others of the workstream.
	AddHubRules bool `json:"add_hub_rules,omitempty"`
	// TakeOverEndpoint: an Azure Bot that posts elsewhere is turned round.
	TakeOverEndpoint bool `json:"take_over_endpoint,omitempty"`
}

// NoticePlan says who accepts the notice, and which text of it.
type NoticePlan struct {
	AcceptedBy  string `json:"accepted_by" yaml:"accepted_by"`
	TextVersion string `json:"text_version" yaml:"text_version"`
}

// OverridePlan says who answers for it that data leaves a geography, and why.
type OverridePlan struct {
	By  string `json:"by" yaml:"by"`
	Why string `json:"why" yaml:"why"`
}

// Secret is a text that is printed as a word which says that there is one. As
// JSON it is itself: a plan is sent to the server that keeps it.
type Secret string

const hidden = "(secret)"

// String returns a word in place of the secret.
func (Secret) String() string { return hidden }

// GoString returns a word in place of the secret.
func (Secret) GoString() string { return hidden }

// The secrets that a connection has in the secret store for its hub.
const (
	SecretClient      = "client"      // of the application that calls the hub
	SecretApplication = "application" // of the connection's application id
	SecretDirectLine  = "direct_line" // of the bot
)

// SecretName returns the name of one of them in the secret store.
func SecretName(connection, which string) string { return "hub/" + connection + "/" + which }

// Request returns the command that asks for what is planned, without endpoints
// and rules, whose notice is accepted at an instant.
func (p Plan) Request(at time.Time) Request {
	r := Request{
		Fact: events.ConnectionRequested{
			Connection: p.Name, Bot: p.Bot, Hub: p.Hub, Regions: p.Regions,
			Notice: events.Notice{AcceptedBy: p.Notice.AcceptedBy, AcceptedAt: at.UTC(), TextVersion: p.Notice.TextVersion},
		},
	}
	if o := p.Omnichannel; o != nil {
		r.Omnichannel = &o.OmnichannelSet
	}
	if o := p.Omnichannel; o != nil && (o.AddHubRules || o.TakeOverEndpoint) {
		r.Allowed = &events.HubChangesAllowed{By: p.Notice.AcceptedBy, AddRules: o.AddHubRules, TakeOverEndpoint: o.TakeOverEndpoint}
	}
	if p.RegionsOverride != nil {
		r.Override = &events.RegionsOverridden{By: p.RegionsOverride.By, Why: p.RegionsOverride.Why}
	}
	if p.HealthURL != "" {
		r.Health = &events.HealthCheckSet{URL: p.HealthURL}
	}
	return r
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

// Checked is a connection and what was seen of its hub and bot just now.
type Checked struct {
	Connection State            `json:"connection"`
	Seen       []events.Finding `json:"seen"` // empty: everything is as it should be
	// HubRules are those by which the hub obeys Handoff, where it is to.
	HubRules *HubRules `json:"hub_rules,omitempty"`
}

// HubRules are the rules by which a hub obeys Handoff.
type HubRules struct {
	Rules   []events.HubRule `json:"rules"`
	Missing []string         `json:"missing,omitempty"` // queues whose rule the hub does not have
	// Words are for whoever writes them in the hub's administration, Source is
	// what the hub stores.
	Words  []string `json:"words"`
	Source string   `json:"source"`
}

// DisconnectPlan asks for a disconnect.
type DisconnectPlan struct {
	Reason string `json:"reason,omitempty"`
	// To is the connection that open escalations move to; empty: they drain.
	To string `json:"to,omitempty"`
	// DrainFor is how long open escalations may still finish; 0 means an hour.
	DrainFor time.Duration `json:"-"`
}

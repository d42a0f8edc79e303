package events

import "time"

// ConnectionRequested opens a connection, or opens it again after it was
// disconnected. Nothing outside is touched before this fact is in the log.
type ConnectionRequested struct {
	Connection string   `json:"connection"` // its id, unique in the tenant
	Bot        Bot      `json:"bot"`
	Hub        Hub      `json:"hub"`
	Regions    *Regions `json:"regions,omitempty"`
	Notice     Notice   `json:"notice"`
}

// Hub names the agent hub of a connection and the application id wished for.
type Hub struct {
	Type          string `json:"type"`         // such as generic
	Organisation  string `json:"organisation"` // the hub's, not our tenant
	ApplicationID string `json:"application_id,omitempty"`
}

// Regions are where data of the connection lives.
type Regions struct {
	Bot string `json:"bot,omitempty"`
	Hub string `json:"hub,omitempty"`
	Log string `json:"log,omitempty"`
}

// Notice is the acknowledged notice: that conversations leave the bot's
// platform (privacy), and that bots are not for emergencies.
type Notice struct {
	AcceptedBy  string    `json:"accepted_by"` // principal id
	AcceptedAt  time.Time `json:"accepted_at"`
	TextVersion string    `json:"text_version"`
}

// AppRegistered says which application id the connection has in its hub.
type AppRegistered struct {
	HubType       string `json:"hub_type"`
	Organisation  string `json:"organisation"`
	ApplicationID string `json:"application_id"`
	Created       bool   `json:"created"` // false: one that was there was reused
}

// ChannelEnabled says that the channel towards the hub is on.
type ChannelEnabled struct {
	Channel   string `json:"channel"`
	AlreadyOn bool   `json:"already_on"`
	By        string `json:"by"` // handoff or person
}

// ConnectionReady says that escalations are taken from here on.
type ConnectionReady struct{}

// EndpointSet adds an endpoint for routed escalations or changes one.
type EndpointSet struct {
	Endpoint string `json:"endpoint"` // its id, unique in the connection
	URL      string `json:"url"`
	Mode     string `json:"mode"` // thin or full
	// Events are the types that the endpoint takes; empty means all.
	Events []string `json:"events,omitempty"`
}

// EndpointDisabled ends deliveries to an endpoint until it is set again.
type EndpointDisabled struct {
	Endpoint string `json:"endpoint"`
	Code     string `json:"code"` // endpoint-gone (410) or removed
}

// RulesAdopted puts a rule set into force. The source stands in the fact, so
// that every decision can be explained from the log alone.
type RulesAdopted struct {
	RuleSet string `json:"rule_set"` // sha256:…
	Name    string `json:"name,omitempty"`
	Source  string `json:"source"`
}

// StepFailed records that a step of connecting did not succeed.
type StepFailed struct {
	Step      string `json:"step"` // application, channel or ready
	Code      string `json:"code"`
	Detail    string `json:"detail"` // plain sentence, and what to do
	Permanent bool   `json:"permanent"`
}

// Disconnected closes a connection: no escalation is taken from here on.
type Disconnected struct {
	Reason string `json:"reason,omitempty"`
	Policy string `json:"policy"` // drain or move
	// Target is the connection to which open escalations move.
	Target string `json:"target,omitempty"`
	// Deadline is when open escalations that drain fail.
	Deadline *time.Time `json:"deadline,omitempty"`
}

// What becomes of open escalations at a disconnect.
const (
	PolicyDrain = "drain"
	PolicyMove  = "move"
)

// Reserved takes an application id in a hub's organisation for one connection,
// across all tenants.
type Reserved struct {
	HubType       string `json:"hub_type"`
	Organisation  string `json:"organisation"`
	ApplicationID string `json:"application_id"`
	Tenant        string `json:"tenant"`
	Connection    string `json:"connection"`
	// Session counts how often the connection was requested: a later one takes
	// the reservation over from an earlier one.
	Session int `json:"session"`
}

// Released gives a reserved application id free.
type Released struct {
	Tenant     string `json:"tenant"`
	Connection string `json:"connection"`
	Session    int    `json:"session"`
}

// FactType implements Fact.
func (*ConnectionRequested) FactType() string { return "ConnectionRequested" }

// FactType implements Fact.
func (*AppRegistered) FactType() string { return "AppRegistered" }

// FactType implements Fact.
func (*ChannelEnabled) FactType() string { return "ChannelEnabled" }

// FactType implements Fact.
func (*ConnectionReady) FactType() string { return "ConnectionReady" }

// FactType implements Fact.
func (*EndpointSet) FactType() string { return "EndpointSet" }

// FactType implements Fact.
func (*EndpointDisabled) FactType() string { return "EndpointDisabled" }

// FactType implements Fact.
func (*RulesAdopted) FactType() string { return "RulesAdopted" }

// FactType implements Fact.
func (*StepFailed) FactType() string { return "StepFailed" }

// FactType implements Fact.
func (*Disconnected) FactType() string { return "Disconnected" }

// FactType implements Fact.
func (*Reserved) FactType() string { return "Reserved" }

// FactType implements Fact.
func (*Released) FactType() string { return "Released" }

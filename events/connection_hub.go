package events

import "time"

// OmnichannelSet says how a connection stands to an organisation of Dynamics
// 365 Omnichannel for Customer Service. It comes with ConnectionRequested, in
// the same commit; secrets are in the secret store and never here.
type OmnichannelSet struct {
	Path    string `json:"path"`    // relay or advise
	Routing string `json:"routing"` // who chooses the queue: handoff or hub
	// Directory is the tenant of Microsoft Entra ID (Azure AD) and ClientID the
	// application in it by which Handoff calls Microsoft's APIs.
	Directory string `json:"directory"`
	ClientID  string `json:"client_id"`
	// Environment is the Power Platform environment in which the bot lives.
	Environment string `json:"environment,omitempty"`
	// BotOrganisation is the URL of the Dataverse organisation in which the bot
	// was made, where that is not the hub's.
	BotOrganisation string `json:"bot_organisation,omitempty"`
	BotSchema       string `json:"bot_schema,omitempty"` // the bot's schema name
	// TokenEndpoint is the URL at which Direct Line tokens for the bot are had.
	TokenEndpoint string `json:"token_endpoint,omitempty"`
	// AzureBot is the resource id of the Azure Bot through which the hub talks
	// to Handoff; relay only.
	AzureBot   string `json:"azure_bot,omitempty"`
	Channel    string `json:"channel"` // MsTeamsChannel or Omnichannel
	Queue      string `json:"queue,omitempty"`
	Workstream string `json:"workstream,omitempty"`
}

// The paths of conversations: Handoff stands between the hub and the bot, or
// gives advice beside a native connection.
const (
	PathRelay  = "relay"
	PathAdvise = "advise"
)

// Who chooses the queue. Where it is the hub, Handoff's rules predict.
const (
	RoutingHandoff = "handoff"
	RoutingHub     = "hub"
)

// RegionsOverridden lets a connection cross the borders of geographies: who
// answers for that, and why.
type RegionsOverridden struct {
	Regions Regions `json:"regions"`
	By      string  `json:"by"`
	Why     string  `json:"why"`
}

// HealthCheckSet names the URL that tells whether a bot of another maker works.
type HealthCheckSet struct {
	URL string `json:"url"`
}

// PrerequisitesChecked is what was seen at the hub before anything was changed
// there.
type PrerequisitesChecked struct {
	// ApplicationID is the one that the connection is going to have, where it is
	// known before it is made.
	ApplicationID string `json:"application_id,omitempty"`
	// TokenTenant is the tenant of which that application has its tokens: its
	// own or, where it serves many, that of all bots.
	TokenTenant string    `json:"token_tenant,omitempty"`
	Findings    []Finding `json:"findings,omitempty"` // empty: everything is as it should be
}

// Finding is one thing that is not as it should be, and what to do.
type Finding struct {
	Code     string `json:"code"`
	Detail   string `json:"detail"`
	Blocking bool   `json:"blocking"` // false: it is worth knowing
}

// ApplicationUserEnabled says that the connection's application id has a user
// in the hub's organisation which works, with its role and queue.
type ApplicationUserEnabled struct {
	HubType        string `json:"hub_type"`
	Organisation   string `json:"organisation"`
	OrganisationID string `json:"organisation_id"` // as the hub confirmed it
	ApplicationID  string `json:"application_id"`
	User           string `json:"user"` // id of the user in the hub
	// Done is what was done for it: created, enabled, or found where it was on.
	Done string `json:"done"`
	// By is handoff or, for the user of a native connection, person. What a
	// person enabled, Handoff does not disable.
	By string `json:"by"`
	// Queue and Workstream are those in which it stands; empty where a person
	// has to put it there.
	Queue      string `json:"queue,omitempty"`
	Workstream string `json:"workstream,omitempty"`
	// Link leads a person to the hub's administration.
	Link string `json:"link,omitempty"`
}

// What was done for an application user.
const (
	UserCreated = "created"
	UserEnabled = "enabled"
	UserFound   = "found"
)

// ApplicationUserDisabled says that a user which Handoff had enabled was
// disabled. It stays in the hub, and so does its history.
type ApplicationUserDisabled struct {
	HubType       string `json:"hub_type"`
	Organisation  string `json:"organisation"`
	ApplicationID string `json:"application_id"`
	User          string `json:"user"`
	// Gone says that somebody had deleted it.
	Gone bool `json:"gone,omitempty"`
}

// HubChangesAllowed is what somebody lets Handoff change at the hub beyond what
// is the connection's own. The last one counts, until the connection is asked
// for anew.
type HubChangesAllowed struct {
	By string `json:"by"` // who allows it
	// AddRules allows rules that obey Handoff among those of the workstream.
	AddRules bool `json:"add_rules"`
	// TakeOverEndpoint allows an Azure Bot that posts elsewhere to be turned
	// round.
	TakeOverEndpoint bool `json:"take_over_endpoint"`
}

// HubQueuesNamed lists the queues of the rules in force that name a queue of the
// hub. It comes with RulesAdopted, where the list is another one than before.
type HubQueuesNamed struct {
	Queues []Queue `json:"queues,omitempty"`
}

// MessagingEndpointSet says where an Azure Bot posts messages to from here on.
type MessagingEndpointSet struct {
	AzureBot string `json:"azure_bot"`     // its resource id
	Was      string `json:"was,omitempty"` // empty: it had none
	Is       string `json:"is"`
}

// HubRulesSet says which rules the hub was given so that it obeys Handoff, and
// which context variables, which its workstream did not know.
type HubRulesSet struct {
	Workstream string    `json:"workstream"`
	Ruleset    string    `json:"ruleset,omitempty"` // empty: no rule was missing
	Rules      []HubRule `json:"rules,omitempty"`
	Variables  []string  `json:"variables,omitempty"`
}

// HubRule is a rule of the hub: what Handoff routes to a queue of its own goes
// to a queue of the hub.
type HubRule struct {
	Queue    string   `json:"queue"` // id in the rules
	HubQueue HubQueue `json:"hub_queue"`
}

// ApplicationSecretRotated says that the application id has a new secret, which
// Handoff made, and none of those that Handoff made before.
type ApplicationSecretRotated struct {
	ApplicationID string    `json:"application_id"`
	KeyID         string    `json:"key_id"` // of the secret in Entra ID (Azure AD)
	Ends          time.Time `json:"ends"`
}

// HubSecretsForgotten says that the secrets of a connection that was
// disconnected are in the secret store no more.
type HubSecretsForgotten struct {
	// Removed counts the secrets that Handoff had made for the application id
	// and that work no longer.
	Removed int `json:"removed"`
	// Code and Detail say why some work still, and what a person has to do.
	Code   string `json:"code,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// BotPublished says that customers reach a published version of the bot. It is
// there only where that is a change.
type BotPublished struct {
	// LastPublishFailed says that the newest version could not be published and
	// an earlier one is still on.
	LastPublishFailed bool   `json:"last_publish_failed,omitempty"`
	Detail            string `json:"detail,omitempty"` // a sentence for people
}

// BotUnpublished says that customers do not reach the bot. Not knowing is no
// reason to say so.
type BotUnpublished struct {
	Code    string `json:"code"`              // such as never-published
	Deleted bool   `json:"deleted,omitempty"` // the bot is gone
	Detail  string `json:"detail,omitempty"`  // a sentence for people
}

// FactType implements Fact.
func (*OmnichannelSet) FactType() string { return "OmnichannelSet" }

// FactType implements Fact.
func (*RegionsOverridden) FactType() string { return "RegionsOverridden" }

// FactType implements Fact.
func (*HealthCheckSet) FactType() string { return "HealthCheckSet" }

// FactType implements Fact.
func (*PrerequisitesChecked) FactType() string { return "PrerequisitesChecked" }

// FactType implements Fact.
func (*ApplicationUserEnabled) FactType() string { return "ApplicationUserEnabled" }

// FactType implements Fact.
func (*ApplicationUserDisabled) FactType() string { return "ApplicationUserDisabled" }

// FactType implements Fact.
func (*BotPublished) FactType() string { return "BotPublished" }

// FactType implements Fact.
func (*BotUnpublished) FactType() string { return "BotUnpublished" }

// FactType implements Fact.
func (*HubChangesAllowed) FactType() string { return "HubChangesAllowed" }

// FactType implements Fact.
func (*HubQueuesNamed) FactType() string { return "HubQueuesNamed" }

// FactType implements Fact.
func (*MessagingEndpointSet) FactType() string { return "MessagingEndpointSet" }

// FactType implements Fact.
func (*HubRulesSet) FactType() string { return "HubRulesSet" }

// FactType implements Fact.
func (*ApplicationSecretRotated) FactType() string { return "ApplicationSecretRotated" }

// FactType implements Fact.
func (*HubSecretsForgotten) FactType() string { return "HubSecretsForgotten" }

// Package connection decides the life of a connection: the tie between one bot
// and one agent hub, from the request to the disconnect, and its endpoints and
// rules meanwhile.
//
// The steps towards a ready connection are facts of their own, so that a crash
// between two of them loses nothing and a repeated step changes nothing.
package connection

import (
	"slices"
	"strings"
	"time"

	"handoff/domain"
	"handoff/domain/publication"
	"handoff/events"
)

// Decider decides connections.
//
//nolint:gochecknoglobals // a constant in all but syntax
var Decider = domain.Decider[State]{Kind: events.KindConnection, StateVersion: 3, Evolve: evolve, Decide: decide}

// Status is how far a connection is.
type Status string

// The statuses, in the order in which they are reached.
const (
	None           Status = ""
	Requested      Status = "requested"
	AppRegistered  Status = "app_registered"
	ChannelEnabled Status = "channel_enabled"
	Ready          Status = "ready"
	Disconnected   Status = "disconnected"
)

// Endpoint is where routed escalations are sent.
type Endpoint struct {
	ID       string   `json:"id"`
	URL      string   `json:"url"`
	Mode     string   `json:"mode"`
	Events   []string `json:"events,omitempty"`
	Disabled string   `json:"disabled,omitempty"` // code of why, empty: it takes events
}

// Endpoint modes.
const (
	ModeThin = "thin"
	ModeFull = "full"
)

// Takes reports whether the endpoint wants events of a type.
func (e Endpoint) Takes(eventType string) bool {
	return e.Disabled == "" && (len(e.Events) == 0 || slices.Contains(e.Events, eventType))
}

// State is a connection. Its zero value is one that nobody requested.
type State struct {
	// Tenant is whose connection it is. No fact says so: whoever reads the
	// stream sets it where adapters need it.
	Tenant        string          `json:"-"`
	Version       int             `json:"version"` // of the stream
	ID            string          `json:"id"`
	Status        Status          `json:"status"`
	Session       int             `json:"session"` // how often it was requested
	Bot           events.Bot      `json:"bot,omitzero"`
	Hub           events.Hub      `json:"hub,omitzero"`
	Regions       *events.Regions `json:"regions,omitempty"`
	Notice        events.Notice   `json:"notice,omitzero"`
	ApplicationID string          `json:"application_id,omitempty"`
	// Held are the application ids that were last reserved for the connection,
	// the newest at the end; all but ApplicationID are to be given back, which
	// may be done already.
	Held      []Held     `json:"held,omitempty"`
	Channel   string     `json:"channel,omitempty"`
	Endpoints []Endpoint `json:"endpoints,omitempty"`
	Rules     Rules      `json:"rules,omitzero"`
	Failure   *Failure   `json:"failure,omitempty"`
	End       *End       `json:"end,omitempty"`

	Omnichannel *events.OmnichannelSet    `json:"omnichannel,omitempty"`
	Override    *events.RegionsOverridden `json:"regions_override,omitempty"`
	HealthURL   string                    `json:"health_url,omitempty"`
	// Checked says that the hub was looked at in this session; Findings are
	// what was not as it should be.
	Checked  bool             `json:"checked,omitempty"`
	Findings []events.Finding `json:"findings,omitempty"`
	// TokenTenant is where the application id has its tokens from.
	TokenTenant string `json:"token_tenant,omitempty"`
	// Users are the application users that work in hubs for the connection, the
	// newest at the end; those of earlier sessions are to be disabled.
	Users       []User      `json:"users,omitempty"`
	Publication Publication `json:"publication,omitzero"`

	// Allowed is what somebody lets Handoff change at the hub; nil: nothing.
	Allowed *events.HubChangesAllowed `json:"allowed,omitempty"`
	// HubQueues are the queues of the rules in force that name one of the hub;
	// HubRules and HubVariables what the hub was given for them.
	HubQueues    []events.Queue   `json:"hub_queues,omitempty"`
	HubRules     []events.HubRule `json:"hub_rules,omitempty"`
	HubVariables []string         `json:"hub_variables,omitempty"`
	// Messaging is where Handoff last had the Azure Bot post.
	Messaging *events.MessagingEndpointSet `json:"messaging,omitempty"`
	// Rotated is the last secret that the application id was given.
	Rotated *events.ApplicationSecretRotated `json:"rotated,omitempty"`
	// Forgotten says that the secrets were forgotten after the disconnect.
	Forgotten bool `json:"forgotten,omitempty"`
}

// Inspection is what was seen at a hub before anything was changed there.
type Inspection struct {
	Findings []events.Finding
	// ApplicationID is the one that the connection will have; empty: one has to
	// be made.
	ApplicationID string
	TokenTenant   string // see events.PrerequisitesChecked
	Bot           publication.Finding
	HubRules      *HubRules // nil: the hub is not to obey Handoff
}

// User is an application user in a hub; see events.ApplicationUserEnabled.
type User struct {
	Held

	OrganisationID string `json:"organisation_id"`
	ID             string `json:"id"`
	By             string `json:"by"`
	Queue          string `json:"queue,omitempty"`
	Workstream     string `json:"workstream,omitempty"`
	Link           string `json:"link,omitempty"`
}

// Publication is whether the bot is published, as far as is known. The zero
// value: nobody has looked yet.
type Publication struct {
	State  publication.State `json:"state"`
	Code   string            `json:"code,omitempty"`
	Detail string            `json:"detail,omitempty"`
}

// Rules names the rule set in force and the fact that holds its source.
type Rules struct {
	Set     string `json:"set"` // sha256:…
	Name    string `json:"name,omitempty"`
	Version int    `json:"version"` // of the RulesAdopted fact in this stream
}

// Held is a reserved application id.
type Held struct {
	HubType       string `json:"hub_type"`
	Organisation  string `json:"organisation"`
	ApplicationID string `json:"application_id"`
}

// NormalID returns an application id as it is stored and compared: ids are
// pasted with spaces, braces and in any case.
func NormalID(id string) string {
	return strings.ToLower(strings.Trim(strings.TrimSpace(id), "{}"))
}

// Reservations returns every application id that may be reserved for the
// connection: those it held, and the one that was wished for, which may have
// been reserved right before a crash.
func (s State) Reservations() []Held {
	wished := Held{HubType: s.Hub.Type, Organisation: s.Hub.Organisation, ApplicationID: NormalID(s.Hub.ApplicationID)}
	if wished.ApplicationID == "" || slices.Contains(s.Held, wished) {
		return s.Held
	}
	return append(slices.Clone(s.Held), wished)
}

// Failure is the last step that did not succeed.
type Failure struct {
	Step      string `json:"step"`
	Code      string `json:"code"`
	Detail    string `json:"detail"`
	Permanent bool   `json:"permanent"`
}

// End is how a connection was disconnected.
type End struct {
	Version  int        `json:"version"` // of the Disconnected fact
	Policy   string     `json:"policy"`
	Target   string     `json:"target,omitempty"`
	Deadline *time.Time `json:"deadline,omitempty"`
	Reason   string     `json:"reason,omitempty"`
}

// Active reports whether the connection was requested and is not disconnected.
func (s State) Active() bool { return s.Status != None && s.Status != Disconnected }

// Endpoint returns the endpoint with an id.
func (s State) Endpoint(id string) (Endpoint, bool) {
	i := slices.IndexFunc(s.Endpoints, func(e Endpoint) bool { return e.ID == id })
	if i < 0 {
		return Endpoint{}, false
	}
	return s.Endpoints[i], true
}

func evolve(s State, f events.Fact) State {
	s.Version++
	switch f := f.(type) {
	case *events.ConnectionRequested:
		s.ID, s.Bot, s.Hub, s.Regions, s.Notice = f.Connection, f.Bot, f.Hub, f.Regions, f.Notice
		s.Status, s.Session, s.ApplicationID, s.Channel, s.Failure, s.End = Requested, s.Session+1, "", "", nil, nil
		s.Omnichannel, s.Override, s.HealthURL, s.Checked, s.Findings, s.TokenTenant, s.Publication = nil, nil, "", false, nil, "", Publication{}
		s.Allowed, s.Forgotten, s.Rotated = nil, false, nil
	case *events.AppRegistered:
		s.Status, s.ApplicationID, s.Failure = AppRegistered, f.ApplicationID, nil
		s.Held = hold(s.Held, Held{HubType: f.HubType, Organisation: f.Organisation, ApplicationID: f.ApplicationID})
	case *events.ChannelEnabled:
		s.Status, s.Channel, s.Failure = ChannelEnabled, f.Channel, nil
	case *events.ConnectionReady:
		s.Status, s.Failure = Ready, nil
	case *events.EndpointSet:
		s.Endpoints = set(s.Endpoints, Endpoint{ID: f.Endpoint, URL: f.URL, Mode: f.Mode, Events: f.Events})
	case *events.EndpointDisabled:
		if e, ok := s.Endpoint(f.Endpoint); ok {
			e.Disabled = f.Code
			s.Endpoints = set(s.Endpoints, e)
		}
	case *events.RulesAdopted:
		s.Rules = Rules{Set: f.RuleSet, Name: f.Name, Version: s.Version}
	case *events.StepFailed:
		s.Failure = &Failure{Step: f.Step, Code: f.Code, Detail: f.Detail, Permanent: f.Permanent}
	case *events.Disconnected:
		s.Status = Disconnected
		s.End = &End{Version: s.Version, Policy: f.Policy, Target: f.Target, Deadline: f.Deadline, Reason: f.Reason}
	default:
		return evolveHub(s, f)
	}
	return s
}

// hold returns the held ids with h as the newest, without the oldest beyond
// MaxHeld.
func hold(all []Held, h Held) []Held {
	all = slices.DeleteFunc(slices.Clone(all), func(o Held) bool { return o == h })
	all = append(all, h)
	return all[max(0, len(all)-MaxHeld):]
}

// set returns the endpoints with e in place of the one with its id.
func set(all []Endpoint, e Endpoint) []Endpoint {
	all = slices.Clone(all)
	if i := slices.IndexFunc(all, func(o Endpoint) bool { return o.ID == e.ID }); i >= 0 {
		all[i] = e
		return all
	}
	return append(all, e)
}

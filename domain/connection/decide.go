package connection

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	eh "github.com/looplab/eventhorizon"
	"github.com/looplab/eventhorizon/uuid"

	"handoff/domain/fault"
	"handoff/events"
)

// To addresses a command to a connection's stream.
type To uuid.UUID

// AggregateID implements eventhorizon's Command.
func (t To) AggregateID() uuid.UUID { return uuid.UUID(t) }

// AggregateType implements eventhorizon's Command.
func (To) AggregateType() eh.AggregateType { return eh.AggregateType(events.KindConnection) }

// Request asks for a connection, with its endpoints and rules. For one that
// is there already it applies what changed of those.
type Request struct {
	To
	Fact events.ConnectionRequested
	// Omnichannel is there where the hub is of that type. Override is applied
	// only where regions differ.
	Omnichannel *events.OmnichannelSet
	Override    *events.RegionsOverridden
	Health      *events.HealthCheckSet
	Endpoints   []events.EndpointSet
	Rules       *events.RulesAdopted
	Queues      []events.Queue            // of the rules
	Allowed     *events.HubChangesAllowed // nil: as before
}

// RegisterApp says which application id the connection has.
type RegisterApp struct {
	To
	Session int // of the connection that the step belongs to
	Fact    events.AppRegistered
}

// EnableChannel says that the channel is on.
type EnableChannel struct {
	To
	Session int
	Fact    events.ChannelEnabled
}

// MakeReady opens the connection for escalations.
type MakeReady struct {
	To
	Session int
}

// SetEndpoint adds or changes an endpoint.
type SetEndpoint struct {
	To
	Fact events.EndpointSet
}

// DisableEndpoint ends deliveries to an endpoint.
type DisableEndpoint struct {
	To
	Fact events.EndpointDisabled
}

// AdoptRules puts a rule set, which was validated, into force.
type AdoptRules struct {
	To
	Fact   events.RulesAdopted
	Queues []events.Queue // of the rules
}

// FailStep records that a step did not succeed.
type FailStep struct {
	To
	Session int
	Fact    events.StepFailed
}

// Disconnect closes the connection.
type Disconnect struct {
	To
	Fact events.Disconnected
}

// CommandType implements eventhorizon's Command.
func (Request) CommandType() eh.CommandType { return "RequestConnection" }

// CommandType implements eventhorizon's Command.
func (RegisterApp) CommandType() eh.CommandType { return "RegisterApp" }

// CommandType implements eventhorizon's Command.
func (EnableChannel) CommandType() eh.CommandType { return "EnableChannel" }

// CommandType implements eventhorizon's Command.
func (MakeReady) CommandType() eh.CommandType { return "MakeReady" }

// CommandType implements eventhorizon's Command.
func (SetEndpoint) CommandType() eh.CommandType { return "SetEndpoint" }

// CommandType implements eventhorizon's Command.
func (DisableEndpoint) CommandType() eh.CommandType { return "DisableEndpoint" }

// CommandType implements eventhorizon's Command.
func (AdoptRules) CommandType() eh.CommandType { return "AdoptRules" }

// CommandType implements eventhorizon's Command.
func (FailStep) CommandType() eh.CommandType { return "FailStep" }

// CommandType implements eventhorizon's Command.
func (Disconnect) CommandType() eh.CommandType { return "Disconnect" }

func decide(s State, cmd eh.Command) ([]events.Fact, error) {
	switch c := cmd.(type) {
	case Request:
		return request(s, c)
	case RegisterApp:
		return step(s, c.Session, AppRegistered, &c.Fact)
	case EnableChannel:
		return step(s, c.Session, ChannelEnabled, &c.Fact)
	case MakeReady:
		return step(s, c.Session, Ready, &events.ConnectionReady{})
	case SetEndpoint:
		return setEndpoint(s, c)
	case DisableEndpoint:
		return disableEndpoint(s, c)
	case AdoptRules:
		return adoptRules(s, c)
	case FailStep:
		return failStep(s, c)
	case Disconnect:
		return disconnect(s, c)
	default:
		return decideHub(s, cmd)
	}
}

// request opens a connection. One whose steps failed may be requested again,
// with what was wrong set right: the steps begin anew and repeat nothing.
func request(s State, c Request) ([]events.Fact, error) {
	if err := checkRequest(c); err != nil {
		return nil, err
	}
	var facts []events.Fact
	switch {
	case !s.Active() || s.Failure != nil:
		facts = opening(c)
	case s.Bot != c.Fact.Bot || s.Hub != c.Fact.Hub || !same(s.Omnichannel, c.Omnichannel):
		return nil, fault.Newf(fault.Conflict, "connection-exists",
			"Connection %q exists and ties another bot or hub. Disconnect it first, or choose another name.", s.ID)
	}
	s = fold(s, facts)
	if c.Health != nil && c.Health.URL != s.HealthURL {
		facts = append(facts, c.Health)
	}
	for i := range c.Endpoints {
		more, err := setEndpoint(s, SetEndpoint{Fact: c.Endpoints[i]})
		if err != nil {
			return nil, within(fmt.Sprintf("/endpoints/%d", i), err)
		}
		facts, s = append(facts, more...), fold(s, more)
	}
	facts = append(facts, allow(s, c.Allowed)...)
	if c.Rules != nil {
		more, err := adoptRules(s, AdoptRules{Fact: *c.Rules, Queues: c.Queues})
		if err != nil {
			return nil, err
		}
		facts = append(facts, more...)
	}
	return facts, nil
}

func fold(s State, facts []events.Fact) State {
	for _, f := range facts {
		s = evolve(s, f)
	}
	return s
}

// rank orders the statuses of a connection that is being set up.
func rank(s Status) int {
	return slices.Index([]Status{None, Requested, AppRegistered, ChannelEnabled, Ready}, s)
}

// step takes a connection one status further. A step that comes twice, or too
// late for a connection that was disconnected meanwhile, changes nothing.
func step(s State, session int, to Status, f events.Fact) ([]events.Fact, error) {
	if s.Session != session || !s.Active() || rank(s.Status) >= rank(to) {
		return nil, nil
	}
	if rank(s.Status) != rank(to)-1 {
		return nil, fault.Newf(fault.Conflict, "step-too-early", "The connection is %s and can't become %s yet.", s.Status, to)
	}
	if to == Ready && s.Rules.Set == "" {
		return nil, fault.New(fault.Conflict, "rules-missing", "The connection has no rules. Adopt a rule set first.")
	}
	return []events.Fact{f}, nil
}

func setEndpoint(s State, c SetEndpoint) ([]events.Fact, error) {
	f := c.Fact
	if !s.Active() {
		return nil, notActive(s)
	}
	if err := checkEndpoint(f); err != nil {
		return nil, err
	}
	old, there := s.Endpoint(f.Endpoint)
	if there && old.Disabled == "" && old.URL == f.URL && old.Mode == f.Mode && slices.Equal(old.Events, f.Events) {
		return nil, nil
	}
	if !there && len(s.Endpoints) >= MaxEndpoints {
		return nil, fault.Newf(fault.Unprocessable, "limit-exceeded", "A connection has at most %d endpoints.", MaxEndpoints)
	}
	return []events.Fact{&f}, nil
}

func disableEndpoint(s State, c DisableEndpoint) ([]events.Fact, error) {
	e, ok := s.Endpoint(c.Fact.Endpoint)
	if !ok {
		return nil, fault.Newf(fault.NotFound, "endpoint-not-found", "The connection has no endpoint %q.", c.Fact.Endpoint)
	}
	if e.Disabled != "" {
		return nil, nil
	}
	f := c.Fact
	f.Code = cmp.Or(f.Code, "removed")
	return []events.Fact{&f}, nil
}

func adoptRules(s State, c AdoptRules) ([]events.Fact, error) {
	if !s.Active() {
		return nil, notActive(s)
	}
	if c.Fact.RuleSet == "" {
		return nil, fault.New(fault.Unprocessable, "rules-missing", "There are no rules to adopt.").At("/rules")
	}
	var facts []events.Fact
	if s.Rules.Set != c.Fact.RuleSet {
		facts = append(facts, &c.Fact)
	}
	return append(facts, named(s, c.Queues)...), nil
}

// failStep records a failure once: the same again says nothing new, nor does one
// of a step that another attempt took meanwhile.
func failStep(s State, c FailStep) ([]events.Fact, error) {
	f := c.Fact
	leaving := s.Status == Disconnected && (f.Step == StepLeave && len(s.Unused()) > 0 || f.Step == StepForget && s.Omnichannel != nil && !s.Forgotten)
	if s.Session != c.Session || !leaving && (!s.Active() || s.Status == Ready || taken(s, f.Step)) {
		return nil, nil
	}
	if s.Failure != nil && *s.Failure == (Failure{Step: f.Step, Code: f.Code, Detail: f.Detail, Permanent: f.Permanent}) {
		return nil, nil
	}
	return []events.Fact{&f}, nil
}

// The steps of connecting, as StepFailed names them, and the steps of
// disconnecting that may fail.
const (
	StepPrerequisites = "prerequisites"
	StepApplication   = "application"
	StepEndpoint      = "endpoint" // at which the hub's messages arrive
	StepChannel       = "channel"
	StepUser          = "user"
	StepHubRules      = "hub-rules"
	StepReady         = "ready"
	StepLeave         = "leave"
	StepForget        = "forget"
)

// taken reports whether the connection has taken a step already.
func taken(s State, step string) bool {
	to, ok := map[string]Status{
		StepPrerequisites: AppRegistered, StepApplication: AppRegistered, StepEndpoint: ChannelEnabled, StepChannel: ChannelEnabled,
		StepUser: Ready, StepHubRules: Ready, StepReady: Ready,
	}[step]
	return ok && rank(s.Status) >= rank(to)
}

func disconnect(s State, c Disconnect) ([]events.Fact, error) {
	f := c.Fact
	switch {
	case s.Status == None:
		return nil, notActive(s)
	case s.Status == Disconnected:
		return nil, nil
	case f.Policy == events.PolicyDrain && f.Deadline == nil, f.Policy == events.PolicyMove && (f.Target == "" || f.Target == s.ID):
		return nil, fault.New(fault.Unprocessable, "disconnect-incomplete",
			"Draining needs a deadline, and moving needs another connection to move to.")
	case f.Policy != events.PolicyDrain && f.Policy != events.PolicyMove:
		return nil, fault.Newf(fault.Unprocessable, "disconnect-policy-invalid", "Open escalations drain or move, not %q.", f.Policy).At("/policy")
	}
	return []events.Fact{&f}, nil
}

func notActive(s State) error {
	if s.Status == None {
		return fault.New(fault.NotFound, "connection-not-found", "There is no such connection.")
	}
	return Refusal(s)
}

// Refusal returns why the connection takes no escalations, or nil if it does.
func Refusal(s State) error {
	switch s.Status {
	case Ready:
		return nil
	case None:
		return fault.New(fault.NotFound, "connection-not-found", "There is no such connection.")
	case Disconnected:
		return fault.Newf(fault.Conflict, "connection-disconnected", "Connection %q is disconnected and takes no escalations.", s.ID)
	default:
		return fault.Newf(fault.Conflict, "connection-not-ready", "Connection %q is %s, not ready yet.", s.ID, s.Status)
	}
}

// Draining reports whether the connection was disconnected in such a way that
// its conversations may finish, be that over or not.
func (s State) Draining() bool {
	return s.Status == Disconnected && s.End != nil && s.End.Deadline != nil
}

// Drained reports whether a connection is disconnected and nothing of it may go
// on any more.
func (s State) Drained(now time.Time) bool {
	return s.Status == Disconnected && (!s.Draining() || !now.Before(*s.End.Deadline))
}

// DrainDeadline returns the instant until which open escalations may finish
// after a disconnect at now.
func DrainDeadline(now time.Time, allowed time.Duration) *time.Time {
	return new(now.Add(allowed).UTC())
}

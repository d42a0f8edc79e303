package connection

import (
	"fmt"
	"slices"
	"strings"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/publication"
	"handoff/events"
)

// CheckPrerequisites says what was seen at the hub before anything was changed
// there, and of the bot. A finding that blocks fails the step.
type CheckPrerequisites struct {
	To
	Session int
	Fact    events.PrerequisitesChecked
	Bot     publication.Finding
}

// EnableUser says that the connection has a user in the hub that works.
type EnableUser struct {
	To
	Session int
	Fact    events.ApplicationUserEnabled
}

// DisableUser says that a user which the connection had was disabled.
type DisableUser struct {
	To
	Fact events.ApplicationUserDisabled
}

// ObserveBot says what a look at the bot found.
type ObserveBot struct {
	To
	Session int
	Found   publication.Finding
}

// CommandType implements eventhorizon's Command.
func (CheckPrerequisites) CommandType() eh.CommandType { return "CheckPrerequisites" }

// CommandType implements eventhorizon's Command.
func (EnableUser) CommandType() eh.CommandType { return "EnableUser" }

// CommandType implements eventhorizon's Command.
func (DisableUser) CommandType() eh.CommandType { return "DisableUser" }

// CommandType implements eventhorizon's Command.
func (ObserveBot) CommandType() eh.CommandType { return "ObserveBot" }

// Blocked reports whether something was seen at the hub that has to be set right
// before the connection can go on.
func (s State) Blocked() bool {
	return slices.ContainsFunc(s.Findings, func(f events.Finding) bool { return f.Blocking })
}

// Uses reports whether the connection needs an application id, or will as soon
// as its steps are taken.
func (s State) Uses(h Held) bool {
	if !s.Active() || h.HubType != s.Hub.Type || h.Organisation != s.Hub.Organisation {
		return false
	}
	if s.ApplicationID != "" {
		return s.ApplicationID == h.ApplicationID
	}
	wished := NormalID(s.Hub.ApplicationID)
	return wished == "" || wished == h.ApplicationID
}

// User returns the application user of the connection as it is now.
func (s State) User() (User, bool) {
	i := slices.IndexFunc(s.Users, func(u User) bool { return s.Uses(u.Held) && u.ApplicationID == s.ApplicationID })
	if i < 0 {
		return User{}, false
	}
	return s.Users[i], true
}

// Unused returns the application users that the connection has no use for any
// more and that are Handoff's to disable.
func (s State) Unused() []User {
	return slices.DeleteFunc(slices.Clone(s.Users), func(u User) bool { return u.By != ByHandoff || s.Uses(u.Held) })
}

// Who enables channels and users.
const (
	ByHandoff = "handoff"
	ByPerson  = "person"
)

func evolveHub(s State, f events.Fact) State {
	switch f := f.(type) {
	case *events.OmnichannelSet:
		s.Omnichannel = f
	case *events.RegionsOverridden:
		s.Override = f
	case *events.HealthCheckSet:
		s.HealthURL = f.URL
	case *events.PrerequisitesChecked:
		s.Checked, s.Findings, s.TokenTenant = true, f.Findings, f.TokenTenant
		if f.ApplicationID != "" && !s.Blocked() { // it is reserved next
			s.Held = hold(s.Held, Held{s.Hub.Type, s.Hub.Organisation, f.ApplicationID})
		}
	case *events.ApplicationUserEnabled:
		u := userOf(f)
		s.Users = append(without(s.Users, u.Held), u)
		s.Users = s.Users[max(0, len(s.Users)-MaxHeld):]
	case *events.ApplicationUserDisabled:
		s.Users = without(s.Users, Held{f.HubType, f.Organisation, f.ApplicationID})
		if s.Status == Disconnected {
			s.Failure = nil
		}
	default:
		s = evolveChanges(s, f)
	}
	if p, ok := publication.After(f); ok {
		s.Publication = Publication{State: p.State, Code: p.Reason, Detail: p.Detail}
	}
	return s
}

func userOf(f *events.ApplicationUserEnabled) User {
	return User{
		Held:           Held{HubType: f.HubType, Organisation: f.Organisation, ApplicationID: f.ApplicationID},
		OrganisationID: f.OrganisationID, ID: f.User, By: f.By, Queue: f.Queue, Workstream: f.Workstream, Link: f.Link,
	}
}

// without returns the users that do not have an application id.
func without(all []User, h Held) []User {
	return slices.DeleteFunc(slices.Clone(all), func(u User) bool { return u.Held == h })
}

func decideHub(s State, cmd eh.Command) ([]events.Fact, error) {
	switch c := cmd.(type) {
	case CheckPrerequisites:
		return checkPrerequisites(s, c)
	case EnableUser:
		if s.Session != c.Session || s.Status != ChannelEnabled || slices.Contains(s.Users, userOf(&c.Fact)) {
			return nil, nil
		}
		return []events.Fact{&c.Fact}, nil
	case DisableUser:
		h := Held{c.Fact.HubType, c.Fact.Organisation, c.Fact.ApplicationID}
		if s.Uses(h) || !slices.ContainsFunc(s.Users, func(u User) bool { return u.Held == h }) {
			return nil, nil
		}
		return []events.Fact{&c.Fact}, nil
	case ObserveBot:
		if f := c.Found.Fact(s.Publication.State); f != nil && s.Session == c.Session && s.Active() {
			return []events.Fact{f}, nil
		}
		return nil, nil
	case SetMessagingEndpoint, SetHubRules, RotateSecret, ForgetSecrets:
		return decideChanges(s, cmd)
	}
	return nil, fmt.Errorf("connection: unknown command %s", cmd.CommandType())
}

// checkPrerequisites records what was seen, once, and all that blocks in one
// failure: nobody wants to be sent away once for each.
func checkPrerequisites(s State, c CheckPrerequisites) ([]events.Fact, error) {
	if s.Session != c.Session || s.Status != Requested {
		return nil, nil
	}
	var facts []events.Fact
	h := Held{s.Hub.Type, s.Hub.Organisation, c.Fact.ApplicationID}
	reserves := c.Fact.ApplicationID != "" && !s.Blocked() && !slices.Contains(s.Held, h)
	if !s.Checked || reserves || s.TokenTenant != c.Fact.TokenTenant || !slices.Equal(s.Findings, c.Fact.Findings) {
		facts = append(facts, &c.Fact)
		s = fold(s, facts)
	}
	if f := c.Bot.Fact(s.Publication.State); f != nil {
		facts = append(facts, f)
	}
	failure, blocked := blocking(c.Fact.Findings)
	if !blocked {
		return facts, nil
	}
	more, err := failStep(s, FailStep{Session: c.Session, Fact: failure})
	return append(facts, more...), err
}

// blocking returns the failure that the findings amount to, if any.
func blocking(findings []events.Finding) (f events.StepFailed, blocked bool) {
	var details []string
	code := ""
	for _, found := range findings {
		if found.Blocking {
			details, code = append(details, found.Detail), found.Code
		}
	}
	if len(details) > 1 {
		code = "prerequisites-missing"
	}
	return events.StepFailed{Step: StepPrerequisites, Code: code, Detail: strings.Join(details, " "), Permanent: true}, len(details) > 0
}

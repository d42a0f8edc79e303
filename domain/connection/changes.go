package connection

import (
	"slices"

	eh "github.com/looplab/eventhorizon"

	"handoff/events"
)

// SetMessagingEndpoint says where the connection's Azure Bot posts messages.
type SetMessagingEndpoint struct {
	To
	Session int
	Fact    events.MessagingEndpointSet
}

// SetHubRules says which rules the hub was given.
type SetHubRules struct {
	To
	Session int
	Fact    events.HubRulesSet
}

// RotateSecret says that the connection's application id has a new secret.
type RotateSecret struct {
	To
	Fact events.ApplicationSecretRotated
}

// ForgetSecrets says that the secrets of a disconnected connection are gone.
type ForgetSecrets struct {
	To
	Session int
	Fact    events.HubSecretsForgotten
}

// CommandType implements eventhorizon's Command.
func (SetMessagingEndpoint) CommandType() eh.CommandType { return "SetMessagingEndpoint" }

// CommandType implements eventhorizon's Command.
func (SetHubRules) CommandType() eh.CommandType { return "SetHubRules" }

// CommandType implements eventhorizon's Command.
func (RotateSecret) CommandType() eh.CommandType { return "RotateSecret" }

// CommandType implements eventhorizon's Command.
func (ForgetSecrets) CommandType() eh.CommandType { return "ForgetSecrets" }

// Allows reports whether somebody lets Handoff do what ask returns of it.
func (s State) Allows(ask func(events.HubChangesAllowed) bool) bool {
	return s.Allowed != nil && ask(*s.Allowed)
}

// evolveChanges folds what Handoff may change at the hub, and what it changed.
func evolveChanges(s State, f events.Fact) State {
	switch f := f.(type) {
	case *events.HubChangesAllowed:
		s.Allowed = f
	case *events.HubQueuesNamed:
		s.HubQueues = f.Queues
	case *events.MessagingEndpointSet:
		s.Messaging = f
	case *events.HubRulesSet:
		for _, r := range f.Rules {
			s.HubRules = append(slices.DeleteFunc(slices.Clone(s.HubRules), func(o events.HubRule) bool { return o.Queue == r.Queue }), r)
		}
		s.HubVariables = slices.Compact(slices.Sorted(slices.Values(slices.Concat(s.HubVariables, f.Variables))))
	case *events.ApplicationSecretRotated:
		s.Rotated = f
	case *events.HubSecretsForgotten:
		s.Forgotten, s.Failure = true, nil
		if f.Code != "" {
			s.Failure = &Failure{Step: StepForget, Code: f.Code, Detail: f.Detail, Permanent: true}
		}
	}
	return s
}

// decideChanges records what was done, once.
func decideChanges(s State, cmd eh.Command) ([]events.Fact, error) {
	switch c := cmd.(type) {
	case SetMessagingEndpoint:
		found := c.Fact.Was == c.Fact.Is && s.Messaging != nil && s.Messaging.AzureBot == c.Fact.AzureBot && s.Messaging.Is == c.Fact.Is
		if s.Session == c.Session && s.Active() && !found && (s.Messaging == nil || *s.Messaging != c.Fact) {
			return []events.Fact{&c.Fact}, nil
		}
	case SetHubRules:
		if s.Session == c.Session && s.Active() && (!containsAll(s.HubRules, c.Fact.Rules) || !containsAll(s.HubVariables, c.Fact.Variables)) {
			return []events.Fact{&c.Fact}, nil
		}
	case RotateSecret:
		again := s.Rotated != nil && s.Rotated.KeyID == c.Fact.KeyID
		if s.Active() && s.ApplicationID != "" && s.ApplicationID == c.Fact.ApplicationID && !again {
			return []events.Fact{&c.Fact}, nil
		}
	case ForgetSecrets:
		if s.Session == c.Session && s.Status == Disconnected && !s.Forgotten {
			return []events.Fact{&c.Fact}, nil
		}
	}
	return nil, nil
}

func containsAll[T comparable](all, some []T) bool {
	return !slices.ContainsFunc(some, func(v T) bool { return !slices.Contains(all, v) })
}

// allow returns the fact that somebody lets Handoff change more or less at the
// hub than before.
func allow(s State, a *events.HubChangesAllowed) []events.Fact {
	if a == nil || s.Omnichannel == nil || s.Allowed != nil && *s.Allowed == *a {
		return nil
	}
	return []events.Fact{a}
}

// named returns the fact that rules name other queues of the hub than before.
func named(s State, queues []events.Queue) []events.Fact {
	inHub := slices.DeleteFunc(slices.Clone(queues), func(q events.Queue) bool { return q.HubQueue == "" })
	if s.Omnichannel == nil || slices.Equal(s.HubQueues, inHub) {
		return nil
	}
	return []events.Fact{&events.HubQueuesNamed{Queues: inHub}}
}

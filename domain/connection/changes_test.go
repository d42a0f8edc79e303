package connection_test

import (
	"slices"
	"testing"

	"handoff/domain/connection"
	"handoff/events"
	"handoff/tests/scenario"
)

func queues(names ...string) (all []events.Queue) {
	for _, n := range names {
		all = append(all, events.Queue{ID: n, Name: n, HubQueue: "hub " + n})
	}
	return all
}

// Leave is given for one session, by whom it says, and once.
func TestLeave(t *testing.T) {
	t.Parallel()
	usual := omni(nil)
	allowed := &events.HubChangesAllowed{By: "ann", AddRules: true}
	asks := omni(func(c *connection.Request) { c.Allowed = allowed })
	more := &events.HubChangesAllowed{By: "ann", AddRules: true, TakeOverEndpoint: true}
	scenario.Run(t, connection.Decider, map[string]scenario.Case{
		"with the request":                     {When: asks, Then: []events.Fact{&usual.Fact, usual.Omnichannel, allowed}},
		"later":                                {Given: opened(connection.Ready), When: asks, Then: []events.Fact{allowed}},
		"again, it is there already":           {Given: append(opened(connection.Ready), allowed), When: asks, Nothing: true},
		"for more":                             {Given: append(opened(connection.Ready), allowed), When: omni(func(c *connection.Request) { c.Allowed = more }), Then: []events.Fact{more}},
		"it stays where nobody says otherwise": {Given: append(opened(connection.Ready), allowed), When: usual, Nothing: true},
		"it ends with the session": {
			Given: append(opened(connection.Disconnected), allowed), When: asks, Then: []events.Fact{&usual.Fact, usual.Omnichannel, allowed},
		},
	})
}

// The queues of rules that have one in the hub come with them.
func TestHubQueues(t *testing.T) {
	t.Parallel()
	named := &events.HubQueuesNamed{Queues: queues("a")}
	adopt := func(set string, all ...events.Queue) connection.AdoptRules {
		return connection.AdoptRules{Fact: *rules(set), Queues: all}
	}
	scenario.Run(t, connection.Decider, map[string]scenario.Case{
		"new rules name one": {
			Given: opened(connection.Ready), When: adopt("sha256:2", append(queues("a"), events.Queue{ID: "b"})...),
			Then: []events.Fact{rules("sha256:2"), named},
		},
		"other rules name the same":      {Given: append(opened(connection.Ready), named), When: adopt("sha256:2", queues("a")...), Then: []events.Fact{rules("sha256:2")}},
		"the same rules":                 {Given: append(opened(connection.Ready), named), When: adopt("sha256:1", queues("a")...), Nothing: true},
		"rules that name none any more":  {Given: append(opened(connection.Ready), named), When: adopt("sha256:2"), Then: []events.Fact{rules("sha256:2"), &events.HubQueuesNamed{}}},
		"nobody said so when these came": {Given: opened(connection.Ready), When: adopt("sha256:1", queues("a")...), Then: []events.Fact{named}},
	})
}

func TestWhatIsChangedAtTheHub(t *testing.T) {
	t.Parallel()
	endpoint := &events.MessagingEndpointSet{AzureBot: "bot", Was: "https://old.example", Is: "https://new.example"}
	found := &events.MessagingEndpointSet{AzureBot: "bot", Was: "https://new.example", Is: "https://new.example"}
	turned := &events.MessagingEndpointSet{AzureBot: "bot", Was: "https://third.example", Is: "https://new.example"}
	hub := &events.HubRulesSet{Variables: []string{"HandoffQueue"}, Workstream: "w", Rules: []events.HubRule{{Queue: "a"}}}
	rotated := &events.ApplicationSecretRotated{ApplicationID: "app-1", KeyID: "k"}
	forgotten := &events.HubSecretsForgotten{Removed: 1}
	scenario.Run(t, connection.Decider, map[string]scenario.Case{
		"the endpoint is set":                {Given: opened(connection.AppRegistered), When: connection.SetMessagingEndpoint{Session: 1, Fact: *endpoint}, Then: []events.Fact{endpoint}},
		"it is found where it was set":       {Given: append(opened(connection.AppRegistered), endpoint), When: connection.SetMessagingEndpoint{Session: 1, Fact: *found}, Nothing: true},
		"it is found where nobody knew":      {Given: opened(connection.AppRegistered), When: connection.SetMessagingEndpoint{Session: 1, Fact: *found}, Then: []events.Fact{found}},
		"it was turned round meanwhile":      {Given: append(opened(connection.Ready), endpoint), When: connection.SetMessagingEndpoint{Session: 1, Fact: *turned}, Then: []events.Fact{turned}},
		"the endpoint of another session":    {Given: opened(connection.AppRegistered), When: connection.SetMessagingEndpoint{Session: 2, Fact: *endpoint}, Nothing: true},
		"rules are added":                    {Given: opened(connection.ChannelEnabled), When: connection.SetHubRules{Session: 1, Fact: *hub}, Then: []events.Fact{hub}},
		"no rules are":                       {Given: opened(connection.ChannelEnabled), When: connection.SetHubRules{Session: 1}, Nothing: true},
		"rules after the disconnect":         {Given: opened(connection.Disconnected), When: connection.SetHubRules{Session: 1, Fact: *hub}, Nothing: true},
		"a secret is renewed":                {Given: opened(connection.Ready), When: connection.RotateSecret{Fact: *rotated}, Then: []events.Fact{rotated}},
		"that of another application":        {Given: opened(connection.Ready), When: connection.RotateSecret{Fact: events.ApplicationSecretRotated{ApplicationID: "app-2"}}, Nothing: true},
		"secrets are forgotten":              {Given: opened(connection.Disconnected), When: connection.ForgetSecrets{Session: 1, Fact: *forgotten}, Then: []events.Fact{forgotten}},
		"once":                               {Given: append(opened(connection.Disconnected), forgotten), When: connection.ForgetSecrets{Session: 1, Fact: *forgotten}, Nothing: true},
		"not while the connection is needed": {Given: opened(connection.Ready), When: connection.ForgetSecrets{Session: 1, Fact: *forgotten}, Nothing: true},
		"they can't be forgotten yet": {
			Given: opened(connection.Disconnected), When: connection.FailStep{Session: 1, Fact: *failure(connection.StepForget, "graph-unavailable")},
			Then: []events.Fact{failure(connection.StepForget, "graph-unavailable")},
		},
	})
}

// A rule for a queue replaces the one before; what could not be removed is a
// failure that stays visible.
func TestFoldingChanges(t *testing.T) {
	t.Parallel()
	facts := append(opened(connection.Ready),
		&events.HubRulesSet{Rules: []events.HubRule{{Queue: "a", HubQueue: events.HubQueue{ID: "1"}}, {Queue: "b"}}},
		&events.HubRulesSet{Rules: []events.HubRule{{Queue: "a", HubQueue: events.HubQueue{ID: "2"}}}},
		drained(), &events.HubSecretsForgotten{Code: "graph-permission-missing", Detail: "Remove it."})
	s := connection.Decider.Fold(connection.State{}, facts...)
	if want := []events.HubRule{{Queue: "b"}, {Queue: "a", HubQueue: events.HubQueue{ID: "2"}}}; !slices.Equal(s.HubRules, want) {
		t.Errorf("hub rules = %+v, want %+v", s.HubRules, want)
	}
	if s.Failure == nil || s.Failure.Step != connection.StepForget || s.Failure.Detail != "Remove it." || !s.Forgotten {
		t.Errorf("failure = %+v, forgotten %t", s.Failure, s.Forgotten)
	}
}

package connection_test

import (
	"strings"
	"testing"

	eh "github.com/looplab/eventhorizon"
	"pgregory.net/rapid"

	"handoff/domain/connection"
	"handoff/domain/publication"
	"handoff/events"
	"handoff/tests/scenario"
)

func TestLaws(t *testing.T) {
	t.Parallel()
	scenario.Laws(t, connection.Decider, command, promises)
}

// promises is what a connection is at any time.
func promises(t *rapid.T, s connection.State, facts []events.Fact) {
	if s.Version != len(facts) || len(s.Endpoints) > connection.MaxEndpoints {
		t.Fatalf("version %d after %d facts, %d endpoints", s.Version, len(facts), len(s.Endpoints))
	}
	if s.Status == connection.Ready && (s.Rules.Set == "" || s.Failure != nil) {
		t.Fatalf("ready with rules %q and failure %+v", s.Rules.Set, s.Failure)
	}
	if (s.End != nil) != (s.Status == connection.Disconnected) {
		t.Fatalf("%s, and its end is %+v", s.Status, s.End)
	}
	if s.Rules.Version > 0 {
		if f, ok := facts[s.Rules.Version-1].(*events.RulesAdopted); !ok || f.RuleSet != s.Rules.Set {
			t.Fatalf("the rules %s are not those of fact %d", s.Rules.Set, s.Rules.Version)
		}
	}
	for _, u := range s.Unused() {
		if u.By != connection.ByHandoff || s.Uses(u.Held) {
			t.Fatalf("%+v would be disabled, of %+v", u, s)
		}
	}
	for _, f := range facts[max(0, len(facts)-1):] {
		if o, ok := f.(*events.RegionsOverridden); ok && (o.By == "" || o.Why == "" || o.Regions.Bot == o.Regions.Hub && o.Regions.Hub == o.Regions.Log) {
			t.Fatalf("overridden by %q, because of %q: %+v", o.By, o.Why, o.Regions)
		}
	}
	seen := map[string]bool{}
	for _, e := range s.Endpoints {
		if seen[e.ID] || !connection.ValidID(e.ID) {
			t.Fatalf("endpoint %q is there twice or can't be named", e.ID)
		}
		seen[e.ID] = true
	}
}

var (
	names    = rapid.SampledFrom([]string{"desk", "log", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "", "Not valid"})
	modes    = rapid.SampledFrom([]string{"thin", "full", "thin", "full", ""})
	short    = rapid.SampledFrom([]string{"a", "b", ""})
	texts    = rapid.SampledFrom([]string{"a", "b", "", strings.Repeat("x", 300)})
	sets     = rapid.SampledFrom([]string{"sha256:1", "sha256:2", ""})
	policies = rapid.SampledFrom([]string{events.PolicyDrain, events.PolicyMove, "", "drop"})
	stages   = rapid.SampledFrom([]string{"prerequisites", "application", "channel", "user", "ready", "leave", ""})
	found    = rapid.SampledFrom([]publication.State{publication.Published, publication.Outdated, publication.Unpublished, publication.Deleted, publication.Unknown})
	hands    = rapid.SampledFrom([]string{connection.ByHandoff, connection.ByPerson})
)

// command draws from values so few that they meet again; steps are mostly those
// that come next.
func command(t *rapid.T, s connection.State) eh.Command {
	session := s.Session - rapid.SampledFrom([]int{0, 0, 0, 1, -1}).Draw(t, "session")
	switch rapid.IntRange(0, 19).Draw(t, "command") {
	case 0:
		return anyRequest(t)
	case 1, 2:
		return connection.RegisterApp{Session: session, Fact: *registered(short.Draw(t, "app"))}
	case 3, 4:
		return connection.EnableChannel{Session: session, Fact: events.ChannelEnabled{Channel: short.Draw(t, "channel")}}
	case 5, 6:
		return connection.MakeReady{Session: session}
	case 7:
		return connection.SetEndpoint{Fact: anyEndpoint(t)}
	case 8:
		return connection.DisableEndpoint{Fact: events.EndpointDisabled{Endpoint: names.Draw(t, "endpoint"), Code: short.Draw(t, "code")}}
	case 9:
		return connection.AdoptRules{Fact: *rules(sets.Draw(t, "set")), Queues: queues(rapid.SliceOfN(short, 0, 2).Draw(t, "queues")...)}
	case 10:
		f := failure(stages.Draw(t, "step"), short.Draw(t, "code"))
		f.Permanent = rapid.Bool().Draw(t, "permanent")
		return connection.FailStep{Session: session, Fact: *f}
	case 11:
		return anyDisconnect(t)
	case 12:
		blocks := rapid.SliceOfN(rapid.Bool(), 0, 2).Draw(t, "blocking")
		c := connection.CheckPrerequisites{Session: session, Fact: events.PrerequisitesChecked{ApplicationID: short.Draw(t, "app")}}
		c.Bot.State = found.Draw(t, "state")
		for _, b := range blocks {
			c.Fact.Findings = append(c.Fact.Findings, events.Finding{Code: "c", Detail: "It is missing.", Blocking: b})
		}
		return c
	case 13:
		return connection.EnableUser{Session: session, Fact: *user(func(f *events.ApplicationUserEnabled) {
			f.HubType, f.Organisation, f.ApplicationID, f.By = s.Hub.Type, s.Hub.Organisation, short.Draw(t, "app"), hands.Draw(t, "by")
		})}
	case 14:
		return connection.DisableUser{Fact: events.ApplicationUserDisabled{HubType: s.Hub.Type, Organisation: s.Hub.Organisation, ApplicationID: short.Draw(t, "app")}}
	case 15:
		return connection.SetMessagingEndpoint{Session: session, Fact: events.MessagingEndpointSet{AzureBot: "a", Was: short.Draw(t, "was"), Is: short.Draw(t, "is")}}
	case 16:
		return connection.SetHubRules{Session: session, Fact: events.HubRulesSet{
			Rules: []events.HubRule{{Queue: short.Draw(t, "queue"), HubQueue: events.HubQueue{ID: short.Draw(t, "hub queue")}}}, Variables: rapid.SliceOfN(short, 0, 2).Draw(t, "variables"),
		}}
	case 17:
		return connection.RotateSecret{Fact: events.ApplicationSecretRotated{ApplicationID: short.Draw(t, "app"), KeyID: short.Draw(t, "key")}}
	case 18:
		return connection.ForgetSecrets{Session: session, Fact: events.HubSecretsForgotten{Code: short.Draw(t, "code")}}
	}
	return connection.ObserveBot{Session: session, Found: publication.Finding{State: found.Draw(t, "state"), Reason: short.Draw(t, "reason")}}
}

func anyRequest(t *rapid.T) eh.Command {
	f := requested()
	f.Connection = rapid.SampledFrom([]string{"store", "store", "Not valid"}).Draw(t, "name")
	c := connection.Request{}
	if rapid.Bool().Draw(t, "omnichannel") {
		c = omni(func(c *connection.Request) {
			c.Fact.Regions.Hub = rapid.SampledFrom([]string{"europe", "europe", "canada"}).Draw(t, "hub's region")
			c.Override = &events.RegionsOverridden{By: "ann", Why: short.Draw(t, "why")}
		})
		f = &c.Fact
	}
	f.Bot.ID, f.Bot.Version, f.Hub.ApplicationID = short.Draw(t, "bot"), texts.Draw(t, "version"), texts.Draw(t, "app")
	if c.Omnichannel == nil && rapid.Bool().Draw(t, "with regions") {
		f.Regions = &events.Regions{Log: texts.Draw(t, "region")}
	}
	c.Fact = *f
	if rapid.Bool().Draw(t, "with health check") {
		c.Health = &events.HealthCheckSet{URL: texts.Draw(t, "health")}
	}
	for range rapid.IntRange(0, 3).Draw(t, "endpoints") {
		c.Endpoints = append(c.Endpoints, anyEndpoint(t))
	}
	if rapid.Bool().Draw(t, "with rules") {
		c.Rules, c.Queues = rules(sets.Draw(t, "set")), queues(rapid.SliceOfN(short, 0, 2).Draw(t, "queues")...)
	}
	if rapid.Bool().Draw(t, "with leave") {
		c.Allowed = &events.HubChangesAllowed{By: short.Draw(t, "who"), AddRules: rapid.Bool().Draw(t, "add rules")}
	}
	return c
}

func anyEndpoint(t *rapid.T) events.EndpointSet {
	return events.EndpointSet{
		Endpoint: names.Draw(t, "endpoint"), URL: texts.Draw(t, "url"), Mode: modes.Draw(t, "mode"),
		Events: rapid.SliceOfN(short, 0, 2).Draw(t, "events"),
	}
}

func anyDisconnect(t *rapid.T) eh.Command {
	f := events.Disconnected{Policy: policies.Draw(t, "policy"), Target: short.Draw(t, "target"), Reason: short.Draw(t, "reason")}
	if rapid.Bool().Draw(t, "with deadline") {
		f.Deadline = new(noon())
	}
	return connection.Disconnect{Fact: f}
}

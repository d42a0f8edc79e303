package connection_test

import (
	"slices"
	"strings"
	"testing"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/domain/publication"
	"handoff/events"
	"handoff/tests/scenario"
)

const organisation = "https://contoso.crm4.dynamics.com"

// omni is a request for a connection with Omnichannel.
func omni(change func(*connection.Request)) connection.Request {
	c := connection.Request{Fact: *requested(), Omnichannel: &events.OmnichannelSet{
		Path: "relay", Routing: "handoff", Directory: "contoso.onmicrosoft.com", ClientID: "client", AzureBot: "/subscriptions/1", Channel: "MsTeamsChannel", Queue: "Store bot",
	}}
	c.Fact.Hub = events.Hub{Type: connection.Omnichannel, Organisation: organisation, ApplicationID: "app-1"}
	c.Fact.Regions = &events.Regions{Bot: "europe", Hub: "europe", Log: "europe"}
	if change != nil {
		change(&c)
	}
	return c
}

// opened are the facts of such a connection up to a status.
func opened(s connection.Status) []events.Fact {
	c := omni(nil)
	all := []events.Fact{
		&c.Fact, c.Omnichannel, rules("sha256:1"),
		&events.AppRegistered{HubType: connection.Omnichannel, Organisation: organisation, ApplicationID: "app-1"},
		&events.ChannelEnabled{Channel: "MsTeamsChannel", By: connection.ByHandoff}, user(nil), &events.ConnectionReady{}, drained(),
	}
	n := map[connection.Status]int{
		connection.Requested: 3, connection.AppRegistered: 4, connection.ChannelEnabled: 5, connection.Ready: 7, connection.Disconnected: 8,
	}[s]
	return all[:n:n]
}

func user(change func(*events.ApplicationUserEnabled)) *events.ApplicationUserEnabled {
	f := &events.ApplicationUserEnabled{
		HubType: connection.Omnichannel, Organisation: organisation, OrganisationID: "org", ApplicationID: "app-1", User: "u-1",
		Done: events.UserCreated, By: connection.ByHandoff,
	}
	if change != nil {
		change(f)
	}
	return f
}

func TestRequestOfOmnichannel(t *testing.T) {
	t.Parallel()
	usual := omni(nil)
	apart := func(c *connection.Request) { c.Fact.Regions.Hub = "united-kingdom" }
	overridden := omni(func(c *connection.Request) {
		apart(c)
		c.Override = &events.RegionsOverridden{By: "ann", Why: "agreed"}
	})
	needless := omni(func(c *connection.Request) { c.Override = &events.RegionsOverridden{By: "ann", Why: "agreed"} })
	healthy := omni(func(c *connection.Request) { c.Health = &events.HealthCheckSet{URL: "https://bot.example/health"} })
	scenario.Run(t, connection.Decider, map[string]scenario.Case{
		"its settings stand beside the request":       {When: usual, Then: []events.Fact{&usual.Fact, usual.Omnichannel}},
		"regions that differ, with who answers":       {When: overridden, Then: []events.Fact{&overridden.Fact, overridden.Omnichannel, &events.RegionsOverridden{Regions: *overridden.Fact.Regions, By: "ann", Why: "agreed"}}},
		"an override of nothing is no fact":           {When: needless, Then: []events.Fact{&needless.Fact, needless.Omnichannel}},
		"a health check is set":                       {When: healthy, Then: []events.Fact{&healthy.Fact, healthy.Omnichannel, healthy.Health}},
		"a health check is set later":                 {Given: opened(connection.Ready), When: healthy, Then: []events.Fact{healthy.Health}},
		"the same again changes nothing":              {Given: opened(connection.Ready), When: usual, Nothing: true},
		"other settings under the same name":          {Given: opened(connection.Ready), When: omni(func(c *connection.Request) { c.Omnichannel.Routing = "hub" }), Fault: "connection-exists"},
		"other settings after a disconnect":           {Given: opened(connection.Disconnected), When: usual, Then: []events.Fact{&usual.Fact, usual.Omnichannel}},
		"no settings":                                 {When: omni(func(c *connection.Request) { c.Omnichannel = nil }), Fault: "omnichannel-incomplete"},
		"settings for another type of hub":            {When: omni(func(c *connection.Request) { c.Fact.Hub.Type = "generic" }), Fault: "hub-settings-unexpected"},
		"an override for another type of hub":         {When: connection.Request{Fact: *requested(), Override: needless.Override}, Fault: "hub-settings-unexpected"},
		"the notice comes before everything":          {When: omni(func(c *connection.Request) { c.Fact.Notice.AcceptedBy = ""; c.Omnichannel = nil }), Fault: "notice-not-acknowledged"},
		"regions that differ":                         {When: omni(apart), Fault: "regions-differ"},
		"Handoff's log elsewhere":                     {When: omni(func(c *connection.Request) { c.Fact.Regions.Log = "canada" }), Fault: "regions-differ"},
		"the bot elsewhere":                           {When: omni(func(c *connection.Request) { c.Fact.Regions.Bot = "canada" }), Fault: "regions-differ"},
		"nobody knows where the log is":               {When: omni(func(c *connection.Request) { c.Fact.Regions.Log = "" }), Fault: "region-unknown"},
		"nobody knows where anything is":              {When: omni(func(c *connection.Request) { c.Fact.Regions = nil }), Fault: "region-unknown"},
		"a region that is none":                       {When: omni(func(c *connection.Request) { c.Fact.Regions.Bot = "moon" }), Fault: "region-unknown"},
		"a region in other words is put right before": {When: omni(func(c *connection.Request) { c.Fact.Regions.Bot = "EU" }), Fault: "region-unknown"},
		"an unknown region is not overridden":         {When: omni(func(c *connection.Request) { c.Fact.Regions.Bot = ""; c.Override = needless.Override }), Fault: "region-unknown"},
		"nobody answers for the override":             {When: omni(func(c *connection.Request) { apart(c); c.Override = &events.RegionsOverridden{Why: "x"} }), Fault: "regions-override-incomplete"},
		"nobody says why":                             {When: omni(func(c *connection.Request) { apart(c); c.Override = &events.RegionsOverridden{By: "x"} }), Fault: "regions-override-incomplete"},
		"an unknown path":                             {When: omni(func(c *connection.Request) { c.Omnichannel.Path = "proxy" }), Fault: "omnichannel-incomplete"},
		"who chooses the queue is not said":           {When: omni(func(c *connection.Request) { c.Omnichannel.Routing = "" }), Fault: "omnichannel-incomplete"},
		"no directory":                                {When: omni(func(c *connection.Request) { c.Omnichannel.Directory = "" }), Fault: "omnichannel-incomplete"},
		"no client":                                   {When: omni(func(c *connection.Request) { c.Omnichannel.ClientID = "" }), Fault: "omnichannel-incomplete"},
		"a relay without a queue":                     {When: omni(func(c *connection.Request) { c.Omnichannel.Queue = "" }), Fault: "omnichannel-incomplete"},
		"advice without the native connection's id":   {When: omni(func(c *connection.Request) { c.Omnichannel.Path = "advise"; c.Fact.Hub.ApplicationID = "" }), Fault: "omnichannel-incomplete"},
		"no bot":                    {When: omni(func(c *connection.Request) { c.Fact.Bot.ID = "" }), Fault: "omnichannel-incomplete"},
		"a long setting":            {When: omni(func(c *connection.Request) { c.Omnichannel.Queue = strings.Repeat("x", 257) }), Fault: "limit-exceeded"},
		"an endless token endpoint": {When: omni(func(c *connection.Request) { c.Omnichannel.TokenEndpoint = strings.Repeat("x", 2049) }), Fault: "limit-exceeded"},
		"an endless resource id":    {When: omni(func(c *connection.Request) { c.Omnichannel.AzureBot = strings.Repeat("x", 2049) }), Fault: "limit-exceeded"},
		"an endless health URL":     {When: omni(func(c *connection.Request) { c.Health = &events.HealthCheckSet{URL: strings.Repeat("x", 2049)} }), Fault: "limit-exceeded"},
		"endless reasons": {When: omni(func(c *connection.Request) {
			apart(c)
			c.Override = &events.RegionsOverridden{By: "x", Why: strings.Repeat("x", 2049)}
		}), Fault: "limit-exceeded"},
		"endless answerers": {When: omni(func(c *connection.Request) {
			apart(c)
			c.Override = &events.RegionsOverridden{By: strings.Repeat("x", 257), Why: "x"}
		}), Fault: "limit-exceeded"},
	})
	advice := omni(func(c *connection.Request) {
		c.Omnichannel.Path, c.Omnichannel.AzureBot, c.Omnichannel.Queue, c.Fact.Bot.ID, c.Omnichannel.BotSchema = "advise", "", "", "", "cr1_bot"
	})
	if _, err := connection.Decider.Decide(connection.State{}, advice); err != nil {
		t.Errorf("advice without an Azure Bot: %v", err)
	}
}

func TestPrerequisites(t *testing.T) {
	t.Parallel()
	look := func(findings ...events.Finding) connection.CheckPrerequisites {
		return connection.CheckPrerequisites{Session: 1, Fact: events.PrerequisitesChecked{Findings: findings}}
	}
	missing := events.Finding{Code: "solution-missing", Detail: "Install it.", Blocking: true}
	lonely := events.Finding{Code: "queue-without-people", Detail: "Add one.", Blocking: true}
	long := events.Finding{Code: "name-long", Detail: "Shorten it."}
	asked := opened(connection.Requested)
	seen := func(findings ...events.Finding) *events.PrerequisitesChecked {
		return &events.PrerequisitesChecked{Findings: findings}
	}
	failed := func(code, detail string) *events.StepFailed {
		return &events.StepFailed{Step: connection.StepPrerequisites, Code: code, Detail: detail, Permanent: true}
	}
	scenario.Run(t, connection.Decider, map[string]scenario.Case{
		"everything is there":                     {Given: asked, When: look(), Then: []events.Fact{seen()}},
		"it is said once":                         {Given: plus(asked, seen()), When: look(), Nothing: true},
		"what is worth knowing blocks nothing":    {Given: asked, When: look(long), Then: []events.Fact{seen(long)}},
		"one thing is missing":                    {Given: asked, When: look(long, missing), Then: []events.Fact{seen(long, missing), failed("solution-missing", "Install it.")}},
		"all that is missing is said together":    {Given: asked, When: look(missing, lonely), Then: []events.Fact{seen(missing, lonely), failed("prerequisites-missing", "Install it. Add one.")}},
		"the same again is nothing":               {Given: plus(asked, seen(missing), failed("solution-missing", "Install it.")), When: look(missing), Nothing: true},
		"one of two was set right":                {Given: plus(asked, seen(missing, lonely), failed("prerequisites-missing", "Install it. Add one.")), When: look(lonely), Then: []events.Fact{seen(lonely), failed("queue-without-people", "Add one.")}},
		"all were set right":                      {Given: plus(asked, seen(missing), failed("solution-missing", "Install it.")), When: look(), Then: []events.Fact{seen()}},
		"a look that comes too late":              {Given: opened(connection.AppRegistered), When: look(missing), Nothing: true},
		"a look of the time before":               {Given: plus(opened(connection.Disconnected), requested()), When: look(missing), Nothing: true},
		"a look at what was disconnected":         {Given: opened(connection.Disconnected), When: look(missing), Nothing: true},
		"after a reconnect it is said once more":  {Given: plus(asked, seen(), drained(), requested()), When: connection.CheckPrerequisites{Session: 2}, Then: []events.Fact{seen()}},
		"what blocked before is said after again": {Given: plus(asked, seen(missing), failed("solution-missing", "Install it."), requested()), When: connection.CheckPrerequisites{Session: 2, Fact: *seen(missing)}, Then: []events.Fact{seen(missing), failed("solution-missing", "Install it.")}},
	})
	never := publication.Finding{State: publication.Unpublished, Reason: "never-published"}
	scenario.Run(t, connection.Decider, map[string]scenario.Case{
		"the bot is seen as well": {Given: asked, When: connection.CheckPrerequisites{Session: 1, Bot: never}, Then: []events.Fact{seen(), &events.BotUnpublished{Code: "never-published"}}},
		"and said once":           {Given: plus(asked, seen(), &events.BotUnpublished{Code: "never-published"}), When: connection.CheckPrerequisites{Session: 1, Bot: never}, Nothing: true},
	})
	known := &events.PrerequisitesChecked{ApplicationID: "app-9", Findings: []events.Finding{long}}
	if got := applications(fold(plus(asked, known)...)); !slices.Contains(got, "app-9") {
		t.Errorf("held = %v: what is reserved next is not given back after a crash", got)
	}
	known.Findings = []events.Finding{missing}
	if got := applications(fold(plus(asked, known)...)); len(got) != 0 {
		t.Errorf("held = %v, of which nothing is reserved", got)
	}
	if s := fold(plus(asked, seen(long))...); s.Blocked() || !s.Checked {
		t.Error("what is worth knowing blocks")
	}
	if s := fold(plus(asked, seen(missing))...); !s.Blocked() {
		t.Error("what is missing does not block")
	}
}

func TestUsers(t *testing.T) {
	t.Parallel()
	enable := connection.EnableUser{Session: 1, Fact: *user(nil)}
	other := user(func(f *events.ApplicationUserEnabled) { f.Queue = "q" })
	off := &events.ApplicationUserDisabled{HubType: connection.Omnichannel, Organisation: organisation, ApplicationID: "app-1", User: "u-1"}
	disable := connection.DisableUser{Fact: *off}
	leave := connection.FailStep{Session: 1, Fact: *failure(connection.StepLeave, "dataverse-down")}
	second := omni(func(c *connection.Request) { c.Fact.Hub.ApplicationID = "app-2" })
	scenario.Run(t, connection.Decider, map[string]scenario.Case{
		"a user is enabled":                        {Given: opened(connection.ChannelEnabled), When: enable, Then: []events.Fact{user(nil)}},
		"it is said once":                          {Given: plus(opened(connection.ChannelEnabled), user(nil)), When: enable, Nothing: true},
		"a change of it is said":                   {Given: plus(opened(connection.ChannelEnabled), user(nil)), When: connection.EnableUser{Session: 1, Fact: *other}, Then: []events.Fact{other}},
		"a user of the time before":                {Given: plus(opened(connection.Disconnected), opened(connection.ChannelEnabled)...), When: connection.EnableUser{Session: 1, Fact: *other}, Nothing: true},
		"a user that comes too early":              {Given: opened(connection.AppRegistered), When: enable, Nothing: true},
		"a user that comes too late":               {Given: opened(connection.Disconnected), When: connection.EnableUser{Session: 1, Fact: *other}, Nothing: true},
		"it is disabled after the disconnect":      {Given: opened(connection.Disconnected), When: disable, Then: []events.Fact{off}},
		"it is disabled once":                      {Given: plus(opened(connection.Disconnected), off), When: disable, Nothing: true},
		"not while it is in use":                   {Given: opened(connection.Ready), When: disable, Nothing: true},
		"nor where it is wanted again":             {Given: plus(opened(connection.Disconnected), opened(connection.Requested)...), When: disable, Nothing: true},
		"but where another one is wanted":          {Given: plus(opened(connection.Disconnected), &second.Fact, second.Omnichannel), When: disable, Then: []events.Fact{off}},
		"disabling it fails":                       {Given: opened(connection.Disconnected), When: leave, Then: []events.Fact{&leave.Fact}},
		"it fails once":                            {Given: plus(opened(connection.Disconnected), &leave.Fact), When: leave, Nothing: true},
		"nothing fails where there is none":        {Given: until(connection.Disconnected), When: leave, Nothing: true},
		"nor where none is left":                   {Given: plus(opened(connection.Disconnected), off), When: leave, Nothing: true},
		"the user's step fails":                    {Given: opened(connection.ChannelEnabled), When: connection.FailStep{Session: 1, Fact: *failure(connection.StepUser, "x")}, Then: []events.Fact{failure(connection.StepUser, "x")}},
		"it does not where the connection is over": {Given: opened(connection.Disconnected), When: connection.FailStep{Session: 1, Fact: *failure(connection.StepUser, "x")}, Nothing: true},
	})
}

// What Handoff enabled is Handoff's to disable, and nothing else.
func TestUnusedUsers(t *testing.T) {
	t.Parallel()
	persons := user(func(f *events.ApplicationUserEnabled) { f.By = connection.ByPerson })
	second := omni(func(c *connection.Request) { c.Fact.Hub.ApplicationID = "app-2" })
	anything := omni(func(c *connection.Request) { c.Fact.Hub.ApplicationID = "" })
	for sentence, c := range map[string]struct {
		facts []events.Fact
		want  int
	}{
		"the one in use":                            {opened(connection.Ready), 0},
		"after the disconnect":                      {opened(connection.Disconnected), 1},
		"of a native connection":                    {plus(opened(connection.ChannelEnabled), persons, drained()), 0},
		"after a reconnect with the same id":        {plus(opened(connection.Disconnected), opened(connection.Requested)...), 0},
		"after a reconnect with another id":         {plus(opened(connection.Disconnected), &second.Fact, second.Omnichannel), 1},
		"while it is not known which id it will be": {plus(opened(connection.Disconnected), &anything.Fact, anything.Omnichannel), 0},
	} {
		if got := fold(c.facts...).Unused(); len(got) != c.want {
			t.Errorf("%s: unused = %+v, want %d", sentence, got, c.want)
		}
	}
	if u, ok := fold(opened(connection.Ready)...).User(); !ok || u.ID != "u-1" || u.ApplicationID != "app-1" {
		t.Errorf("User = %+v, %t", u, ok)
	}
	if _, ok := fold(opened(connection.Disconnected)...).User(); ok {
		t.Error("a disconnected connection has a user")
	}
}

func TestObserveBot(t *testing.T) {
	t.Parallel()
	look := func(session int, s publication.State) connection.ObserveBot {
		return connection.ObserveBot{Session: session, Found: publication.Finding{State: s, Reason: "why", Detail: "So it is."}}
	}
	off := &events.BotUnpublished{Code: "why", Detail: "So it is."}
	on := &events.BotPublished{Detail: "So it is."}
	ready := opened(connection.Ready)
	scenario.Run(t, connection.Decider, map[string]scenario.Case{
		"the bot is published":                   {Given: ready, When: look(1, publication.Published), Then: []events.Fact{on}},
		"nothing new":                            {Given: plus(ready, on), When: look(1, publication.Published), Nothing: true},
		"it is unpublished":                      {Given: plus(ready, on), When: look(1, publication.Unpublished), Then: []events.Fact{off}},
		"it is deleted":                          {Given: plus(ready, off), When: look(1, publication.Deleted), Then: []events.Fact{&events.BotUnpublished{Code: "why", Detail: "So it is.", Deleted: true}}},
		"nobody knows":                           {Given: plus(ready, on), When: look(1, publication.Unknown), Nothing: true},
		"a look of another time":                 {Given: plus(opened(connection.Disconnected), requested()), When: look(1, publication.Unpublished), Nothing: true},
		"the bot of a disconnected connection":   {Given: opened(connection.Disconnected), When: look(1, publication.Unpublished), Nothing: true},
		"after a reconnect nothing is known yet": {Given: plus(plus(ready, on, drained()), requested()), When: look(2, publication.Published), Then: []events.Fact{on}},
	})
	s := fold(plus(ready, off)...)
	if s.Publication.State != publication.Unpublished || s.Publication.Code != "why" || connection.Refusal(s) != nil {
		t.Errorf("publication = %+v, refusal %v: an unpublished bot's escalations are taken", s.Publication, connection.Refusal(s))
	}
}

// Faults about regions name them, so that a file's line can be found.
func TestRegionFaultsPoint(t *testing.T) {
	t.Parallel()
	_, err := connection.Decider.Decide(connection.State{}, omni(func(c *connection.Request) { c.Fact.Regions.Log = "" }))
	if f := fault.Of(err); f == nil || f.Pointer != "/regions/log" || !strings.Contains(f.Detail, "europe") {
		t.Errorf("Decide: %v, want a fault at /regions/log that lists geographies", err)
	}
}

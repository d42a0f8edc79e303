package dataverse_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/domain/geography"
	"handoff/domain/publication"
	"handoff/infra/microsoft/dataverse"
	"handoff/infra/microsoft/entra/controlplane/controlplanetest"
	"handoff/infra/microsoft/entra/guid"
	"handoff/infra/microsoft/simulation"
)

// missing is the id of no bot.
const missing = "b0000000-0000-4000-8000-000000000009"

func simulated(t *testing.T, c controlplanetest.Cloud) *dataverse.Client {
	t.Helper()
	at := c.URLs.Dataverse[simulation.StoreOrganisation]
	client, err := dataverse.New(c.Options(t, at, dataverse.Scope(at)))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func inject(t *testing.T, c controlplanetest.Cloud, f simulation.Fault) {
	t.Helper()
	if err := c.Inject(f); err != nil {
		t.Fatal(err)
	}
}

// The whole way of an application into the hub and out of it, twice: the second
// time nothing is changed but what was disabled.
func TestAnApplicationUserComesAndGoes(t *testing.T) {
	t.Parallel()
	c := simulated(t, controlplanetest.StartCloud(t, time.Now))
	ctx := t.Context()
	unit, err := c.RootBusinessUnit(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if me, err := c.WhoAmI(ctx); err != nil || me.Organisation != simulation.StoreOrganisation || me.BusinessUnit != unit {
		t.Errorf("who = %+v, %v", me, err)
	}
	for _, want := range []struct {
		change dataverse.Change
		first  bool
	}{{dataverse.Created, true}, {dataverse.Enabled, false}} {
		u, change, err := c.EnsureApplicationUser(ctx, simulation.RelayID, unit)
		if err != nil || change != want.change || u.Disabled || !u.Bot {
			t.Fatalf("user = %+v, %s, %v, want %s", u, change, err, want.change)
		}
		if changed, err := c.EnsureRole(ctx, u.ID, unit, dataverse.RoleAgent); changed != want.first || err != nil {
			t.Errorf("role: %v, %v", changed, err)
		}
		q, created, err := c.EnsureQueue(ctx, "Bot's queue")
		if created != want.first || err != nil {
			t.Errorf("queue = %+v, %v, %v", q, created, err)
		}
		if changed, err := c.EnsureMember(ctx, q.ID, u.ID); changed != want.first || err != nil {
			t.Errorf("member: %v, %v", changed, err)
		}
		members, err := c.Members(ctx, q.ID)
		if err != nil || len(members) != 1 || members[0].ID != u.ID || members[0].Person() {
			t.Errorf("members = %+v, %v", members, err)
		}
		if err := c.SetUserDisabled(ctx, u.ID, true); err != nil {
			t.Error(err)
		}
		if gone, found, err := c.FindApplicationUser(ctx, simulation.RelayID); !found || !gone.Disabled || err != nil {
			t.Errorf("disabled user = %+v, %v, %v", gone, found, err)
		}
	}
	if b, ok := c.Budget(); !ok || b.Requests == 0 {
		t.Errorf("budget = %+v, %v", b, ok)
	}
}

func TestWhatTheHubIs(t *testing.T) {
	t.Parallel()
	c := simulated(t, controlplanetest.StartCloud(t, time.Now))
	ctx := t.Context()
	ws, err := c.Workstream(ctx, simulation.Workstream)
	if err != nil || !ws.Push || ws.Fallback != simulation.DefaultQueue || ws.BotQueue != simulation.BotQueue {
		t.Errorf("workstream = %+v, %v", ws, err)
	}
	if all, err := c.Workstreams(ctx); err != nil || len(all) != 1 || all[0] != ws {
		t.Errorf("workstreams = %+v, %v", all, err)
	}
	variables, err := c.Variables(ctx, ws.ID)
	if err != nil || !slices.Contains(variables, dataverse.Variable{Name: "HandoffQueue", Kind: dataverse.Text}) || !slices.Contains(variables, dataverse.Variable{Name: "Items", Kind: dataverse.Number}) {
		t.Errorf("variables = %+v, %v", variables, err)
	}
	widgets, err := c.Widgets(ctx, ws.ID)
	if err != nil || len(widgets) != 1 || widgets[0].AppID != simulation.WidgetAppID || !strings.Contains(widgets[0].Snippet, simulation.WidgetAppID) {
		t.Errorf("widgets = %+v, %v", widgets, err)
	}
	steps, err := c.Routing(ctx, ws.ID)
	if err != nil || len(steps) != 2 || steps[1].Kind != dataverse.ChooseQueue || !strings.Contains(steps[1].Ruleset.Definition, "assign_to.queue") {
		t.Errorf("routing = %+v, %v", steps, err)
	}
	people, err := c.Members(ctx, simulation.RefundsQueue)
	if err != nil || len(people) != 1 || !people[0].Person() {
		t.Errorf("people = %+v, %v", people, err)
	}
	_, _, err = c.EnsureQueue(ctx, "Default messaging queue")
	check(t, err, "dataverse-queue-unfit")
	if s, err := c.Solutions(ctx, "OmnichannelEngagementHub", "NotThere"); err != nil || len(s) != 1 || s[0].Version == "" {
		t.Errorf("solutions = %+v, %v", s, err)
	}
	if got, next, err := c.Conversations(ctx, ws.ID, time.Now()); len(got) != 0 || err != nil || next.IsZero() {
		t.Errorf("conversations = %+v, %v, %v", got, next, err)
	}
	if got, err := c.Values(ctx, "HandoffEscalationId", time.Now()); len(got) != 0 || err != nil {
		t.Errorf("values = %v, %v", got, err)
	}
}

func TestPublishStates(t *testing.T) {
	t.Parallel()
	const route = "GET /api/data/v9.2/bots(*)"
	set := func(column string, v any) *simulation.Fault {
		return &simulation.Fault{Host: simulation.Dataverse, Route: route, Set: map[string]any{column: v}}
	}
	for sentence, c := range map[string]struct {
		bot   guid.ID
		fault *simulation.Fault
		state publication.State
		code  string
	}{
		"the bot is published":               {simulation.StoreBot, nil, publication.Published, ""},
		"its synchronisation is null":        {simulation.StoreBot, set("synchronizationstatus", nil), publication.Published, ""},
		"its last publishing failed":         {simulation.StoreBot, set("synchronizationstatus", failed), publication.Outdated, ""},
		"it was never published":             {simulation.StoreBot, set("publishedon", nil), publication.Unpublished, ""},
		"it is switched off":                 {simulation.StoreBot, set("statecode", 1.0), publication.Unpublished, ""},
		"it is deleted":                      {missing, nil, publication.Deleted, ""},
		"the organisation is busy":           {simulation.StoreBot, &simulation.Fault{Host: simulation.Dataverse, Status: http.StatusTooManyRequests, RetryAfter: 60}, publication.Unknown, "dataverse-throttled"},
		"a proxy says there is no such page": {simulation.StoreBot, &simulation.Fault{Host: simulation.Dataverse, Status: http.StatusNotFound, Code: "0x0"}, publication.Unknown, "dataverse-not-found"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			cloud := controlplanetest.StartCloud(t, time.Now)
			if c.fault != nil {
				inject(t, cloud, *c.fault)
			}
			got, err := simulated(t, cloud).Publication(t.Context(), c.bot)
			if check(t, err, c.code); got.State != c.state {
				t.Errorf("publication = %+v, want %q", got, c.state)
			}
			if f := fault.Of(err); c.code == "dataverse-throttled" && f.RetryAfter != time.Minute {
				t.Errorf("retry after %v", f.RetryAfter)
			}
		})
	}
}

func TestDiscovery(t *testing.T) {
	t.Parallel()
	cloud := controlplanetest.StartCloud(t, time.Now)
	d, err := dataverse.NewDiscovery(cloud.Options(t, cloud.URLs.Discovery, dataverse.Scope(dataverse.DiscoveryBase)))
	if err != nil {
		t.Fatal(err)
	}
	all, err := d.Environments(t.Context())
	if err != nil || len(all) != 3 {
		t.Fatalf("environments = %+v, %v", all, err)
	}
	for _, e := range all {
		want := dataverse.Environment{
			URL: cloud.URLs.Dataverse[string(e.Organisation)], Name: e.Name, Organisation: e.Organisation, EnvironmentID: e.EnvironmentID, Tenant: simulation.TenantID,
			Region: "EMEA", Geography: geography.Europe, Disabled: e.Organisation == simulation.ClosedOrganisation,
		}
		if e.Organisation == simulation.AmericanOrganisation {
			want.Region, want.Geography = "NA", geography.NorthAmerica
		}
		if e != want {
			t.Errorf("environment = %+v, want %+v", e, want)
		}
	}
}

// What somebody else wrote meanwhile is not lost.
func TestRulesAreWrittenOverWhatWasRead(t *testing.T) {
	t.Parallel()
	c := simulated(t, controlplanetest.StartCloud(t, time.Now))
	steps, err := c.Routing(t.Context(), simulation.Workstream)
	i := slices.IndexFunc(steps, func(s dataverse.Step) bool { return s.Kind == dataverse.ChooseQueue })
	if err != nil || i < 0 {
		t.Fatalf("steps = %+v, %v", steps, err)
	}
	read := steps[i].Ruleset
	if err := c.SetDefinition(t.Context(), read, "<decision/>"); err != nil {
		t.Fatal(err)
	}
	if err := c.SetDefinition(t.Context(), read, "<decision version='2'/>"); !fault.Is(err, "dataverse-conflict") {
		t.Errorf("err = %v, want a conflict", err)
	}
	if steps, err := c.Routing(t.Context(), simulation.Workstream); err != nil || steps[i].Ruleset.Definition != "<decision/>" {
		t.Errorf("steps = %+v, %v", steps, err)
	}
}

func TestAVariableIsDefined(t *testing.T) {
	t.Parallel()
	c := simulated(t, controlplanetest.StartCloud(t, time.Now))
	if err := c.AddVariable(t.Context(), simulation.Workstream, "HandoffMore"); err != nil {
		t.Fatal(err)
	}
	all, err := c.Variables(t.Context(), simulation.Workstream)
	if err != nil || !slices.Contains(all, dataverse.Variable{Name: "HandoffMore", Kind: dataverse.Text}) {
		t.Errorf("variables = %+v, %v", all, err)
	}
	if err := c.AddVariable(t.Context(), simulation.Ana, "HandoffMore"); !fault.Is(err, "dataverse-not-found") {
		t.Errorf("err = %v", err)
	}
}

// Newer organisations keep values in an elastic table, which older ones have not.
func TestValuesAreReadWhereTheyAre(t *testing.T) {
	t.Parallel()
	for _, elastic := range []bool{false, true} {
		cloud := controlplanetest.StartCloud(t, time.Now, func(c *simulation.Config) { c.Organisations[0].Elastic = elastic })
		org := cloud.Organisation(simulation.StoreOrganisation)
		item := org.Add("msdyn_ocliveworkitems", map[string]any{"msdyn_ocliveworkitemid": simulation.Ana})
		org.Add(org.ContextItems(), map[string]any{"msdyn_name": "HandoffEscalationId", "msdyn_value": "esc_1", "_msdyn_ocliveworkitemid_value": item})
		all, err := simulated(t, cloud).Values(t.Context(), "HandoffEscalationId", time.Now())
		if err != nil || len(all) != 1 || all[guid.ID(item)] != "esc_1" {
			t.Errorf("elastic %t: values = %v, %v", elastic, all, err)
		}
	}
}

package hubtest

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"handoff/infra/microsoft/simulation"
)

// dataverse is what is promised of an organisation's Web API.
var dataverse = map[string]func(*testing.T, Opener){
	"WhoAmI tells the organisation's id": func(t *testing.T, start Opener) {
		b := start(t)
		for _, path := range []string{"/WhoAmI", "/WhoAmI()"} {
			if a := b.dataverse(simulation.StoreOrganisation)("GET", path, nil); a.String("OrganizationId") != simulation.StoreOrganisation || a.String("UserId") == "" {
				t.Errorf("%s = %d %s", path, a.Status, a.Text)
			}
		}
	},
	"an application user is created, found, given a role and a queue, disabled and enabled": applicationUser,
	"a second user with the same application id is refused, in another organisation not": func(t *testing.T, start Opener) {
		b := start(t)
		ask := b.dataverse(simulation.StoreOrganisation)
		b.Want(ask("POST", "/systemusers", b.user(ask, simulation.RelayID)), 204, "")
		b.Want(ask("POST", "/systemusers", b.user(ask, strings.ToUpper(simulation.RelayID))), 412, "0x80040237")
		ask = b.dataverse(simulation.AmericanOrganisation)
		b.Want(ask("POST", "/systemusers", b.user(ask, simulation.RelayID)), 204, "")
	},
	"an application that the tenant does not know can be no user": func(t *testing.T, start Opener) {
		b := start(t)
		ask := b.dataverse(simulation.StoreOrganisation)
		b.Want(ask("POST", "/systemusers", b.user(ask, "00000000-0000-4000-8000-00000000beef")), 400, "")
		b.Want(ask("POST", "/systemusers", map[string]any{"applicationid": simulation.RelayID}), 400, "")
	},
	"queries select, filter, order, expand, count and page": queries,
	"what the schema has not is refused": func(t *testing.T, start Opener) {
		b := start(t)
		ask := b.dataverse(simulation.StoreOrganisation)
		for _, query := range []string{
			"/queues?$select=colour", "/queues?$filter=colour eq 1", "/queues?$orderby=colour", "/queues?$select=msdyn_prequeueoverflowrulesetid",
			"/queues?$expand=name", "/queues?$search=x", "/queues?$filter=name eq", "/queues(name)", "/bots?$select=applicationid",
		} {
			if a := ask("GET", strings.ReplaceAll(query, " ", "%20"), nil); a.Status != 400 || a.String("error/code") == "" {
				t.Errorf("%s = %d %s", query, a.Status, a.Text)
			}
		}
		b.Want(ask("GET", "/pigeons", nil), 404, "")
		for _, body := range []map[string]any{
			{"colour": "red"},
			{"msdyn_priority": "high"},
			{"msdyn_queuetype": 7},
			{"name": strings.Repeat("x", 201)},
			{"createdon": "2026-11-23T09:00:00Z"},
			{"msdyn_operatinghourid": "x"},
			{"msdyn_operatinghourid@odata.bind": "/queues(" + simulation.BotQueue + ")"},
			{"name": nil, "queueviewtype": true},
		} {
			if a := ask("PATCH", "/queues("+simulation.BotQueue+")", body); a.Status != 400 {
				t.Errorf("%v = %d %s", body, a.Status, a.Text)
			}
		}
	},
	"If-Match keeps a change from creating a row": func(t *testing.T, start Opener) {
		b := start(t)
		ask := b.dataverse(simulation.StoreOrganisation)
		const path = "/queues(0e000000-0000-4000-8000-0000000000ff)"
		name := map[string]any{"name": "New"}
		b.Want(ask("PATCH", path, name, "If-Match", "*"), 404, "0x80040217")
		b.Want(ask("PATCH", path, name), 204, "")
		etag := ask("GET", path, nil).String("@odata.etag")
		b.Want(ask("PATCH", path, map[string]any{"name": "Newer"}, "If-Match", etag), 204, "")
		b.Want(ask("PATCH", path, name, "If-Match", etag), 412, "0x80060882")
		b.Want(ask("PATCH", path, name, "If-None-Match", "*"), 412, "")
		if a := ask("GET", path, nil); a.String("name") != "Newer" {
			t.Errorf("queue = %s", a.Text)
		}
		b.Want(ask("DELETE", path, nil), 204, "")
		b.Want(ask("GET", path, nil), 404, "0x80040217")
	},
	"values are in a standard table or, in newer organisations, in an elastic one": func(t *testing.T, start Opener) {
		const elastic = "/msdyn_ocliveworkitemcontextitemelastics"
		b := start(t)
		b.Want(b.dataverse(simulation.StoreOrganisation)("GET", elastic, nil), 404, "0x8006088a")
		bot := Connect(t, start, func(c *simulation.Config) { c.Organisations[0].Elastic = true })
		chat := bot.escalated(map[string]any{"HandoffQueue": "Refunds"})
		ask := bot.dataverse(simulation.StoreOrganisation)
		if a := ask("GET", elastic+"?$filter="+url.QueryEscape("msdyn_name eq 'HandoffQueue'"), nil); a.Len("value") != 1 || a.String("value/0/msdyn_value") != "Refunds" {
			t.Errorf("values = %s", a.Text)
		}
		if a := ask("GET", "/msdyn_ocliveworkitemcontextitems", nil); a.Len("value") != 0 || chat.Queue != simulation.RefundsQueue {
			t.Errorf("standard values = %s, queue %s", a.Text, chat.Queue)
		}
	},
	"who is no user, disabled, or lacks the role is refused": strangers,
	"the headers of OData are insisted on": func(t *testing.T, start Opener) {
		b := start(t)
		ask := b.dataverse(simulation.StoreOrganisation)
		b.Want(ask("GET", "/queues", nil, "OData-Version", "3.0"), 400, "")
		b.Want(ask("GET", "/queues", nil, "OData-MaxVersion", "5.0"), 400, "")
		b.Want(ask("GET", "/queues", nil, "Accept", "text/html"), 415, "")
		b.Want(ask("POST", "/queues", map[string]any{"name": "x"}, "Content-Type", "text/plain"), 415, "")
	},
	"publishing a bot is accepted at once and finished later": func(t *testing.T, start Opener) {
		b := start(t, func(c *simulation.Config) { c.PublishTakes = time.Minute })
		ask := b.dataverse(simulation.StoreOrganisation)
		const bot = "/bots(" + simulation.StoreBot + ")"
		before := ask("GET", bot, nil)
		publish := func() { b.Want(ask("POST", bot+"/Microsoft.Dynamics.CRM.PvaPublish", map[string]any{}), 200, "") }
		publish()
		if a := ask("GET", bot, nil); a.String("publishedon") != before.String("publishedon") {
			t.Errorf("publishing is finished at once: %s", a.Text)
		}
		b.Clock.Advance(time.Minute)
		after := ask("GET", bot, nil)
		if after.String("publishedon") != "2026-11-23T09:01:00Z" || !strings.Contains(after.String("synchronizationstatus"), `"Succeeded"`) {
			t.Errorf("bot = %s", after.Text)
		}
		b.Organisation(simulation.StoreOrganisation).FailPublish()
		publish()
		b.Clock.Advance(time.Minute)
		failed := ask("GET", bot, nil)
		if failed.String("publishedon") != after.String("publishedon") || !strings.Contains(failed.String("synchronizationstatus"), `"Failed"`) {
			t.Errorf("bot = %s", failed.Text)
		}
	},
	"a throttled organisation says so in its own code, and a status can be null": func(t *testing.T, start Opener) {
		b := start(t)
		ask := b.dataverse(simulation.StoreOrganisation)
		Injected(b, simulation.Fault{Host: simulation.Dataverse, Route: "GET /api/data/v9.2/bots*", Status: 429, RetryAfter: 60})
		a := ask("GET", "/bots", nil)
		b.Want(a, 429, "0x80072322")
		if a.Header.Get("Retry-After") != "60" {
			t.Errorf("header = %v", a.Header)
		}
		Injected(b, simulation.Fault{Host: simulation.Dataverse, Set: map[string]any{"synchronizationstatus": nil}})
		if a := ask("GET", "/bots", nil); a.At("value/0/synchronizationstatus") != nil || a.String("value/0/name") != "Store bot" {
			t.Errorf("bots = %s", a.Text)
		}
	},
}

func applicationUser(t *testing.T, start Opener) {
	b := start(t)
	ask := b.dataverse(simulation.StoreOrganisation)
	made := ask("POST", "/systemusers", b.user(ask, simulation.RelayID), "Prefer", "return=representation")
	b.Want(made, 201, "")
	id := made.String("systemuserid")
	if want := b.URLs.Dataverse[simulation.StoreOrganisation] + "/api/data/v9.2/systemusers(" + id + ")"; made.Header.Get("OData-EntityId") != want {
		t.Errorf("OData-EntityId = %q, want %q", made.Header.Get("OData-EntityId"), want)
	}
	found := ask("GET", "/systemusers?$select=systemuserid,applicationid,isdisabled,fullname&$filter=applicationid%20eq%20"+simulation.RelayID, nil)
	if found.Len("value") != 1 || found.String("value/0/systemuserid") != id || found.At("value/0/isdisabled") != false || found.String("value/0/fullname") != "# Store bot relay" {
		t.Errorf("found = %s", found.Text)
	}
	at := b.URLs.Dataverse[simulation.StoreOrganisation] + "/api/data/v9.2"
	b.Want(ask("POST", "/systemusers("+id+")/systemuserroles_association/$ref", map[string]any{"@odata.id": at + "/roles(" + simulation.OmnichannelAgentRole + ")"}), 204, "")
	b.Want(ask("POST", "/queues("+simulation.BotQueue+")/queuemembership_association/$ref", map[string]any{"@odata.id": at + "/systemusers(" + id + ")"}), 204, "")
	if a := ask("GET", "/queues("+simulation.BotQueue+")/queuemembership_association?$select=fullname", nil); a.Len("value") != 2 {
		t.Errorf("members = %s", a.Text)
	}
	b.Want(ask("DELETE", "/queues("+simulation.BotQueue+")/queuemembership_association("+id+")/$ref", nil), 204, "")
	b.Want(ask("POST", "/queues("+simulation.BotQueue+")/queuemembership_association/$ref", map[string]any{"@odata.id": at + "/queues(" + simulation.BotQueue + ")"}), 400, "")
	for _, disabled := range []bool{true, false} {
		b.Want(ask("PATCH", "/systemusers("+id+")", map[string]any{"isdisabled": disabled}, "If-Match", "*"), 204, "")
		if a := ask("GET", "/systemusers("+id+")", nil); a.At("isdisabled") != disabled {
			t.Errorf("user = %s", a.Text)
		}
	}
	people := ask("GET", "/systemusers?$filter="+url.QueryEscape("isdisabled eq false and applicationid eq null"), nil)
	if people.Len("value") != 2 {
		t.Errorf("people = %s", people.Text)
	}
}

func queries(t *testing.T, start Opener) {
	b := start(t)
	ask := b.dataverse(simulation.StoreOrganisation)
	a := ask("GET", "/queues?$select=name&$orderby=msdyn_priority,name%20desc&$count=true&$filter="+url.QueryEscape("msdyn_priority le 10 and (contains(name,'bot') or not startswith(name,'D'))"), nil, "Prefer", "odata.maxpagesize=2")
	b.Want(a, 200, "")
	if a.At("@odata.count") != 3.0 || a.String("value/0/name") != "Refunds" || a.String("value/1/name") != "Store bot" || a.Len("value") != 2 {
		t.Errorf("page = %s", a.Text)
	}
	next := b.Do(Request{Method: "GET", URL: a.String("@odata.nextLink"), Token: b.Installer("https://store.crm4.dynamics.com"), Header: odataHeaders()})
	if next.Len("value") != 1 || next.String("value/0/name") != "General" || next.At("@odata.nextLink") != nil {
		t.Errorf("next page = %s", next.Text)
	}
	const stream = "/msdyn_liveworkstreams(" + simulation.Workstream + ")"
	a = ask("GET", stream+"?$select=msdyn_name,_msdyn_defaultqueue_value,_msdyn_bot_queue_value&$expand=msdyn_defaultqueue($select=queueid)", nil, "Prefer", `odata.include-annotations="*"`)
	if _, there := a.Body["_msdyn_defaultqueue_value"]; there || a.String("msdyn_defaultqueue/queueid") != simulation.DefaultQueue {
		t.Errorf("workstream = %s", a.Text)
	}
	if a.String("_msdyn_bot_queue_value@OData.Community.Display.V1.FormattedValue") != "Store bot" {
		t.Errorf("workstream = %s", a.Text)
	}
}

func strangers(t *testing.T, start Opener) {
	b := start(t)
	at := b.URLs.Dataverse[simulation.StoreOrganisation] + "/api/data/v9.2"
	relay := func() Answer {
		token := b.Token(simulation.RelayID, simulation.RelaySecret, "https://store.crm4.dynamics.com")
		return b.Do(Request{Method: "GET", URL: at + "/queues", Token: token, Header: odataHeaders()})
	}
	b.Want(relay(), 403, "0x80072560")
	ask := b.dataverse(simulation.StoreOrganisation)
	made := ask("POST", "/systemusers", b.user(ask, simulation.RelayID), "Prefer", "return=representation")
	b.Want(relay(), 403, "0x80040220")
	b.Want(ask("POST", "/systemusers("+made.String("systemuserid")+")/systemuserroles_association/$ref", map[string]any{"@odata.id": at + "/roles(" + simulation.OmnichannelAgentRole + ")"}), 204, "")
	b.Want(relay(), 200, "")
	b.Want(ask("PATCH", "/systemusers("+made.String("systemuserid")+")", map[string]any{"isdisabled": true}), 204, "")
	b.Want(relay(), 403, "0x80040225")
	b.Want(b.Do(Request{Method: "GET", URL: at + "/queues", Header: odataHeaders()}), 401, "")
	b.Want(b.Do(Request{Method: "GET", URL: at + "/queues", Token: b.Installer("https://store-us.crm.dynamics.com"), Header: odataHeaders()}), 401, "")
}

// user is the body that makes an application a user.
func (b *Bench) user(ask asking, application string) map[string]any {
	b.T.Helper()
	unit := ask("GET", "/businessunits?$filter="+url.QueryEscape("_parentbusinessunitid_value eq null"), nil).String("value/0/businessunitid")
	return map[string]any{
		"applicationid": application, "accessmode": 4, "isdisabled": false, "businessunitid@odata.bind": "/businessunits(" + unit + ")",
	}
}

func odataHeaders() map[string]string {
	return map[string]string{"OData-Version": "4.0", "OData-MaxVersion": "4.0", "Accept": "application/json"}
}

// asking asks a Web API; headers come in pairs.
type asking = func(method, path string, body any, headers ...string) Answer

// dataverse returns a function that asks an organisation as its administrator.
func (b *Bench) dataverse(organisation string) asking {
	b.T.Helper()
	at := b.URLs.Dataverse[organisation]
	token := b.Installer(at)
	return func(method, path string, body any, headers ...string) Answer {
		b.T.Helper()
		q := Request{Method: method, URL: at + "/api/data/v9.2" + path, Token: token, Body: body, Header: odataHeaders()}
		for i := 0; i+1 < len(headers); i += 2 {
			q.Header[headers[i]] = headers[i+1]
		}
		return b.Do(q)
	}
}

// discovery is what is promised of the list of environments.
var discovery = map[string]func(*testing.T, Opener){
	"organisations of every region and state are listed": func(t *testing.T, start Opener) {
		b := start(t)
		at := b.URLs.Discovery + "/api/discovery/v2.0/Instances"
		token := b.Installer("https://globaldisco.crm.dynamics.com")
		a := b.Do(Request{Method: "GET", URL: at + "?$select=ApiUrl,UrlName,FriendlyName,Region,State,Id,EnvironmentId,TenantId", Token: token})
		if a.Len("value") != 3 || a.String("value/0/ApiUrl") != b.URLs.Dataverse[simulation.StoreOrganisation] || a.String("value/1/Region") != "NA" || a.At("value/2/State") != 1.0 {
			t.Errorf("instances = %d %s", a.Status, a.Text)
		}
		for query, want := range map[string]int{
			"?$filter=UrlName%20eq%20'store'": 1, "?$filter=UrlName%20eq%20'STORE'": 0, "(UniqueName='unq0c000000000040008000000000000')": 3,
			"(" + simulation.StoreOrganisation + ")": 1, "(" + simulation.TenantID + ")": 0,
		} {
			if got := b.Do(Request{Method: "GET", URL: at + query, Token: token}).Len("value"); got != want {
				t.Errorf("%s has %d instances, want %d", query, got, want)
			}
		}
	},
	"who is a user nowhere sees nothing": func(t *testing.T, start Opener) {
		b := start(t)
		token := b.Token(simulation.BystanderID, simulation.BystanderSecret, "https://globaldisco.crm.dynamics.com")
		if a := b.Do(Request{Method: "GET", URL: b.URLs.Discovery + "/api/discovery/v2.0/Instances", Token: token}); a.Len("value") != 0 {
			t.Errorf("instances = %d %s", a.Status, a.Text)
		}
		b.Want(b.Do(Request{Method: "GET", URL: b.URLs.Discovery + "/api/discovery/v2.0/Instances"}), 401, "")
	},
	"a disabled organisation answers nobody": func(t *testing.T, start Opener) {
		b := start(t)
		b.Want(b.dataverse(simulation.ClosedOrganisation)("GET", "/WhoAmI", nil), 403, "0x8004A104")
	},
}

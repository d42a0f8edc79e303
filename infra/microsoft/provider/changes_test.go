package provider_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff/domain/connection"
	"handoff/events"
	"handoff/infra/microsoft/botservice"
	"handoff/infra/microsoft/entra"
	"handoff/infra/microsoft/provider"
	"handoff/infra/microsoft/simulation"
)

const (
	rulesetID  = "03000000-0000-4000-8000-000000000002" // of the example, route to queue
	definition = "msdyn_rulesetdefinition"
)

// obeying is a request whose rules name queues of the hub, by name and by id.
func obeying(allowed bool) connection.Request {
	return plan(func(r *connection.Request) {
		r.Queues = []events.Queue{
			{ID: "refunds", Name: "Refunds", HubQueue: "refunds"}, {ID: "rest", HubQueue: simulation.GeneralQueue}, {ID: "lost", Name: "Nowhere in the hub"},
		}
		if allowed {
			r.Allowed = &events.HubChangesAllowed{By: "ann", AddRules: true}
		}
	})
}

func (w *world) rules() string {
	return w.Organisation(simulation.StoreOrganisation).Get("msdyn_decisionrulesets", rulesetID)[definition].(string)
}

// undefine takes the variables of Handoff out of the workstream.
func (w *world) undefine() {
	org := w.Organisation(simulation.StoreOrganisation)
	for _, v := range org.All("msdyn_ocliveworkstreamcontextvariables", "", nil) {
		if strings.HasPrefix(v["msdyn_name"].(string), "Handoff") {
			org.Remove("msdyn_ocliveworkstreamcontextvariables", v["msdyn_ocliveworkstreamcontextvariableid"].(string))
		}
	}
}

// Without leave the rules are shown and nothing is changed; with it they go
// before the others, once.
func TestTheHubsRules(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.undefine()
	before := w.rules()
	w.connect(obeying(false))
	s := w.ready()
	if !slices.Contains(codes(s, true), "hub-rules-ignore-handoff") || w.rules() != before || len(s.HubRules) > 0 {
		t.Errorf("findings = %v, rules %v", codes(s, true), s.HubRules)
	}
	seen, err := w.hub.Inspect(t.Context(), s)
	if err != nil || seen.HubRules == nil || !slices.Equal(seen.HubRules.Missing, []string{"refunds", "rest"}) || len(seen.HubRules.Words) != 2 || !strings.HasPrefix(seen.HubRules.Source, "<rule ") {
		t.Errorf("shown = %+v, %v", seen, err)
	}
	w.disconnect()
	w.vault.put()
	w.connect(obeying(true))
	s = w.ready()
	f, n := latest[*events.HubRulesSet](w)
	if n != 1 || f.Workstream != simulation.Workstream || f.Ruleset != rulesetID || len(f.Rules) != 2 || len(f.Variables) != 3 {
		t.Errorf("fact = %+v, %d of them", f, n)
	}
	if len(s.HubRules) != 2 || s.HubRules[0] != (events.HubRule{Queue: "refunds", HubQueue: events.HubQueue{ID: simulation.RefundsQueue, Name: "Refunds"}}) || s.Allowed == nil || s.Allowed.By != "ann" {
		t.Errorf("state = %+v, allowed %+v", s.HubRules, s.Allowed)
	}
	added := w.rules()
	rest, ok := strings.CutPrefix(added, before[:strings.Index(before, "<rules>")+len("<rules>")])
	if !ok || !strings.HasSuffix(rest, before[strings.Index(before, "<rules>")+len("<rules>"):]) || strings.Count(rest, "Handoff: ") != 2 {
		t.Errorf("rules = %s", added)
	}
	if codes := codes(s, true); slices.Contains(codes, "hub-rules-ignore-handoff") || slices.Contains(codes, "hub-rules-miss-queue") {
		t.Errorf("findings = %v, though Handoff may add them", codes)
	}
	if again, err := w.hub.AddRules(t.Context(), s); again != nil || err != nil || w.rules() != added {
		t.Errorf("once more: %+v, %v", again, err)
	}
}

// Rules that are adopted later may name queues that the hub does not obey.
func TestAQueueThatCameLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(obeying(true))
	s := w.ready()
	s.HubQueues = append(slices.Clone(s.HubQueues), events.Queue{ID: "tests", HubQueue: simulation.TestQueue})
	seen, err := w.hub.Inspect(t.Context(), s)
	i := slices.IndexFunc(seen.Findings, func(f events.Finding) bool { return f.Code == "hub-rules-miss-queue" })
	if err != nil || i < 0 || !strings.Contains(seen.Findings[i].Detail, "tests") || strings.Contains(seen.Findings[i].Detail, "refunds") || seen.Findings[i].Blocking {
		t.Fatalf("findings = %+v, %v", seen.Findings, err)
	}
	f, err := w.hub.AddRules(t.Context(), s)
	if err != nil || len(f.Rules) != 1 || f.Rules[0].Queue != "tests" {
		t.Errorf("fact = %+v, %v", f, err)
	}
}

// What can't be dealt with is left as it is, and said: in passing where nobody
// asked for more, before anything is changed where somebody did.
func TestRulesThatHandoffLeavesAlone(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		before func(w *world)
		change func(r *connection.Request)
		code   string
	}{
		"they have an unknown shape": {before: func(w *world) { w.put("msdyn_decisionrulesets", rulesetID, definition, "<decision><tree/></decision>") }, code: "hub-rules-unreadable"},
		"there is no routing": {before: func(w *world) {
			w.put("msdyn_routingconfigurations", "02000000-0000-4000-8000-000000000001", "msdyn_isactiveconfiguration", false)
		}, code: "hub-rules-unreadable"},
		"the hub has no such queue": {change: func(r *connection.Request) { r.Queues[0].HubQueue = "Refundz" }, code: "hub-queue-unknown"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			for _, allowed := range []bool{false, true} {
				w := newWorld(t)
				if c.before != nil {
					c.before(w)
				}
				r, before := obeying(allowed), w.rules()
				if c.change != nil {
					c.change(&r)
				}
				w.connect(r)
				s := w.state()
				if allowed != (s.Status == connection.Requested) || slices.Contains(codes(s, false), c.code) != allowed || !slices.Contains(codes(s, true), c.code) {
					t.Errorf("allowed %t: %s, findings %+v", allowed, s.Status, s.Findings)
				}
				if w.rules() != before {
					t.Errorf("rules = %s", w.rules())
				}
			}
		})
	}
}

// Somebody else's rules are never lost, and an answer that is lost is made good.
func TestRulesThatChangeAtTheSameTime(t *testing.T) {
	t.Parallel()
	for sentence, f := range map[string]simulation.Fault{
		"somebody else was faster":        {Host: simulation.Dataverse, Route: "PATCH */msdyn_decisionrulesets(*", Status: http.StatusPreconditionFailed, Code: "0x80060882"},
		"they are added and nobody hears": {Host: simulation.Dataverse, Route: "PATCH */msdyn_decisionrulesets(*", Lose: true},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.inject(f)
			if err := w.request(obeying(true)); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if w.steps() == nil {
					break
				}
			}
			if s := w.ready(); len(s.HubRules) != 2 || strings.Count(w.rules(), "Handoff: ") != 2 {
				t.Errorf("hub rules %+v, in %s", s.HubRules, w.rules())
			}
		})
	}
}

func TestTheMessagingEndpoint(t *testing.T) {
	t.Parallel()
	const want, old = messages + "default/store-bot", "https://old.example/api/messages"
	takeOver := func(r *connection.Request) { r.Allowed = &events.HubChangesAllowed{By: "ann", TakeOverEndpoint: true} }
	for sentence, c := range map[string]struct {
		endpoint string
		change   func(r *connection.Request)
		was      string
		code     string
	}{
		"there is none":                          {"", nil, "", ""},
		"it leads to Handoff already":            {want, nil, want, ""},
		"it leads elsewhere":                     {old, nil, "", "azure-bot-endpoint-differs"},
		"it leads to another Handoff":            {"https://other.example/v1/messages/default/store-bot", nil, "", "azure-bot-endpoint-differs"},
		"it leads elsewhere, and may be changed": {old, takeOver, old, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.SetEndpoint(simulation.RelayID, c.endpoint)
			w.connect(plan(c.change))
			if c.code != "" {
				if s := w.state(); s.Failure == nil || s.Failure.Code != c.code || len(w.changes()) > 0 || w.endpoint() != c.endpoint {
					t.Errorf("failure = %+v, changes %v, endpoint %s", s.Failure, w.changes(), w.endpoint())
				}
				return
			}
			s := w.ready()
			if f, n := latest[*events.MessagingEndpointSet](w); n != 1 || f.Was != c.was || f.Is != want || w.endpoint() != want || s.Messaging.Is != want {
				t.Errorf("fact = %+v, endpoint %s", f, w.endpoint())
			}
			w.SetEndpoint(simulation.RelayID, old)
			seen, err := w.hub.Inspect(t.Context(), s)
			if err != nil || !slices.ContainsFunc(seen.Findings, func(f events.Finding) bool { return f.Code == "azure-bot-endpoint-differs" && f.Blocking }) {
				t.Errorf("findings once it led elsewhere = %+v, %v", seen, err)
			}
		})
	}
}

// The server's address may change: what Handoff set before, it may set again.
func TestTheServerHasAnotherAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(plan(nil))
	s := w.ready()
	s.Messaging = new(*s.Messaging)
	s.Messaging.Is = "https://before.example/v1/messages/default/store-bot"
	w.SetEndpoint(simulation.RelayID, s.Messaging.Is)
	if f, err := w.hub.EnsureEndpoint(t.Context(), s); err != nil || f.Was != s.Messaging.Is || w.endpoint() != f.Is {
		t.Errorf("fact = %+v, %v", f, err)
	}
}

// endpoint is where the Azure Bot posts.
func (w *world) endpoint() string {
	w.Helper()
	client, err := botservice.New(w.Options(w.T, w.URLs.Azure, entra.ScopeAzure))
	if err != nil {
		w.Fatal(err)
	}
	bot, err := botservice.NewBot(simulation.SubscriptionID, simulation.ResourceGroup, simulation.BotName)
	if err != nil {
		w.Fatal(err)
	}
	p, err := client.Get(w.Context(), bot)
	if err != nil {
		w.Fatal(err)
	}
	return p.Endpoint
}

// Azure reaches no server that calls itself by an address of its own machine; a
// fake of Azure on the same machine does.
func TestTheServersOwnAddress(t *testing.T) {
	t.Parallel()
	for address, code := range map[string]string{
		"http://handoff.example/m": "public-url-unreachable", "https://localhost/m": "public-url-unreachable", "https://127.0.0.1:1/m": "public-url-unreachable",
		"https://handoff.example/m": "",
	} {
		w := newWorld(t)
		w.connect(plan(nil))
		s := w.ready()
		o := provider.Options{HTTP: http.DefaultClient, Now: time.Now, Secrets: w.vault, Hosts: w.hosts, Messages: func(_, _ string) string { return address }}
		seen, err := provider.New(o).Inspect(t.Context(), s)
		if err != nil || slices.ContainsFunc(seen.Findings, func(f events.Finding) bool { return f.Code == "public-url-unreachable" && !f.Blocking }) != (code != "") {
			t.Errorf("%s: findings = %+v, %v", address, seen.Findings, err)
		}
	}
}

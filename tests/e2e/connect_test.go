package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"handoff/functions/handoff/system"
	"handoff/infra/safehttp"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// firstSteps are the facts of a connection that nothing went wrong with, with
// those of its reservation.
func firstSteps() []string {
	return []string{"ConnectionRequested", "EndpointSet", "RulesAdopted", "Reserved", "AppRegistered", "ChannelEnabled", "ConnectionReady"}
}

// log returns the facts of all tenants and of none, in order.
func (w *world) log() (all []fact) {
	w.t.Helper()
	for r, err := range w.sys.Log.ReadAll(w.t.Context(), 0) {
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, fact{ID: r.ID(), Type: r.Type, Position: r.Position, Actor: r.Actor, Causation: r.Causation, Tenant: r.Tenant})
	}
	return all
}

func TestConnectingTakesTheFunctionsInTheirOrder(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.connect("store-bot", "full", rules)
	all := w.log()
	if got := types(all); !slices.Equal(got, firstSteps()) {
		t.Fatalf("facts = %v, want %v", got, firstSteps())
	}
	for i, actor := range map[int]string{3: "function:connectionrequested", 4: "function:connectionrequested", 5: "function:appregistered", 6: "function:channelenabled"} {
		if all[i].Actor != actor || all[i].Causation == "" {
			t.Errorf("%s is by %q because of %q, want by %q because of a fact", all[i].Type, all[i].Actor, all[i].Causation, actor)
		}
	}
	w.whole()
}

func TestConnectRefusesAndCreatesNothing(t *testing.T) {
	t.Parallel()
	badRules := strings.Replace(rules, "then: {queue: refunds, priority: 60}", "then: {queue: nowhere, priority: 60}", 1)
	for name, c := range map[string]struct {
		change  func(p map[string]any)
		status  int
		code    string
		pointer string
	}{
		"where nobody acknowledged the notice": {func(p map[string]any) { delete(p, "notice") }, 422, "notice-not-acknowledged", "/notice"},
		"where the notice names no text":       {func(p map[string]any) { p["notice"] = map[string]any{"accepted_by": "me"} }, 422, "notice-not-acknowledged", "/notice"},
		"where the notice is null":             {func(p map[string]any) { p["notice"] = nil }, 422, "notice-not-acknowledged", "/notice"},
		"an endpoint that is no URL": {
			func(p map[string]any) { p["endpoints"] = []map[string]string{{"url": "ftp://desk.example"}} },
			422, "endpoint-url-invalid", "/endpoints/0/url",
		},
		"an endpoint with a password": {
			func(p map[string]any) { p["endpoints"] = []map[string]string{{"url": "https://a:b@desk.example"}} },
			422, "endpoint-url-invalid", "/endpoints/0/url",
		},
		"a private endpoint": {
			func(p map[string]any) { p["endpoints"] = []map[string]string{{"url": "http://10.0.0.1/"}} },
			422, "endpoint-address-refused", "/endpoints/0/url",
		},
		"the cloud's own address": {
			func(p map[string]any) {
				p["endpoints"] = []map[string]string{{"url": "http://[::ffff:169.254.169.254]/"}}
			},
			422, "endpoint-address-refused", "/endpoints/0/url",
		},
		"an unknown mode": {func(p map[string]any) {
			p["endpoints"] = []map[string]string{{"url": "https://192.0.43.8/", "mode": "fat"}}
		}, 422, "endpoint-mode-invalid", "/endpoints/0/mode"},
		"two endpoints of one name": {func(p map[string]any) {
			p["endpoints"] = []map[string]string{{"url": "https://192.0.43.8/"}, {"url": "https://192.0.43.8/b"}}
		}, 422, "endpoint-named-twice", "/endpoints/1/id"},
		"a name that can't be one":                {func(p map[string]any) { p["name"] = "Store Bot" }, 422, "connection-name-invalid", "/name"},
		"no organisation":                         {func(p map[string]any) { p["hub"] = map[string]string{"type": "generic"} }, 422, "hub-incomplete", "/hub"},
		"a misspelt field":                        {func(p map[string]any) { p["notise"] = 1 }, 422, "field-unknown", "/notise"},
		"rules with a queue that nobody declared": {func(p map[string]any) { p["rules"] = badRules }, 422, "", "/rules"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			p := w.plan("store-bot", w.desk.url, "full", rules)
			c.change(p)
			status, body := w.call(w.admin, "POST", "/v1/connections", p)
			if status != c.status || !strings.Contains(string(body), c.code) || !strings.Contains(string(body), `"pointer":"`+c.pointer) {
				t.Errorf("answer = %d %s, want %d %s at %s", status, body, c.status, c.code, c.pointer)
			}
			w.settled()
			if all := w.log(); len(all) > 0 {
				t.Errorf("facts = %v, want none", types(all))
			}
			if keys := w.number(`SELECT count(*) FROM facts`); keys != 0 {
				t.Errorf("%d facts, want 0", keys)
			}
			var list struct{ Items []struct{ Role string } }
			w.must(http.StatusOK, &list, w.admin, "GET", "/v1/keys", nil)
			if len(list.Items) != 1 {
				t.Errorf("keys = %+v, want the administrator's only", list.Items)
			}
		})
	}
}

func TestBadRulesAreToldWithRuleLineAndColumn(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		bad := strings.Replace(rules, "queue: refunds, priority: 60", "queue: nowhere, priority: 60", 1)
		bad = strings.Replace(bad, "{topic: {is: Refund}}]\n    then: {queue: nowhere", "{topik: {is: Refund}}]\n    then: {queue: nowhere", 1)
		status, body := w.call(w.admin, "POST", "/v1/connections", w.plan("store-bot", w.desk.url, "full", bad))
		text := string(body)
		if status != http.StatusUnprocessableEntity || !strings.Contains(text, `"line":13`) || !strings.Contains(text, `"line":14`) ||
			!strings.Contains(text, `"column":`) || !strings.Contains(text, "refunds") {
			t.Errorf("answer = %d %s, want a problem in line 13 and one in line 14 of rule refunds", status, text)
		}
	})
}

func TestPrivateEndpointsAreRefusedUnlessTheOperatorAllowsThem(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *system.Config) { c.Allow = safehttp.Allow{} })
	for _, url := range []string{w.desk.url, "http://localhost:1/", "http://[::1]:1/", "http://127.1:80/"} {
		status, body := w.call(w.admin, "POST", "/v1/connections", w.plan("store-bot", url, "full", rules))
		if status != http.StatusUnprocessableEntity || !strings.Contains(string(body), "endpoint-") {
			t.Errorf("connecting to %s was answered %d %s, want 422", url, status, body)
		}
	}
	w.settled()
	if all := w.log(); len(all) > 0 {
		t.Errorf("facts = %v, want none", types(all))
	}
}

func TestAnApplicationIDHasOneHolder(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.connect("first", "full", rules)
	p := w.plan("second", w.desk.url+"/second", "full", rules)
	p["hub"] = map[string]string{"type": "generic", "organisation": w.org, "application_id": " {APP-first} "}
	w.request("second", p)
	c := w.stuck("second", "application-id-taken")
	if c.Status != "requested" || !c.Failure.Permanent || !strings.Contains(c.Failure.Detail, "first") {
		t.Errorf("connection = %+v, want a permanent failure that names the holder", c)
	}
	w.problem(http.StatusConflict, "connection-not-ready", w.admin, "POST", "/v1/connections/second/escalations", handoff("c"))
	if n := w.count("StepFailed"); n != 1 {
		t.Errorf("%d StepFailed, want 1", n)
	}
	// The same again says nothing new; another id sets it right.
	w.request("second", p)
	w.settled()
	w.stuck("second", "application-id-taken")
	p["hub"] = map[string]string{"type": "generic", "organisation": w.org, "application_id": "another"}
	w.request("second", p)
	w.ready("second")
	if c := w.connection("second"); c.ApplicationID != "another" || c.Failure != nil {
		t.Errorf("connection = %+v, want it ready with the other id", c)
	}
	// The same id in another organisation is fine.
	p = w.plan("third", w.desk.url+"/third", "full", rules)
	p["hub"] = map[string]string{"type": "generic", "organisation": "another desk", "application_id": "app-first"}
	w.request("third", p)
	w.ready("third")
	w.told(2)
	w.whole()
}

func TestAnApplicationIDIsFreeAfterADisconnect(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		w.connect("first", "full", rules)
		w.must(http.StatusOK, nil, w.admin, "POST", "/v1/connections/first/disconnect", map[string]string{})
		w.settled()
		p := w.plan("second", w.desk.url+"/second", "full", rules)
		p["hub"] = map[string]string{"type": "generic", "organisation": w.org, "application_id": "app-first"}
		w.request("second", p)
		w.ready("second")
		// Now the first one can't have it back.
		w.request("first", w.plan("first", w.desk.url+"/first", "full", rules))
		w.stuck("first", "application-id-taken")
	})
}

func TestThirtyTwoConnectionsWantOneApplicationID(t *testing.T) {
	t.Parallel()
	w := start(t)
	for i := range 32 {
		p := w.plan(fmt.Sprintf("bot-%d", i), w.desk.url, "full", rules)
		p["hub"] = map[string]string{"type": "generic", "organisation": w.org, "application_id": "the-one"}
		w.request("", p)
	}
	w.eventually("each has its answer", func() bool {
		w.settled()
		return w.count("ConnectionReady")+w.count("StepFailed") == 32
	})
	if n := w.count("ConnectionReady"); n != 1 {
		t.Errorf("%d connections are ready, want 1", n)
	}
}

func TestConnectingTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	w := start(t)
	c := w.connect("store-bot", "full", rules)
	before := w.log()
	again := w.request("store-bot", w.plan("store-bot", w.desk.url+"/store-bot", "full", rules))
	if again.bot != "" || again.webhook != "" {
		t.Errorf("connecting again made credentials: %+v", again)
	}
	p := w.plan("store-bot", w.desk.url+"/store-bot", "full", "")
	delete(p, "rules") // says nothing of rules: those in force stay
	w.request("store-bot", p)
	w.settled()
	if after := w.log(); len(after) != len(before) {
		t.Errorf("connecting again appended %v", types(after[len(before):]))
	}
	if a := w.raise(c, "conv-1"); a.Queue != "refunds" {
		t.Errorf("queue = %q, want that of the first rules", a.Queue)
	}
}

func TestConnectingAgainAppliesOnlyTheChange(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.connect("store-bot", "full", rules)
	before := len(w.log())
	p := w.plan("store-bot", w.desk.url+"/store-bot", "thin", rules)
	w.request("store-bot", p)
	p["rules"] = strings.ReplaceAll(rules, "priority: 60", "priority: 61")
	w.request("store-bot", p)
	p["endpoints"] = []map[string]string{{"id": "desk", "url": w.desk.url + "/store-bot", "mode": "thin"}, {"id": "log", "url": w.desk.url + "/log"}}
	w.request("store-bot", p)
	w.settled()
	want := []string{"EndpointSet", "RulesAdopted", "EndpointSet"}
	if got := types(w.log()[before:]); !slices.Equal(got, want) {
		t.Errorf("facts = %v, want %v", got, want)
	}
	p["hub"] = map[string]string{"type": "generic", "organisation": w.org, "application_id": "other"}
	w.problem(http.StatusConflict, "connection-exists", w.admin, "POST", "/v1/connections", p)
	if c := w.connection("store-bot"); c.Status != "ready" || len(c.Endpoints) != 2 {
		t.Errorf("connection = %+v, want it ready with two endpoints", c)
	}
}

func TestAConnectionWithoutEndpointSaysSoAndRecovers(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		p := w.plan("store-bot", "", "full", rules)
		delete(p, "endpoints")
		w.request("store-bot", p)
		w.stuck("store-bot", "endpoint-missing")
		w.request("store-bot", w.plan("store-bot", w.desk.url+"/store-bot", "full", rules))
		w.ready("store-bot")
		p = w.plan("other", w.desk.url, "full", rules)
		p["hub"] = map[string]string{"type": "salesforce", "organisation": "x"}
		w.request("other", p)
		w.stuck("other", "hub-type-unknown")
		p["hub"] = map[string]string{"type": "generic", "organisation": "x"}
		w.request("other", p)
		w.stuck("other", "application-id-missing")
	})
}

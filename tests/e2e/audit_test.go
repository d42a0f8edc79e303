package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff/domain/audit"
	domainconnection "handoff/domain/connection"
	"handoff/domain/conversation"
	"handoff/domain/escid"
	"handoff/events"
	"handoff/infra/eventlog"
)

// past returns the state of a connection at an instant.
func (w *world) past(id string, at time.Time) (p audit.Past) {
	w.t.Helper()
	w.must(http.StatusOK, &p, w.admin, "GET", "/v1/connections/"+id+"/state?at="+url.QueryEscape(at.Format(time.RFC3339Nano)), nil)
	return p
}

// live returns the same from the states that are carried.
func (w *world) live(id string) (p audit.Past) {
	w.t.Helper()
	stream, err := w.sys.Keyring.StreamID("default", events.KindConnection, id)
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := eventlog.State(w.t.Context(), w.sys.Ledger, domainconnection.Decider, stream)
	if err != nil {
		w.t.Fatal(err)
	}
	p = audit.Past{Connection: c.State, Queues: make(map[string]int)}
	for _, f := range w.lines("/v1/connections/" + id + "/history") {
		p.Facts, p.Position = p.Facts+1, f.Position
	}
	for _, e := range w.list("/v1/connections/" + id + "/escalations?limit=500&status=open") {
		s := w.conversation(e.ID)
		p.Open++
		p.Queues[s.Last.Queue.ID]++
		p.Escalations = append(p.Escalations, audit.PastEscalation{ID: e.ID, Escalation: s.Last})
	}
	slices.SortFunc(p.Escalations, func(a, b audit.PastEscalation) int {
		return a.Escalation.RaisedAt.Compare(b.Escalation.RaisedAt)
	})
	return p
}

// conversation returns the carried state of an escalation's conversation.
func (w *world) conversation(id string) conversation.State {
	w.t.Helper()
	stream, _, err := escid.Parse(id)
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := eventlog.State(w.t.Context(), w.sys.Ledger, conversation.Decider, stream)
	if err != nil {
		w.t.Fatal(err)
	}
	return s.State
}

func TestAPastStateIsWhatTheLiveOneWas(t *testing.T) {
	t.Parallel()
	w := start(t)
	var captured []audit.Past
	capture := func() {
		w.idle()
		p := w.live("store-bot")
		p.At = w.clock.now().UTC()
		captured = append(captured, p)
		w.clock.advance(time.Minute)
	}
	c := w.connect("store-bot", "full", rules)
	w.connect("target", "full", rules)
	capture()
	a, b := w.raise(c, "a"), w.raise(c, "b", map[string]any{"topic": "Other"})
	capture()
	w.report(c, a.ID, "accepted")
	w.raise(c, "b", map[string]any{"summary": "more"})
	capture()
	w.report(c, a.ID, "completed")
	capture()
	w.raise(c, "a")
	capture()
	w.must(http.StatusOK, nil, w.admin, "DELETE", "/v1/escalations/"+b.ID+"/context", nil)
	capture()
	w.raise(c, "b", map[string]any{"summary": "again"})
	capture()
	w.hangUp("store-bot", map[string]string{})
	capture()
	w.clock.advance(time.Hour)
	w.eventually("none is open", func() bool { return len(w.list("/v1/connections/store-bot/escalations?status=open")) == 0 })
	capture()
	w.request("store-bot", w.plan("store-bot", w.desk.url+"/store-bot", "thin", rules))
	w.ready("store-bot")
	w.raise(c, "a")
	capture()
	w.hangUp("store-bot", map[string]string{"to": "target"})
	for i, want := range captured {
		got := w.past("store-bot", want.At)
		g, _ := json.Marshal(got)
		x, _ := json.Marshal(want)
		if string(g) != strings.Replace(string(x), `"escalations":null`, `"escalations":[]`, 1) {
			n := 0
			for n < len(g) && n < len(x) && g[n] == x[n] {
				n++
			}
			t.Errorf("capture %d: replayed …%s, was …%s", i, g[max(0, n-60):min(n+20, len(g))], x[max(0, n-60):min(n+20, len(x))])
		}
	}
	if p := w.past("store-bot", w.clock.now().Add(-1000*time.Hour)); p.Facts != 0 || p.Connection.Status != "" {
		t.Errorf("before everything it is %+v", p)
	}
}

func TestAHistoryIsWholeAndInOrder(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c := w.connect("store-bot", "full", rules)
		other := w.connect("other", "full", rules)
		for i := range 20 {
			id := w.raise(c, fmt.Sprint(i)).ID
			w.raise(other, fmt.Sprint(i))
			w.report(c, id, "accepted")
		}
		w.idle()
		all := w.facts()
		var mine []fact
		for _, f := range all {
			if f.Connection == "store-bot" {
				mine = append(mine, f)
			}
		}
		got := w.lines("/v1/connections/store-bot/history")
		if len(got) != len(mine) || len(mine) < 20*5 {
			t.Fatalf("the history has %d facts, want %d", len(got), len(mine))
		}
		versions := make(map[string]int)
		for i, f := range got {
			if f.ID != mine[i].ID || i > 0 && f.Position <= got[i-1].Position {
				t.Errorf("fact %d is %s at %d, want %s in order", i, f.ID, f.Position, mine[i].ID)
			}
			if versions[f.Stream]++; f.Version != versions[f.Stream] {
				t.Errorf("%s comes as number %d of its stream", f.ID, versions[f.Stream])
			}
			if f.Actor == "" {
				t.Errorf("nobody did %s", f.Type)
			}
		}
		// In parts it is the same.
		part := w.lines("/v1/connections/store-bot/history?after=" + itoa(got[49].Position))
		if len(part) != len(got)-50 || part[0].ID != got[50].ID {
			t.Errorf("the part after 50 has %d facts, want %d", len(part), len(got)-50)
		}
		w.problem(http.StatusBadRequest, "parameter-invalid", w.admin, "GET", "/v1/connections/store-bot/history?after=-1", nil)
		w.problem(http.StatusNotFound, "connection-not-found", w.admin, "GET", "/v1/connections/nowhere/history", nil)
		w.problem(http.StatusBadRequest, "parameter-invalid", w.admin, "GET", "/v1/connections/store-bot/state?at=yesterday", nil)
	})
}

func TestAnAuditorReadsAndVerifiesButSeesNothingPrivate(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c := w.connect("store-bot", "full", marking)
		id := w.raise(c, mark, everything(mark)).ID
		w.must(http.StatusOK, nil, c.hub, "POST", "/v1/escalations/"+id+"/status", map[string]string{"state": "accepted", "message": mark})
		w.idle()
		var auditor struct{ Token string }
		w.must(http.StatusCreated, &auditor, w.admin, "POST", "/v1/keys", map[string]string{"role": "auditor", "name": "ada"})
		for _, path := range []string{
			"/v1/connections", "/v1/connections/store-bot", "/v1/connections/store-bot/history", "/v1/connections/store-bot/state", "/v1/connections/store-bot/rules",
			"/v1/facts", "/v1/verify", "/v1/escalations", "/v1/escalations/" + id, "/v1/escalations/" + id + "/why", "/v1/deliveries",
			"/v1/deliveries/" + w.deliveries("escalation=" + id)[0].ID,
		} {
			status, body := w.call(auditor.Token, "GET", path, nil)
			if status != http.StatusOK || strings.Contains(string(body), mark) {
				t.Errorf("GET %s = %d %s, want 200 and nothing private", path, status, body)
			}
		}
		for method, path := range map[string]string{
			"GET": "/v1/escalations/" + id + "/context", "DELETE": "/v1/escalations/" + id + "/context", "PUT": "/v1/connections/store-bot/rules",
			"POST": "/v1/connections/store-bot/disconnect",
		} {
			if status, body := w.call(auditor.Token, method, path, map[string]string{}); status != http.StatusForbidden {
				t.Errorf("%s %s = %d %s, want 403", method, path, status, body)
			}
		}
		w.problem(http.StatusForbidden, "not-allowed", auditor.Token, "GET", "/v1/keys", nil)
		for _, role := range []string{"auditor", "admin"} {
			w.problem(http.StatusUnprocessableEntity, "key-connection-refused", w.admin, "POST", "/v1/keys", map[string]string{"role": role, "connection_id": "store-bot"})
		}
	})
}

func TestAHubReachesItsOwnConnectionOnly(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c, other := w.connect("store-bot", "full", rules), w.connect("other", "full", rules)
		id, elsewhere := w.raise(c, "a", everything(mark)).ID, w.raise(other, "b").ID
		for path, status := range map[string]int{
			"/v1/escalations/" + id: 200, "/v1/escalations/" + id + "/status": 200, "/v1/escalations/" + id + "/context": 200,
			"/v1/escalations/" + elsewhere: 404, "/v1/escalations/" + elsewhere + "/status": 404, "/v1/escalations/" + elsewhere + "/context": 404,
			"/v1/escalations/" + id + "/why": 403, "/v1/escalations": 403, "/v1/connections/store-bot": 403, "/v1/facts": 403, "/v1/verify": 403,
			"/v1/deliveries": 403, "/v1/keys": 403, "/v1/connections/store-bot/history": 403,
		} {
			if got, body := w.call(c.hub, "GET", path, nil); got != status {
				t.Errorf("GET %s = %d %s, want %d", path, got, body, status)
			}
		}
		// One for the whole tenant reaches both.
		var all struct{ Token string }
		w.must(http.StatusCreated, &all, w.admin, "POST", "/v1/keys", map[string]string{"role": "hub"})
		for _, id := range []string{id, elsewhere} {
			w.must(http.StatusOK, nil, all.Token, "GET", "/v1/escalations/"+id+"/context", nil)
		}
		// The beginning of an id will do, where it is the only one.
		w.settled() // on AWS, lists lag
		w.must(http.StatusOK, nil, all.Token, "GET", "/v1/escalations/"+id[:12]+"/context", nil)
		w.problem(http.StatusNotFound, "escalation-not-found", c.hub, "GET", "/v1/escalations/"+elsewhere[:12]+"/context", nil)
	})
}

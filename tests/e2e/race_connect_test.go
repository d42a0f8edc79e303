package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/conversation"
	"handoff/domain/escid"
	"handoff/events"
	"handoff/infra/eventlog"
)

func TestADisconnectDuringTheStepsGivesTheIDBack(t *testing.T) {
	t.Parallel()
	w := start(t)
	for i := range 20 {
		id := fmt.Sprintf("bot-%d", i)
		p := w.plan(id, w.desk.url, "thin", rules)
		p["hub"] = map[string]string{"type": "generic", "organisation": w.org, "application_id": "shared"}
		w.request("", p)
		w.hangUp(id, map[string]string{})
		w.settled()
		if c := w.connection(id); c.Status != "disconnected" {
			t.Errorf("%s = %+v, want it disconnected", id, c)
		}
	}
	p := w.plan("last", w.desk.url, "thin", rules)
	p["hub"] = map[string]string{"type": "generic", "organisation": w.org, "application_id": "shared"}
	w.request("", p)
	w.ready("last")
	w.told(2)
	w.settled()
	if n := tally(w.log()); n["Reserved"] != n["Released"]+1 {
		t.Errorf("facts = %v, want the id reserved by the last one only", n)
	}
}

func TestConnectAndDisconnectAtOnceManyTimes(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		done := make(chan error, 8)
		for i := range 8 {
			go func() {
				var failed error
				for range 12 {
					path, body := "/v1/connections", any(w.plan("store-bot", w.desk.url, "thin", rules))
					if i%2 == 1 {
						path, body = "/v1/connections/store-bot/disconnect", map[string]string{}
					}
					status, out, err := w.do(w.admin, "POST", path, body)
					if err != nil || status/100 == 5 {
						failed = fmt.Errorf("POST %s = %d %s %w", path, status, out, err)
					}
				}
				done <- failed
			}()
		}
		for range 8 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		w.settled()
		w.request("", w.plan("store-bot", w.desk.url, "thin", rules))
		w.ready("store-bot")
		w.hangUp("store-bot", map[string]string{})
		w.settled()
		p := w.plan("another", w.desk.url, "thin", rules)
		p["hub"] = map[string]string{"type": "generic", "organisation": w.org, "application_id": "app-store-bot"}
		w.request("", p)
		w.ready("another") // the id was given back
		w.whole()
	})
}

func TestWhatCouldNotBeRoutedAtOnceIsRoutedByTheFunction(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.connect("target", "full", strings.ReplaceAll(rules, "refunds", "returns"))
	w.connect("store-bot", "full", rules)
	raise := func(conversationID string) string {
		stream, err := w.sys.Keyring.StreamID("default", events.KindConversation, "store-bot", conversationID)
		if err != nil {
			t.Fatal(err)
		}
		at := eventlog.Stream{ID: stream, Tenant: "default", Connection: "store-bot"}
		now := w.clock.now()
		_, err = eventlog.Execute(t.Context(), w.sys.Ledger, conversation.Decider, at, eventlog.Origin{Actor: "bot"}, func(conversation.State) (eh.Command, error) {
			return conversation.Raise{To: conversation.To(stream), Fact: events.EscalationRaised{
				RaisedAt: now, ExpiresAt: now.Add(3600e9), Topic: "Refund", Request: events.Request{Fingerprint: "x", Format: "plain"},
				Context: &events.Context{ConversationID: conversationID, Summary: "kept"},
			}}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return escid.Of(stream, 1)
	}
	id := raise("a")
	if got := w.event(id, routedEvent); got.value("queue", "id") != "refunds" || got.value("summary") != "kept" {
		t.Errorf("the desk has %v, want it routed with its context", got.body)
	}
	// One that is raised so, while the connection is moved away, follows.
	w.hangUp("store-bot", map[string]string{"to": "target"})
	late := raise("b")
	w.idle()
	for _, id := range []string{id, late} {
		if e := w.escalation(id); e.Queue.ID != "returns" || e.RoutedBy != "target" {
			t.Errorf("escalation = %+v, want it with the target", e)
		}
	}
	w.told(2)
	w.whole()
}

func TestOldDecisionsAreExplainedByTheRulesOfThen(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c := w.connect("store-bot", "full", rules)
		old := w.raise(c, "a").ID
		var now struct {
			RuleSet string `json:"rule_set"`
		}
		etag := `"` + w.connection("store-bot").Rules.Set + `"`
		other := strings.ReplaceAll(rules, "name: refunds", "name: renamed")
		w.must(http.StatusOK, &now, w.admin, "PUT", "/v1/connections/store-bot/rules", other, "Content-Type", "application/yaml", "If-Match", etag)
		w.problem(http.StatusPreconditionFailed, "rules-changed", w.admin, "PUT", "/v1/connections/store-bot/rules", rules, "Content-Type", "application/yaml", "If-Match", etag)
		fresh := w.raise(c, "b").ID
		w.restart()
		for id, rule := range map[string]string{old: "refunds", fresh: "renamed"} {
			var why struct {
				Rule, Sentence string
				Lines          []string
			}
			w.must(http.StatusOK, &why, w.admin, "GET", "/v1/escalations/"+id+"/why", nil)
			if why.Rule != rule || !strings.Contains(why.Sentence, `"`+rule+`"`) || len(why.Lines) != 2 {
				t.Errorf("why = %+v, want rule %s", why, rule)
			}
		}
		// Rules that fail at run time are a miss, never a lost hand-off.
		failing := `version: 1
name: failing
fallback: general
variables: {n: {type: int, default: 0}}
queues: [{id: general, name: General}, {id: other, name: Other}]
rules:
  - name: divides
    when: 10 / n > 1
    then: {queue: other}
`
		w.must(http.StatusOK, nil, w.admin, "PUT", "/v1/connections/store-bot/rules", failing, "Content-Type", "application/yaml")
		if a := w.raise(c, "c"); a.Queue != "general" || a.Status != "routed" {
			t.Errorf("answer = %+v, want the fallback", a)
		}
	})
}

func TestAnEndpointThatMovesGetsWhatIsPendingAndOneThatIsRemovedDoesNot(t *testing.T) {
	t.Parallel()
	w := start(t, patient)
	c := w.connect("store-bot", "full", rules)
	w.desk.answers(func(r received, _ int) int {
		if r.path == "store-bot" {
			return http.StatusInternalServerError
		}
		return 0
	})
	id := w.raise(c, "a").ID
	w.eventually("it was tried", func() bool { return len(w.deliveries("status=pending")) == 1 })
	w.must(http.StatusOK, nil, w.admin, "PUT", "/v1/connections/store-bot/endpoints/desk", map[string]string{"url": w.desk.url + "/new", "mode": "full"})
	w.clock.advance(3600e9)
	w.poke(c)
	if r := w.event(id, routedEvent); r.path != "new" {
		t.Errorf("it went to %s, want the new address", r.path)
	}
	w.idle()
	w.must(http.StatusNoContent, nil, w.admin, "DELETE", "/v1/connections/store-bot/endpoints/desk", nil)
	w.must(http.StatusNoContent, nil, w.admin, "DELETE", "/v1/connections/store-bot/endpoints/desk", nil)
	w.problem(http.StatusNotFound, "endpoint-not-found", w.admin, "DELETE", "/v1/connections/store-bot/endpoints/nope", nil)
	seen := len(w.desk.got(""))
	w.raise(c, "b")
	w.must(http.StatusOK, nil, w.admin, "DELETE", "/v1/escalations/"+id+"/context", nil)
	w.idle()
	if n := len(w.desk.got("")); n != seen {
		t.Errorf("a removed endpoint got %d events", n-seen)
	}
	if d := w.deliveries("status=parked&escalation=" + id); len(d) != 1 || d[0].EventType != erasedEvent || d[0].Code != "endpoint-disabled" {
		t.Errorf("parked = %+v, want the erasure that nobody was told of", d)
	}
	if n := w.count("EndpointDisabled"); n != 1 {
		t.Errorf("%d EndpointDisabled, want 1", n)
	}
}

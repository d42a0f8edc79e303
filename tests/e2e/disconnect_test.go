package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func (w *world) hangUp(id string, body map[string]string) {
	w.t.Helper()
	w.must(http.StatusOK, nil, w.admin, "POST", "/v1/connections/"+id+"/disconnect", body)
}

func TestADrainLetsOpenOnesFinishAndTakesNoNewOnes(t *testing.T) {
	t.Parallel()
	w := start(t)
	c := w.connect("store-bot", "full", rules)
	path := "/v1/connections/store-bot/escalations"
	first, second, third := w.raise(c, "a"), w.raise(c, "b"), w.raise(c, "c")
	w.report(c, third.ID, "accepted")
	w.hangUp("store-bot", map[string]string{"reason": "moving out"})
	w.hangUp("store-bot", map[string]string{"drain_for": "1ms"})
	p := w.problem(http.StatusConflict, "connection-disconnected", c.bot, "POST", path, handoff("new"))
	if again := w.problem(http.StatusConflict, "connection-disconnected", c.bot, "POST", path, handoff("newer")); again.Detail != p.Detail || p.Detail == "" {
		t.Errorf("problem = %+v then %+v, want the same", p, again)
	}
	if a := w.raise(c, "a"); a.ID != first.ID || !a.Duplicate {
		t.Errorf("the repeat was answered %+v, want %s again", a, first.ID)
	}
	if a := w.raise(c, "a", map[string]any{"summary": "more"}); a.ID != first.ID {
		t.Errorf("the repeat with more was answered %+v", a)
	}
	w.settled()
	if e := w.escalation(first.ID); e.Status != "routed" || e.Deadline.After(w.clock.now().Add(61*time.Minute)) {
		t.Errorf("escalation = %+v, want it open until the drain ends", e)
	}
	w.report(c, first.ID, "accepted")
	w.report(c, first.ID, "completed")
	w.problem(http.StatusConflict, "connection-disconnected", c.bot, "POST", path, handoff("a", map[string]any{"summary": "again"}))
	w.clock.advance(59 * time.Minute)
	w.settled()
	if e := w.escalation(second.ID); e.Status != "routed" {
		t.Errorf("escalation = %+v, want it open before its deadline", e)
	}
	w.clock.advance(2 * time.Minute)
	for _, id := range []string{second.ID, third.ID} {
		if e := w.status(id, "failed"); e.Code != "connection-disconnected" {
			t.Errorf("escalation = %+v, want code connection-disconnected", e)
		}
	}
	if e := w.escalation(first.ID); e.Status != "completed" {
		t.Errorf("escalation = %+v, want it completed", e)
	}
	if r := w.event(second.ID, failedEvent); r.body["code"] != "connection-disconnected" {
		t.Errorf("the desk was told %v", r.body)
	}
	if n := w.count("Disconnected"); n != 1 {
		t.Errorf("%d Disconnected, want 1", n)
	}
	w.whole()
}

func TestADrainMayBeShorter(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c := w.connect("store-bot", "full", rules)
		id := w.raise(c, "a").ID
		for _, span := range []string{"0s", "PT0S", "-1s", "soon"} {
			w.problem(http.StatusUnprocessableEntity, "duration-invalid", w.admin, "POST", "/v1/connections/store-bot/disconnect", map[string]string{"drain_for": span})
			w.problem(http.StatusUnprocessableEntity, "duration-invalid", w.admin, "POST", "/v1/keys", map[string]string{"role": "auditor", "valid_for": span})
		}
		w.hangUp("store-bot", map[string]string{"drain_for": "PT1S"})
		w.advance(2 * time.Second)
		w.status(id, "failed")
	})
}

func TestAfterReconnectingAConversationContinuesAsTheNextNumber(t *testing.T) {
	t.Parallel()
	w := start(t)
	c := w.connect("store-bot", "full", rules)
	first := w.raise(c, "a")
	w.hangUp("store-bot", map[string]string{"drain_for": "1ms"})
	w.status(first.ID, "failed")
	w.request("store-bot", w.plan("store-bot", w.desk.url+"/store-bot", "full", rules))
	w.ready("store-bot")
	second := w.raise(c, "a")
	if second.Duplicate || second.ID != first.ID+"-2" || second.Queue != "refunds" {
		t.Errorf("answer = %+v, want a new escalation %s-2", second, first.ID)
	}
	if r := w.event(second.ID, routedEvent); r.value("handoff_number") != 2.0 {
		t.Errorf("event = %v, want number 2", r.body)
	}
	if s := w.connection("store-bot"); s.Session != 2 || s.End != nil {
		t.Errorf("connection = %+v, want session 2", s)
	}
	w.hangUp("store-bot", map[string]string{})
	w.settled()
	if n := w.count("Disconnected"); n != 2 {
		t.Errorf("%d Disconnected, want 2", n)
	}
	w.told(2)
	w.whole()
}

func TestReconnectingWhileItDrainsKeepsTheOpenOnes(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c := w.connect("store-bot", "full", rules)
		first := w.raise(c, "a")
		w.hangUp("store-bot", map[string]string{})
		w.settled()
		w.request("store-bot", w.plan("store-bot", w.desk.url+"/store-bot", "full", rules))
		w.ready("store-bot")
		if a := w.raise(c, "a"); a.ID != first.ID || !a.Duplicate {
			t.Errorf("answer = %+v, want the open escalation", a)
		}
		w.report(c, first.ID, "completed")
		if a := w.raise(c, "a"); a.ID != first.ID+"-2" {
			t.Errorf("answer = %+v, want the next number", a)
		}
	})
}

func TestAMoveRoutesByTheTargetAndDeliversThere(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		target := w.connect("target", "full", strings.ReplaceAll(rules, "refunds", "returns"))
		c := w.connect("store-bot", "full", rules)
		id := w.raise(c, "a", map[string]any{"summary": "parcel lost"}).ID
		w.event(id, routedEvent)
		w.problem(http.StatusUnprocessableEntity, "move-target-not-ready", w.admin, "POST", "/v1/connections/store-bot/disconnect", map[string]string{"to": "store-bot"})
		w.problem(http.StatusUnprocessableEntity, "move-target-not-ready", w.admin, "POST", "/v1/connections/store-bot/disconnect", map[string]string{"to": "nowhere"})
		w.problem(http.StatusUnprocessableEntity, "disconnect-ambiguous", w.admin, "POST", "/v1/connections/store-bot/disconnect", map[string]string{"to": "target", "drain_for": "1h"})
		w.hangUp("store-bot", map[string]string{"to": "target"})
		w.eventually("the target's desk has it", func() bool { return len(w.desk.of("target", routedEvent)) == 1 })
		got := w.desk.of("target", routedEvent)[0]
		if got.subject != id || got.value("queue", "id") != "returns" || got.value("connection_id") != "target" ||
			got.value("moved_from") != "store-bot" || got.value("summary") != "parcel lost" || got.source != "/connections/target" {
			t.Errorf("the target's desk has %v from %s, want the escalation in queue returns", got.body, got.source)
		}
		var why struct {
			Sentence string
			Moved    bool
			Queue    struct{ ID string }
			Earlier  []struct {
				Queue        struct{ ID string }
				ConnectionID string `json:"connection_id"`
			}
		}
		w.must(http.StatusOK, &why, w.admin, "GET", "/v1/escalations/"+id+"/why", nil)
		if !why.Moved || why.Queue.ID != "returns" || len(why.Earlier) != 1 || why.Earlier[0].Queue.ID != "refunds" || why.Earlier[0].ConnectionID != "store-bot" {
			t.Errorf("why = %+v, want both decisions, the last one first", why)
		}
		e := w.escalation(id)
		if e.Connection != "store-bot" || e.RoutedBy != "target" || e.Queue.ID != "returns" {
			t.Errorf("escalation = %+v, want it routed by target", e)
		}
		w.report(target, id, "accepted")
		w.report(target, id, "completed")
		if r := w.event(id, doneEvent); r.path != "target" {
			t.Errorf("the end was told to %s, want target", r.path)
		}
		w.hangUp("store-bot", map[string]string{})
		w.idle()
		if n := w.count("Disconnected"); n != 1 {
			t.Errorf("%d Disconnected, want 1", n)
		}
		w.problem(http.StatusConflict, "connection-disconnected", c.bot, "POST", "/v1/connections/store-bot/escalations", handoff("a"))
		w.whole()
	})
}

// TestSixtyFourClientsRaiseDuringADisconnect holds that what was acknowledged
// while a connection went away gets the policy of that.
func TestSixtyFourClientsRaiseDuringADisconnect(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body  map[string]string
		check func(w *world, e escalation) bool
	}{
		"that drains": {map[string]string{"drain_for": "1h"}, func(w *world, e escalation) bool {
			return e.Deadline.Before(w.clock.now().Add(2 * time.Hour))
		}},
		"that moves": {map[string]string{"to": "target"}, func(_ *world, e escalation) bool {
			return e.RoutedBy == "target" && e.Queue.ID == "returns"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			w.connect("target", "thin", strings.ReplaceAll(rules, "refunds", "returns"))
			bot := w.connect("store-bot", "thin", rules)
			acknowledged := w.crowd(bot, 64, func(done int) {
				if done == 150 {
					w.hangUp("store-bot", c.body)
				}
			})
			if len(acknowledged) < 150 {
				t.Fatalf("%d were acknowledged, want 150 at least", len(acknowledged))
			}
			w.settled()
			open := w.list("/v1/connections/store-bot/escalations?limit=100&status=open")
			if len(open) != len(acknowledged) {
				t.Errorf("%d are open, %d were acknowledged", len(open), len(acknowledged))
			}
			for _, e := range open {
				if !c.check(w, e) {
					t.Errorf("the policy did not touch %+v", e)
				}
			}
			w.idle()
			before := len(w.log())
			w.told(1)
			w.idle()
			if after := w.log(); len(after) != before {
				t.Errorf("being told again appended %v", types(after[before:]))
			}
			if name == "that drains" {
				w.clock.advance(61 * time.Minute)
				w.eventually("none is open", func() bool { return len(w.list("/v1/escalations?status=open")) == 0 })
			}
			w.whole()
		})
	}
}

// crowd has n clients raise until they are refused. after is told, by one of
// them at a time, how many were acknowledged.
func (w *world) crowd(c connected, n int, after func(done int)) (ids []string) {
	w.t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	reached := make(chan int, 1)
	for client := range n {
		wg.Go(func() {
			for i := 0; ; i++ {
				status, body, err := w.do(c.bot, "POST", "/v1/connections/"+c.id+"/escalations", handoff(fmt.Sprintf("%d-%d", client, i)))
				if err == nil && status == http.StatusConflict && strings.Contains(string(body), "connection-disconnected") {
					return
				}
				var a answer
				if err == nil {
					err = json.Unmarshal(body, &a)
				}
				if err != nil || status != http.StatusAccepted {
					w.t.Errorf("raise = %d %s %v", status, body, err)
					return
				}
				mu.Lock()
				ids = append(ids, a.ID)
				if len(ids) == 150 {
					reached <- len(ids)
				}
				mu.Unlock()
			}
		})
	}
	after(<-reached)
	wg.Wait()
	slices.Sort(ids)
	if len(slices.Compact(slices.Clone(ids))) != len(ids) {
		w.t.Errorf("two conversations have one id")
	}
	return ids
}

// list returns all pages of a list of escalations.
func (w *world) list(path string) (all []escalation) {
	w.t.Helper()
	for cursor := ""; ; {
		var page struct {
			Items []escalation
			Next  string
		}
		w.must(http.StatusOK, &page, w.admin, "GET", path+cursor, nil)
		all = append(all, page.Items...)
		if page.Next == "" {
			return all
		}
		cursor = "&cursor=" + page.Next
	}
}

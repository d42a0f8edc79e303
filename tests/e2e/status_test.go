package e2e_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff/functions/handoff/system"
)

func TestAHubReportsWhatBecameOfAnEscalation(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c := w.connect("store-bot", "full", rules)
		other := w.connect("other", "full", rules)
		id := w.raise(c, "a").ID
		path := "/v1/escalations/" + id + "/status"
		body := func(state string) map[string]string { return map[string]string{"state": state} }
		w.problem(http.StatusUnprocessableEntity, "state-unknown", c.hub, "POST", path, body("asleep"))
		w.problem(http.StatusUnprocessableEntity, "state-unknown", c.hub, "POST", path, map[string]string{})
		w.problem(http.StatusUnprocessableEntity, "state-unknown", c.hub, "POST", path, body("expired"))
		w.problem(http.StatusNotFound, "escalation-not-found", other.hub, "POST", path, body("accepted"))
		w.problem(http.StatusForbidden, "not-allowed", c.bot, "POST", path, body("accepted"))
		w.problem(http.StatusUnauthorized, "credentials-missing", "", "POST", path, body("accepted"))
		w.problem(http.StatusNotFound, "escalation-not-found", c.hub, "POST", "/v1/escalations/"+id+"-2/status", body("accepted"))
		w.problem(http.StatusUnprocessableEntity, "limit-exceeded", c.hub, "POST", path, map[string]string{"state": "accepted", "message": strings.Repeat("ä", 4001)})
		for range 3 {
			if e := w.report(c, id, "accepted"); e.Status != "accepted" {
				t.Errorf("escalation = %+v, want accepted", e)
			}
		}
		var e escalation
		w.must(http.StatusOK, &e, c.hub, "POST", path, map[string]string{"state": "completed", "code": "solved", "message": "all well"})
		w.must(http.StatusOK, &e, c.hub, "POST", path, map[string]string{"state": "completed", "code": "solved", "message": "all well"})
		if e.Status != "completed" || e.Code != "solved" {
			t.Errorf("escalation = %+v, want it completed", e)
		}
		for _, late := range []string{"accepted", "failed"} {
			w.problem(http.StatusConflict, "escalation-ended", c.hub, "POST", path, body(late))
		}
		w.idle()
		n := tally(w.facts())
		if n["EscalationAccepted"] != 1 || n["EscalationCompleted"] != 1 || n["EscalationFailed"] != 0 {
			t.Errorf("facts = %v, want one of each", n)
		}
		if r := w.event(id, doneEvent); r.value("message") != "all well" || r.value("code") != "solved" {
			t.Errorf("the desk was told %v", r.body)
		}
		var seen []string
		for _, r := range w.desk.got(id) {
			seen = append(seen, r.typ)
		}
		if want := []string{routedEvent, acceptedEvent, doneEvent}; !slices.Equal(seen, want) {
			t.Errorf("events = %v, want %v", seen, want)
		}
	})
}

func TestAHandOffAfterTheEndIsTheNextNumber(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c := w.connect("store-bot", "full", rules)
		first := w.raise(c, "a", map[string]any{"summary": "one"})
		for n, state := range []string{"completed", "failed", "accepted"} {
			id := first.ID
			if n > 0 {
				id += "-" + itoa(int64(n+1))
			}
			w.report(c, id, state)
			next := w.raise(c, "a", map[string]any{"summary": "one"})
			if want := first.ID + "-" + itoa(int64(n+2)); state != "accepted" && (next.ID != want || next.Duplicate) {
				t.Errorf("after %s the answer is %+v, want %s", state, next, want)
			} else if state == "accepted" && (next.ID != id || !next.Duplicate || next.Status != "accepted") {
				t.Errorf("after %s the answer is %+v, want %s again", state, next, id)
			}
		}
		// The first is what it was.
		if e := w.escalation(first.ID); e.Status != "completed" || e.Number != 1 {
			t.Errorf("the first escalation = %+v, want it completed", e)
		}
		w.problem(http.StatusConflict, "escalation-ended", c.hub, "POST", "/v1/escalations/"+first.ID+"/status", map[string]string{"state": "failed"})
		w.settled() // on AWS, lists lag
		if all := w.list("/v1/escalations?limit=2"); len(all) != 3 || all[0].Number != 3 || all[2].Number != 1 {
			t.Errorf("escalations = %+v, want three, the newest first", all)
		}
		var why struct {
			EscalationID string `json:"escalation_id"`
		}
		w.must(http.StatusOK, &why, w.admin, "GET", "/v1/escalations/"+first.ID+"-2/why", nil)
		if why.EscalationID != first.ID+"-2" {
			t.Errorf("why = %+v, want that of the second", why)
		}
	})
}

func TestAnEscalationExpiresAtItsDeadline(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *system.Config) { c.Lifetime = time.Hour })
	c := w.connect("store-bot", "full", rules)
	waiting, taken, done := w.raise(c, "a").ID, w.raise(c, "b").ID, w.raise(c, "c").ID
	w.report(c, taken, "accepted")
	w.report(c, done, "completed")
	w.clock.advance(59 * time.Minute)
	w.raise(c, "d") // makes nobody look at deadlines too early
	if e := w.escalation(waiting); e.Status != "routed" {
		t.Errorf("escalation = %+v, want it open", e)
	}
	w.clock.advance(2 * time.Minute)
	w.status(waiting, "expired")
	w.status(taken, "expired")
	if e := w.escalation(done); e.Status != "completed" {
		t.Errorf("escalation = %+v, want it completed", e)
	}
	w.event(waiting, expiredEvent)
	w.problem(http.StatusConflict, "escalation-ended", c.hub, "POST", "/v1/escalations/"+waiting+"/status", map[string]string{"state": "accepted"})
	if a := w.raise(c, "a"); a.ID != waiting+"-2" {
		t.Errorf("answer = %+v, want the next number", a)
	}
	w.idle()
	if n := w.count("EscalationExpired"); n != 2 {
		t.Errorf("%d EscalationExpired, want 2", n)
	}
}

func TestADeadlineThatPassedWhileNothingRanIsKept(t *testing.T) {
	t.Parallel()
	w := start(t)
	c := w.connect("store-bot", "full", rules)
	id := w.raise(c, "a").ID
	w.idle()
	w.stop()
	w.clock.advance(25 * time.Hour)
	w.run()
	w.status(id, "expired")
}

// TestMoreDeadlinesThanOneLookTakes has more escalations due at once than are
// read at once.
func TestMoreDeadlinesThanOneLookTakes(t *testing.T) {
	t.Parallel()
	w := start(t)
	c := w.connect("store-bot", "thin", rules)
	raised := w.crowdOf(c, 16, 300)
	w.clock.advance(25 * time.Hour)
	w.eventually("all expired", func() bool { return len(w.list("/v1/escalations?status=open&limit=500")) == 0 })
	w.settled()
	if n := w.count("EscalationExpired"); n != len(raised) {
		t.Errorf("%d expired, want %d", n, len(raised))
	}
}

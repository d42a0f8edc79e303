package e2e_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"handoff/functions/handoff/system"
)

func TestWhatMovedIsRepeatedAndAddedToAtTheTarget(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		target := w.connect("target", "full", strings.ReplaceAll(rules, "refunds", "returns"))
		c := w.connect("store-bot", "full", rules)
		id := w.raise(c, "a").ID
		w.hangUp("store-bot", map[string]string{"to": "target"})
		w.idle()
		home := len(w.desk.of("store-bot", ""))
		if a := w.raise(c, "a", map[string]any{"summary": "more"}); a.ID != id || !a.Duplicate || a.Queue != "returns" {
			t.Errorf("the repeat was answered %+v, want the queue of the target", a)
		}
		w.idle()
		if all := w.desk.of("target", addedEvent); len(all) != 1 || all[0].value("summary") != "more" {
			t.Errorf("the target's desk has %d additions, want 1", len(all))
		}
		if n := len(w.desk.of("store-bot", "")); n != home {
			t.Errorf("the desk at home got %d events more", n-home)
		}
		// The target's own conversation of that name is another one.
		if a := w.raise(target, "a"); a.ID == id || a.Duplicate {
			t.Errorf("answer = %+v, want a conversation of the target's own", a)
		}
		w.settled() // on AWS, lists lag
		if all := w.list("/v1/connections/target/escalations?limit=10"); len(all) != 2 {
			t.Errorf("the target lists %+v, want its own and the one that moved there", all)
		}
		w.problem(http.StatusConflict, "escalation-ended", target.hub, "POST", "/v1/escalations/"+w.ended(target, id)+"/status", map[string]string{"state": "accepted"})
		w.problem(http.StatusConflict, "connection-disconnected", c.bot, "POST", "/v1/connections/store-bot/escalations", handoff("a"))
		w.whole()
	})
}

func (w *world) ended(c connected, id string) string {
	w.t.Helper()
	w.report(c, id, "completed")
	return id
}

func TestAChainOfDisconnectsIsFollowedToItsEnd(t *testing.T) {
	t.Parallel()
	w := start(t)
	for _, id := range []string{"c", "b"} {
		w.connect(id, "thin", rules)
	}
	a := w.connect("a", "thin", rules)
	first := w.raise(a, "one").ID
	w.hangUp("a", map[string]string{"to": "b"})
	w.hangUp("b", map[string]string{"to": "c"})
	w.idle()
	if e := w.escalation(first); e.RoutedBy != "c" || e.Status != "routed" {
		t.Errorf("escalation = %+v, want it with c", e)
	}
	w.hangUp("c", map[string]string{"drain_for": "10m"})
	w.idle()
	w.stop() // the deadline passes while nothing runs
	w.clock.advance(11 * time.Minute)
	w.run()
	if e := w.status(first, "failed"); e.Code != "connection-disconnected" {
		t.Errorf("escalation = %+v, want it failed by the last disconnect", e)
	}
	w.told(3)
	w.whole()
}

// TestADeskThatHangsTimesOut has a desk that takes requests and says nothing.
func TestADeskThatHangsTimesOut(t *testing.T) {
	t.Parallel()
	w := start(t, patient, func(c *system.Config) { c.Timeout = 200 * time.Millisecond })
	closing := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-closing:
		}
	}))
	t.Cleanup(silent.Close)
	t.Cleanup(func() { close(closing) })
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for id, url := range map[string]string{"silent": silent.URL, "gone": gone.URL} {
		c := w.request(id, w.plan(id, url, "full", rules))
		w.ready(id)
		w.raise(c, "a")
	}
	codes := map[string]string{"silent": "timeout", "gone": "connection-refused"}
	for id, code := range codes {
		w.eventually(id+" fails with "+code, func() bool {
			d := w.deliveries("connection=" + id)
			return len(d) == 1 && d[0].Code == code && d[0].Status == "pending" && !d[0].NextAt.IsZero()
		})
	}
}

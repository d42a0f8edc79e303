package e2e_test

import (
	"net/http"
	"testing"
	"time"
)

func TestVerifyNoticesAStreamOfWhichNothingIsLeft(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.connect("store-bot", "full", rules)
	w.hangUp("store-bot", map[string]string{})
	w.settled()
	// The last stream of one fact: a reservation that was only reserved.
	p := w.plan("other", w.desk.url, "thin", rules)
	delete(p, "endpoints")
	w.request("", p)
	w.settled()
	w.stop()
	w.edit("handoff.db", `DELETE FROM facts WHERE pos > (SELECT max(pos) FROM facts WHERE type = 'ConnectionRequested') - 1`)
	w.run()
	if v := w.verify(""); v.OK {
		t.Errorf("verify = %+v, want the empty stream noticed", v)
	}
}

func TestATimeThatCanNotBeToldIsRefused(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c := w.connect("store-bot", "full", rules)
		for _, at := range []string{"9999-12-31T23:59:59Z", "0001-06-01T00:00:00Z"} {
			w.problem(http.StatusUnprocessableEntity, "field-invalid", c.bot, "POST", "/v1/connections/store-bot/escalations",
				map[string]string{"conversation_id": "a", "raised_at": at})
		}
	})
}

func TestAPastStateTellsWhatMovedAway(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.connect("target", "full", rules)
	c := w.connect("store-bot", "full", rules)
	w.raise(c, "a")
	before := w.clock.now()
	w.clock.advance(time.Minute)
	w.hangUp("store-bot", map[string]string{"to": "target"})
	w.idle()
	if p := w.past("store-bot", before); p.Open != 1 || p.MovedAway != 0 {
		t.Errorf("before: %d open and %d moved away, want 1 and 0", p.Open, p.MovedAway)
	}
	if p := w.past("store-bot", w.clock.now()); p.Open != 0 || p.MovedAway != 1 {
		t.Errorf("after: %d open and %d moved away, want 0 and 1", p.Open, p.MovedAway)
	}
}

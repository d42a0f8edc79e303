package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

func TestErasingWhileTheBotGoesOnTalking(t *testing.T) {
	t.Parallel()
	w := start(t)
	c := w.connect("store-bot", "full", rules)
	id := w.raise(c, "a", everything(mark)).ID
	var wg sync.WaitGroup
	for client := range 8 {
		wg.Go(func() {
			for i := range 6 {
				body := handoff("a", everything(fmt.Sprintf("%s-%d-%d", mark, client, i)))
				if status, out, err := w.do(c.bot, "POST", "/v1/connections/store-bot/escalations", body); err != nil || status != http.StatusAccepted {
					t.Errorf("raise = %d %s %v", status, out, err)
				}
			}
		})
	}
	for range 4 {
		wg.Go(func() {
			for range 5 {
				if status, out, err := w.do(w.admin, "DELETE", "/v1/escalations/"+id+"/context", nil); err != nil || status != http.StatusOK {
					t.Errorf("erase = %d %s %v", status, out, err)
				}
				if status, out, err := w.do(c.hub, "GET", "/v1/escalations/"+id+"/context", nil); err != nil || status != http.StatusOK && status != http.StatusGone {
					t.Errorf("context = %d %s %v", status, out, err)
				}
			}
		})
	}
	wg.Wait()
	w.must(http.StatusOK, nil, w.admin, "DELETE", "/v1/escalations/"+id+"/context", nil)
	w.idle()
	w.absent("in the end", mark)
	for name, key := range w.wrapped(id) {
		if len(key) > 0 {
			t.Errorf("key %s is still there", name)
		}
	}
	w.problem(http.StatusGone, "context-erased", w.admin, "GET", "/v1/escalations/"+id+"/context", nil)
	w.whole()
	w.rewind()
	w.idle()
	w.whole()
}

func TestBothDesksOfAMoveAreToldOfAnErasure(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		w.connect("target", "full", rules)
		c := w.connect("store-bot", "full", rules)
		id := w.raise(c, "a", everything(mark)).ID
		w.event(id, routedEvent)
		w.hangUp("store-bot", map[string]string{"to": "target"})
		w.idle()
		w.must(http.StatusOK, nil, w.admin, "DELETE", "/v1/escalations/"+id+"/context", nil)
		w.idle()
		for _, path := range []string{"store-bot", "target"} {
			if all := w.desk.of(path, erasedEvent); len(all) != 1 || all[0].subject != id {
				t.Errorf("%s was told %d times, want once", path, len(all))
			}
		}
	})
}

// TestNoFaultRepeatsWhatTheCustomerSaid has requests fail in many ways.
func TestNoFaultRepeatsWhatTheCustomerSaid(t *testing.T) {
	t.Parallel()
	w := start(t)
	c := w.connect("store-bot", "full", rules)
	path := "/v1/connections/store-bot/escalations"
	broken := everything(mark)
	broken["reason"] = mark + "-reason"
	broken["language"] = strings.Repeat(mark, 9)
	for _, body := range []any{
		handoff("a", broken), `{"conversation_id":"` + mark, `{"customer":"` + mark + `"}`, `{"transcript":{"messages":[{"from":"` + mark + `"}]}}`,
		`{"variables":{"x":"` + strings.Repeat(mark, 4000) + `"}}`, `{"raised_at":"` + mark + `"}`, `{"conversation_id":"a","conversation_id":"` + mark + `"}`,
	} {
		status, out := w.call(c.bot, "POST", path, body)
		if status/100 != 4 || strings.Contains(string(out), mark) {
			t.Errorf("answer = %d %s, want a refusal without what was said", status, out)
		}
	}
	w.absent("refused", mark)
}

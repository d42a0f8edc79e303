package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"handoff/functions/handoff/system"
	"handoff/infra/lanes"
)

// delivery is a row of the list.
type delivery struct {
	ID, Status, Code, Endpoint string
	EventID                    string `json:"event_id"`
	EventType                  string `json:"event_type"`
	Attempts                   int
	HTTPStatus                 int       `json:"http_status"`
	NextAt                     time.Time `json:"next_at"`
}

func (w *world) deliveries(query string) []delivery {
	w.t.Helper()
	var page struct{ Items []delivery }
	w.must(http.StatusOK, &page, w.admin, "GET", "/v1/deliveries?limit=500&"+query, nil)
	return page.Items
}

// pending waits until one delivery waits to be tried again.
func (w *world) pending() delivery {
	w.t.Helper()
	var all []delivery
	w.eventually("it is pending", func() bool {
		all = w.deliveries("status=pending")
		return len(all) == 1
	})
	return all[0]
}

// pass lets time pass, unless a delivery is due already: a clock that ran by
// itself would outrun a busy machine, and deliveries would be too old before
// they were tried.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	for _, p := range w.deliveries("status=pending") {
		if !p.NextAt.IsZero() && p.NextAt.Before(w.clock.now()) {
			return
		}
	}
	w.clock.advance(d)
}

func patient(c *system.Config) { c.Lanes = lanes.Options{Failures: 1000} } // no breaker

func TestAConversationIsDeliveredInItsOrderWhileTheDeskFails(t *testing.T) {
	t.Parallel()
	w := start(t, patient)
	c := w.connect("store-bot", "full", rules)
	var mu sync.Mutex
	tries := make(map[string]int)
	w.desk.answers(func(r received, _ int) int {
		mu.Lock()
		defer mu.Unlock()
		if tries[r.id]++; tries[r.id] < 3 { // not at random: a dozen failures in a row would park it
			return http.StatusInternalServerError
		}
		return 0
	})
	var ids []string
	for _, conversation := range []string{"a", "b", "c", "d"} {
		id := w.raise(c, conversation).ID
		ids = append(ids, id)
		w.raise(c, conversation, map[string]any{"summary": "more"})
		w.report(c, id, "accepted")
		w.report(c, id, "completed")
	}
	w.eventually("the desk has everything", func() bool {
		w.pass(10 * time.Minute)
		w.poke(c)
		for _, id := range ids {
			if len(w.desk.got(id)) < 4 {
				return false
			}
		}
		return true
	})
	for _, id := range ids {
		var got []string
		var last string
		for _, r := range w.desk.got(id) {
			got = append(got, r.typ)
			if r.sequence <= last {
				t.Errorf("sequence %s came after %s", r.sequence, last)
			}
			last = r.sequence
		}
		if want := []string{routedEvent, addedEvent, acceptedEvent, doneEvent}; !slices.Equal(got, want) {
			t.Errorf("%s was told %v, want %v", id, got, want)
		}
	}
	// Each was the same event, and refused before it was taken.
	w.desk.mu.Lock()
	defer w.desk.mu.Unlock()
	taken := make(map[string]string)
	for _, r := range w.desk.received {
		if raw, again := taken[r.id]; again && raw != string(r.raw) {
			t.Errorf("%s was sent with two bodies", r.id)
		}
		taken[r.id] = string(r.raw)
	}
	for _, r := range w.desk.refused {
		if raw, known := taken[r.id]; known && raw != string(r.raw) {
			t.Errorf("%s had another body when it was refused", r.id)
		}
	}
}

func TestADeskThatFailsOnceIsAskedAgain(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c := w.connect("store-bot", "full", rules)
		w.desk.answers(func(_ received, n int) int { return map[int]int{1: http.StatusInternalServerError}[n] })
		id := w.raise(c, "a").ID
		d := w.pending()
		if d.Code != "status-500" || d.HTTPStatus != 500 || d.Attempts != 1 || d.EventID != id+"@2" {
			t.Errorf("delivery = %+v, want one attempt that failed", d)
		}
		if n := len(w.desk.got("")); n != 0 && w.clock.now().Before(d.NextAt) {
			t.Errorf("the desk took %d events before the pause was over", n)
		}
		w.advance(10 * time.Second)
		w.poke(c)
		w.event(id, routedEvent)
		w.idle()
		if d := w.deliveries("escalation=" + id); len(d) != 1 || d[0].Status != "delivered" || d[0].Attempts != 2 {
			t.Errorf("deliveries = %+v, want one with two attempts", d)
		}
	})
}

func TestRetriesGoOnForThreeDaysAndThenItIsParked(t *testing.T) {
	t.Parallel()
	w := start(t, patient)
	c := w.connect("store-bot", "full", rules)
	w.desk.answers(func(r received, _ int) int {
		if strings.Contains(string(r.raw), "stubborn") {
			return http.StatusServiceUnavailable
		}
		return 0
	})
	id := w.raise(c, "a", map[string]any{"summary": "stubborn"}).ID
	begun := w.clock.now()
	var parked []delivery
	w.eventually("it is parked", func() bool {
		w.pass(time.Hour)
		w.poke(c)
		w.settled()
		parked = w.deliveries("status=parked&escalation=" + id)
		return len(parked) > 0
	})
	if after := w.clock.now().Sub(begun); after < 72*time.Hour {
		t.Errorf("given up after %s, want 72 h at least", after)
	}
	if parked[0].Code != "retries-exhausted" || parked[0].Attempts < 8 {
		t.Errorf("delivery = %+v, want its retries exhausted", parked[0])
	}
	w.desk.answers(nil)
	w.must(http.StatusAccepted, nil, w.admin, "POST", "/v1/deliveries/"+parked[0].ID+"/resend", nil)
	got := w.event(id, routedEvent)
	if got.id != parked[0].EventID {
		t.Errorf("the id is %s, want that of before, %s", got.id, parked[0].EventID)
	}
	w.idle()
	if d := w.deliveries("escalation=" + id + "&status=delivered"); len(d) == 0 {
		t.Errorf("deliveries = %+v, want it delivered", w.deliveries("escalation="+id))
	}
}

func TestAnEndpointThatIsGoneIsDisabled(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c := w.connect("store-bot", "full", rules)
		w.desk.answers(func(received, int) int { return http.StatusGone })
		first := w.raise(c, "a").ID
		w.eventually("the endpoint is disabled", func() bool { return w.connection("store-bot").Endpoints[0].Disabled == "endpoint-gone" })
		w.report(c, first, "accepted")
		w.idle()
		parked := w.deliveries("status=parked")
		if len(parked) != 1 || parked[0].Code != "endpoint-gone" {
			t.Errorf("parked = %+v, want the one that found the endpoint gone", parked)
		}
		if a := w.raise(c, "b"); a.Queue != "refunds" {
			t.Errorf("answer = %+v, want hand-offs taken all the same", a)
		}
		w.desk.answers(nil)
		var set struct{ Secret, Disabled string }
		w.must(http.StatusOK, &set, w.admin, "PUT", "/v1/connections/store-bot/endpoints/desk", map[string]string{"url": w.desk.url + "/store-bot", "mode": "full"})
		if set.Secret != "" || set.Disabled != "" {
			t.Errorf("endpoint = %+v, want it enabled with its secret", set)
		}
		w.must(http.StatusAccepted, nil, w.admin, "POST", "/v1/deliveries/"+parked[0].ID+"/resend", nil)
		w.event(first, routedEvent)
		w.event(w.raise(c, "c").ID, routedEvent)
		w.whole()
	})
}

func TestARedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c := w.connect("store-bot", "full", rules)
		w.desk.answers(func(received, int) int { return http.StatusFound })
		w.raise(c, "a")
		if d := w.pending(); d.Code != "redirect" || d.HTTPStatus != http.StatusFound {
			t.Errorf("delivery = %+v, want a redirect", d)
		}
		w.desk.mu.Lock()
		defer w.desk.mu.Unlock()
		for _, r := range w.desk.refused {
			if r.path != "store-bot" {
				t.Errorf("%s was asked", r.path)
			}
		}
	})
}

func TestThinEventsLeaveOutWhatTheCustomerSaid(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c := w.connect("store-bot", "thin", rules)
		p := w.plan("store-bot", w.desk.url+"/store-bot", "thin", rules)
		id := w.raise(c, "a", everything("MARK")).ID
		got := w.event(id, routedEvent)
		if text := string(got.raw); strings.Contains(text, "MARK") {
			t.Errorf("a thin event says %s", text)
		}
		w.must(http.StatusOK, nil, c.hub, "POST", "/v1/escalations/"+id+"/status", map[string]string{"state": "accepted", "message": "MARK"})
		if got := w.event(id, acceptedEvent); strings.Contains(string(got.raw), "MARK") {
			t.Errorf("a thin event says %s", got.raw)
		}
		if link, _ := got.value("links", "context").(string); !strings.HasSuffix(link, "/v1/escalations/"+id+"/context") {
			t.Errorf("link = %q, want that of the context", link)
		}
		p["endpoints"] = []map[string]any{
			{"id": "desk", "url": w.desk.url + "/store-bot", "mode": "thin"},
			{"id": "picky", "url": w.desk.url + "/picky", "mode": "full", "events": []string{doneEvent}},
		}
		var out struct {
			Credentials struct {
				Endpoints map[string]string `json:"endpoint_secrets"`
			}
		}
		w.must(http.StatusAccepted, &out, w.admin, "POST", "/v1/connections", p)
		w.desk.expect(parse(t, out.Credentials.Endpoints["picky"]))
		w.report(c, id, "completed")
		w.event(id, doneEvent)
		w.idle()
		if all := w.desk.of("picky", ""); len(all) != 1 || all[0].typ != doneEvent {
			t.Errorf("the picky endpoint got %d events, want the one that it takes", len(all))
		}
	})
}

func TestADeskThatIsDownHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	w := start(t)
	down, up := w.connect("down", "thin", rules), w.connect("up", "thin", rules)
	w.desk.answers(func(r received, _ int) int {
		if r.path == "down" {
			return http.StatusBadGateway
		}
		return 0
	})
	for i := range 50 {
		w.raise(down, fmt.Sprint(i))
		w.raise(up, fmt.Sprint(i))
	}
	w.eventually("the other has all of its events", func() bool { return len(w.desk.of("up", routedEvent)) == 50 })
	w.settled()
	w.desk.mu.Lock()
	asked := len(w.desk.refused)
	w.desk.mu.Unlock()
	if asked > 100 {
		t.Errorf("the desk that is down was asked %d times", asked)
	}
	w.desk.answers(nil)
	w.eventually("the desk that is up again has all of its events", func() bool {
		w.pass(time.Minute)
		w.poke(up)
		return len(w.desk.of("down", routedEvent)) == 50
	})
}

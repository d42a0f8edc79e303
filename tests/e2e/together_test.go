package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// together calls f from n goroutines at once.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-begin
			f(i)
		})
	}
	close(begin)
	wg.Wait()
}

func TestManyReportsAtOnceEndAnEscalationOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c := w.connect("store-bot", "full", rules)
		id := w.raise(c, "a").ID
		states := []string{"accepted", "completed", "failed"}
		var mu sync.Mutex
		ends := make(map[string]int)
		together(30, func(i int) {
			state := states[i%len(states)]
			status, body, err := w.do(c.hub, "POST", "/v1/escalations/"+id+"/status", map[string]string{"state": state})
			if err != nil || status != http.StatusOK && status != http.StatusConflict {
				t.Errorf("%s = %d %s %v", state, status, body, err)
			}
			if status == http.StatusOK && state != "accepted" {
				mu.Lock()
				defer mu.Unlock()
				ends[state]++
			}
		})
		if len(ends) != 1 {
			t.Errorf("ends = %v, want one of them to win", ends)
		}
		w.idle()
		n := tally(w.facts())
		if n["EscalationCompleted"]+n["EscalationFailed"] != 1 || n["EscalationAccepted"] > 1 {
			t.Errorf("facts = %v, want one end", n)
		}
		for state := range ends {
			if e := w.escalation(id); e.Status != state {
				t.Errorf("escalation = %+v, want it %s", e, state)
			}
		}
		w.whole()
	})
}

func TestAReportAndADeadlineAtOnceEndAnEscalationOnce(t *testing.T) {
	t.Parallel()
	w := start(t)
	c := w.connect("store-bot", "full", rules)
	var ids []string
	for i := range 40 {
		ids = append(ids, w.raise(c, fmt.Sprint(i)).ID)
	}
	w.settled()
	w.clock.advance(24 * time.Hour)
	together(len(ids), func(i int) {
		status, body, err := w.do(c.hub, "POST", "/v1/escalations/"+ids[i]+"/status", map[string]string{"state": "completed"})
		if err != nil || status != http.StatusOK && status != http.StatusConflict {
			t.Errorf("completed = %d %s %v", status, body, err)
		}
	})
	w.eventually("none is open", func() bool { return len(w.list("/v1/escalations?status=open")) == 0 })
	w.settled()
	if n := tally(w.facts()); n["EscalationCompleted"]+n["EscalationExpired"] != len(ids) {
		t.Errorf("facts = %v, want %d ends", n, len(ids))
	}
}

func TestListsPageWholeWhileMoreIsRaised(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c := w.connect("store-bot", "thin", rules)
		old := w.crowdOf(c, 16, 200)
		w.settled() // on AWS, lists lag
		rounds := 5
		if w.cloud != nil {
			rounds = 2 // they take long
		}
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if status, body, err := w.do(c.bot, "POST", "/v1/connections/store-bot/escalations", handoff(fmt.Sprint("more-", i))); err != nil || status != http.StatusAccepted {
					t.Errorf("raise = %d %s %v", status, body, err)
					return
				}
			}
		}()
		for range rounds {
			seen := make(map[string]int)
			for _, e := range w.list("/v1/escalations?limit=37") {
				seen[e.ID]++
			}
			for _, id := range old {
				if seen[id] != 1 {
					t.Errorf("%s is listed %d times", id, seen[id])
				}
			}
			for id, n := range seen {
				if n != 1 {
					t.Errorf("%s is listed %d times", id, n)
				}
			}
			facts := w.facts()
			for i, f := range facts {
				if i > 0 && f.Position <= facts[i-1].Position {
					t.Fatalf("%s stands at %d after %d", f.ID, f.Position, facts[i-1].Position)
				}
			}
			if v := w.verify(""); !v.OK {
				t.Errorf("verify while more is raised = %+v", v)
			}
		}
		close(stop)
		<-stopped
	})
}

func TestAnIDMayBeShortened(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c := w.connect("store-bot", "thin", rules)
		ids := w.crowdOf(c, 8, 100)
		w.settled() // on AWS, lists lag
		slices.Sort(ids)
		id := ids[50]
		for _, short := range []string{id[:14], strings.ToUpper(id), id[4:], strings.TrimPrefix(id, "esc_")[:10]} {
			var e escalation
			w.must(http.StatusOK, &e, w.admin, "GET", "/v1/escalations/"+short, nil)
			if e.ID != id {
				t.Errorf("%s is %s, want %s", short, e.ID, id)
			}
		}
		w.problem(http.StatusConflict, "escalation-ambiguous", w.admin, "GET", "/v1/escalations/"+id[:5], nil) // one of eight first digits
		w.problem(http.StatusNotFound, "escalation-not-found", w.admin, "GET", "/v1/escalations/esc_zzzzzzzzzz", nil)
		w.problem(http.StatusNotFound, "escalation-not-found", w.admin, "GET", "/v1/escalations/..%2Fconnections", nil)
	})
}

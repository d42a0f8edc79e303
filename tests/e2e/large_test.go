package e2e_test

import (
	"slices"
	"testing"
)

// TestFiveThousandEscalations raises many at once and reads all lists whole.
func TestFiveThousandEscalations(t *testing.T) {
	t.Parallel()
	all := 5000
	if raced {
		all = 1200 // the race detector makes each some thirty times as dear
	}
	w := start(t)
	c := w.connect("store-bot", "thin", rules)
	ids := w.crowdOf(c, 64, all)
	slices.Sort(ids)
	for _, path := range []string{
		"/v1/escalations?limit=500", "/v1/escalations?limit=333&status=open", "/v1/connections/store-bot/escalations?limit=499",
		"/v1/escalations?limit=500&queue=refunds", "/v1/connections/store-bot/escalations?limit=500&status=routed",
	} {
		var got []string
		for _, e := range w.list(path) {
			got = append(got, e.ID)
		}
		slices.Sort(got)
		if !slices.Equal(got, ids) {
			t.Errorf("%s lists %d, of them %d different, want %d", path, len(got), len(slices.Compact(got)), all)
		}
	}
	w.idle()
	if n := len(w.desk.of("store-bot", routedEvent)); n != all {
		t.Errorf("the desk has %d, want %d", n, all)
	}
	n := tally(w.facts())
	if n["EscalationRaised"] != all || n["EscalationRouted"] != all || n["Delivered"] != all {
		t.Errorf("facts = %v, want %d of each", n, all)
	}
	w.whole()
	if p := w.past("store-bot", w.clock.now()); p.Open != all || !p.More || p.Queues["refunds"] != all {
		t.Errorf("%d are open, more %t, want %d", p.Open, p.More, all)
	}
}

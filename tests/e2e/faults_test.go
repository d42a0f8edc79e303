package e2e_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"handoff/tests/awstest"
	"handoff/tests/lambdarun"
)

// raised is how many conversations are handed over while everything fails now
// and then.
const raised = 200

// faults says how often something goes wrong, of a thousand times.
var faults = map[lambdarun.Fault]int{
	lambdarun.Throttled: 15, lambdarun.Failed: 15, lambdarun.Lost: 15, lambdarun.KilledSoon: 1, lambdarun.KilledLate: 1,
}

// TestNothingIsLostOrDoubledWhileAWSFails hands conversations over, accepts and
// completes them, while calls of functions to AWS are throttled, fail and lose
// their answers, instances are killed before and after their calls, most of all
// between a delivery and the fact of it, batches of the log's stream come twice
// and in two shards that overtake each other, and the desk fails too.
func TestNothingIsLostOrDoubledWhileAWSFails(t *testing.T) {
	t.Parallel()
	w := startOnAWS(t, awstest.Get(t, awstest.MiniStack))
	c := w.connect("store-bot", "full", rules)
	w.waits = 3 * time.Minute // deliveries that the desk refused are tried again after seconds, and minutes
	before := w.cloud.Proxy.Met()
	planted := w.plant(1)
	ids := w.lives(c)
	w.cloud.Proxy.Plant(nil)
	w.desk.answers(nil)
	shared.again.Store(0)
	w.idle()
	w.eventually("the desk has everything", func() bool { return len(w.desk.got("")) >= 3*raised })
	w.idle()

	n := tally(w.facts())
	lost, doubled := 0, 0
	for _, id := range ids {
		if got := w.taken(id); got == "" {
			lost++
		} else if got != strings.Join([]string{routedEvent, acceptedEvent, doneEvent}, " ") {
			t.Errorf("%s was told %s", id, got)
		}
	}
	for _, typ := range []string{"EscalationRaised", "EscalationRouted", "EscalationAccepted", "EscalationCompleted"} {
		lost, doubled = lost+max(0, raised-n[typ]), doubled+max(0, n[typ]-raised)
	}
	after := w.cloud.Proxy.Met()
	t.Logf("%d escalations: lost %d, doubled %d; calls that passed %d, throttled %d, failed %d, with their answers lost %d; instances killed before a call %d, after %d, "+
		"of these before a delivery was recorded %d; batches that came twice %d; deliveries refused %d, sent more than once %d", len(ids), lost, doubled,
		after[lambdarun.Passed]-before[lambdarun.Passed], after[lambdarun.Throttled]-before[lambdarun.Throttled], after[lambdarun.Failed]-before[lambdarun.Failed],
		after[lambdarun.Lost]-before[lambdarun.Lost], after[lambdarun.KilledSoon]-before[lambdarun.KilledSoon], after[lambdarun.KilledLate]-before[lambdarun.KilledLate],
		planted.unrecorded.Load(), shared.repeated.Load(), len(w.desk.refused), w.repeats())
	if lost > 0 || doubled > 0 || len(ids) != raised {
		t.Errorf("%d of %d were acknowledged, %d lost and %d doubled; facts = %v", len(ids), raised, lost, doubled, n)
	}
	for _, f := range slices.Sorted(maps.Keys(faults)) {
		if after[f] == before[f] {
			t.Errorf("fault %d was never met: the test shows nothing of it", f)
		}
	}
	w.whole()
}

// plants are faults that were chosen by hand.
type plants struct{ unrecorded atomic.Int64 }

// plant has calls, batches and the desk fail from now on.
func (w *world) plant(seed uint64) *plants {
	w.t.Helper()
	var mu sync.Mutex
	dice := rand.New(rand.NewPCG(seed, seed))
	roll := func() int { mu.Lock(); defer mu.Unlock(); return dice.IntN(1000) }
	p := &plants{}
	log := w.cloud.Resource("Log")
	w.cloud.Proxy.Plant(func(c lambdarun.Call) lambdarun.Fault {
		if c.Function == "deliver" && c.Action == "PutItem" && strings.Contains(string(c.Body), log) && roll() < 15 {
			p.unrecorded.Add(1)
			return lambdarun.KilledSoon
		}
		n := roll()
		for _, f := range slices.Sorted(maps.Keys(faults)) {
			if n -= faults[f]; n < 0 {
				return f
			}
		}
		return lambdarun.Passed
	})
	w.desk.answers(func(received, int) int {
		if roll() < 20 {
			return http.StatusInternalServerError
		}
		return 0
	})
	shared.again.Store(200)
	return p
}

// lives has bots hand conversations over and the hub accept and complete them,
// each step until it is acknowledged. It returns the ids.
func (w *world) lives(c connected) (ids []string) {
	w.t.Helper()
	const clients = 8
	found := make([]string, raised)
	together(clients, func(client int) {
		for i := client; i < raised; i += clients {
			var a answer
			w.insist(http.StatusAccepted, &a, c.bot, "/v1/connections/"+c.id+"/escalations", handoff(fmt.Sprint(i)))
			found[i] = a.ID
			for _, state := range []string{"accepted", "completed"} {
				w.insist(http.StatusOK, &escalation{}, c.hub, "/v1/escalations/"+a.ID+"/status", map[string]string{"state": state})
			}
		}
	})
	slices.Sort(found)
	return slices.Compact(found)
}

// insist posts until the answer has the status, as a client does that is told
// that something went wrong over there.
func (w *world) insist(status int, out any, key, path string, body any) {
	const most = 50
	var got int
	var b []byte
	var err error
	for range most {
		got, b, err = w.do(key, "POST", path, body)
		if err == nil && got < http.StatusInternalServerError {
			break
		}
	}
	if err == nil && got == status {
		err = json.Unmarshal(b, out)
	}
	if err != nil || got != status {
		w.t.Errorf("POST %s = %d %s, %v, want %d", path, got, b, err, status)
	}
}

// taken returns the types of the events of an escalation in the order in which
// the desk took them, each id once.
func (w *world) taken(id string) string {
	w.t.Helper()
	var types []string
	last := ""
	for _, r := range w.desk.got(id) {
		types = append(types, r.typ)
		if r.sequence <= last {
			w.t.Errorf("%s: sequence %s came after %s", id, r.sequence, last)
		}
		last = r.sequence
	}
	return strings.Join(types, " ")
}

// repeats returns how often the desk took an event again. Each must be what it
// was the first time.
func (w *world) repeats() (n int) {
	w.t.Helper()
	w.desk.mu.Lock()
	defer w.desk.mu.Unlock()
	first := map[string]string{}
	for _, r := range w.desk.received {
		raw, again := first[r.id]
		if again {
			n++
		} else {
			first[r.id] = string(r.raw)
		}
		if again && raw != string(r.raw) {
			w.t.Errorf("%s came with two bodies", r.id)
		}
	}
	return n
}

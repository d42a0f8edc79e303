package e2e_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/connection"
	"handoff/events"
	"handoff/infra/eventlog"
)

// tally counts facts by type.
func tally(all []fact) map[string]int {
	n := make(map[string]int)
	for _, f := range all {
		n[f.Type]++
	}
	return n
}

// TestEveryCrashPointResumes runs something whole, then starts from every point
// at which a crash could have left it: the functions must bring it to the same
// end, and no fact may be there twice.
func TestEveryCrashPointResumes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before func(w *world) // what was done and settled earlier
		begin  func(w *world) // the one command
	}{
		"a connection is asked for": {
			before: func(*world) {},
			begin:  func(w *world) { w.connect("store-bot", "full", rules) },
		},
		"a connection is refused its application id": {
			before: func(w *world) { w.connect("first", "full", rules) },
			begin: func(w *world) {
				p := w.plan("second", w.desk.url, "full", rules)
				p["hub"] = map[string]string{"type": "generic", "organisation": w.org, "application_id": "app-first"}
				w.request("", p)
				w.stuck("second", "application-id-taken")
			},
		},
		"an escalation is raised": {
			before: func(w *world) { w.connect("store-bot", "full", rules) },
			begin: func(w *world) {
				w.must(http.StatusAccepted, nil, w.admin, "POST", "/v1/connections/store-bot/escalations", handoff("conv-1"))
			},
		},
		"a connection is disconnected and drains": {
			before: func(w *world) { w.raise(w.connect("store-bot", "full", rules), "conv-1") },
			begin: func(w *world) {
				w.must(http.StatusOK, nil, w.admin, "POST", "/v1/connections/store-bot/disconnect", map[string]string{"drain_for": "1ms"})
				w.eventually("it failed", func() bool { return w.count("EscalationFailed") == 1 })
			},
		},
		"a connection is disconnected and moves": {
			before: func(w *world) {
				w.connect("target", "full", strings.ReplaceAll(rules, "refunds", "returns"))
				c := w.connect("store-bot", "full", rules)
				w.raise(c, "conv-1")
				w.raise(c, "conv-2")
			},
			begin: func(w *world) {
				w.must(http.StatusOK, nil, w.admin, "POST", "/v1/connections/store-bot/disconnect", map[string]string{"to": "target"})
			},
		},
		"a conversation is erased": {
			before: func(w *world) { w.raise(w.connect("store-bot", "full", rules), "conv-1") },
			begin: func(w *world) {
				w.must(http.StatusOK, nil, w.admin, "DELETE", "/v1/escalations/"+w.first()+"/context", nil)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			c.before(w)
			w.idle()
			from := int64(len(w.log()))
			c.begin(w)
			w.idle()
			all, ends := w.log(), w.commits()
			w.stop()
			for _, at := range ends {
				if at <= from {
					continue
				}
				f := w.fork(t, at)
				f.eventually("it ends as it did without the crash after "+itoa(at)+" facts", func() bool {
					f.settled()
					return len(f.log()) >= len(all)
				})
				f.idle()
				if got, want := tally(f.log()), tally(all); !maps.Equal(got, want) {
					t.Errorf("after a crash at %d of %v the facts are %v, want %v", at, types(all), got, want)
				}
				f.whole()
				f.stop()
			}
		})
	}
}

// first returns the id of an escalation.
func (w *world) first() string {
	w.t.Helper()
	var list struct{ Items []struct{ ID string } }
	w.must(http.StatusOK, &list, w.admin, "GET", "/v1/escalations", nil)
	if len(list.Items) == 0 {
		w.t.Fatal("there is no escalation")
	}
	return list.Items[0].ID
}

func TestBeingToldOfFactsAgainAppendsNothing(t *testing.T) {
	t.Parallel()
	w := start(t)
	target := w.connect("target", "full", rules)
	c := w.connect("store-bot", "full", rules)
	other := w.connect("drained", "thin", rules)
	var ids []string
	for _, conversation := range []string{"a", "b", "c", "d"} {
		ids = append(ids, w.raise(c, conversation).ID)
		w.raise(other, conversation)
	}
	w.report(c, ids[0], "accepted")
	w.report(c, ids[1], "completed")
	w.raise(c, "b")
	w.must(http.StatusOK, nil, w.admin, "DELETE", "/v1/escalations/"+ids[2]+"/context", nil)
	w.must(http.StatusOK, nil, w.admin, "POST", "/v1/connections/store-bot/disconnect", map[string]string{"to": "target"})
	w.must(http.StatusOK, nil, w.admin, "POST", "/v1/connections/drained/disconnect", map[string]string{})
	w.idle()
	w.report(target, ids[3], "accepted")
	w.idle()
	before := w.log()
	w.told(5)
	w.idle()
	if after := w.log(); len(after) != len(before) {
		t.Errorf("being told again appended %v", types(after[len(before):]))
	}
	w.rewind()
	w.told(3)
	w.idle()
	if after := w.log(); len(after) != len(before) {
		t.Errorf("beginning anew appended %v", types(after[len(before):]))
	}
	w.whole()
}

func TestTwoConnectionsThatPointAtEachOtherComeToAnEnd(t *testing.T) {
	t.Parallel()
	w := start(t)
	a := w.connect("a", "full", rules)
	w.connect("b", "full", rules)
	id := w.raise(a, "conv").ID
	w.idle()
	// Each was ready when the other was asked to move there.
	w.disconnect("a", "b")
	w.disconnect("b", "a")
	w.idle()
	w.settled()
	before := w.log()
	w.told(3)
	w.idle()
	if after := w.log(); len(after) != len(before) {
		t.Errorf("being told again appended %v", types(after[len(before):]))
	}
	if n := tally(before)["EscalationDeadlineSet"]; n != 1 {
		t.Errorf("%d deadlines were set, want 1", n)
	}
	w.clock.advance(2 * time.Hour)
	if e := w.status(id, "failed"); e.Code != "move-target-unavailable" {
		t.Errorf("escalation = %+v, want it failed for want of a target", e)
	}
	w.whole()
}

// disconnect appends a disconnect without asking whether the target is ready.
func (w *world) disconnect(id, to string) {
	w.t.Helper()
	stream, err := w.sys.Keyring.StreamID("default", events.KindConnection, id)
	if err != nil {
		w.t.Fatal(err)
	}
	_, err = eventlog.Execute(w.t.Context(), w.sys.Ledger, connection.Decider, eventlog.Stream{ID: stream, Tenant: "default", Connection: id},
		eventlog.Origin{Actor: "test"}, func(connection.State) (eh.Command, error) {
			return connection.Disconnect{To: connection.To(stream), Fact: events.Disconnected{Policy: events.PolicyMove, Target: to}}, nil
		})
	if err != nil {
		w.t.Fatal(err)
	}
}

package e2e_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	eh "github.com/looplab/eventhorizon"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"handoff/domain/conversation"
	"handoff/domain/escid"
	"handoff/events"
	"handoff/infra/eventlog"
)

// wrapped returns the wrapped keys of a conversation, by the name of the key.
func (w *world) wrapped(id string) map[string][]byte {
	w.t.Helper()
	stream, _, err := escid.Parse(id)
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := sqlite.OpenConn(w.dir+"/data/keys.db", sqlite.OpenReadOnly)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	keys := make(map[string][]byte)
	err = sqlitex.Execute(c, `SELECT key, wrapped, erased FROM conversation_keys WHERE key LIKE ?`, &sqlitex.ExecOptions{
		Args: []any{"%" + stream.String() + "%"}, ResultFunc: func(s *sqlite.Stmt) error {
			b := make([]byte, s.ColumnLen(1))
			s.ColumnBytes(1, b)
			if s.ColumnBool(2) {
				b = nil
			}
			keys[s.ColumnText(0)] = b
			return nil
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return keys
}

// key returns the one key of a conversation.
func (w *world) key(id string) []byte {
	w.t.Helper()
	for _, b := range w.wrapped(id) {
		if len(b) > 0 {
			return b
		}
	}
	w.t.Fatalf("there is no key of %s", id)
	return nil
}

const mark = "Zq7XmarkerQ9"

const marking = `version: 1
name: marks
fallback: general
variables: {order_total: {type: string, default: ""}}
queues:
  - {id: general, name: General help}
rules:
  - name: nearly
    all: [{topic: {is: Refund}}, {variable: order_total, is: nothing}]
    then: {queue: general, priority: 80}
  - name: also nearly
    all: [{topic: {is: Refund}}, {last_phrase: {has_word: [ambulance]}}, {customer.email: {is: "nobody@example.org"}}]
    then: {queue: general, priority: 60}
`

// marked raises an escalation that has the mark everywhere: a large context
// and a small one, a repeat, a transcript by URL, and what the hub writes.
func (w *world) marked(c connected, conversation string) string {
	w.t.Helper()
	f := newFiles(w.t, http.StatusOK, `{"messages":[{"from":"customer","text":"`+mark+`-fetched"}]}`)
	body := everything(mark)
	body["variables"].(map[string]any)["large"] = strings.Repeat(mark+"-large ", 1500)
	body["transcript"] = map[string]any{"url": f.url + "?" + mark}
	id := w.raise(c, mark+conversation, body).ID
	w.eventually("the transcript is there", func() bool { return w.count("TranscriptStored") > 0 })
	w.raise(c, mark+conversation, everything(mark+"2"))
	w.must(http.StatusOK, nil, c.hub, "POST", "/v1/escalations/"+id+"/status", map[string]string{"state": "accepted", "message": mark + "-hub"})
	w.idle()
	return id
}

func TestAfterAnErasureNothingIsLeftInAnyFile(t *testing.T) {
	t.Parallel()
	for name, erase := range map[string]func(w *world, id string) (method, path string, body any){
		"by escalation": func(_ *world, id string) (string, string, any) {
			return "DELETE", "/v1/escalations/" + id + "/context", nil
		},
		"by its id": func(_ *world, id string) (string, string, any) {
			return "POST", "/v1/erasures", map[string]string{"escalation_id": id, "reason": "asked"}
		},
		"by customer id": func(*world, string) (string, string, any) {
			return "POST", "/v1/erasures", map[string]string{"customer_id": mark + "-customer-id"}
		},
		"by email": func(*world, string) (string, string, any) {
			return "POST", "/v1/erasures", map[string]string{"customer_email": strings.ToUpper(mark) + "-EMAIL@example.org "}
		},
		"by phone": func(*world, string) (string, string, any) {
			return "POST", "/v1/erasures", map[string]string{"customer_phone": "+31 (06) 12-34"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			c := w.connect("store-bot", "full", marking)
			kept := w.raise(c, "kept", map[string]any{"summary": "stays readable"}).ID
			other := w.raise(c, mark+"other", map[string]any{"customer": map[string]string{"phone": "+31061234"}}).ID
			id := w.marked(c, "a")
			w.absent("while it runs, before the erasure", mark)
			if !bytes.Contains(w.event(id, routedEvent).raw, []byte(mark+"-said")) && !bytes.Contains(w.event(id, routedEvent).raw, []byte(mark+"-fetched")) {
				t.Error("the desk did not get what is to be erased")
			}
			key := w.key(id)
			if !bytes.Contains(w.contents()["keys.db"], key) && !bytes.Contains(w.contents()["keys.db-wal"], key) {
				t.Fatal("the key is in no file before the erasure: the test looks for the wrong thing")
			}
			head := w.verify("").Head
			method, path, body := erase(w, id)
			var done struct{ Conversations, Facts int }
			w.must(http.StatusOK, &done, w.admin, method, path, body)
			if done.Conversations != 1 || name == "by escalation" && done.Facts < 5 {
				t.Errorf("erased = %+v, want one conversation", done)
			}
			at := id
			if name == "by phone" {
				at, key = other, nil
			}
			w.erased(at, key)
			w.stop()
			w.absent("stopped", mark, string(append([]byte{}, orMark(key)...)))
			w.run()
			w.erased(at, key)
			if v := w.verify(head); !v.OK || v.Against != "grown" {
				t.Errorf("verify = %+v, want ok and grown", v)
			}
			var view struct{ Summary string }
			w.must(http.StatusOK, &view, c.hub, "GET", "/v1/escalations/"+kept+"/context", nil)
			if view.Summary != "stays readable" {
				t.Errorf("another conversation reads %+v", view)
			}
			// Twice is no second fact.
			n := w.count("ContextErased")
			w.must(http.StatusOK, nil, w.admin, method, path, body)
			w.told(2)
			if m := w.count("ContextErased"); n != 1 || m != 1 {
				t.Errorf("%d and then %d ContextErased, want 1", n, m)
			}
		})
	}
}

func orMark(key []byte) []byte {
	if key == nil {
		return []byte(mark)
	}
	return key
}

// erased holds that an escalation's private part is gone and the rest is there.
func (w *world) erased(id string, key []byte) {
	w.t.Helper()
	w.absent("while it runs, after the erasure", mark, string(orMark(key)))
	w.problem(http.StatusGone, "context-erased", w.admin, "GET", "/v1/escalations/"+id+"/context", nil)
	if e := w.escalation(id); !e.Erased || e.Queue.ID != "general" {
		w.t.Errorf("escalation = %+v, want it erased, with its queue", e)
	}
	for _, e := range w.list("/v1/escalations?limit=50&id=" + id) {
		if !e.Erased {
			w.t.Errorf("listed = %+v, want it erased", e)
		}
	}
	status, why := w.call(w.admin, "GET", "/v1/escalations/"+id+"/why", nil)
	if status != http.StatusOK || bytes.Contains(why, []byte(mark)) || !bytes.Contains(why, []byte("nearly")) || !bytes.Contains(why, []byte(`"erased":true`)) {
		w.t.Errorf("why = %d %s, want an explanation without values", status, why)
	}
	for _, f := range w.desk.got(id) {
		if f.typ == erasedEvent {
			return
		}
	}
	got := w.event(id, erasedEvent)
	if got.value("erased") != true || bytes.Contains(got.raw, []byte(mark)) {
		w.t.Errorf("the desk was told %s", got.raw)
	}
}

func TestAnErasureIsUnclearOrFindsNobody(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c := w.connect("store-bot", "full", rules)
		id := w.raise(c, "a").ID
		for _, body := range []map[string]string{{}, {"reason": "x"}, {"escalation_id": id, "customer_id": "x"}, {"customer_id": "x", "customer_email": "y"}} {
			w.problem(http.StatusUnprocessableEntity, "erasure-unclear", w.admin, "POST", "/v1/erasures", body)
		}
		w.problem(http.StatusNotFound, "customer-not-found", w.admin, "POST", "/v1/erasures", map[string]string{"customer_id": "nobody"})
		w.problem(http.StatusForbidden, "not-allowed", c.hub, "DELETE", "/v1/escalations/"+id+"/context", nil)
		w.problem(http.StatusNotFound, "escalation-not-found", w.admin, "DELETE", "/v1/escalations/"+id+"-2/context", nil)
		if n := w.count("ContextErased"); n != 0 {
			t.Errorf("%d ContextErased, want 0", n)
		}
	})
}

func TestAllConversationsOfACustomerAreErased(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c, d := w.connect("one", "full", rules), w.connect("two", "thin", rules)
		who := map[string]any{"customer": map[string]string{"id": "c-881"}}
		ids := []string{w.raise(c, "a", who).ID, w.raise(c, "b", who).ID, w.raise(d, "a", who).ID}
		late := w.raise(c, "c").ID
		w.raise(c, "c", who) // told who it is only by a repeat
		spared := w.raise(c, "d", map[string]any{"customer": map[string]string{"id": "C-881"}}).ID
		var done struct{ Conversations, Facts int }
		w.must(http.StatusOK, &done, w.admin, "POST", "/v1/erasures", map[string]string{"customer_id": "c-881", "reason": "GDPR 17"})
		if done.Conversations != 4 {
			t.Errorf("erased = %+v, want four conversations", done)
		}
		for _, id := range append(ids, late) {
			w.problem(http.StatusGone, "context-erased", w.admin, "GET", "/v1/escalations/"+id+"/context", nil)
			w.event(id, erasedEvent)
		}
		w.must(http.StatusOK, nil, w.admin, "GET", "/v1/escalations/"+spared+"/context", nil)
	})
}

func TestAHandOffInAnErasedConversationIsWholeAgain(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c := w.connect("store-bot", "full", rules)
		body := map[string]any{"summary": "before"}
		first := w.raise(c, "a", body)
		w.event(first.ID, routedEvent)
		w.must(http.StatusOK, nil, w.admin, "DELETE", "/v1/escalations/"+first.ID+"/context", nil)
		// What the first one said must not come back by a late repeat with its key.
		w.report(c, first.ID, "completed")
		second := w.raise(c, "a", map[string]any{"summary": "after"})
		if second.ID != first.ID+"-2" {
			t.Errorf("answer = %+v, want the next number", second)
		}
		if got := w.event(second.ID, routedEvent); got.value("summary") != "after" || got.value("erased") != nil {
			t.Errorf("the desk has %v, want the new context", got.body)
		}
		var view struct{ Summary string }
		w.must(http.StatusOK, &view, w.admin, "GET", "/v1/escalations/"+second.ID+"/context", nil)
		if view.Summary != "after" {
			t.Errorf("context = %+v, want the new one", view)
		}
		w.problem(http.StatusGone, "context-erased", w.admin, "GET", "/v1/escalations/"+first.ID+"/context", nil)
		w.must(http.StatusOK, nil, w.admin, "DELETE", "/v1/escalations/"+second.ID+"/context", nil)
		w.problem(http.StatusGone, "context-erased", w.admin, "GET", "/v1/escalations/"+second.ID+"/context", nil)
		w.idle()
		if n := w.count("ContextErased"); n != 2 {
			t.Errorf("%d ContextErased, want 2", n)
		}
		w.whole()
	})
}

func TestAnErasedKeyedHandOffIsNotBroughtBack(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c := w.connect("store-bot", "full", rules)
		path, body := "/v1/connections/store-bot/escalations", handoff("a", map[string]any{"summary": "before"})
		var first, again answer
		w.must(http.StatusAccepted, &first, c.bot, "POST", path, body, "Idempotency-Key", "k")
		w.must(http.StatusOK, nil, w.admin, "DELETE", "/v1/escalations/"+first.ID+"/context", nil)
		w.must(http.StatusAccepted, &again, c.bot, "POST", path, body, "Idempotency-Key", "k")
		if again.ID != first.ID || !again.Duplicate {
			t.Errorf("the late repeat was answered %+v, want %s", again, first.ID)
		}
		w.problem(http.StatusGone, "context-erased", w.admin, "GET", "/v1/escalations/"+first.ID+"/context", nil)
	})
}

func TestPendingFullDeliveriesTurnThin(t *testing.T) {
	t.Parallel()
	w := start(t, patient)
	c := w.connect("store-bot", "full", rules)
	w.desk.answers(func(received, int) int { return http.StatusInternalServerError })
	id := w.raise(c, "a", everything(mark)).ID
	w.eventually("it was tried", func() bool { return len(w.deliveries("status=pending")) == 1 })
	w.must(http.StatusOK, nil, w.admin, "DELETE", "/v1/escalations/"+id+"/context", nil)
	w.desk.answers(nil)
	w.eventually("the desk has both", func() bool {
		w.pass(3600e9)
		w.poke(c)
		return len(w.desk.got(id)) == 2
	})
	all := w.desk.got(id)
	if all[0].typ != routedEvent || all[0].value("erased") != true || bytes.Contains(all[0].raw, []byte(mark)) || all[0].value("queue", "id") != "refunds" {
		t.Errorf("the desk got %s, want a thin event that says erased", all[0].raw)
	}
	if all[1].typ != erasedEvent {
		t.Errorf("then it got %s, want to be told of the erasure", all[1].typ)
	}
}

func TestACrashBetweenTheFactAndTheKeyIsMended(t *testing.T) {
	t.Parallel()
	w := start(t)
	c := w.connect("store-bot", "full", rules)
	id := w.raise(c, "a", everything(mark)).ID
	w.idle()
	w.stop()
	w.run()
	key := w.key(id)
	w.stop()
	// The program, not yet working, appends the fact and ends.
	s := w.opened()
	stream, _, err := escid.Parse(id)
	if err != nil {
		t.Fatal(err)
	}
	_, err = eventlog.Execute(t.Context(), s.Ledger, conversation.Decider, eventlog.Stream{ID: stream, Tenant: "default", Connection: "store-bot"},
		eventlog.Origin{Actor: "test"}, func(conversation.State) (eh.Command, error) {
			return conversation.Erase{To: conversation.To(stream)}, nil
		})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if k := w.key(id); !bytes.Equal(k, key) {
		t.Fatal("the key is gone before the functions were told")
	}
	w.run()
	w.eventually("the key is destroyed", func() bool { return len(w.wrapped(id)[string(events.NewKeyID(stream, 0))]) == 0 })
	w.settled()
	w.absent("mended", mark, string(key))
	w.event(id, erasedEvent)
	w.problem(http.StatusGone, "context-erased", w.admin, "GET", "/v1/escalations/"+id+"/context", nil)
	w.whole()
}

func TestAnErasureWhileTheTranscriptIsReadStoresNone(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		f := newFiles(t, http.StatusOK, strings.ReplaceAll(ownForm, "fetched", mark))
		f.gate = make(chan struct{})
		c := w.connect("store-bot", "full", rules)
		id := w.raise(c, "a", at(f.url)).ID
		w.eventually("it was asked for", func() bool { return f.count() > 0 })
		w.must(http.StatusOK, nil, w.admin, "DELETE", "/v1/escalations/"+id+"/context", nil)
		close(f.gate)
		w.idle()
		if n := tally(w.facts()); n["TranscriptStored"]+n["TranscriptMissing"] != 0 {
			t.Errorf("facts = %v, want no transcript after the erasure", n)
		}
		w.problem(http.StatusGone, "context-erased", w.admin, "GET", "/v1/escalations/"+id+"/context", nil)
		for _, r := range w.desk.got(id) {
			if bytes.Contains(r.raw, []byte(mark)) {
				t.Errorf("the desk got %s", r.raw)
			}
		}
	})
}

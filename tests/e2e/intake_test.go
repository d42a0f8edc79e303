package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"handoff/functions/handoff/system"
)

func TestAnIdempotencyKeyGivesTheSameAnswer(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c := w.connect("store-bot", "full", rules)
		path := "/v1/connections/store-bot/escalations"
		send := func(key string, body any) answer {
			var a answer
			w.must(http.StatusAccepted, &a, c.bot, "POST", path, body, "Idempotency-Key", key)
			return a
		}
		first := send(`"key-1"`, handoff("a"))
		for _, key := range []string{`"key-1"`, `key-1`, ` "key-1" `} {
			if a := send(key, handoff("a")); a.ID != first.ID || a.Queue != first.Queue || a.Rule != first.Rule || !a.Duplicate {
				t.Errorf("%s was answered %+v, want %+v again", key, a, first)
			}
		}
		w.problem(http.StatusUnprocessableEntity, "idempotency-key-reused", c.bot, "POST", path, handoff("a", map[string]any{"summary": "other"}), "Idempotency-Key", `"key-1"`)
		w.problem(http.StatusBadRequest, "idempotency-key-invalid", c.bot, "POST", path, handoff("a"), "Idempotency-Key", `"key-1`)
		w.problem(http.StatusBadRequest, "idempotency-key-invalid", c.bot, "POST", path, handoff("a"), "Idempotency-Key", `""`)
		// After the end the key still names the first escalation.
		w.report(c, first.ID, "completed")
		if a := send(`"key-1"`, handoff("a")); a.ID != first.ID || !a.Duplicate || a.Status != "completed" {
			t.Errorf("after the end the key was answered %+v, want %s", a, first.ID)
		}
		if a := send(`"key-2"`, handoff("a")); a.ID != first.ID+"-2" || a.Duplicate {
			t.Errorf("another key was answered %+v, want the next number", a)
		}
		// The key stands in for a conversation id.
		nameless := map[string]any{"topic": "Refund"}
		a := send(`"key-3"`, nameless)
		if b := send(`key-3`, nameless); b.ID != a.ID || !b.Duplicate {
			t.Errorf("answer = %+v, want %s again", b, a.ID)
		}
		w.problem(http.StatusUnprocessableEntity, "idempotency-key-reused", c.bot, "POST", path, map[string]any{"topic": "Other"}, "Idempotency-Key", "key-3")
		w.problem(http.StatusBadRequest, "conversation-id-missing", c.bot, "POST", path, nameless)
		w.idle()
		if n := tally(w.facts()); n["EscalationRaised"] != 3 || n["EscalationContextAdded"] != 0 {
			t.Errorf("facts = %v, want three raised and nothing added", n)
		}
	})
}

func TestThirtyTwoRepeatsAtOnceAreOneEscalation(t *testing.T) {
	t.Parallel()
	for name, header := range map[string][]string{"without a key": nil, "with a key": {"Idempotency-Key", `"one"`}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(t *testing.T, w *world) {
				c := w.connect("store-bot", "full", rules)
				var mu sync.Mutex
				var wg sync.WaitGroup
				answers := make(map[answer]int)
				for range 32 {
					wg.Go(func() {
						status, body, err := w.do(c.bot, "POST", "/v1/connections/store-bot/escalations", handoff("a", map[string]any{"summary": "s"}), header...)
						var a answer
						if err != nil || status != http.StatusAccepted || json.Unmarshal(body, &a) != nil {
							t.Errorf("raise = %d %s %v", status, body, err)
							return
						}
						mu.Lock()
						defer mu.Unlock()
						answers[a]++
					})
				}
				wg.Wait()
				first, repeats := 0, 0
				for a, n := range answers {
					if a.Duplicate {
						repeats += n
					} else {
						first += n
					}
				}
				if len(answers) != 2 || first != 1 || repeats != 31 {
					t.Errorf("answers = %+v, want one first and the same 31 times as a duplicate", answers)
				}
				w.idle()
				if n := tally(w.facts()); n["EscalationRaised"] != 1 || n["EscalationRouted"] != 1 || n["EscalationContextAdded"] != 0 {
					t.Errorf("facts = %v, want one raised and routed", n)
				}
			})
		})
	}
}

func TestARepeatWithNewContextAddsIt(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c := w.connect("store-bot", "full", rules)
		id := w.raise(c, "a", map[string]any{"summary": "one", "variables": map[string]any{"x": 1, "y": 1}}).ID
		for range 3 {
			if a := w.raise(c, "a", map[string]any{"summary": "two", "variables": map[string]any{"y": 2}}); a.ID != id || !a.Duplicate {
				t.Errorf("answer = %+v, want %s as a duplicate", a, id)
			}
		}
		w.raise(c, "a", map[string]any{"summary": "one", "variables": map[string]any{"x": 1, "y": 1}})
		added := w.event(id, addedEvent)
		if added.value("summary") != "two" || added.value("variables", "x") != 1.0 || added.value("variables", "y") != 2.0 {
			t.Errorf("the desk was told %v, want both contexts put together", added.body)
		}
		w.idle()
		if n := w.count("EscalationContextAdded"); n != 1 {
			t.Errorf("%d EscalationContextAdded, want 1", n)
		}
		var view struct {
			Summary   string
			Variables map[string]any
		}
		w.must(http.StatusOK, &view, c.hub, "GET", "/v1/escalations/"+id+"/context", nil)
		if view.Summary != "two" || view.Variables["x"] != 1.0 {
			t.Errorf("context = %+v, want both put together", view)
		}
		seen := w.desk.got(id)
		if len(seen) != 2 || seen[0].sequence >= seen[1].sequence {
			t.Errorf("the desk has %d events, want two in order", len(seen))
		}
	})
}

func TestUnknownFieldsComeOutAgain(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c := w.connect("store-bot", "full", rules)
		id := w.raise(c, "a", map[string]any{
			"loyalty_level": "gold", "big": json.RawMessage(`12345678901234567890.5`), "nothing": nil,
			"customer":   map[string]any{"id": "c", "shoe_size": 43},
			"variables":  map[string]any{"va_Topics": []string{"a", "b"}, "long": json.RawMessage(`123456789012345678901234567890`), "nested": map[string]any{"a": []any{nil, true}}},
			"transcript": map[string]any{"messages": []map[string]any{{"from": "customer", "text": "hi", "mood": "angry"}}, "source": "widget"},
		}).ID
		got := w.event(id, routedEvent)
		for text, where := range map[string]string{
			`"loyalty_level":"gold"`:         "an unknown field",
			`12345678901234567890.5`:         "a number that no float holds",
			`"nothing":null`:                 "a null",
			`"shoe_size":43`:                 "an unknown field of the customer",
			`123456789012345678901234567890`: "a large number",
			`"nested":{"a":[null,true]}`:     "a nested value",
			`"mood":"angry"`:                 "an unknown field of a message",
			`"source":"widget"`:              "an unknown field of the transcript",
			`"va_Topics":["a","b"]`:          "a variable that fills a field",
		} {
			if !bytes.Contains(got.raw, []byte(text)) {
				t.Errorf("%s is missing in %s", where, got.raw)
			}
			if _, body := w.call(c.hub, "GET", "/v1/escalations/"+id+"/context", nil); !bytes.Contains(body, []byte(text)) {
				t.Errorf("%s is missing in the context %s", where, body)
			}
		}
	})
}

func TestBodiesHaveALimit(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *system.Config) { c.MaxBody = 64 << 10 })
	c := w.connect("store-bot", "full", rules)
	fits := func(n int) string {
		frame := `{"conversation_id":"%s","topic":"Refund","x":"%s"}`
		return fmt.Sprintf(frame, "a", strings.Repeat("x", n-len(frame)+3))
	}
	for _, path := range []string{"/v1/connections/store-bot/escalations", "/v1/connections/store-bot/activities"} {
		w.problem(http.StatusRequestEntityTooLarge, "body-too-large", c.bot, "POST", path, fits(64<<10+1))
		// Without a length in advance.
		w.problem(http.StatusRequestEntityTooLarge, "body-too-large", c.bot, "POST", path, io.MultiReader(strings.NewReader(fits(70<<10))))
		w.problem(http.StatusUnsupportedMediaType, "media-type-unsupported", c.bot, "POST", path, "{}", "Content-Type", "text/plain")
		w.problem(http.StatusBadRequest, "json-invalid", c.bot, "POST", path, "{")
		w.problem(http.StatusBadRequest, "json-invalid", c.bot, "POST", path, `{"type":"event"} {}`)
	}
	w.must(http.StatusAccepted, nil, c.bot, "POST", "/v1/connections/store-bot/escalations", fits(64<<10))
	w.must(http.StatusAccepted, nil, c.bot, "POST", "/v1/connections/store-bot/escalations", "\xef\xbb\xbf"+`{"conversation_id":"bom"}`)
}

func TestLimitsAreToldWithAPointer(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c := w.connect("store-bot", "full", rules)
		long := func(n int) string { return strings.Repeat("ä", n) }
		for pointer, more := range map[string]map[string]any{
			"/conversation_id":            {"conversation_id": long(257)},
			"/topic":                      {"topic": long(257)},
			"/phrases":                    {"phrases": make([]string, 101)},
			"/reason":                     {"reason": "bored"},
			"/language":                   {"language": "not a language"},
			"/customer/phone":             {"customer": map[string]string{"phone": long(33)}},
			"/variables/" + long(101):     {"variables": map[string]any{long(101): 1}},
			"/variables/a~1b":             {"variables": map[string]any{"a/b": strings.Repeat("x", 32<<10+1)}},
			"/transcript/messages/0/text": {"transcript": map[string]any{"messages": []map[string]string{{"from": "bot", "text": long(32_001)}}}},
			"/transcript/messages/0/from": {"transcript": map[string]any{"messages": []map[string]string{{"from": "nobody", "text": "x"}}}},
			"/wishes/priority":            {"wishes": map[string]any{"priority": 101}},
		} {
			status, body := w.call(c.bot, "POST", "/v1/connections/store-bot/escalations", handoff("a", more))
			var p refusal
			if json.Unmarshal(body, &p) != nil || status != http.StatusUnprocessableEntity || p.Pointer != pointer {
				t.Errorf("answer = %d %s, want 422 at %s", status, body, pointer)
			}
			if strings.Contains(string(body), "ääää") && !strings.HasPrefix(pointer, "/variables") {
				t.Errorf("the answer %s repeats what the customer said", body)
			}
		}
		w.settled()
		if n := w.count("EscalationRaised"); n != 0 {
			t.Errorf("%d escalations were raised, want 0", n)
		}
	})
}

func TestOnlyTheBotOfAConnectionRaisesOnIt(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c, other := w.connect("store-bot", "full", rules), w.connect("other", "full", rules)
		path := "/v1/connections/store-bot/escalations"
		w.problem(http.StatusNotFound, "connection-not-found", other.bot, "POST", path, handoff("a"))
		w.problem(http.StatusForbidden, "not-allowed", c.hub, "POST", path, handoff("a"))
		w.problem(http.StatusUnauthorized, "credentials-missing", "", "POST", path, handoff("a"))
		w.problem(http.StatusBadRequest, "key-in-url", "", "POST", path+"?key="+c.bot, handoff("a"))
		status, _ := w.call(c.bot[:len(c.bot)-1]+"x", "POST", path, handoff("a"))
		if status != http.StatusUnauthorized {
			t.Errorf("a wrong key was answered %d, want 401", status)
		}
		for _, reads := range []string{"/v1/connections", "/v1/connections/store-bot", "/v1/escalations", "/v1/facts", "/v1/verify", "/v1/deliveries", "/v1/keys"} {
			if status, body := w.call(c.bot, "GET", reads, nil); status != http.StatusForbidden {
				t.Errorf("a bot's GET %s was answered %d %s, want 403", reads, status, body)
			}
		}
		// A bot whose key has to change has two for a while.
		var issued struct{ ID, Token string }
		w.must(http.StatusCreated, &issued, w.admin, "POST", "/v1/keys", map[string]string{"role": "bot", "connection_id": "store-bot"})
		w.must(http.StatusAccepted, nil, issued.Token, "POST", path, handoff("a"))
		w.must(http.StatusAccepted, nil, c.bot, "POST", path, handoff("a"))
		if status, body := w.call(w.admin, "POST", "/v1/keys", map[string]string{"role": "bot", "connection_id": "store-bot"}); status/100 != 4 {
			t.Errorf("a third key was answered %d %s, want a refusal", status, body)
		}
		w.must(http.StatusNoContent, nil, w.admin, "DELETE", "/v1/keys/"+issued.ID, nil)
		w.eventually("a revoked key is refused", func() bool { // on AWS, instances believe what they read for a while
			status, _ := w.call(issued.Token, "POST", path, handoff("a"))
			return status == http.StatusUnauthorized
		})
	})
}

package e2e_test

import (
	"net/http"
	"testing"
)

const rules = `version: 1
name: store-bot
time_zone: Europe/Amsterdam
fallback: general
queues:
  - {id: general, name: General help}
  - {id: refunds, name: Refunds}
rules:
  - name: big refunds
    all: [{topic: {is: Refund}}, {variable: order_total, at_least: 500}]
    then: {queue: general, priority: 80}
  - name: refunds
    all: [{topic: {is: Refund}}]
    then: {queue: refunds, priority: 60}
`

func TestAnEscalationReachesTheDeskWithItsContext(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c := w.connect("store-bot", "full", rules)
		body := map[string]any{
			"conversation_id": "conv-1", "topic": "Refund", "language": "nl-NL", "channel": "web", "reason": "customer_asked",
			"customer":  map[string]any{"id": "c-881", "name": "R. Bakker", "verified": true},
			"variables": map[string]any{"order_number": "4711", "order_total": 380},
			"transcript": map[string]any{"messages": []map[string]string{
				{"from": "customer", "text": "my parcel is lost"}, {"from": "bot", "text": "I am sorry"},
			}},
		}
		var first, again answer
		w.must(http.StatusAccepted, &first, c.bot, "POST", "/v1/connections/store-bot/escalations", body)
		if first.Queue != "refunds" || first.Rule != "refunds" || first.Duplicate || first.Status != "routed" {
			t.Errorf("answer = %+v, want queue refunds", first)
		}
		w.must(http.StatusAccepted, &again, c.bot, "POST", "/v1/connections/store-bot/escalations", body)
		if again.ID != first.ID || !again.Duplicate || again.Queue != first.Queue {
			t.Errorf("the repeat was answered %+v, want the first answer %+v as a duplicate", again, first)
		}
		w.eventually("the desk has the escalation", func() bool { return len(w.desk.got(first.ID)) == 1 })
		got := w.desk.got(first.ID)[0]
		vars, _ := got.body["variables"].(map[string]any)
		if got.typ != "handoff.escalation.routed.v1" || vars["order_number"] != "4711" {
			t.Errorf("received %+v, want the routed escalation with its variables", got)
		}
		var why struct {
			Sentence string
			Lines    []string
		}
		w.must(http.StatusOK, &why, w.admin, "GET", "/v1/escalations/"+first.ID+"/why", nil)
		if len(why.Lines) != 2 {
			t.Errorf("why = %+v, want a line for each rule", why)
		}
		var verified struct {
			OK   bool
			Head string
		}
		w.must(http.StatusOK, &verified, w.admin, "GET", "/v1/verify", nil)
		if !verified.OK {
			t.Errorf("verify = %+v, want ok", verified)
		}
	})
}

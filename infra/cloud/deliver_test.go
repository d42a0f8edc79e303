package cloud_test

import (
	"context"
	"encoding/json"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	lambdaevents "github.com/aws/aws-lambda-go/events"

	"handoff/domain/delivery"
	"handoff/events"
	"handoff/infra/cloud"
	"handoff/infra/dynamolanes"
)

// work is a table with one lane, and the queue of wake-ups; it says what it is
// asked for.
type work struct{ asked []string }

func (w *work) Read(_ context.Context, p, _ string, _ int) ([]dynamolanes.Item, error) {
	w.asked = append(w.asked, "read "+p)
	return nil, nil
}

func (*work) Swap(context.Context, dynamolanes.Item, dynamolanes.Item) (bool, error) {
	return true, nil
}

func (*work) Due(context.Context, string, time.Time) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) { yield("lane#overdue", nil) }
}

func (w *work) Wake(_ context.Context, _ time.Duration, lanes ...string) error {
	w.asked = append(w.asked, "wake "+strings.Join(lanes, " "))
	return nil
}

func (*work) Attempt(context.Context, delivery.Item, bool) (delivery.Progress, error) {
	return delivery.Progress{Status: delivery.Delivered}, nil
}

func (*work) GiveUp(context.Context, delivery.Item, string) error { return nil }

func TestWhatDeliverIsToldOf(t *testing.T) {
	t.Parallel()
	n := events.Notify(events.Record{Header: events.Header{Version: 1, Type: "EscalationRouted"}, Clear: []byte("{}")})
	fact, err := json.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	message := func(group, body string) string {
		e := lambdaevents.SQSEvent{Records: []lambdaevents.SQSMessage{{MessageId: "m", Body: body, Attributes: map[string]string{}}}}
		if group != "" {
			e.Records[0].Attributes["MessageGroupId"] = group
		}
		payload, _ := json.Marshal(e)
		return string(payload)
	}
	for sentence, c := range map[string]struct {
		payload string
		asked   []string
		fails   bool
	}{
		"a fact in the FIFO queue":    {payload: message("g", string(fact)), asked: []string{"fact EscalationRouted"}},
		"a wake-up":                   {payload: message("", `{"lane":"lane#a"}`), asked: []string{"read lane#a"}},
		"the schedule":                {payload: `{"sweep":true}`, asked: []string{"wake lane#overdue"}},
		"a message that is no fact":   {payload: message("g", `{"lane":"lane#a"}`), fails: true},
		"a message that is no wakeup": {payload: message("", string(fact)), fails: true},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := &work{}
			lanes := dynamolanes.New(w, w, time.Now, dynamolanes.Options{})
			lanes.Worker = w
			h := cloud.OnDeliver(func(_ context.Context, n events.Notification) error {
				w.asked = append(w.asked, "fact "+n.Type)
				return nil
			}, lanes)
			out, err := h.Invoke(t.Context(), []byte(c.payload))
			if err != nil || strings.Contains(string(out), `"itemIdentifier":"m"`) != c.fails || !slices.Equal(w.asked, c.asked) {
				t.Errorf("answer %s, %v, asked %q, want %q", out, err, w.asked, c.asked)
			}
		})
	}
}

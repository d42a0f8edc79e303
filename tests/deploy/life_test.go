package deploy_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"handoff/tests/harness"
)

// life is what is done to a connection, so that every function has something to
// do.
type life struct {
	*stack

	admin, bot, hub harness.Client
}

// raised is the answer to a hand-off.
type raised struct {
	EscalationID string `json:"escalation_id"`
	Status       string `json:"status"`
}

func (l *life) raise(t *testing.T, conversation string, transcript any) (answer raised) {
	t.Helper()
	in := map[string]any{"conversation_id": conversation, "topic": "Refund", "transcript": transcript}
	if err := l.bot.Call(t.Context(), http.MethodPost, "/v1/connections/store-bot/escalations", in, &answer); err != nil {
		t.Fatal(err)
	}
	if answer.Status != "routed" {
		t.Errorf("the escalation is %s, want routed", answer.Status)
	}
	return answer
}

// handOver connects a bot to a desk, hands one conversation over, and has the
// hub report.
func (l *life) handOver(t *testing.T, desk *harness.Receiver) {
	t.Helper()
	credentials, err := l.admin.Connect(t.Context(), "store-bot", desk.Endpoint("desk", "full"))
	if err != nil {
		t.Fatal(err)
	}
	if err := desk.Trust(credentials.EndpointSecrets); err != nil {
		t.Fatal(err)
	}
	l.bot, l.hub = l.admin, l.admin
	l.bot.Key, l.hub.Key = credentials.BotKey, credentials.HubKey
	began := time.Now()
	said := []any{map[string]string{"from": "customer", "text": "my parcel is lost"}}
	one := l.raise(t, "c-42", map[string]any{"messages": said})
	answered := time.Now()
	l.delivered(t, desk, 1)
	t.Logf("answered after %v, at the desk %v later", answered.Sub(began).Round(time.Millisecond), time.Since(answered).Round(time.Millisecond))
	var status map[string]any
	if err := l.hub.Call(t.Context(), http.MethodPost, "/v1/escalations/"+one.EscalationID+"/status", map[string]string{"state": "accepted"}, &status); err != nil {
		t.Fatal(err)
	}
	l.delivered(t, desk, 2)
	for _, p := range desk.Problems() {
		t.Error(p)
	}
}

func (l *life) delivered(t *testing.T, desk *harness.Receiver, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := desk.Wait(ctx, "desk", n); err != nil {
		t.Fatalf("event %d did not come to the desk: %v", n, err)
	}
}

// recorded waits until the log has a type of fact, as its feed tells.
func (l *life) recorded(t *testing.T, typ string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := harness.Poll(ctx, func() (bool, error) {
		for f, err := range l.admin.Facts(ctx, 0) {
			if err != nil || f.Type == typ {
				return err == nil, err
			}
		}
		return false, nil
	}); err != nil {
		t.Fatalf("%s was not recorded: %v", typ, err)
	}
}

func (l *life) fetchTranscript(t *testing.T) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"messages":[{"from":"customer","text":"my parcel is lost"}]}`) // the test sees if nothing came
	}))
	t.Cleanup(server.Close)
	l.raise(t, "c-43", map[string]any{"url": server.URL + "/transcript.json"})
	l.recorded(t, "TranscriptStored")
}

// list reads every list; each function that answers one may read it.
func (l *life) list(t *testing.T) {
	t.Helper()
	for _, path := range []string{"/v1/connections", "/v1/escalations", "/v1/deliveries", "/v1/deliveries?status=pending", "/v1/keys", "/v1/connections/store-bot/history", "/healthz"} {
		if status, answer, err := l.admin.Do(t.Context(), http.MethodGet, path, nil, nil); err != nil || status != http.StatusOK {
			t.Errorf("%s: %d %s %v", path, status, answer, err)
		}
	}
}

// relay posts to a connection's messaging endpoint as nobody in particular, who
// learns nothing. What a relay does with a hub is shown in tests/e2e: a stack
// knows none but the real ones.
func (l *life) relay(t *testing.T) {
	t.Helper()
	url, ok := strings.CutSuffix(l.outputs["MessagesUrl"], "/{connection}")
	path, ours := strings.CutPrefix(url, l.outputs["ApiUrl"])
	if !ok || !ours {
		t.Fatalf("messages are posted to %s", l.outputs["MessagesUrl"])
	}
	for _, connection := range []string{"store-bot", "nobodys"} {
		if status, answer, err := l.admin.Do(t.Context(), http.MethodPost, path+"/"+connection, nil, []byte(`{"type":"message"}`)); err != nil || status != http.StatusUnauthorized {
			t.Errorf("a stranger to %s is answered %d %s %v", connection, status, answer, err)
		}
	}
	queue, timers := l.outputs["RelayQueue"], l.outputs["RelayTimersQueue"]
	client := sqs.NewFromConfig(l.Config())
	look := `{"stream":"00000000-0000-4000-8000-000000000001","look_at":"2026-11-22T10:00:00Z"}`
	if _, err := client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &timers, MessageBody: &look}); err != nil {
		t.Fatal(err)
	}
	group := "00000000-0000-4000-8000-000000000001"
	if _, err := client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &queue, MessageBody: &look, MessageGroupId: &group, MessageDeduplicationId: &group}); err != nil {
		t.Fatal(err)
	}
}

func (l *life) erase(t *testing.T) {
	t.Helper()
	one := l.raise(t, "c-44", map[string]any{"messages": []any{map[string]string{"from": "customer", "text": "forget me"}}})
	status, answer, err := l.admin.Do(t.Context(), http.MethodDelete, "/v1/escalations/"+one.EscalationID+"/context", nil, nil)
	if err != nil || status >= http.StatusMultipleChoices {
		t.Fatalf("erase: %d %s %v", status, answer, err)
	}
	l.recorded(t, "ContextErased")
}

func (l *life) disconnect(t *testing.T) {
	t.Helper()
	status, answer, err := l.admin.Do(t.Context(), http.MethodPost, "/v1/connections/store-bot/disconnect", nil, []byte(`{}`))
	if err != nil || status >= http.StatusMultipleChoices {
		t.Fatalf("disconnect: %d %s %v", status, answer, err)
	}
	l.recorded(t, "EscalationDeadlineSet")
}

func (l *life) verify(t *testing.T) {
	t.Helper()
	v, err := l.admin.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !v.OK || v.Facts < 20 {
		t.Errorf("verified: %+v", v)
	}
	t.Logf("verified %d facts of %d streams", v.Facts, v.Streams)
}

// nothingFailed waits until every queue that functions read is empty, and looks
// into those of what failed. A call that a role does not allow ends there.
func (s *stack) nothingFailed(t *testing.T) {
	t.Helper()
	client := sqs.NewFromConfig(s.Config())
	all, err := client.ListQueues(t.Context(), &sqs.ListQueuesInput{QueueNamePrefix: &s.name})
	if err != nil {
		t.Fatal(err)
	}
	if len(all.QueueUrls) < 20 {
		t.Fatalf("there are only %d queues", len(all.QueueUrls))
	}
	for _, url := range all.QueueUrls {
		if strings.Contains(url, "-Routed-") || strings.Contains(url, "-DisconnectedAgain-") {
			continue // for consumers; for later
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if err := harness.Poll(ctx, func() (bool, error) {
			out, err := client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll}})
			if err != nil {
				return false, err
			}
			return out.Attributes["ApproximateNumberOfMessages"] == "0" && out.Attributes["ApproximateNumberOfMessagesNotVisible"] == "0", nil
		}); err != nil {
			t.Errorf("queue %s has messages: %v", url[strings.LastIndex(url, "/")+1:], err)
		}
		cancel()
	}
	for line := range strings.SplitSeq(s.log.String(), "\n") {
		if slices.ContainsFunc([]string{"AccessDenied", "not authorized"}, func(text string) bool { return strings.Contains(line, text) }) {
			t.Error(line)
		}
	}
}

package fifo_test

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/uuid"

	"handoff/events"
	"handoff/infra/fifo"
	"handoff/tests/awstest"
)

// queue answers SendMessageBatch as SQS does, and refuses messages by their
// deduplication id a number of times.
type queue struct {
	refuse map[string]int
	silent map[string]int // neither taken nor refused in the answer
	calls  []string       // ids of each call
	taken  []string
}

type entry struct{ Id, MessageBody, MessageGroupId, MessageDeduplicationId string }

func (q *queue) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var in struct{ Entries []entry }
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	successful, failed, ids := []map[string]any{}, []map[string]any{}, []string{}
	for _, e := range in.Entries {
		id := e.MessageDeduplicationId
		ids = append(ids, id[len(id)-3:])
		switch {
		case q.refuse[id] > 0:
			q.refuse[id]--
			failed = append(failed, map[string]any{"Id": e.Id, "Code": "InternalError", "SenderFault": false})
		case q.silent[id] > 0:
			q.silent[id]--
		default:
			q.taken = append(q.taken, id)
			sum := md5.Sum([]byte(e.MessageBody))
			successful = append(successful, map[string]any{"Id": e.Id, "MessageId": "m", "MD5OfMessageBody": hex.EncodeToString(sum[:])})
		}
	}
	q.calls = append(q.calls, strings.Join(ids, " "))
	out, err := json.Marshal(map[string]any{"Successful": successful, "Failed": failed})
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, Body: io.NopCloser(strings.NewReader(string(out))),
	}, err
}

// facts are of streams a, b, … with their versions, such as a1 a2 b1.
func facts(names string) []events.Notification {
	var all []events.Notification
	for name := range strings.FieldsSeq(names) {
		n := events.Notification{
			Stream: uuid.UUID{name[0]}, Version: int(name[1] - '0'), Kind: events.KindConversation, Type: "EscalationRouted", Schema: 1,
			Tenant: "default", Time: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC), Clear: []byte(`{"number":1}`),
		}
		n.ID = events.Header{Stream: n.Stream, Version: n.Version}.ID()
		all = append(all, n)
	}
	return all
}

func TestOrderOutlivesFaults(t *testing.T) {
	t.Parallel()
	all := facts("a1 a2 b1 a3")
	a1, b1 := all[0].ID, all[2].ID
	for sentence, c := range map[string]struct {
		queue queue
		taken []int
		errs  string
	}{
		"nothing fails":                {queue{}, []int{0, 2, 1, 3}, "++++"},
		"one is refused twice":         {queue{refuse: map[string]int{a1: 2}}, []int{2, 0, 1, 3}, "++++"},
		"one is left out of an answer": {queue{silent: map[string]int{a1: 1}}, []int{2, 0, 1, 3}, "++++"},
		"one is refused for ever":      {queue{refuse: map[string]int{a1: 99}}, []int{2}, "--+-"},
		"another stream goes on":       {queue{refuse: map[string]int{b1: 99}}, []int{0, 1, 3}, "++-+"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				q := fifo.New(sqs.NewFromConfig(aws.Config{
					Region: "us-east-1", HTTPClient: &http.Client{Transport: &c.queue}, Credentials: credentials.NewStaticCredentialsProvider("t", "t", ""),
				}), "https://sqs.example/main.fifo")
				var outcome strings.Builder
				for _, err := range q.Send(t.Context(), all) {
					outcome.WriteString(map[bool]string{true: "+", false: "-"}[err == nil])
				}
				var want []string
				for _, i := range c.taken {
					want = append(want, all[i].ID)
				}
				if outcome.String() != c.errs || !slices.Equal(c.queue.taken, want) {
					t.Errorf("taken %v, %s, in calls %q; want %v, %s", c.queue.taken, outcome.String(), c.queue.calls, want, c.errs)
				}
			})
		})
	}
}

func TestAQueueKeepsOrderAndDropsRepeats(t *testing.T) {
	t.Parallel()
	awstest.Each(t, func(t *testing.T, e awstest.Engine) {
		client := sqs.NewFromConfig(e.Config())
		made, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{
			QueueName: aws.String(awstest.Name("deliveries") + ".fifo"), Attributes: map[string]string{"FifoQueue": "true"},
		})
		if err != nil {
			t.Fatal(err)
		}
		all := facts("a1 b1 a2 a3 c1 b2 d1 e1 f1 g1 h1 i1 j1 k1")
		for range 2 { // the publisher was killed before it was noted that it had sent them
			for i, err := range fifo.New(client, *made.QueueUrl).Send(t.Context(), all) {
				if err != nil {
					t.Errorf("%s: %v", all[i].ID, err)
				}
			}
		}
		got := receive(t, client, *made.QueueUrl, len(all))
		if len(got) != len(all) {
			t.Errorf("received %d facts, want %d", len(got), len(all))
		}
		last := make(map[events.StreamID]int)
		for _, n := range got {
			if n.Version != last[n.Stream]+1 {
				t.Errorf("%s came after version %d", n.ID, last[n.Stream])
			}
			last[n.Stream] = n.Version
		}
	})
}

// receive takes facts off the queue, until there are no more.
func receive(t *testing.T, client *sqs.Client, url string, want int) (all []events.Notification) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for empty := 0; empty < 2; {
		out, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10, WaitTimeSeconds: 0})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Messages) == 0 && len(all) >= want {
			empty++
		}
		for _, m := range out.Messages {
			var n events.Notification
			if err := json.Unmarshal([]byte(*m.Body), &n); err != nil {
				t.Fatal(err)
			}
			all = append(all, n)
			if _, err := client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return all
}

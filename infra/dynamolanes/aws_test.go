package dynamolanes_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"handoff/domain/delivery"
	"handoff/domain/fault"
	"handoff/infra/dynamolanes"
	"handoff/tests/awstest"
)

// wire is a connection to an engine that counts calls and loses answers.
type wire struct {
	next http.RoundTripper
	mu   sync.Mutex
	// lose says of how many calls of an operation the answer gets lost.
	lose  map[string]int
	calls map[string]int
}

func newWire() *wire {
	return &wire{next: awshttp.NewBuildableClient().GetTransport(), lose: map[string]int{}, calls: map[string]int{}}
}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	resp, err := w.next.RoundTrip(r)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls[op]++
	if err == nil && w.lose[op] > 0 {
		w.lose[op]--
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		return nil, errors.New("the connection broke")
	}
	return resp, err
}

func newTable(t *testing.T, e awstest.Engine) (*dynamolanes.Table, *wire) {
	t.Helper()
	w := newWire()
	c := e.Config()
	c.HTTPClient = &http.Client{Transport: w}
	return dynamolanes.NewTable(dynamodb.NewFromConfig(c), e.WorkTable(t)), w
}

func TestTable(t *testing.T) {
	t.Parallel()
	awstest.Each(t, func(t *testing.T, e awstest.Engine) {
		table, wire := newTable(t, e)
		ctx, due := t.Context(), time.Date(2026, 11, 22, 9, 0, 0, 123456789, time.UTC)
		swap := func(what string, was, is dynamolanes.Item, want bool) {
			t.Helper()
			if ok, err := table.Swap(ctx, was, is); ok != want || err != nil {
				t.Errorf("%s = %t, %v, want %t", what, ok, err, want)
			}
		}
		place := dynamolanes.Item{P: "lane#a#b#c#d", O: "!"}
		one := dynamolanes.Item{P: place.P, O: "!", N: due.UnixNano(), Due: due, Body: []byte(`{"a":1}`)}
		two := one
		two.N, two.Body = one.N+1, []byte(`{"a":2}`)
		swap("making it", place, one, true)
		swap("making it when it is there", place, two, false)
		wire.lose["PutItem"] = 1
		swap("changing it while the answer gets lost", one, two, true)
		swap("changing what was changed", one, dynamolanes.Item{P: place.P, O: "!", N: one.N + 1, Body: []byte(`{"a":3}`)}, false)
		for n := range 3 {
			row := dynamolanes.Item{P: place.P, O: fmt.Sprintf("%010d", n), N: 1, Body: []byte("{}")}
			swap("making a row", dynamolanes.Item{P: row.P, O: row.O}, row, true)
		}
		found, err := table.Read(ctx, place.P, "!", 2)
		if err != nil || len(found) != 2 || found[0].N != two.N || string(found[0].Body) != `{"a":2}` || !found[0].Due.Equal(due) || found[1].O != "0000000000" || !found[1].Due.IsZero() {
			t.Errorf("Read = %+v, %v", found, err)
		}
		if found, err = table.Read(ctx, place.P, "0000000001", 9); err != nil || len(found) != 2 {
			t.Errorf("Read from the second row = %+v, %v", found, err)
		}
		for sentence, c := range map[string]struct {
			prefix string
			until  time.Time
			want   int
		}{
			"at any time": {"lane#a#", time.Time{}, 1}, "when it is due": {"lane#a#b#", due, 1},
			"not before": {"lane#", due.Add(-1), 0}, "not of others": {"lane#b#", time.Time{}, 0},
		} {
			n := 0
			for p, err := range table.Due(ctx, c.prefix, c.until) {
				if n++; err != nil || p != place.P {
					t.Errorf("%s: Due yields %s, %v", sentence, p, err)
				}
			}
			if n != c.want {
				t.Errorf("%s: %d are due, want %d", sentence, n, c.want)
			}
		}
		swap("deleting what was changed", one, dynamolanes.Item{}, false)
		wire.lose["DeleteItem"] = 1
		swap("deleting it while the answer gets lost", two, dynamolanes.Item{}, true)
	})
}

// TestOnAnEngine takes deliveries through a failure, a wake-up and a sweep, and
// counts the calls of what is delivered at once.
func TestOnAnEngine(t *testing.T) {
	t.Parallel()
	awstest.Each(t, func(t *testing.T, e awstest.Engine) {
		table, wire := newTable(t, e)
		client := sqs.NewFromConfig(e.Config())
		made, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String(awstest.Name("timers"))})
		if err != nil {
			t.Fatal(err)
		}
		desk, now := quiet(), time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
		q := dynamolanes.New(table, dynamolanes.NewSQSTimers(client, *made.QueueUrl), func() time.Time { now = now.Add(1); return now }, dynamolanes.Options{})
		q.Worker = straight{desk}
		put := func(i delivery.Item) {
			t.Helper()
			if err := q.Put(t.Context(), i); err != nil {
				t.Fatal(err)
			}
		}
		put(item("desk", "a", 1))
		put(item("desk", "a", 2))
		if wire.calls["Query"] != 3 || wire.calls["PutItem"] != 0 {
			t.Errorf("two deliveries at once took %v, want one query each, one of the breaker, and no write", wire.calls)
		}
		desk.fails[item("desk", "a", 3).ID] = 1
		put(item("desk", "a", 3))
		put(item("desk", "a", 4))
		row, ok, err := q.Find(t.Context(), item("desk", "a", 4))
		if err != nil || !ok || !row.Behind {
			t.Errorf("Find = %+v, %t, %v", row, ok, err)
		}
		now = now.Add(time.Hour)
		if err := q.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		lane := receive(t, client, *made.QueueUrl)
		for range 2 {
			if err := q.Work(t.Context(), lane); err != nil {
				t.Fatal(err)
			}
		}
		if err := desk.check([]delivery.Item{item("desk", "a", 1), item("desk", "a", 2), item("desk", "a", 3), item("desk", "a", 4)}); err != nil {
			t.Error(err)
		}
		for r, err := range q.Waiting(t.Context(), "default", "", "") {
			t.Errorf("%+v still waits, %v", r, err)
		}
	})
}

func receive(t *testing.T, client *sqs.Client, url string) (lane string) {
	t.Helper()
	out, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, WaitTimeSeconds: 5})
	if err != nil || len(out.Messages) == 0 {
		t.Fatalf("no wake-up: %v", err)
	}
	if lane, err = dynamolanes.ParseWakeUp(*out.Messages[0].Body); err != nil {
		t.Fatal(err)
	}
	return lane
}

// straight is a worker without steps.
type straight struct{ *cloud }

func (s straight) Attempt(_ context.Context, i delivery.Item, _ bool) (delivery.Progress, error) {
	p := delivery.Progress{Status: delivery.Pending, Tried: true, Outcome: s.receive(i), RetryAt: s.now.Add(time.Minute)}
	if p.Outcome.Delivered() {
		p.Status, s.state[i.ID] = delivery.Delivered, delivery.Delivered
	}
	return p, nil
}

func (straight) GiveUp(context.Context, delivery.Item, string) error { return nil }

func TestUnreadableWakeUps(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "{}", `{"lane":1}`, "x"} {
		if lane, err := dynamolanes.ParseWakeUp(body); !fault.Is(err, "wake-up-unreadable") {
			t.Errorf("ParseWakeUp(%q) = %q, %v", body, lane, err)
		}
	}
}

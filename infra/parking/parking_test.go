package parking_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/uuid"

	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/parking"
	"handoff/tests/awstest"
)

// clock is moved by hand.
type clock struct{ time.Time }

func newClock() *clock { return &clock{time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time { return c.Time }

func want(t *testing.T, lot *parking.Lot, stream events.StreamID, parked bool) {
	t.Helper()
	if got, err := lot.Parked(t.Context(), stream); err != nil || got != parked {
		t.Errorf("parked = %t, %v, want %t", got, err, parked)
	}
}

func TestParking(t *testing.T) {
	t.Parallel()
	awstest.Each(t, func(t *testing.T, e awstest.Engine) {
		c, table, db := newClock(), e.Table(t, "work"), dynamodb.NewFromConfig(e.Config())
		one, other := parking.New(db, table, c.now), parking.New(db, table, c.now)
		stream := uuid.UUID{1}
		want(t, one, stream, false)
		want(t, other, stream, false)
		for version := range 2 { // it is found again each time its batch comes again
			if err := one.Park(t.Context(), eventlog.Poison{Stream: stream, Version: 3 + version, Reason: "state-differs"}); err != nil {
				t.Fatal(err)
			}
		}
		want(t, one, stream, true)
		want(t, other, stream, false) // for some seconds
		c.Time = c.Add(parking.Fresh)
		want(t, other, stream, true)
		want(t, other, uuid.UUID{2}, false)
		if err := other.Release(t.Context(), stream); err != nil {
			t.Fatal(err)
		}
		want(t, one, stream, false) // at once
	})
}

func TestPoisonIsToldOf(t *testing.T) {
	t.Parallel()
	e := awstest.Get(t, awstest.MiniStack)
	client := sqs.NewFromConfig(e.Config())
	made, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String(awstest.Name("poison"))})
	if err != nil {
		t.Fatal(err)
	}
	p := eventlog.Poison{Stream: uuid.UUID{1}, Version: 3, Reason: "state-differs"}
	if err := parking.NewTeller(client, *made.QueueUrl).Tell(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	out, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: made.QueueUrl, WaitTimeSeconds: 5})
	if err != nil || len(out.Messages) != 1 {
		t.Fatalf("received %v, %v, want one message", out, err)
	}
	var got eventlog.Poison
	if err := json.Unmarshal([]byte(*out.Messages[0].Body), &got); err != nil || got != p {
		t.Errorf("received %s, %v, want %v", *out.Messages[0].Body, err, p)
	}
}

// calls counts what is asked of an empty table.
type calls struct{ n int }

func (c *calls) RoundTrip(*http.Request) (*http.Response, error) {
	c.n++
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, Body: io.NopCloser(strings.NewReader(`{"Items":[],"Count":0}`)),
	}, nil
}

func TestTheTableIsNotAskedForEachCommit(t *testing.T) {
	t.Parallel()
	var asked calls
	c := newClock()
	lot := parking.New(dynamodb.NewFromConfig(aws.Config{
		Region: "us-east-1", HTTPClient: &http.Client{Transport: &asked}, Credentials: credentials.NewStaticCredentialsProvider("t", "t", ""),
	}), "work", c.now)
	for range 100 {
		want(t, lot, uuid.UUID{1}, false)
		c.Time = c.Add(100 * time.Millisecond)
	}
	if asked.n != 2 {
		t.Errorf("the table was asked %d times in ten seconds, want twice", asked.n)
	}
}

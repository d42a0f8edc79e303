package eventbus_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/uuid"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/cloud"
	"handoff/infra/eventbus"
	"handoff/tests/awstest"
)

// script answers calls of PutEvents, one after the other, and keeps what they
// had. An answer is a status, or the error codes of the entries.
type script struct {
	answers []any
	got     [][]string // details of each call
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var in struct {
		Entries []struct{ Detail, DetailType, Source, EventBusName string }
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	var details []string
	for _, e := range in.Entries {
		details = append(details, e.EventBusName+" "+e.Source+" "+e.DetailType+" "+e.Detail)
	}
	s.got = append(s.got, details)
	answer := any("ok")
	if len(s.answers) > 0 {
		answer, s.answers = s.answers[0], s.answers[1:]
	}
	return reply(answer, len(in.Entries))
}

func reply(answer any, entries int) (*http.Response, error) {
	status, out := http.StatusOK, map[string]any{}
	switch a := answer.(type) {
	case error:
		return nil, a
	case int:
		status = a
	case []string:
		out["Entries"] = codes(a)
	default:
		out["Entries"] = codes(make([]string, entries))
	}
	body, err := json.Marshal(out)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}}, Body: io.NopCloser(strings.NewReader(string(body))),
	}, nil
}

func codes(all []string) (entries []map[string]string) {
	for i, code := range all {
		e := map[string]string{"EventId": fmt.Sprint(i)}
		if code != "" {
			e = map[string]string{"ErrorCode": code, "ErrorMessage": "refused"}
		}
		entries = append(entries, e)
	}
	return entries
}

func bus(s *script) *eventbus.Bus {
	return eventbus.New(eventbridge.NewFromConfig(aws.Config{
		Region: "us-east-1", HTTPClient: &http.Client{Transport: s}, Retryer: cloud.Retryer,
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	}), "main")
}

func fact(version int) events.Notification {
	n := events.Notification{
		Stream: uuid.UUID{1}, Version: version, Kind: events.KindConversation, Type: "EscalationRaised", Schema: 1, Tenant: "default",
		Time: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC), Clear: []byte(`{"number":1}`),
	}
	n.ID = events.Header{Stream: n.Stream, Version: version}.ID()
	return n
}

func TestFactsArePutAsTheyAre(t *testing.T) {
	t.Parallel()
	var s script
	for _, err := range bus(&s).Send(t.Context(), []events.Notification{fact(1), fact(2)}) {
		if err != nil {
			t.Error(err)
		}
	}
	detail, err := json.Marshal(fact(2))
	if err != nil {
		t.Fatal(err)
	}
	if want := "main handoff EscalationRaised " + string(detail); len(s.got) != 1 || len(s.got[0]) != 2 || s.got[0][1] != want {
		t.Errorf("put %q, want %q as the second", s.got, want)
	}
}

func TestFaultsOfTheBus(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		answers []any
		calls   []int  // entries of each call
		want    string // of the two facts: taken, later or never
	}{
		"one entry fails and is put again":        {[]any{[]string{"", "InternalFailure"}}, []int{2, 1}, "taken, taken"},
		"one entry is throttled for long":         {[]any{[]string{"ThrottlingException", ""}, []string{"ThrottlingException"}, []string{"ThrottlingException"}, []string{"ThrottlingException"}, []string{"ThrottlingException"}}, []int{2, 1, 1, 1, 1}, "later, taken"},
		"one entry is malformed":                  {[]any{[]string{"MalformedDetail", ""}}, []int{2}, "never, taken"},
		"a call fails once":                       {[]any{http.StatusInternalServerError}, []int{2, 2}, "taken, taken"},
		"an answer is lost":                       {[]any{errors.New("connection reset by peer"), errors.New("EOF")}, []int{2, 2, 2}, "taken, taken"},
		"the call fails for ever":                 {[]any{500, 500, 500, 500, 500, 500}, []int{2, 2, 2, 2, 2, 2}, "later, later"},
		"there are answers missing in the answer": {[]any{[]string{""}}, []int{2}, "later, later"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := script{answers: c.answers}
				errs := bus(&s).Send(t.Context(), []events.Notification{fact(1), fact(2)})
				if got := told(errs); got != c.want {
					t.Errorf("facts were %s (%v), want %s", got, errs, c.want)
				}
				var calls []int
				for _, details := range s.got {
					calls = append(calls, len(details))
				}
				if fmt.Sprint(calls) != fmt.Sprint(c.calls) {
					t.Errorf("calls had %v entries, want %v", calls, c.calls)
				}
			})
		})
	}
}

func told(errs []error) string {
	words := make([]string, len(errs))
	for i, err := range errs {
		switch {
		case err == nil:
			words[i] = "taken"
		case fault.KindOf(err).Permanent():
			words[i] = "never"
		default:
			words[i] = "later"
		}
	}
	return strings.Join(words, ", ")
}

func TestAnEventThatIsTooLargeIsNotPut(t *testing.T) {
	t.Parallel()
	var s script
	errs := bus(&s).Put(t.Context(), eventbus.Event{Type: "a", Detail: make([]byte, 256<<10)}, eventbus.Event{Type: "b", Detail: []byte("{}")})
	if told(errs) != "never, taken" || len(s.got) != 1 || len(s.got[0]) != 1 {
		t.Errorf("errors = %v after %q, want the second put alone", errs, s.got)
	}
}

func TestARuleSelectsFromTheBus(t *testing.T) {
	t.Parallel()
	e := awstest.Get(t, awstest.MiniStack)
	queues, client, name := sqs.NewFromConfig(e.Config()), eventbridge.NewFromConfig(e.Config()), awstest.Name("bus")
	made, err := queues.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CreateEventBus(t.Context(), &eventbridge.CreateEventBusInput{Name: &name}); err != nil {
		t.Fatal(err)
	}
	_, err = client.PutRule(t.Context(), &eventbridge.PutRuleInput{
		Name: &name, EventBusName: &name, EventPattern: aws.String(`{"source":["handoff"],"detail-type":["EscalationRaised"]}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: &name, EventBusName: &name, Targets: []types.Target{{
		Id: aws.String("q"), Arn: aws.String("arn:aws:sqs:us-east-1:000000000000:" + name),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	other := fact(1)
	other.Type = "AppRegistered"
	for _, err := range eventbus.New(client, name).Send(t.Context(), []events.Notification{other, fact(2)}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	out, err := queues.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: made.QueueUrl, WaitTimeSeconds: 5, MaxNumberOfMessages: 10})
	if err != nil || len(out.Messages) != 1 {
		t.Fatalf("received %+v, %v, want one message", out, err)
	}
	n, err := cloud.Notification([]byte(*out.Messages[0].Body))
	var clear struct{ Number int } // as JSON it means the same, and need not be the same bytes
	if err := json.Unmarshal(n.Clear, &clear); err != nil || clear.Number != 1 {
		t.Errorf("clear part = %s, %v, want number 1", n.Clear, err)
	}
	if err != nil || n.ID != fact(2).ID {
		t.Errorf("received %+v, %v, want %s", n, err, fact(2).ID)
	}
}

package lambdarun_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eb "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"handoff/tests/awstest"
	"handoff/tests/lambdarun"
	"handoff/tests/lambdarun/cfn"
)

// deployment is testdata/small.yaml on an engine. Its functions ask the test.
type deployment struct {
	*lambdarun.Cloud

	engine awstest.Engine

	mu     sync.Mutex
	events [][]byte
	// answer decides what a function answers to an event; nil: nothing failed.
	answer func(event []byte) ([]byte, bool)
}

func deploy(t *testing.T) *deployment {
	t.Helper()
	d := &deployment{engine: awstest.Get(t, awstest.MiniStack)}
	ask := httptest.NewServer(d)
	t.Cleanup(ask.Close)
	text, err := os.ReadFile("testdata/small.yaml")
	if err != nil {
		t.Fatal(err)
	}
	template, err := cfn.Parse(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	bootstrap, err := lambdarun.Build(t.Context(), t.TempDir(), tiny)
	if err != nil {
		t.Fatal(err)
	}
	d.Cloud, err = lambdarun.Launch(t.Context(), lambdarun.Plan{
		Engine: d.engine, Template: template, Bootstraps: map[string]string{"reader": bootstrap, "worker": bootstrap},
		Env: map[string]string{"TINY_ASK": ask.URL}, Log: t.Output(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// ServeHTTP is asked by functions.
func (d *deployment) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	event, _ := io.ReadAll(r.Body) // a function that is gone needs no answer
	d.mu.Lock()
	d.events = append(d.events, event)
	answer := d.answer
	d.mu.Unlock()
	out, ok := []byte("{}"), true
	if answer != nil {
		out, ok = answer(event)
	}
	if !ok {
		w.WriteHeader(http.StatusInternalServerError)
	}
	_, _ = w.Write(out)
}

func (d *deployment) answers(f func(event []byte) ([]byte, bool)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answer, d.events = f, nil
}

func (d *deployment) settle(t *testing.T) [][]byte {
	t.Helper()
	if err := d.Settled(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.events)
}

//nolint:paralleltest // one after the other: they share the functions
func TestCloud(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	t.Run("HTTP reaches functions", func(t *testing.T) { reached(t, d) })
	t.Run("records come in order, until they are done", func(t *testing.T) { read(t, d) })
	t.Run("an event comes by its rule", func(t *testing.T) { ruled(t, d) })
	t.Run("messages of a group come in order", func(t *testing.T) { ordered(t, d) })
	t.Run("what fails for good is put aside", func(t *testing.T) { dead(t, d) })
	t.Run("what a function lets wait comes back in its time", func(t *testing.T) { waited(t, d) })
	t.Run("a tick invokes its function", func(t *testing.T) { ticked(t, d) })
}

func reached(t *testing.T, d *deployment) {
	d.answers(func(event []byte) ([]byte, bool) {
		var e lambdaevents.APIGatewayV2HTTPRequest
		if err := json.Unmarshal(event, &e); err != nil || e.Version != "2.0" {
			t.Errorf("the event is %s", event)
		}
		said := fmt.Sprintf("%s|%s|%s|%s|%s|%v", e.RouteKey, e.RawPath, e.RawQueryString, e.PathParameters["name"], e.Body, e.IsBase64Encoded)
		if e.RawPath == "/broken" {
			return []byte(`"no response"`), true
		}
		out, err := json.Marshal(lambdaevents.APIGatewayV2HTTPResponse{StatusCode: http.StatusTeapot, Headers: map[string]string{"X-Said": said}, Body: "ok"})
		return out, err == nil
	})
	for request, want := range map[string]string{
		"POST /one/x%2Fy?q=1 application/json text":          "POST /one/{name}|/one/x%2Fy|q=1|x/y|text|false",
		"POST /one/x application/octet-stream text":          "POST /one/{name}|/one/x||x|dGV4dA==|true",
		"GET /one/x text/plain text":                         "$default|/one/x|||text|false",
		"PUT / application/json;charset=utf-8 {\"a\":\"b\"}": `$default|/|||{"a":"b"}|false`,
	} {
		f := strings.SplitN(request, " ", 4)
		status, header := ask(t, d, f[0], f[1], f[2], f[3])
		if got := header.Get("X-Said"); status != http.StatusTeapot || got != want {
			t.Errorf("%s = %d %s, want %s", request, status, got, want)
		}
	}
	if status, _ := ask(t, d, "GET", "/broken", "", ""); status != http.StatusInternalServerError {
		t.Errorf("an answer that is none makes %d", status)
	}
	d.answers(func([]byte) ([]byte, bool) { return []byte("failed"), false })
	if status, _ := ask(t, d, "GET", "/", "", ""); status != http.StatusInternalServerError {
		t.Errorf("a function that fails makes %d", status)
	}
}

func ask(t *testing.T, d *deployment, method, path, typ, body string) (int, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, d.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", typ)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode, resp.Header
}

// read has the function fail whole batches with the third record of a stream,
// once, and report the fifth one as failed, once.
func read(t *testing.T, d *deployment) {
	table := d.Resource("Log")
	var mu sync.Mutex
	var done []string
	failed := map[string]bool{}
	d.answers(func(event []byte) ([]byte, bool) {
		mu.Lock()
		defer mu.Unlock()
		var e lambdaevents.DynamoDBEvent
		if err := json.Unmarshal(event, &e); err != nil {
			t.Error(err)
		}
		once := func(v string) bool { was := failed[v]; failed[v] = true; return !was }
		for _, r := range e.Records {
			if r.Change.NewImage["v"].Number() == "3" && once("3") {
				return []byte("failed"), false
			}
		}
		for _, r := range e.Records {
			v := r.Change.NewImage["v"].Number()
			if v == "5" && once("5") {
				return fmt.Appendf(nil, `{"batchItemFailures":[{"itemIdentifier":%q}]}`, r.Change.SequenceNumber), true
			}
			if r.EventName != "INSERT" || !bytes.Equal(r.Change.NewImage["s"].Binary(), []byte("stream")) || r.EventSourceArn == "" {
				t.Errorf("a record is %+v", r)
			}
			done = append(done, v)
		}
		return []byte("{}"), true
	})
	db := dynamodb.NewFromConfig(d.engine.Config())
	for v := range 8 {
		item := map[string]ddb.AttributeValue{"s": &ddb.AttributeValueMemberB{Value: []byte("stream")}, "v": &ddb.AttributeValueMemberN{Value: fmt.Sprint(v + 1)}}
		if _, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item}); err != nil {
			t.Fatal(err)
		}
	}
	d.settle(t)
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"1", "2", "3", "4", "5", "6", "7", "8"}; !slices.Equal(slices.Compact(done), want) || !failed["3"] || !failed["5"] {
		t.Errorf("done are %v, failed once %v", done, failed)
	}
}

func ruled(t *testing.T, d *deployment) {
	d.answers(nil)
	bus := d.Resource("Bus")
	c := eventbridge.NewFromConfig(d.engine.Config())
	for _, typ := range []string{"Unwanted", "Wanted"} {
		in := &eventbridge.PutEventsInput{Entries: []eb.PutEventsRequestEntry{{
			EventBusName: &bus, Source: aws.String("handoff"), DetailType: &typ, Detail: aws.String(`{"n":1}`),
		}}}
		if _, err := c.PutEvents(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	got := d.settle(t)
	if len(got) != 1 || !bytes.Contains(got[0], []byte("Wanted")) || !bytes.Contains(got[0], []byte(`\"n\":`)) {
		t.Errorf("events are %q", got)
	}
}

func ordered(t *testing.T, d *deployment) {
	var mu sync.Mutex
	var done []string
	failed := false
	d.answers(func(event []byte) ([]byte, bool) {
		mu.Lock()
		defer mu.Unlock()
		var e lambdaevents.SQSEvent
		if err := json.Unmarshal(event, &e); err != nil {
			t.Error(err)
		}
		var out lambdaevents.SQSEventResponse
		for _, m := range e.Records {
			if m.Attributes["MessageGroupId"] != "g" {
				t.Errorf("a message is %+v", m)
			}
			if !failed { // and so are all behind it
				out.BatchItemFailures = append(out.BatchItemFailures, lambdaevents.SQSBatchItemFailure{ItemIdentifier: m.MessageId})
				continue
			}
			done = append(done, m.Body)
		}
		failed = true
		b, err := json.Marshal(out)
		return b, err == nil
	})
	send(t, d, "Ordered", "g", "1", "2", "3", "4")
	d.settle(t)
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"1", "2", "3", "4"}; !slices.Equal(done, want) {
		t.Errorf("done are %v, want %v", done, want)
	}
}

func send(t *testing.T, d *deployment, queue, group string, bodies ...string) {
	t.Helper()
	url := d.Resource(queue)
	for _, b := range bodies {
		in := &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &b}
		if group != "" {
			in.MessageGroupId = &group
		}
		if _, err := sqs.NewFromConfig(d.engine.Config()).SendMessage(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
}

func dead(t *testing.T, d *deployment) {
	d.answers(func([]byte) ([]byte, bool) { return []byte("never"), false })
	send(t, d, "Queue", "", "poison")
	if got := d.settle(t); len(got) != 3 {
		t.Errorf("it was tried %d times, want 3", len(got))
	}
	if got, err := d.Dead(context.Background()); err != nil || !maps.Equal(got, map[string]int{"QueueFailed": 1}) {
		t.Errorf("dead are %v, %v", got, err)
	}
}

// waited has a message fail twice: once the function says so, and leaves it to
// the queue when it comes back; once it dies, and the message comes back at once.
func waited(t *testing.T, d *deployment) {
	var mu sync.Mutex
	var came []time.Time
	d.answers(func(event []byte) ([]byte, bool) {
		mu.Lock()
		defer mu.Unlock()
		came = append(came, time.Now())
		var e lambdaevents.SQSEvent
		if err := json.Unmarshal(event, &e); err != nil {
			t.Error(err)
		}
		switch len(came) {
		case 1:
			return fmt.Appendf(nil, `{"batchItemFailures":[{"itemIdentifier":%q}]}`, e.Records[0].MessageId), true
		case 2:
			return []byte("dead"), false
		}
		return []byte("{}"), true
	})
	send(t, d, "Patient", "", "patience")
	d.settle(t)
	mu.Lock()
	defer mu.Unlock()
	if len(came) != 3 || came[1].Sub(came[0]) < time.Second || came[2].Sub(came[1]) > 1500*time.Millisecond {
		t.Errorf("it came at %v, want the second one later and the third at once", came)
	}
}

func ticked(t *testing.T, d *deployment) {
	d.answers(nil)
	if err := d.Tick(t.Context(), "Schedule"); err != nil {
		t.Error(err)
	}
	if got := d.settle(t); len(got) != 1 || !bytes.Contains(got[0], []byte(`"tick"`)) {
		t.Errorf("events are %q", got)
	}
}

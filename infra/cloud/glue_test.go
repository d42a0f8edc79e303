package cloud_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"github.com/google/uuid"

	"handoff/events"
	"handoff/infra/cloud"
	"handoff/infra/eventlog"
	"handoff/infra/eventlog/dynamolog"
)

var errBroken = errors.New("it is broken")

// raised is a fact that functions are told of.
func raised() events.Notification {
	n := events.Notification{
		Stream: uuid.UUID{7}, Version: 1, Kind: events.KindConversation, Type: "EscalationRaised", Schema: 1, Tenant: "default",
		Time: time.Date(2026, 11, 22, 10, 0, 0, 5, time.UTC), Trace: traceparent, Clear: []byte(`{"number":1}`),
	}
	n.ID = events.Header{Stream: n.Stream, Version: n.Version}.ID()
	return n
}

const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func encode(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// messages is an event of a queue. A message is its id, which begins with its
// group, or with - for none.
func messages(t *testing.T, body string, ids string) []byte {
	t.Helper()
	var e lambdaevents.SQSEvent
	for id := range strings.FieldsSeq(ids) {
		m := lambdaevents.SQSMessage{MessageId: id, Body: body, Attributes: map[string]string{"ApproximateReceiveCount": "3"}}
		if id[0] != '-' {
			m.Attributes["MessageGroupId"] = id[:1]
		}
		e.Records = append(e.Records, m)
	}
	return encode(t, e)
}

// back returns which items an answer brings back.
func back(t *testing.T, answer []byte) string {
	t.Helper()
	var out struct {
		BatchItemFailures []struct{ ItemIdentifier string }
	}
	if err := json.Unmarshal(answer, &out); err != nil || out.BatchItemFailures == nil {
		t.Fatalf("answer = %s, %v, want a list of failures", answer, err)
	}
	var ids []string
	for _, f := range out.BatchItemFailures {
		ids = append(ids, f.ItemIdentifier)
	}
	return strings.Join(ids, " ")
}

func TestAFactArrivesHoweverItIsWrapped(t *testing.T) {
	t.Parallel()
	bare := encode(t, raised())
	rule := encode(t, lambdaevents.EventBridgeEvent{Source: "handoff", DetailType: "EscalationRaised", Detail: bare})
	for sentence, payload := range map[string][]byte{
		"by a rule of the bus":             rule,
		"by itself":                        bare,
		"by a queue":                       messages(t, string(bare), "-1"),
		"by a queue that a rule fills":     messages(t, string(rule), "-1"),
		"by a queue, with others, in turn": messages(t, string(bare), "a1 a2 b1"),
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var got []string
			_, err := cloud.OnFact(func(_ context.Context, n events.Notification) error {
				mu.Lock()
				defer mu.Unlock()
				got = append(got, string(encode(t, n)))
				return nil
			})(t.Context(), payload)
			if err != nil || len(got) == 0 || got[0] != string(bare) {
				t.Errorf("told of %v, %v, want %s", got, err, bare)
			}
		})
	}
}

func TestWhatIsNoFactIsAnError(t *testing.T) {
	t.Parallel()
	handler := cloud.OnFact(func(context.Context, events.Notification) error { return nil })
	for sentence, payload := range map[string]string{
		"no JSON": "{", "another event": `{"source":"aws.s3","detail":{"bucket":"b"}}`, "an id that is not the fact's": `{"id":"x@1","version":1,"type":"T"}`,
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if _, err := handler(t.Context(), []byte(payload)); err == nil {
				t.Error("it was handled")
			}
			out, err := handler(t.Context(), messages(t, payload, "-1 -2"))
			if err != nil || back(t, out) != "-1 -2" {
				t.Errorf("of a queue %s, %v came back, want both", out, err)
			}
		})
	}
}

func TestMessagesThatFailComeBack(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct{ ids, fail, back string }{
		"none":                                {"-1 -2", "", ""},
		"one alone":                           {"-1 -2 -3", "-2", "-2"},
		"one of a group, and those behind it": {"a1 b1 a2 b2 a3", "a2", "a2 a3"},
		"the first of a group, and the whole of it":  {"a1 a2 b1", "a1", "a1 a2"},
		"one that panics, like any other that fails": {"a1 !2 a3", "", "!2"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var handled []string
			out, err := cloud.OnQueue(func(_ context.Context, m cloud.Message) error {
				mu.Lock()
				defer mu.Unlock()
				handled = append(handled, m.ID)
				switch {
				case m.Received != 3 || m.Body != "{}":
					t.Errorf("message = %+v", m)
				case m.ID == c.fail:
					return errBroken
				case m.ID[0] == '!':
					panic("at once")
				}
				return nil
			})(t.Context(), messages(t, "{}", c.ids))
			if err != nil || back(t, out) != c.back {
				t.Errorf("%s, %v came back, want %s", out, err, c.back)
			}
			if at := slices.Index(handled, "a1"); at > 0 && slices.Index(handled, "a2") >= 0 && at > slices.Index(handled, "a2") {
				t.Errorf("handled %v, want the group in order", handled)
			}
		})
	}
}

func TestGroupsDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, err := cloud.OnQueue(func(context.Context, cloud.Message) error {
			time.Sleep(time.Second)
			return nil
		})(t.Context(), messages(t, "{}", "a1 a2 b1 b2 -1"))
		if took := time.Since(start); err != nil || took != 2*time.Second {
			t.Errorf("five messages of a second each took %s, %v, want two seconds", took, err)
		}
	})
}

func TestAMessageIsNotBegunAfterTheTime(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	out, err := cloud.OnQueue(func(context.Context, cloud.Message) error {
		cancel()
		return nil
	})(ctx, messages(t, "{}", "a1 a2 a3"))
	if err != nil || back(t, out) != "a2 a3" {
		t.Errorf("%s, %v came back, want the second and third", out, err)
	}
}

// record is a stream's record of a commit's item.
func record(t *testing.T, name string, s dynamolog.Stored) map[string]any {
	t.Helper()
	item, err := dynamolog.NewItem(s)
	if err != nil {
		t.Fatal(err)
	}
	image := wire(t, item)
	return map[string]any{"eventName": name, "dynamodb": map[string]any{
		"SequenceNumber": fmt.Sprintf("%s-%d", name, s.After.Version), "NewImage": image, "ApproximateCreationDateTime": 1795341600,
		"Keys": map[string]any{"s": image["s"], "v": image["v"]},
	}}
}

// wire encodes attributes as the stream has them.
func wire(t *testing.T, item dynamolog.Item) map[string]any {
	t.Helper()
	image := make(map[string]any)
	for name, a := range item {
		var v struct{ Value any }
		if err := json.Unmarshal(encode(t, a), &v); err != nil {
			t.Fatal(err)
		}
		typ := strings.TrimPrefix(fmt.Sprintf("%T", a), "*types.AttributeValueMember")
		image[name] = map[string]any{typ: v.Value}
	}
	return image
}

// stored is a commit with one fact.
func stored(stream byte) dynamolog.Stored {
	c := eventlog.Commit{Stream: uuid.UUID{stream}, Tenant: "default", Kind: events.KindConversation, Connection: "store-bot", ID: "command", State: []byte("{}"), StateVersion: 1}
	c.Facts = []events.Record{{Header: events.Header{Type: "EscalationRaised", Schema: 1, Time: 1, Trace: traceparent}, Clear: []byte(`{"number":1}`)}}
	eventlog.ChainCommit(&c)
	return dynamolog.Stored{Commit: c}
}

func TestAStreamBringsChanges(t *testing.T) {
	t.Parallel()
	imported, spoilt := stored(2), stored(3)
	imported.Imported = true
	spoilt.Facts[0].Clear = []byte(`{"number":2}`) // not what was hashed
	payload := encode(t, map[string]any{"Records": []any{
		record(t, "INSERT", stored(1)), record(t, "INSERT", imported), record(t, "INSERT", spoilt), record(t, "MODIFY", stored(4)),
		map[string]any{"eventName": "REMOVE", "dynamodb": map[string]any{"SequenceNumber": "r", "Keys": wire(t, dynamolog.Item{})}},
	}})
	var got []eventlog.Change
	out, err := cloud.OnStream(func(_ context.Context, changes []eventlog.Change) (string, error) {
		got = changes
		return changes[2].Sequence, errBroken
	})(t.Context(), payload)
	if err != nil || back(t, out) != "INSERT-0" || len(got) != 5 {
		t.Fatalf("%s, %v came back of %d changes", out, err, len(got))
	}
	var all []string
	for _, c := range got {
		all = append(all, fmt.Sprintf("%x stored=%t imported=%t facts=%d err=%t", c.Stream[:1], c.Stored, c.Imported, len(c.Facts), c.Err != nil))
	}
	want := []string{
		"01 stored=true imported=false facts=1 err=false", "02 stored=true imported=true facts=1 err=false",
		"03 stored=true imported=false facts=0 err=true", "04 stored=false imported=false facts=1 err=false",
		"00 stored=false imported=false facts=0 err=false",
	}
	if !slices.Equal(all, want) || got[2].After.Version != 0 || got[0].At.Year() != 2026 {
		t.Errorf("changes = %q\nwant %q", all, want)
	}
}

func TestABatchThatFailsWholeIsAnError(t *testing.T) {
	t.Parallel()
	payload := encode(t, map[string]any{"Records": []any{record(t, "INSERT", stored(1))}})
	_, err := cloud.OnStream(func(context.Context, []eventlog.Change) (string, error) { return "", errBroken })(t.Context(), payload)
	if !errors.Is(err, errBroken) {
		t.Errorf("error = %v, want that of the handler", err)
	}
}

func TestChoosingByShape(t *testing.T) {
	t.Parallel()
	say := func(what string) cloud.Handler {
		return func(context.Context, []byte) ([]byte, error) { return []byte(what), nil }
	}
	h := cloud.Choose(say("batch"), say("other"))
	for payload, want := range map[string]string{`{"Records":[]}`: "batch", `{"sweep":true}`: "other", `{}`: "other", `[]`: "other"} {
		if out, err := h(t.Context(), []byte(payload)); err != nil || string(out) != want {
			t.Errorf("%s went to %s, %v, want %s", payload, out, err, want)
		}
	}
}

func TestInvokingDirectly(t *testing.T) {
	t.Parallel()
	type in struct{ Name string }
	h := cloud.OnInvoke(func(_ context.Context, i in) (string, error) { return "hello " + i.Name, nil })
	if out, err := h(t.Context(), []byte(`{"name":"ada"}`)); err != nil || string(out) != `"hello ada"` {
		t.Errorf("answer = %s, %v", out, err)
	}
	if _, err := h(t.Context(), []byte(`{"title":"ada"}`)); err == nil {
		t.Error("a member that is not known was taken")
	}
}

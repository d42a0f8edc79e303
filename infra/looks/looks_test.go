package looks_test

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"handoff/domain/conversation"
	"handoff/domain/fault"
	"handoff/domain/relay"
	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/fifo"
	"handoff/infra/looks"
	"handoff/tests/functiontest"
)

// queues answers SendMessageBatch as SQS does, and notes what it took.
type queues struct {
	refuse string // messages whose body has this
	taken  []string
	bodies []string
}

func (q *queues) RoundTrip(r *http.Request) (*http.Response, error) {
	var in struct {
		QueueUrl string
		Entries  []struct {
			Id, MessageBody, MessageGroupId, MessageDeduplicationId string
			DelaySeconds                                            int
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, err
	}
	successful, failed := []map[string]any{}, []map[string]any{}
	for _, e := range in.Entries {
		if q.refuse != "" && strings.Contains(e.MessageBody, q.refuse) {
			failed = append(failed, map[string]any{"Id": e.Id, "Code": "InternalError", "SenderFault": false})
			continue
		}
		name := in.QueueUrl[strings.LastIndex(in.QueueUrl, "/")+1:]
		q.taken = append(q.taken, fmt.Sprintf("%s %d %s", name, e.DelaySeconds, e.MessageGroupId))
		q.bodies = append(q.bodies, e.MessageBody)
		sum := md5.Sum([]byte(e.MessageBody))
		successful = append(successful, map[string]any{"Id": e.Id, "MessageId": "m", "MD5OfMessageBody": hex.EncodeToString(sum[:])})
	}
	out, err := json.Marshal(map[string]any{"Successful": successful, "Failed": failed})
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, Body: io.NopCloser(strings.NewReader(string(out))),
	}, err
}

// bench has a conversation that is relayed.
type bench struct {
	*functiontest.Bench
	*queues

	timers *looks.Timers
	keeper *looks.Keeper
	stream events.StreamID
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{Bench: functiontest.New(t), queues: &queues{}}
	client := sqs.NewFromConfig(aws.Config{
		Region: "us-east-1", HTTPClient: &http.Client{Transport: b.queues}, Credentials: credentials.NewStaticCredentialsProvider("t", "t", ""),
	})
	b.timers = looks.New(client, "https://sqs.example/timers", b.Now)
	b.keeper = &looks.Keeper{Timers: b.timers, Queue: fifo.New(client, "https://sqs.example/relay.fifo"), Ledger: b.Ledger}
	b.stream = b.Stream(events.KindConversation, "store-bot", "c-1")
	return b
}

// looked gives the conversation facts that have it looked at after a while, and
// returns what is told of the last one.
func (b *bench) looked(after time.Duration) events.Notification {
	b.Helper()
	if b.state().Relay == nil {
		b.give(&events.RelayStarted{Session: 1, At: b.Clock, LookAt: b.Clock})
	}
	return b.give(&events.RelayRested{Session: 1, LookAt: b.Clock.Add(after)})
}

func (b *bench) give(f events.Fact) events.Notification {
	b.Helper()
	return b.GiveTo(b.stream, events.KindConversation, "store-bot", f)
}

func (b *bench) state() conversation.State {
	b.Helper()
	s, err := eventlog.State(b.Context(), b.Ledger, conversation.Decider, b.stream)
	if err != nil {
		b.Fatal(err)
	}
	return s.State
}

func TestTypesAreThoseThatNameATime(t *testing.T) {
	t.Parallel()
	codec := events.Register()
	var want []string
	for typ, schema := range codec.Types() {
		f, err := codec.Decode(typ, schema, []byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		if _, says := relay.LookAt(f); says && typ != "RelayEnded" { // which says never
			want = append(want, typ)
		}
	}
	slices.Sort(want)
	if got := looks.Types(); !slices.Equal(got, want) {
		t.Errorf("types = %v, want %v", got, want)
	}
}

func TestOnlyTheLastTimeOfAConversationIsSet(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	facts := []events.Notification{b.looked(time.Minute), b.looked(90500 * time.Millisecond), b.give(&events.RelayRested{Session: 1})}
	other := facts[0]
	other.Stream = events.StreamID{7}
	far := b.looked(time.Hour)
	far.Stream = events.StreamID{8}
	past := b.looked(-time.Hour)
	past.Stream = events.StreamID{9}
	if errs := b.timers.Send(t.Context(), append(facts, other, far, past)); slices.ContainsFunc(errs, func(err error) bool { return err != nil }) {
		t.Errorf("errors = %v", errs)
	}
	if want := []string{"timers 91 ", "timers 60 ", "timers 900 ", "timers 0 "}; !slices.Equal(b.taken, want) {
		t.Errorf("set are %q, want %q", b.taken, want)
	}
}

func TestATimerThatIsNotTakenIsToldOfAllItsFacts(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.refuse = b.stream.String()
	facts := []events.Notification{b.looked(time.Minute), b.looked(time.Minute)}
	other := facts[0]
	other.Stream = events.StreamID{7}
	errs := b.timers.Send(t.Context(), append(facts, other))
	if errs[0] == nil || errs[1] == nil || errs[2] != nil {
		t.Errorf("errors = %v, want two and none", errs)
	}
	facts[0].Clear = []byte("{")
	if errs := b.timers.Send(t.Context(), facts[:1]); errs[0] == nil {
		t.Error("a fact that can't be read is taken")
	}
}

func TestATimerIsTakenOutAtItsTime(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		set, pass time.Duration
		then      events.Fact // appended meanwhile
		want      string
	}{
		"its time has come":                     {set: time.Minute, pass: time.Minute, want: "relay.fifo 0 conversation"},
		"it was hidden for as long as it can":   {set: time.Hour, pass: looks.MaxDelay, want: "timers 900 "},
		"a little is left of a long time":       {set: time.Hour, pass: 59 * time.Minute, want: "timers 60 "},
		"a later fact names another time":       {set: time.Minute, pass: time.Minute, then: &events.RelayRested{Session: 1, LookAt: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)}},
		"a later fact says never":               {set: time.Minute, pass: time.Minute, then: &events.RelayEnded{Session: 1, By: events.SideHub}},
		"a later fact says nothing of the time": {set: time.Minute, pass: time.Minute, then: &events.BotTold{Session: 1}, want: "relay.fifo 0 conversation"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			if errs := b.timers.Send(t.Context(), []events.Notification{b.looked(c.set)}); errs[0] != nil {
				t.Fatal(errs[0])
			}
			body := b.bodies[0]
			b.Clock, b.taken = b.Clock.Add(c.pass), nil
			if c.then != nil {
				b.give(c.then)
			}
			if err := b.keeper.Take(t.Context(), body); err != nil {
				t.Error(err)
			}
			got := strings.ReplaceAll(strings.Join(b.taken, ", "), b.stream.String(), "conversation")
			if got != c.want {
				t.Errorf("it leads to %q, want %q", got, c.want)
			}
		})
	}
}

func TestAMessageIsALookOrAFact(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	n := b.looked(time.Minute)
	if errs := b.timers.Send(t.Context(), []events.Notification{n}); errs[0] != nil {
		t.Fatal(errs[0])
	}
	if stream, is := looks.Of(b.bodies[0]); !is || stream != b.stream {
		t.Errorf("%s is a look at %s: %t", b.bodies[0], stream, is)
	}
	fact, err := json.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	if _, is := looks.Of(string(fact)); is {
		t.Errorf("%s is taken for a look", fact)
	}
	if err := b.keeper.Take(t.Context(), string(fact)); !fault.Is(err, "look-unreadable") {
		t.Errorf("the timers' queue takes %s: %v", fact, err)
	}
}

func TestOnlyConversationsThatAreRelayedAreOfInterest(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]bool{`{"version":1}`: false, `{"relay":{"session":1}}`: true, `{`: true} {
		if got := looks.Relayed(&eventlog.Commit{State: []byte(state)}); got != want {
			t.Errorf("%s is relayed: %t", state, got)
		}
	}
}

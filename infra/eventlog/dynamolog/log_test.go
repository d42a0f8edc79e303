package dynamolog_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/uuid"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/eventlog/dynamolog"
	"handoff/infra/s3blobs"
	"handoff/tests/awstest"
	"handoff/tests/eventlogtest"
)

// deviations are the sentences of the suite that the log does not keep on an
// engine, and why.
var deviations = map[string]map[string]string{
	"here":            limits,
	awstest.MiniStack: limits,
	awstest.Moto:      limits,
}

// limits are DynamoDB's own.
var limits = map[string]string{
	"a clear part may be large": "An item holds 400 KB; clear parts of 2 MiB, which nothing in Handoff makes, are refused.",
}

func TestTheSuiteHolds(t *testing.T) {
	t.Parallel()
	eventlogtest.RunExcept(t, deviations["here"], func(t *testing.T) eventlog.Log { return newLog(t, &table{page: 7}) })
}

func TestTheSuiteHoldsOnEngines(t *testing.T) {
	t.Parallel()
	awstest.Each(t, func(t *testing.T, e awstest.Engine) {
		eventlogtest.RunExcept(t, deviations[e.Name], func(t *testing.T) eventlog.Log { return open(t, e) })
	})
}

func open(t *testing.T, e awstest.Engine) *dynamolog.Log {
	t.Helper()
	blobs := s3.NewFromConfig(e.Config(), func(o *s3.Options) { o.UsePathStyle = true })
	return dynamolog.New(dynamodb.NewFromConfig(e.Config()), e.LogTable(t), s3blobs.New(blobs, e.Bucket(t)))
}

func newLog(t testing.TB, tb *table) *dynamolog.Log {
	t.Helper()
	return dynamolog.New(client(t, tb, 1), "log", new(memory))
}

// memory keeps blobs. Its zero value is empty.
type memory struct{ blobs sync.Map }

// Put implements dynamolog.Blobs.
func (m *memory) Put(ctx context.Context, sum events.Hash, b []byte) error {
	m.blobs.Store(sum, slices.Clone(b))
	return ctx.Err()
}

// Get implements dynamolog.Blobs.
func (m *memory) Get(ctx context.Context, sum events.Hash) ([]byte, error) {
	v, ok := m.blobs.Load(sum)
	if !ok && ctx.Err() == nil {
		return nil, eventlog.ErrNoBlob
	}
	b, _ := v.([]byte)
	return slices.Clone(b), ctx.Err()
}

func TestAnAppendAfterALoadIsOneRequest(t *testing.T) {
	t.Parallel()
	tb := &table{page: 100}
	want := func(what string, calls ...string) {
		t.Helper()
		if got := tb.called(); !slices.Equal(got, calls) {
			t.Errorf("%s: calls = %v, want %v", what, got, calls)
		}
	}
	log, stream := newLog(t, tb), uuid.New()
	head := eventlogtest.MustAppend(t, log, eventlogtest.Commit(stream, "a", eventlog.Head{}, eventlogtest.Facts(1, 3)...))
	want("the first of a stream", "PutItem")
	head = eventlogtest.MustAppend(t, log, eventlogtest.Commit(stream, "b", head, eventlogtest.Fact(4)))
	want("after one's own", "PutItem")
	other := newLog(t, tb)
	if _, err := other.Load(t.Context(), stream); err != nil {
		t.Fatal(err)
	}
	head = eventlogtest.MustAppend(t, other, eventlogtest.Commit(stream, "c", head, eventlogtest.Fact(5)))
	want("after what was loaded", "Query", "PutItem")
	eventlogtest.MustAppend(t, newLog(t, tb), eventlogtest.Commit(stream, "d", head, eventlogtest.Fact(6)))
	want("after a head that was never loaded", "Query", "PutItem")
}

func TestNoCommitBeginsInsideAnother(t *testing.T) {
	t.Parallel()
	tb := &table{page: 100}
	log := newLog(t, tb)
	a := eventlogtest.Commit(uuid.New(), "a", eventlog.Head{}, eventlogtest.Facts(1, 3)...)
	eventlogtest.MustAppend(t, log, a)
	for _, log := range []*dynamolog.Log{log, newLog(t, tb)} {
		for i, f := range a.Facts[:2] {
			inside := eventlogtest.Commit(a.Stream, "a", eventlog.Head{Version: i + 1, Hash: f.Hash}, eventlogtest.Fact(9))
			_, err := log.Append(t.Context(), inside)
			if conflict, ok := errors.AsType[*eventlog.ConflictError](err); !ok || conflict.Actual != a.Head() {
				t.Errorf("Append after version %d of 3 = %v, want a conflict with version 3", i+1, err)
			}
		}
	}
	if got := eventlogtest.MustRead(t, log, a.Stream, 1); len(got) != 3 {
		t.Errorf("the stream has %d facts, want 3", len(got))
	}
}

// TestAnAnswerIsRecognisedByAnotherInstance: the one that lost it has ended.
func TestAnAnswerIsRecognisedByAnotherInstance(t *testing.T) {
	t.Parallel()
	tb := &table{page: 100}
	log, stream := newLog(t, tb), uuid.New()
	a := eventlogtest.Commit(stream, "a", eventlog.Head{}, eventlogtest.Facts(1, 2)...)
	b := eventlogtest.Commit(stream, "b", eventlogtest.MustAppend(t, log, a), eventlogtest.Fact(3))
	c := eventlogtest.Commit(stream, "c", eventlogtest.MustAppend(t, log, b), eventlogtest.Fact(4))
	eventlogtest.MustAppend(t, log, c)
	for _, again := range []eventlog.Commit{a, b, c} {
		eventlogtest.MustAppend(t, newLog(t, tb), again)
	}
	stranger := b
	stranger.Tenant = "other"
	stranger.Facts = []events.Record{eventlogtest.Fact(3)}
	eventlog.ChainCommit(&stranger)
	if head, err := newLog(t, tb).Append(t.Context(), stranger); err == nil {
		t.Errorf("another tenant's commit with that id = %v, want an error", head)
	}
	if got := eventlogtest.MustRead(t, log, stream, 1); len(got) != 4 {
		t.Errorf("the stream has %d facts, want 4", len(got))
	}
}

func TestACommitThatIsTooLargeLeavesNothing(t *testing.T) {
	t.Parallel()
	noise := make([]byte, 420<<10)
	for i, x := 0, uint64(1); i < len(noise); i++ {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		noise[i] = byte(x)
	}
	for sentence, clearPart := range map[string][]byte{"more than an item holds": noise, "more than anybody unpacks": make([]byte, 20<<20)} {
		tb, blobs := &table{page: 100}, new(memory)
		big := eventlogtest.Fact(2)
		big.Sealed = eventlogtest.Bytes(1, 100_000)
		c := eventlogtest.Commit(uuid.New(), "a", eventlog.Head{}, events.Record{Clear: clearPart}, big)
		_, err := dynamolog.New(client(t, tb, 1), "log", blobs).Append(t.Context(), c)
		if fault.KindOf(err) != fault.TooLarge || !fault.KindOf(err).Permanent() {
			t.Errorf("%s: Append = %v, want a fault of kind %s", sentence, err, fault.TooLarge)
		}
		if _, err := blobs.Get(t.Context(), big.SealedSum); !errors.Is(err, eventlog.ErrNoBlob) || len(tb.called()) > 0 {
			t.Errorf("%s: something was stored", sentence)
		}
	}
}

func TestTheCommitThatHoldsAVersion(t *testing.T) {
	t.Parallel()
	log, stream := newLog(t, &table{page: 100}), uuid.New()
	a := eventlogtest.Commit(stream, "a", eventlog.Head{}, eventlogtest.Facts(1, 3)...)
	b := eventlogtest.Commit(stream, "b", eventlogtest.MustAppend(t, log, a), eventlogtest.Facts(4, 2)...)
	eventlogtest.MustAppend(t, log, b)
	for version, want := range map[int]string{1: "a", 3: "a", 4: "b", 5: "b"} {
		got, err := log.Commit(t.Context(), stream, version)
		if err != nil || got.ID != want || string(got.State) != `{"after":"`+want+`"}` {
			t.Errorf("Commit(%d) = %q with state %s, %v, want %q", version, got.ID, got.State, err, want)
		}
	}
	for _, version := range []int{-1, 0, 6} {
		if _, err := log.Commit(t.Context(), stream, version); fault.KindOf(err) != fault.NotFound {
			t.Errorf("Commit(%d) = %v, want a fault of kind %s", version, err, fault.NotFound)
		}
	}
}

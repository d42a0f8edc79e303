package dynamolog_test

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"github.com/google/uuid"

	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/eventlog/dynamolog"
	"handoff/tests/awstest"
	"handoff/tests/eventlogtest"
)

func TestAWalkYieldsEveryStreamToItsEnd(t *testing.T) {
	t.Parallel()
	for page := range 5 {
		walk(t, newLog(t, &table{page: page + 1}))
	}
	if n := 0; len(walked(t, newLog(t, &table{page: 1}))) != n {
		t.Errorf("an empty log yields something")
	}
}

func TestAWalkYieldsEveryStreamToItsEndOnEngines(t *testing.T) {
	t.Parallel()
	awstest.Each(t, func(t *testing.T, e awstest.Engine) { walk(t, open(t, e)) })
}

func walk(t *testing.T, log *dynamolog.Log) {
	t.Helper()
	heads := make(map[events.StreamID]eventlog.Head)
	for i := range 4 {
		stream := uuid.New()
		head, err := eventlogtest.Fill(t.Context(), log, stream, 2+5*i, 1+i)
		if err != nil {
			t.Fatal(err)
		}
		heads[stream] = head
	}
	at := make(map[events.StreamID]eventlog.Head)
	var last events.StreamID
	for _, s := range walked(t, log) {
		head, began := at[s.Stream]
		if began && s.Stream != last || s.Version != head.Version+1 || s.Hash != events.Chain(head.Hash, &s.Record) || s.Position != 0 {
			t.Fatalf("%s at position %d after version %d", s.ID(), s.Position, head.Version)
		}
		head = eventlog.Head{Version: s.Version, Hash: s.Hash}
		at[s.Stream], last = head, s.Stream
		if (s.Carried != nil) != (head == heads[s.Stream]) {
			t.Errorf("%s carries %v", s.ID(), s.Carried)
		}
		if s.Carried != nil {
			if snap, err := log.Load(t.Context(), s.Stream); err != nil || !reflect.DeepEqual(*s.Carried, snap) {
				t.Errorf("%s carries %+v, want %+v, %v", s.ID(), *s.Carried, snap, err)
			}
		}
	}
	if !reflect.DeepEqual(at, heads) {
		t.Errorf("the walk ends at %v, want %v", at, heads)
	}
}

func walked(t *testing.T, log *dynamolog.Log) (all []eventlog.Step) {
	t.Helper()
	for s, err := range log.Walk(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

func TestAWalkEndsWithItsContextAndItsConsumer(t *testing.T) {
	t.Parallel()
	log := newLog(t, &table{page: 3})
	if _, err := eventlogtest.Fill(t.Context(), log, uuid.New(), 40, 2); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	for _, err := range log.Walk(ctx) {
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("Walk = %v, want %v", err, context.Canceled)
		}
		if n++; n == 15 {
			cancel()
		}
	}
	if n != 16 {
		t.Errorf("%d steps, want 15 and an error", n)
	}
	for range log.Walk(t.Context()) {
		break
	}
}

// TestAWalkShowsWhatWasChanged: whoever verifies tells every fact that is not
// what was stored; Read ends at the first.
func TestAWalkShowsWhatWasChanged(t *testing.T) {
	t.Parallel()
	tb := &table{page: 3}
	log, stream := newLog(t, tb), uuid.New()
	if _, err := eventlogtest.Fill(t.Context(), log, stream, 6, 2); err != nil {
		t.Fatal(err)
	}
	tb.change(1, func(i item) { i["t"] = value{S: new("other")} })
	var broken []int
	prev := events.Hash{}
	for _, s := range walked(t, log) {
		if s.Hash != events.Chain(prev, &s.Record) {
			broken = append(broken, s.Version)
		}
		prev = s.Hash
	}
	if !reflect.DeepEqual(broken, []int{3, 4}) {
		t.Errorf("broken = %v, want the facts of the second commit", broken)
	}
	got, err := eventlogtest.Collect(log.Read(t.Context(), stream, 1))
	if err == nil || len(got) != 2 {
		t.Errorf("Read = %d facts, %v, want 2 and an error", len(got), err)
	}
}

func TestAMissingCommitIsNoticed(t *testing.T) {
	t.Parallel()
	for at, want := range map[int]int{0: 0, 1: 2} {
		tb := &table{page: 3}
		log, stream := newLog(t, tb), uuid.New()
		if _, err := eventlogtest.Fill(t.Context(), log, stream, 6, 2); err != nil {
			t.Fatal(err)
		}
		tb.mu.Lock()
		tb.items = append(tb.items[:at:at], tb.items[at+1:]...)
		tb.mu.Unlock()
		if got, err := eventlogtest.Collect(log.Read(t.Context(), stream, 1)); err == nil || len(got) != want {
			t.Errorf("Read without item %d = %d facts, %v, want %d and an error", at, len(got), err, want)
		}
	}
}

package feedindex_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/eventlog/memlog"
	"handoff/infra/feedindex"
	"handoff/infra/feedindex/indextest"
)

func TestTheEndOfTheFeed(t *testing.T) {
	t.Parallel()
	x := newBench(t)
	if last, err := x.index.Last(t.Context()); err != nil || last != 0 {
		t.Errorf("Last of an empty feed = %d, %v", last, err)
	}
	x.add(x.writer(), x.accept(stream('a')))
	x.clock.set(at(7))
	x.add(x.writer(), x.append("bot-1", events.KindConversation, stream('b'), &events.EscalationAccepted{}, &events.EscalationAccepted{}))
	if last, written, err := x.index.Fresh(t.Context()); err != nil || last != 3 || !written.Equal(at(7)) {
		t.Errorf("Fresh = %d, %v, %v, want 3 and %v", last, written, err, at(7))
	}
}

func TestVersionsAtAPosition(t *testing.T) {
	t.Parallel()
	x := newBench(t)
	two := x.append("bot-1", events.KindConversation, stream('b'), &events.EscalationAccepted{}, &events.EscalationAccepted{})
	x.add(x.writer(), x.accept(stream('a')), two)
	x.add(x.writer(), x.accept(stream('a')))
	a, b := stream('a'), stream('b')
	for position, want := range map[int64]map[events.StreamID]int{
		0: {}, 1: {a: 1}, 2: {a: 1, b: 1}, 3: {a: 1, b: 2}, 4: {a: 2, b: 2}, 99: {a: 2, b: 2},
	} {
		if got, err := x.index.VersionsAt(t.Context(), position); err != nil || !maps.Equal(got, want) {
			t.Errorf("at %d there are %v, %v, want %v", position, got, err, want)
		}
	}
}

func TestAFeedWithAGapIsNotRead(t *testing.T) {
	t.Parallel()
	x := newBench(t)
	x.add(x.writer(), x.accept(stream('a')))
	x.add(x.writer(), x.accept(stream('b')))
	x.add(x.writer(), x.accept(stream('c')))
	holed := &indextest.Table{}
	for _, r := range x.table.Rows(feedindex.Range{Partition: "feed"}) {
		if r.Order != "0000000000000002" {
			_, _ = holed.Put(t.Context(), r, true) // memory takes everything
		}
	}
	index := feedindex.Over(holed, x.clock.Now)
	read := 0
	var last error
	for _, err := range index.Feed(x.log).ReadAll(t.Context(), 0) {
		if last = err; err == nil {
			read++
		}
	}
	if last == nil || read > 1 {
		t.Errorf("%d facts are read, and then %v", read, last)
	}
	if _, err := index.Writer(x.log, x.codec).Add(t.Context(), indextest.Changes(at(0), x.accept(stream('a')))); err == nil {
		t.Error("a feed with a gap is written on")
	}
}

func TestAFeedThatIsNotTheLogsIsNotRead(t *testing.T) {
	t.Parallel()
	x := newBench(t)
	x.add(x.writer(), x.append("bot-1", events.KindConversation, stream('a'), &events.EscalationAccepted{}, &events.EscalationAccepted{}))
	y := newBench(t)
	y.accept(stream('a'))
	for _, err := range x.index.Feed(y.log).ReadAll(t.Context(), 0) {
		if err == nil {
			t.Error("a commit of one fact is read as one of two")
		}
	}
}

func TestNewestComesFirst(t *testing.T) {
	t.Parallel()
	x := newBench(t)
	w := x.writer()
	x.add(w, x.accept(stream('a')), x.raise(stream('b')))
	x.add(w, x.append("bot-2", events.KindConversation, stream('c'), &events.EscalationRouted{Number: 1, Connection: "bot-1", Moved: true}))
	x.add(w, x.accept(stream('a')), x.append("bot-1", events.KindConversation, stream('d'), &events.EscalationRouted{Number: 1, Connection: "bot-1", Moved: true}))
	x.add(w, x.append("bot-1", events.KindDelivery, stream('p'), &events.DeliveryAttempted{}, &events.DeliveryParked{}))
	ctx := t.Context()
	const all = 1 << 40
	for sentence, c := range map[string]struct{ got, want string }{
		"all":                         {x.show(x.index.Newest(ctx, all)), "p1 d1 a2 c1 b1 a1"},
		"before a position":           {x.show(x.index.Newest(ctx, 4)), "c1 b1 a1"},
		"of a connection":             {x.show(x.index.NewestOf(ctx, "default", "bot-1", all)), "p1 d1 a2 c1 b1 a1"},
		"of one, before a position":   {x.show(x.index.NewestOf(ctx, "default", "bot-1", 3)), "b1 a1"},
		"of another connection":       {x.show(x.index.NewestOf(ctx, "default", "bot-2", all)), "c1"},
		"of a connection that is not": {x.show(x.index.NewestOf(ctx, "default", "bot-3", all)), ""},
		"parked":                      {x.show(x.index.NewestParked(ctx, "default", all)), "p1"},
		"parked in another tenant":    {x.show(x.index.NewestParked(ctx, "other", all)), ""},
	} {
		if c.got != c.want {
			t.Errorf("%s = %q, want %q", sentence, c.got, c.want)
		}
	}
}

// A name must not lead to what belongs to another one.
func TestNamesAreKeptApart(t *testing.T) {
	t.Parallel()
	x := newBench(t)
	w := x.writer()
	for i, names := range [][2]string{{"a", "b#c"}, {"a#b", "c"}, {"a%23b", "c"}, {"a", "b"}} {
		c := eventlog.Commit{
			Stream: stream(byte('a' + i)), Tenant: names[0], Connection: names[1], Kind: events.KindConversation, ID: "id",
			Facts: []events.Record{{Header: events.Header{Type: "EscalationAccepted", Schema: 1}, Clear: []byte("{}")}},
		}
		x.add(w, x.store(c))
		x.clock.set(x.clock.Now().Add(time.Hour))
	}
	for i, names := range [][2]string{{"a", "b#c"}, {"a#b", "c"}, {"a%23b", "c"}, {"a", "b"}} {
		want := fmt.Sprintf("%c1", 'a'+i)
		if got := x.show(x.index.History(t.Context(), names[0], names[1], 0)); got != want {
			t.Errorf("history of %q = %s, want %s", names, got, want)
		}
	}
}

// refusing is a log that refuses everything.
type refusing struct{ *memlog.Log }

func (refusing) Append(context.Context, eventlog.Commit) (eventlog.Head, error) {
	return eventlog.Head{}, errBroken
}

func TestReferencesAreThereBeforeTheirCommit(t *testing.T) {
	t.Parallel()
	x := newBench(t)
	head := func(typ string, f events.Fact) events.Record {
		clear, _, schema, err := x.codec.Encode(f)
		if err != nil {
			t.Fatal(err)
		}
		return events.Record{Clear: clear, Header: events.Header{Type: typ, Schema: schema}}
	}
	c := eventlog.Commit{Stream: stream('a'), Tenant: "default", ID: "one", Facts: []events.Record{
		head("EscalationRaised", &events.EscalationRaised{CustomerRefs: []string{"r1", "r2"}}),
		head("EscalationContextAdded", &events.EscalationContextAdded{CustomerRefs: []string{"r3"}}),
		head("RelayStarted", &events.RelayStarted{CustomerRefs: []string{"r4"}}),
		head("EscalationAccepted", &events.EscalationAccepted{}),
	}}
	eventlog.ChainCommit(&c)
	if _, err := feedindex.WithRefs(refusing{x.log.Log}, x.index, x.codec).Append(t.Context(), c); !errors.Is(err, errBroken) {
		t.Fatalf("Append = %v", err)
	}
	for _, ref := range []string{"r1", "r2", "r3", "r4"} {
		if ids, err := x.index.ByCustomer(t.Context(), "default", ref); err != nil || len(ids) != 1 || ids[0] != c.Stream {
			t.Errorf("ByCustomer(%s) = %v, %v", ref, ids, err)
		}
	}
	x.table.put = func(feedindex.Row) error { return errBroken }
	if _, err := feedindex.WithRefs(x.log, x.index, x.codec).Append(t.Context(), c); !errors.Is(err, errBroken) {
		t.Errorf("Append = %v, want it refused where the reference can't be noted", err)
	}
	if snap, err := x.log.Load(t.Context(), c.Stream); err != nil || snap.Version > 0 {
		t.Errorf("the stream has version %d, %v: it was stored without its reference", snap.Version, err)
	}
}

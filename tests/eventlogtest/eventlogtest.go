// Package eventlogtest holds the suite that every event log passes: what
// infra/eventlog promises, one sentence per test. It also makes the commits
// that other tests of logs need.
package eventlogtest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"

	"github.com/google/uuid"

	"handoff/events"
	"handoff/infra/eventlog"
)

// Tenant and Connection own what this package makes unless a test says
// otherwise.
const (
	Tenant     = "default"
	Connection = "support"
)

// Run tests logs made by open. Each test opens an empty one of its own. What a
// log can do beyond eventlog.Log, such as eventlog.Feed, is tested where it
// does.
func Run(t *testing.T, open func(t *testing.T) eventlog.Log) {
	t.Helper()
	RunExcept(t, nil, open)
}

// RunExcept is Run for a log that is known not to keep some of the sentences. It
// is told the reason for each, and leaves them out. A sentence that the suite
// does not have fails the test, so that no exception outlives what it was made
// for.
func RunExcept(t *testing.T, deviations map[string]string, open func(t *testing.T) eventlog.Log) {
	t.Helper()
	met := 0
	for _, group := range groups(open(t)) {
		for sentence, test := range group {
			if reason, deviates := deviations[sentence]; deviates {
				met++
				t.Logf("left out, for this log does otherwise: %s: %s", sentence, reason)
				continue
			}
			t.Run(sentence, func(t *testing.T) {
				t.Parallel()
				test(t, open(t))
			})
		}
	}
	if met != len(deviations) {
		t.Errorf("the suite has %d of the %d sentences that deviations are written down for", met, len(deviations))
	}
}

// groups returns the sentences about what a log can do.
func groups(log eventlog.Log) []map[string]func(*testing.T, eventlog.Log) {
	all := []map[string]func(*testing.T, eventlog.Log){appends, races, loads, reads, blobs, ehstores}
	if _, ok := log.(eventlog.Feed); ok {
		all = append(all, feeds)
	}
	if _, ok := log.(waiter); ok {
		all = append(all, waits)
	}
	return all
}

// Fact returns a fact with a full header and a private part of 100 bytes. Facts
// of different n differ.
func Fact(n int) events.Record {
	return events.Record{
		Header: events.Header{
			Type: "EscalationRaised", Schema: 1, Time: 1_700_000_000_000_000_000 + int64(n),
			Causation: fmt.Sprintf("request-%d", n), Correlation: "correlation", Actor: "principal", Key: "key.0",
			Trace: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		},
		Clear:  fmt.Appendf(nil, `{"n":%d}`, n),
		Sealed: Bytes(n, 100),
	}
}

// Bytes returns size bytes which differ for different seeds.
func Bytes(seed, size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i * (i>>8 + 7))
	}
	copy(b, fmt.Sprintf("%d:", seed))
	return b
}

// Facts returns facts n, n+1, … up to the given number of them.
func Facts(n, count int) []events.Record {
	facts := make([]events.Record, count)
	for i := range facts {
		facts[i] = Fact(n + i)
	}
	return facts
}

// Commit returns a chained commit to a conversation of Tenant and Connection.
func Commit(stream events.StreamID, id string, after eventlog.Head, facts ...events.Record) eventlog.Commit {
	c := eventlog.Commit{
		Stream: stream, Tenant: Tenant, Connection: Connection, Kind: events.KindConversation, ID: id, After: after,
		Facts: facts, State: []byte(`{"after":"` + id + `"}`), StateVersion: 1,
	}
	eventlog.ChainCommit(&c)
	return c
}

// MustAppend appends a commit and fails the test if it is refused.
func MustAppend(t testing.TB, log eventlog.Log, c eventlog.Commit) eventlog.Head {
	t.Helper()
	head, err := log.Append(t.Context(), c)
	if err != nil {
		t.Fatalf("Append(%q after %d) = %v", c.ID, c.After.Version, err)
	}
	if head != c.Head() {
		t.Fatalf("Append(%q) = %v, want %v", c.ID, head, c.Head())
	}
	return head
}

// Fill appends commits of size facts each to a new stream until it has count,
// and returns its head.
func Fill(ctx context.Context, log eventlog.Log, stream events.StreamID, count, size int) (head eventlog.Head, err error) {
	for err == nil && head.Version < count {
		c := Commit(stream, fmt.Sprintf("fill-%d", head.Version), head, Facts(head.Version+1, min(size, count-head.Version))...)
		head, err = log.Append(ctx, c)
	}
	return head, err
}

// Collect returns what a sequence yields before it ends or fails.
func Collect(seq iter.Seq2[events.Record, error]) (all []events.Record, err error) {
	for r, err := range seq {
		if err != nil {
			return all, err
		}
		all = append(all, r)
	}
	return all, nil
}

// MustRead returns all facts of a stream from a version on.
func MustRead(t testing.TB, log eventlog.Log, stream events.StreamID, from int) []events.Record {
	t.Helper()
	all, err := Collect(log.Read(t.Context(), stream, from))
	if err != nil {
		t.Fatalf("Read(%s, %d) = %v", stream, from, err)
	}
	return all
}

func newStream() events.StreamID { return uuid.New() }

// wantConflict fails the test unless err is a conflict of c with a stream that
// ends at actual.
func wantConflict(t *testing.T, err error, c eventlog.Commit, actual eventlog.Head) {
	t.Helper()
	conflict, ok := errors.AsType[*eventlog.ConflictError](err)
	if !ok {
		t.Fatalf("Append(%q after %d) = %v, want a conflict", c.ID, c.After.Version, err)
	}
	if want := (eventlog.ConflictError{Stream: c.Stream, Expected: c.After, Actual: actual}); *conflict != want {
		t.Errorf("conflict = %+v, want %+v", *conflict, want)
	}
}

// wantStored fails the test unless the stream holds these facts and ends there.
func wantStored(t *testing.T, log eventlog.Log, stream events.StreamID, want ...events.Record) {
	t.Helper()
	got := MustRead(t, log, stream, 1)
	if len(got) != len(want) {
		t.Fatalf("stream has %d facts, want %d", len(got), len(want))
	}
	var head eventlog.Head
	for i := range want {
		if got[i].Version != i+1 || got[i].Hash != want[i].Hash {
			t.Fatalf("fact %d is %s with hash %s, want %s", i+1, got[i].ID(), got[i].Hash, want[i].Hash)
		}
		head = eventlog.Head{Version: got[i].Version, Hash: got[i].Hash}
	}
	snap, err := log.Load(t.Context(), stream)
	if err != nil || snap.Head != head {
		t.Errorf("Load = %v, %v, want head %v", snap.Head, err, head)
	}
}

func cancelled(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

package eventlogtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/uuid"

	"handoff/events"
	"handoff/infra/eventlog"
)

var loads = map[string]func(*testing.T, eventlog.Log){
	"a stream that does not exist is empty": func(t *testing.T, log eventlog.Log) {
		snap, err := log.Load(t.Context(), newStream())
		if err != nil || !reflect.DeepEqual(snap, eventlog.Snapshot{}) {
			t.Errorf("Load = %+v, %v, want nothing", snap, err)
		}
		if got := MustRead(t, log, newStream(), 1); len(got) != 0 {
			t.Errorf("Read = %v, want nothing", got)
		}
	},
	"the state of the last commit is carried as it was given": func(t *testing.T, log eventlog.Log) {
		stream := newStream()
		var head eventlog.Head
		for i, state := range [][]byte{[]byte(`{"a":1}`), bytes.Repeat([]byte{0, 0xff, 'x'}, 50_000), nil, []byte("short")} {
			c := Commit(stream, fmt.Sprint(i), head, Facts(i, 2)...)
			c.State, c.StateVersion = state, 10-i
			head = MustAppend(t, log, c)
			snap, err := log.Load(t.Context(), stream)
			if err != nil || !bytes.Equal(snap.State, state) {
				t.Fatalf("Load = %d bytes of state, %v, want %d", len(snap.State), err, len(state))
			}
			snap.State = nil
			want := eventlog.Snapshot{Head: head, Tenant: Tenant, Connection: Connection, Kind: events.KindConversation, StateVersion: 10 - i}
			if !reflect.DeepEqual(snap, want) {
				t.Errorf("Load = %+v, want %+v", snap, want)
			}
		}
	},
	"a repeated commit does not bring an old state back": func(t *testing.T, log eventlog.Log) {
		a := Commit(newStream(), "a", eventlog.Head{}, Fact(1))
		b := Commit(a.Stream, "b", MustAppend(t, log, a), Fact(2))
		MustAppend(t, log, b)
		MustAppend(t, log, a)
		if snap, err := log.Load(t.Context(), a.Stream); err != nil || string(snap.State) != string(b.State) {
			t.Errorf("Load = %s, %v, want %s", snap.State, err, b.State)
		}
	},
	"nothing is loaded under a context that has ended": func(t *testing.T, log eventlog.Log) {
		c := Commit(newStream(), "a", eventlog.Head{}, Fact(1))
		MustAppend(t, log, c)
		if _, err := log.Load(cancelled(t), c.Stream); !errors.Is(err, context.Canceled) {
			t.Errorf("Load = %v, want %v", err, context.Canceled)
		}
	},
}

var reads = map[string]func(*testing.T, eventlog.Log){
	"every field comes back as it was stored": func(t *testing.T, log eventlog.Log) {
		for name, f := range map[string]events.Record{
			"full": Fact(1), "empty": {}, "clear only": {Clear: []byte(`{}`)},
			"odd text": {Header: events.Header{
				Type: "é\x00\xff", Actor: strings.Repeat("a", 47), Causation: strings.Repeat("b", 48), Correlation: strings.Repeat("c", 4000),
				Key: "\x00", Trace: "'\"", Schema: 255, Time: -1 << 63,
			}, Clear: []byte("\x00\xff{"), Sealed: []byte{0}},
		} {
			c := Commit(newStream(), "é\x00'", eventlog.Head{}, f, Fact(2))
			MustAppend(t, log, c)
			for i, got := range MustRead(t, log, c.Stream, 1) {
				want := c.Facts[i]
				if len(want.Clear) == 0 && len(got.Clear) == 0 {
					got.Clear, want.Clear = nil, nil
				}
				if want.Position = got.Position; !reflect.DeepEqual(got, want) {
					t.Errorf("%s: read %#v, want %#v", name, got, want)
				}
			}
		}
	},
	"no fact comes back without its id": func(t *testing.T, log eventlog.Log) {
		c := Commit(newStream(), "a", eventlog.Head{}, Facts(1, 5)...)
		MustAppend(t, log, c)
		for from := -1; from <= 7; from++ {
			got := MustRead(t, log, c.Stream, from)
			if want := min(5, max(0, 6-from)); len(got) != want {
				t.Errorf("Read from %d = %d facts, want %d", from, len(got), want)
			}
			for i, r := range got {
				if r.Stream == uuid.Nil || r.Stream != c.Stream || r.Version != max(from, 1)+i {
					t.Errorf("Read from %d yields %s as number %d", from, r.ID(), i)
				}
			}
		}
	},
	"10,000 facts are read in order, from anywhere": func(t *testing.T, log eventlog.Log) {
		const count = 10_000
		stream := newStream()
		if _, err := Fill(t.Context(), log, stream, count, 500); err != nil {
			t.Fatal(err)
		}
		if err := fillOthers(t, log); err != nil {
			t.Fatal(err)
		}
		for _, from := range []int{1, 2, 64, 65, 1024, 9_000, count, count + 1} {
			var prev events.Record
			n := 0
			for r, err := range log.Read(t.Context(), stream, from) {
				if err != nil || r.Version != from+n || n > 0 && r.Hash != events.Chain(prev.Hash, &r) {
					t.Fatalf("fact %d from %d is %s, %v", n, from, r.ID(), err)
				}
				prev, n = r, n+1
			}
			if want := count - from + 1; n != want {
				t.Errorf("Read from %d yields %d facts, want %d", from, n, want)
			}
		}
	},
	"a consumer may stop, and may use the log meanwhile": func(t *testing.T, log eventlog.Log) {
		stream := newStream()
		if _, err := Fill(t.Context(), log, stream, 100, 100); err != nil {
			t.Fatal(err)
		}
		together(t, 8, func(i int) error {
			for r, err := range log.Read(t.Context(), stream, 1) {
				if err != nil {
					return err
				}
				if r.Version == 70 {
					break
				}
				if _, err = log.Load(t.Context(), stream); err == nil && r.Version == 65 {
					_, err = Fill(t.Context(), log, newStream(), 1, 1)
				}
				if err != nil {
					return fmt.Errorf("consumer %d: %w", i, err)
				}
			}
			return nil
		})
	},
	"nothing is read under a context that has ended": func(t *testing.T, log eventlog.Log) {
		c := Commit(newStream(), "a", eventlog.Head{}, Fact(1))
		MustAppend(t, log, c)
		if got, err := Collect(log.Read(cancelled(t), c.Stream, 1)); !errors.Is(err, context.Canceled) || len(got) > 0 {
			t.Errorf("Read = %d facts, %v, want %v", len(got), err, context.Canceled)
		}
	},
	"reading ends with its context": func(t *testing.T, log eventlog.Log) {
		stream := newStream()
		if _, err := Fill(t.Context(), log, stream, 2000, 500); err != nil {
			t.Fatal(err)
		}
		for _, after := range []int{1, 64, 300, 1500} {
			ctx, cancel := context.WithCancel(t.Context())
			n, last := 0, error(nil)
			for _, err := range log.Read(ctx, stream, 1) {
				if last = err; err == nil {
					n++
				}
				if n == after {
					cancel()
				}
			}
			cancel()
			if n != after || !errors.Is(last, context.Canceled) {
				t.Errorf("Read yields %d facts and then %v, want %d and %v", n, last, after, context.Canceled)
			}
		}
	},
}

var blobs = map[string]func(*testing.T, eventlog.Log){
	"a private part is a blob above the limit": func(t *testing.T, log eventlog.Log) {
		for size, inline := range map[int]bool{1: true, eventlog.InlineLimit: true, eventlog.InlineLimit + 1: false, 1 << 20: false} {
			f := Fact(1)
			f.Sealed = Bytes(size, size)
			c := Commit(newStream(), "a", eventlog.Head{}, f)
			MustAppend(t, log, c)
			got := MustRead(t, log, c.Stream, 1)[0]
			if got.SealedSum != c.Facts[0].SealedSum || inline != bytes.Equal(got.Sealed, f.Sealed) || inline == (got.Sealed == nil) {
				t.Errorf("%d bytes: read %d inline with sum %s, want %s", size, len(got.Sealed), got.SealedSum, c.Facts[0].SealedSum)
			}
			sealed, err := log.Blob(t.Context(), got.SealedSum)
			if !inline && (err != nil || !bytes.Equal(sealed, f.Sealed)) {
				t.Errorf("Blob = %d bytes, %v, want %d", len(sealed), err, size)
			}
		}
	},
	"the same blob may be referred to twice": func(t *testing.T, log eventlog.Log) {
		c := Commit(newStream(), "a", eventlog.Head{}, big(1), big(1))
		MustAppend(t, log, c)
		MustAppend(t, log, Commit(newStream(), "b", eventlog.Head{}, big(1)))
		sealed, err := log.Blob(t.Context(), c.Facts[0].SealedSum)
		if err != nil || !bytes.Equal(sealed, c.Facts[0].Sealed) {
			t.Fatalf("Blob = %d bytes, %v", len(sealed), err)
		}
		clear(sealed)
		if again, err := log.Blob(t.Context(), c.Facts[0].SealedSum); err != nil || !bytes.Equal(again, c.Facts[0].Sealed) {
			t.Errorf("Blob changed with what its reader did: %v", err)
		}
	},
	"a missing blob is an error": func(t *testing.T, log eventlog.Log) {
		if b, err := log.Blob(t.Context(), events.Hash{1}); !errors.Is(err, eventlog.ErrNoBlob) {
			t.Errorf("Blob = %d bytes, %v, want %v", len(b), err, eventlog.ErrNoBlob)
		}
		if _, err := log.Blob(cancelled(t), events.Hash{1}); !errors.Is(err, context.Canceled) {
			t.Errorf("Blob = %v, want %v", err, context.Canceled)
		}
	},
	"a refused commit leaves no blob": func(t *testing.T, log eventlog.Log) {
		c := Commit(newStream(), "a", eventlog.Head{Version: 1, Hash: events.Hash{1}}, big(1))
		if _, err := log.Append(t.Context(), c); err == nil {
			t.Fatal("Append = nil, want a conflict")
		}
		if _, err := log.Blob(t.Context(), c.Facts[0].SealedSum); !errors.Is(err, eventlog.ErrNoBlob) {
			t.Errorf("Blob = %v, want %v", err, eventlog.ErrNoBlob)
		}
	},
	"a clear part may be large": func(t *testing.T, log eventlog.Log) {
		f := events.Record{Clear: Bytes(1, 2<<20)}
		c := Commit(newStream(), "a", eventlog.Head{}, f)
		MustAppend(t, log, c)
		if got := MustRead(t, log, c.Stream, 1); len(got) != 1 || !bytes.Equal(got[0].Clear, f.Clear) || got[0].Sealed != nil || got[0].HasSealed() {
			t.Errorf("Read = %d facts, want one as stored", len(got))
		}
	},
}

// fillOthers appends to other streams, which must not show.
func fillOthers(t *testing.T, log eventlog.Log) error {
	for range 5 {
		if _, err := Fill(t.Context(), log, newStream(), 10, 3); err != nil {
			return err
		}
	}
	return nil
}

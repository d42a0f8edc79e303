package eventlogtest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"handoff/events"
	"handoff/infra/eventlog"
)

var appends = map[string]func(*testing.T, eventlog.Log){
	"a stream begins at version 1": func(t *testing.T, log eventlog.Log) {
		c := Commit(newStream(), "a", eventlog.Head{}, Fact(1))
		MustAppend(t, log, c)
		wantStored(t, log, c.Stream, c.Facts...)
	},
	"facts of one commit follow one another": func(t *testing.T, log eventlog.Log) {
		a := Commit(newStream(), "a", eventlog.Head{}, Facts(1, 3)...)
		b := Commit(a.Stream, "b", MustAppend(t, log, a), Facts(4, 5)...)
		MustAppend(t, log, b)
		wantStored(t, log, a.Stream, slices.Concat(a.Facts, b.Facts)...)
	},
	"an append after a head that another passed is a conflict": func(t *testing.T, log eventlog.Log) {
		a := Commit(newStream(), "a", eventlog.Head{}, Fact(1))
		b := Commit(a.Stream, "b", MustAppend(t, log, a), Fact(2))
		head := MustAppend(t, log, b)
		late := Commit(a.Stream, "late", a.Head(), Facts(3, 2)...)
		_, err := log.Append(t.Context(), late)
		wantConflict(t, err, late, head)
		wantStored(t, log, a.Stream, a.Facts[0], b.Facts[0])
	},
	"an append at version 0 never replaces a history": func(t *testing.T, log eventlog.Log) {
		a := Commit(newStream(), "a", eventlog.Head{}, Facts(1, 2)...)
		head := MustAppend(t, log, a)
		again := Commit(a.Stream, "again", eventlog.Head{}, Fact(9))
		_, err := log.Append(t.Context(), again)
		wantConflict(t, err, again, head)
		wantStored(t, log, a.Stream, a.Facts...)
	},
	"an append beyond the end leaves no gap": func(t *testing.T, log eventlog.Log) {
		a := Commit(newStream(), "a", eventlog.Head{}, Fact(1))
		head := MustAppend(t, log, a)
		far := Commit(a.Stream, "far", eventlog.Head{Version: 5, Hash: head.Hash}, Fact(6))
		_, err := log.Append(t.Context(), far)
		wantConflict(t, err, far, head)
		wantStored(t, log, a.Stream, a.Facts...)
	},
	"an append to a missing stream after a version is refused": func(t *testing.T, log eventlog.Log) {
		c := Commit(newStream(), "a", eventlog.Head{Version: 5, Hash: events.Hash{1}}, Fact(6))
		_, err := log.Append(t.Context(), c)
		wantConflict(t, err, c, eventlog.Head{})
		wantStored(t, log, c.Stream)
	},
	"an append after the right version with another hash is refused": func(t *testing.T, log eventlog.Log) {
		a := Commit(newStream(), "a", eventlog.Head{}, Fact(1))
		head := MustAppend(t, log, a)
		fork := Commit(a.Stream, "fork", eventlog.Head{Version: 1, Hash: events.Hash{1}}, Fact(2))
		_, err := log.Append(t.Context(), fork)
		wantConflict(t, err, fork, head)
		first := Commit(newStream(), "first", eventlog.Head{Hash: events.Hash{1}}, Fact(1))
		_, err = log.Append(t.Context(), first)
		wantConflict(t, err, first, eventlog.Head{})
	},
	"a commit whose answer was lost is recognised": func(t *testing.T, log eventlog.Log) {
		a := Commit(newStream(), "a", eventlog.Head{}, Facts(1, 3)...)
		MustAppend(t, log, a)
		MustAppend(t, log, a)
		wantStored(t, log, a.Stream, a.Facts...)
	},
	"a commit whose answer was lost is recognised after later ones": func(t *testing.T, log eventlog.Log) {
		a := Commit(newStream(), "a", eventlog.Head{}, Fact(1))
		b := Commit(a.Stream, "b", MustAppend(t, log, a), Facts(2, 2)...)
		c := Commit(a.Stream, "c", MustAppend(t, log, b), Fact(4))
		MustAppend(t, log, c)
		MustAppend(t, log, b)
		MustAppend(t, log, a)
		wantStored(t, log, a.Stream, slices.Concat(a.Facts, b.Facts, c.Facts)...)
	},
	"a repeated commit that was sealed anew is answered with the stored one": func(t *testing.T, log eventlog.Log) {
		a := Commit(newStream(), "a", eventlog.Head{}, Fact(1))
		head := MustAppend(t, log, a)
		again := Commit(a.Stream, "a", eventlog.Head{}, Facts(7, 2)...)
		if got, err := log.Append(t.Context(), again); err != nil || got != head {
			t.Errorf("Append = %v, %v, want %v", got, err, head)
		}
		wantStored(t, log, a.Stream, a.Facts...)
	},
	"a commit id counts only at its place": func(t *testing.T, log eventlog.Log) {
		a := Commit(newStream(), "a", eventlog.Head{}, Fact(1))
		b := Commit(a.Stream, "b", MustAppend(t, log, a), Fact(2))
		head := MustAppend(t, log, b)
		elsewhere := Commit(a.Stream, "a", a.Head(), Fact(3))
		_, err := log.Append(t.Context(), elsewhere)
		wantConflict(t, err, elsewhere, head)
		other := Commit(newStream(), "a", eventlog.Head{}, Fact(4))
		MustAppend(t, log, other)
		wantStored(t, log, other.Stream, other.Facts...)
	},
	"a refused commit of many facts leaves none": func(t *testing.T, log eventlog.Log) {
		a := Commit(newStream(), "a", eventlog.Head{}, Fact(1))
		head := MustAppend(t, log, a)
		many := Commit(a.Stream, "many", eventlog.Head{}, append(Facts(2, 20), big(1))...)
		_, err := log.Append(t.Context(), many)
		wantConflict(t, err, many, head)
		wantStored(t, log, a.Stream, a.Facts...)
	},
	"a commit that does not hold together is refused": func(t *testing.T, log eventlog.Log) {
		for sentence, spoil := range spoiled {
			c := Commit(newStream(), "a", eventlog.Head{}, Facts(1, 3)...)
			spoil(&c)
			_, err := log.Append(t.Context(), c)
			if _, conflict := errors.AsType[*eventlog.ConflictError](err); err == nil || conflict {
				t.Errorf("%s: Append = %v, want another error", sentence, err)
			}
			wantStored(t, log, c.Stream)
		}
	},
	"a stream stays one tenant's, one connection's and of one kind": func(t *testing.T, log eventlog.Log) {
		a := Commit(newStream(), "a", eventlog.Head{}, Fact(1))
		head := MustAppend(t, log, a)
		for sentence, change := range map[string]func(*eventlog.Commit){
			"tenant":     func(c *eventlog.Commit) { c.Tenant = "other" },
			"connection": func(c *eventlog.Commit) { c.Connection = "other" },
			"kind":       func(c *eventlog.Commit) { c.Kind = events.KindDelivery },
		} {
			c := Commit(a.Stream, "b", head, Fact(2))
			change(&c)
			eventlog.ChainCommit(&c)
			if _, err := log.Append(t.Context(), c); err == nil {
				t.Errorf("Append with another %s = nil", sentence)
			}
		}
		wantStored(t, log, a.Stream, a.Facts...)
	},
	"a clock that went backwards is no reason to refuse": func(t *testing.T, log eventlog.Log) {
		early := Fact(2)
		early.Time = -5
		a := Commit(newStream(), "a", eventlog.Head{}, Fact(1))
		b := Commit(a.Stream, "b", MustAppend(t, log, a), early)
		MustAppend(t, log, b)
		if got := MustRead(t, log, a.Stream, 2); len(got) != 1 || got[0].Time != -5 {
			t.Errorf("Read = %v, want one fact at time -5", got)
		}
	},
	"nothing is appended under a context that has ended": func(t *testing.T, log eventlog.Log) {
		c := Commit(newStream(), "a", eventlog.Head{}, Fact(1))
		if _, err := log.Append(cancelled(t), c); !errors.Is(err, context.Canceled) {
			t.Errorf("Append = %v, want %v", err, context.Canceled)
		}
		wantStored(t, log, c.Stream)
	},
	"the log keeps no memory of its caller's": func(t *testing.T, log eventlog.Log) {
		c := Commit(newStream(), "a", eventlog.Head{}, Fact(1), big(2))
		want := events.Record{Clear: slices.Clone(c.Facts[0].Clear), Sealed: slices.Clone(c.Facts[0].Sealed)}
		MustAppend(t, log, c)
		for range 2 {
			got := MustRead(t, log, c.Stream, 1)[0]
			if string(got.Clear) != string(want.Clear) || string(got.Sealed) != string(want.Sealed) {
				t.Fatalf("stored fact changed to %s", got.Clear)
			}
			for _, b := range [][]byte{c.Facts[0].Clear, c.Facts[0].Sealed, c.State, got.Clear, got.Sealed} {
				clear(b)
			}
		}
		for range 2 {
			snap, err := log.Load(t.Context(), c.Stream)
			if err != nil || string(snap.State) != `{"after":"a"}` {
				t.Fatalf("Load = %q, %v", snap.State, err)
			}
			clear(snap.State)
		}
	},
}

// spoiled are ways in which a chained commit of three facts may not hold
// together.
var spoiled = map[string]func(*eventlog.Commit){
	"no facts":              func(c *eventlog.Commit) { c.Facts = nil },
	"no id":                 func(c *eventlog.Commit) { c.ID = ""; eventlog.ChainCommit(c) },
	"a negative place":      func(c *eventlog.Commit) { c.After.Version = -1; eventlog.ChainCommit(c) },
	"a gap":                 func(c *eventlog.Commit) { c.Facts = append(c.Facts[:1], c.Facts[2]) },
	"facts out of order":    func(c *eventlog.Commit) { c.Facts[0], c.Facts[1] = c.Facts[1], c.Facts[0] },
	"another clear part":    func(c *eventlog.Commit) { c.Facts[1].Clear = []byte(`{}`) },
	"another sealed part":   func(c *eventlog.Commit) { c.Facts[1].Sealed = []byte("other") },
	"no sealed part":        func(c *eventlog.Commit) { c.Facts[2].Sealed = nil },
	"another hash":          func(c *eventlog.Commit) { c.Facts[2].Hash[0] ^= 1 },
	"another hash before":   func(c *eventlog.Commit) { c.After.Hash[0] ^= 1 },
	"another actor":         func(c *eventlog.Commit) { c.Facts[0].Actor = "other" },
	"a fact of a stranger":  func(c *eventlog.Commit) { c.Facts[1].Tenant = "other" },
	"a fact of elsewhere":   func(c *eventlog.Commit) { c.Facts[1].Stream = newStream() },
	"a fact of another one": func(c *eventlog.Commit) { c.Facts[1].Commit = "b" },
}

// big returns a fact whose private part is kept as a blob.
func big(n int) events.Record {
	f := Fact(n)
	f.Sealed = Bytes(n, 1<<20)
	return f
}

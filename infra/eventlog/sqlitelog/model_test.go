package sqlitelog_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/eventlog/memlog"
	"handoff/infra/eventlog/sqlitelog"
	"handoff/tests/eventlogtest"
)

// twins are a log in a file and one in memory to which the same happens. They
// must answer alike, whatever the order of appends, conflicts and repeats.
type twins struct {
	ctx  context.Context
	file *sqlitelog.Log
	mem  *memlog.Log

	streams []events.StreamID
	commits []eventlog.Commit // all that were tried
	n       int
}

func TestLogBehavesAsTheOneInMemory(t *testing.T) {
	t.Parallel()
	file := open(t, newFile(t)) // shared, since making files takes most of the time
	rapid.Check(t, func(r *rapid.T) {
		w := &twins{ctx: t.Context(), file: file, mem: memlog.New()}
		for range 3 {
			w.streams = append(w.streams, uuid.New())
		}
		r.Repeat(map[string]func(*rapid.T){
			"append": w.append,
			"repeat": w.repeat,
			"":       func(*rapid.T) {},
		})
		w.compare(r)
	})
}

// append tries a commit at the end of a stream, or anywhere else.
func (w *twins) append(r *rapid.T) {
	stream := rapid.SampledFrom(w.streams).Draw(r, "stream")
	snap, err := w.mem.Load(w.ctx, stream)
	if err != nil {
		r.Fatal(err)
	}
	after := snap.Head
	switch rapid.IntRange(0, 5).Draw(r, "place") {
	case 0:
		after = eventlog.Head{}
	case 1:
		after.Version += rapid.IntRange(-1, 2).Filter(func(d int) bool { return after.Version+d >= 0 }).Draw(r, "off by")
	case 2:
		after.Hash[0] ^= 1
	}
	w.n++
	id := rapid.SampledFrom([]string{fmt.Sprint("commit-", w.n), "the same"}).Draw(r, "id")
	facts := eventlogtest.Facts(w.n, rapid.IntRange(1, 3).Draw(r, "facts"))
	if size := rapid.SampledFrom([]int{0, 1, eventlog.InlineLimit, eventlog.InlineLimit + 1}).Draw(r, "sealed"); size > 0 {
		facts[0].Sealed = eventlogtest.Bytes(rapid.IntRange(0, 3).Draw(r, "seed"), size)
	}
	c := eventlogtest.Commit(stream, id, after, facts...)
	c.StateVersion = w.n
	w.commits = append(w.commits, c)
	w.try(r, c)
}

// repeat tries a commit once more, as a writer does whose answer was lost.
func (w *twins) repeat(r *rapid.T) {
	if len(w.commits) > 0 {
		w.try(r, rapid.SampledFrom(w.commits).Draw(r, "commit"))
	}
}

func (w *twins) try(r *rapid.T, c eventlog.Commit) {
	want, wantErr := w.mem.Append(w.ctx, c)
	got, err := w.file.Append(w.ctx, c)
	if got != want || !sameConflict(err, wantErr) {
		r.Fatalf("Append(%s after %d of %s) = %v, %v, in memory %v, %v", c.ID, c.After.Version, c.Stream, got, err, want, wantErr)
	}
}

func sameConflict(a, b error) bool {
	x, isX := errors.AsType[*eventlog.ConflictError](a)
	y, isY := errors.AsType[*eventlog.ConflictError](b)
	return isX == isY && (!isX || *x == *y) && (a == nil) == (b == nil)
}

// compare fails unless both hold the same streams and blobs.
func (w *twins) compare(r *rapid.T) {
	for _, stream := range w.streams {
		want, err1 := w.mem.Load(w.ctx, stream)
		got, err2 := w.file.Load(w.ctx, stream)
		if err := errors.Join(err1, err2); err != nil || !reflect.DeepEqual(got, want) {
			r.Fatalf("Load = %+v, in memory %+v, %v", got, want, err)
		}
		facts, err1 := eventlogtest.Collect(w.mem.Read(w.ctx, stream, 1))
		stored, err2 := eventlogtest.Collect(w.file.Read(w.ctx, stream, 1))
		if err := errors.Join(err1, err2); err != nil || len(stored) != len(facts) {
			r.Fatalf("Read = %d facts, in memory %d, %v", len(stored), len(facts), err)
		}
		for i, f := range facts {
			if stored[i].Position = f.Position; !reflect.DeepEqual(stored[i], f) {
				r.Fatalf("fact %+v, in memory %+v", stored[i], f)
			}
			w.compareBlob(r, f)
		}
	}
}

func (w *twins) compareBlob(r *rapid.T, f events.Record) {
	if !f.HasSealed() || len(f.Sealed) > 0 {
		return
	}
	want, err1 := w.mem.Blob(w.ctx, f.SealedSum)
	got, err2 := w.file.Blob(w.ctx, f.SealedSum)
	if err := errors.Join(err1, err2); err != nil || !reflect.DeepEqual(got, want) {
		r.Fatalf("Blob = %d bytes, in memory %d, %v", len(got), len(want), err)
	}
}

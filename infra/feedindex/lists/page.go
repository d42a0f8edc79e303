package lists

import (
	"cmp"
	"context"
	"encoding/binary"
	"iter"
	"slices"
	"strings"

	"handoff/domain/fault"
	"handoff/domain/listing"
	"handoff/infra/feedindex/parallel"
)

// found is what a candidate came to.
type found[T any] struct {
	candidate
	row T
	ok  bool // it belongs into the list
}

// page reads candidates until a page is full, and returns the cursor of the
// next.
func page[T any](ctx context.Context, list byte, rows int, all iter.Seq2[candidate, error], load func(context.Context, candidate) (T, bool, error)) (out []T, next string, err error) {
	var last int64
	for f, err := range parallel.Ordered(ctx, loaders, all, func(ctx context.Context, c candidate) (f found[T], err error) {
		f.candidate = c
		if !c.cut {
			f.row, f.ok, err = load(ctx, c)
		}
		return f, err
	}) {
		switch {
		case err != nil:
			return nil, "", err
		case f.cut:
			return out, listing.After(list, f.Position), nil
		case f.ok && len(out) == rows:
			return out, listing.After(list, last), nil
		case f.ok:
			out, last = append(out, f.row), f.Position
		}
	}
	return out, "", nil
}

// timed is a row with its place in a list that is short enough to be sorted.
type timed[T any] struct {
	row T
	at  int64 // nanoseconds
	id  string
}

func newestFirst[T any](a, b timed[T]) int {
	return cmp.Or(cmp.Compare(b.at, a.at), strings.Compare(b.id, a.id))
}

// sorted returns a page of such rows, newest first, and the cursor of the next.
func sorted[T any](list byte, all []timed[T], p listing.Page) (out []T, next string, err error) {
	slices.SortFunc(all, newestFirst)
	place, err := listing.Unseal(list, p.Cursor)
	if err != nil {
		return nil, "", err
	}
	if place != nil {
		at, n := binary.Varint(place)
		if n <= 0 {
			return nil, "", fault.New(fault.Invalid, "cursor-invalid", "The cursor is not one that this list gave. Begin again without it.")
		}
		begin := timed[T]{at: at, id: string(place[n:])}
		all = slices.DeleteFunc(all, func(t timed[T]) bool { return newestFirst(t, begin) <= 0 })
	}
	all, more := listing.Cut(all, p.Rows())
	for _, t := range all {
		out = append(out, t.row)
	}
	if more {
		last := all[len(all)-1]
		next = listing.Seal(list, append(binary.AppendVarint(nil, last.at), last.id...))
	}
	return out, next, nil
}

package sqlitelog

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
)

// A page is what one read transaction returns. The first is small, because most
// streams are; the largest still lets the write-ahead log be reset soon. Whoever
// reads a stream from its middle mostly wants one fact.
const (
	oneFact   = 1
	firstPage = 64
	largePage = 1024
)

// lookAhead is how many pages pagesAhead reads at once.
const lookAhead = 2

// fetch appends to page what comes after a place in an order until the page is
// full.
type fetch[T any] func(ctx context.Context, after int64, page []T) ([]T, error)

// errEnough ends a query before its last row. A limit in the statement would do
// the same, but SQLite plans a statement anew whenever its bound limit changes.
var errEnough = errors.New("enough rows")

// enough ends a query whose page is full.
func enough[T any](page []T, err error) error {
	if err == nil && len(page) == cap(page) {
		return errEnough
	}
	return err
}

// pages yields what next fetches, page by page, and says in errors what was
// read. The first has a size, those after it are larger. The place of what was
// yielded last is where the next page begins.
func pages[T any](ctx context.Context, what string, after int64, size int, next fetch[T], place func(*T) int64) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		page, err := next(ctx, after, make([]T, 0, size))
		for deliver(ctx, what, page, err, yield) {
			at := place(&page[len(page)-1])
			if cap(page) < largePage {
				page = make([]T, 0, 4*cap(page))
			}
			page, err = next(ctx, at, page[:0])
		}
	}
}

// pagesAhead is pages for an order without gaps: where a page will end is known
// before it is read, so the next ones are read while the consumer works. What
// follows a page that is not full was read later and is dropped, lest facts
// that were appended in between be missed.
func pagesAhead[T any](ctx context.Context, what string, after int64, next fetch[T]) iter.Seq2[T, error] {
	type fetched struct {
		page []T
		err  error
	}
	return func(yield func(T, error) bool) {
		page, err := next(ctx, after, make([]T, 0, firstPage))
		if !deliver(ctx, what, page, err, yield) {
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		var running sync.WaitGroup
		defer running.Wait()
		defer cancel()
		at := after + firstPage
		start := func(page []T) <-chan fetched {
			from, ch := at, make(chan fetched, 1)
			at += largePage
			running.Go(func() {
				page, err := next(ctx, from, page)
				ch <- fetched{page, err}
			})
			return ch
		}
		var queue []<-chan fetched
		for range lookAhead {
			queue = append(queue, start(make([]T, 0, largePage)))
		}
		spare := make([]T, 0, largePage)
		for {
			f := <-queue[0]
			queue = append(queue[1:], start(spare[:0]))
			if !deliver(ctx, what, f.page, f.err, yield) {
				return
			}
			spare = f.page
		}
	}
}

// deliver yields a page and reports whether more may follow.
func deliver[T any](ctx context.Context, what string, page []T, err error, yield func(T, error) bool) bool {
	for i := 0; err == nil && i < len(page); i++ {
		if err = ctx.Err(); err == nil && !yield(page[i], nil) {
			return false
		}
	}
	if err != nil {
		var none T
		yield(none, fmt.Errorf("read %s: %w", what, orDone(ctx, err)))
		return false
	}
	return len(page) == cap(page)
}

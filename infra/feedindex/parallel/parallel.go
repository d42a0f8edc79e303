// Package parallel does many things at once, but not too many.
package parallel

import (
	"context"
	"iter"
	"sync"
)

// Each calls do for 0, 1, … up to below count, at most limit at a time, and
// returns the first error. After one it begins nothing more.
func Each(ctx context.Context, limit, count int, do func(ctx context.Context, i int) error) error {
	for _, err := range Ordered(ctx, limit, numbers(count), func(ctx context.Context, i int) (struct{}, error) {
		return struct{}{}, do(ctx, i)
	}) {
		if err != nil {
			return err
		}
	}
	return nil
}

func numbers(count int) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range count {
			if !yield(i, nil) {
				return
			}
		}
	}
}

// Ordered yields what do makes of each value, in the order of the values, while
// it makes up to limit at a time. Iteration ends at the first error, of the
// values or of do, which is yielded. When it ends, nothing is under way any more
// and the context that do was given is done.
func Ordered[A, B any](ctx context.Context, limit int, values iter.Seq2[A, error], do func(context.Context, A) (B, error)) iter.Seq2[B, error] {
	return func(yield func(B, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		pending := make(chan (<-chan result[B]), limit-1)
		wg.Go(func() {
			defer close(pending)
			start(ctx, &wg, values, do, pending)
		})
		for p := range pending {
			select {
			case r := <-p:
				if !yield(r.value, r.err) || r.err != nil {
					return
				}
			case <-ctx.Done():
				var none B
				yield(none, ctx.Err())
				return
			}
		}
		if err := ctx.Err(); err != nil { // perhaps not all values were taken
			var none B
			yield(none, err)
		}
	}
}

type result[B any] struct {
	value B
	err   error
}

// start starts on one value after the other, as soon as there is room.
func start[A, B any](ctx context.Context, wg *sync.WaitGroup, values iter.Seq2[A, error], do func(context.Context, A) (B, error), pending chan<- (<-chan result[B])) {
	for a, err := range values {
		made := make(chan result[B], 1)
		select {
		case pending <- made:
		case <-ctx.Done():
			return
		}
		if err != nil {
			made <- result[B]{err: err}
			return
		}
		wg.Go(func() {
			b, err := do(ctx, a)
			made <- result[B]{b, err}
		})
	}
}

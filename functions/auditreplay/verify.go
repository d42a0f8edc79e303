package auditreplay

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"handoff/domain/audit"
	"handoff/domain/identity"
	"handoff/infra/eventlog"
)

// maxProblems is how many problems are told in full.
const maxProblems = 100

// portion is how many facts are handed to a checker at once.
const portion = 512

// Progress is told now and then how many of how many facts were read.
type Progress func(done, total int64)

// Verify checks every fact of the log: that it is chained to the one before it,
// that sealed bytes are those that were sealed, that no version and no position
// is missing, and that each carried state follows from its facts. against may
// be a head that an earlier call returned; then it also checks that the log
// still holds what it held then.
//
// It keeps 48 bytes a stream in memory, twice that with an earlier head, and
// uses all processors.
func (h *Handler) Verify(ctx context.Context, _ identity.Principal, against string, progress Progress) (audit.Verified, error) {
	then, err := parseHead(against)
	if err != nil {
		return audit.Verified{}, err
	}
	last, err := h.Walker.Last(ctx)
	if err != nil {
		return audit.Verified{}, fmt.Errorf("verify: %w", err)
	}
	all := verification{Handler: h, last: last, then: then}
	if err := h.share(ctx, &all, progress); err != nil {
		return audit.Verified{}, fmt.Errorf("verify: %w", err)
	}
	return all.finish(), nil
}

// share has the log checked by several checkers and adds up what they find.
func (h *Handler) share(ctx context.Context, all *verification, progress Progress) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	checkers := make([]checker, runtime.GOMAXPROCS(0))
	used := make(chan []eventlog.Step, 3*len(checkers))
	for range cap(used) {
		used <- make([]eventlog.Step, 0, portion)
	}
	var wg sync.WaitGroup
	for i := range checkers {
		c := &checkers[i]
		c.steps, c.used, c.verification = make(chan []eventlog.Step, 2), used, verification{Handler: h, last: all.last, then: all.then}
		wg.Go(func() {
			if err := c.run(ctx); err != nil {
				cancel(err)
			}
		})
	}
	err := h.distribute(ctx, checkers, used, all.last, progress)
	for i := range checkers {
		close(checkers[i].steps)
	}
	wg.Wait()
	if err == nil {
		err = context.Cause(ctx)
	}
	for i := range checkers {
		all.add(&checkers[i].verification)
	}
	return err
}

// distribute walks the log and hands out portions, in slices that come back by
// used. All facts of a stream go to the same checker, in their order.
func (h *Handler) distribute(ctx context.Context, checkers []checker, used <-chan []eventlog.Step, total int64, progress Progress) error {
	var read int64
	turn := 0
	steps := <-used
	hand := func() error {
		if read += int64(len(steps)); progress != nil {
			progress(read, max(total, read))
		}
		select {
		case checkers[turn].steps <- steps:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		select {
		case steps = <-used:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		return nil
	}
	for step, err := range h.Walker.Walk(ctx) {
		if err != nil {
			return err
		}
		if len(steps) >= portion {
			next := steps[len(steps)-1].Stream != step.Stream
			if err := hand(); err != nil {
				return err
			}
			if next {
				turn = (turn + 1) % len(checkers)
			}
		}
		steps = append(steps, step)
	}
	return hand()
}

// checker is a verification that gets its steps from elsewhere.
type checker struct {
	verification
	steps chan []eventlog.Step
	used  chan<- []eventlog.Step
}

// run checks what it is handed, until there is no more, an error, or ctx ends.
func (c *checker) run(ctx context.Context) error {
	for steps := range c.steps {
		for i := range steps {
			if err := c.check(ctx, steps[i]); err != nil {
				return err
			}
		}
		c.used <- steps[:0] // it has room for all there are
	}
	c.endStream()
	return nil
}

// add takes over what another verification found in other streams.
func (v *verification) add(o *verification) {
	v.out.Facts, v.out.Streams, v.seen = v.out.Facts+o.out.Facts, v.out.Streams+o.out.Streams, v.seen+o.seen
	v.out.Problems = append(v.out.Problems, o.out.Problems...)
	v.now, v.past = append(v.now, o.now...), append(v.past, o.past...)
}

func (v *verification) finish() audit.Verified {
	slices.SortFunc(v.out.Problems, func(a, b audit.Breach) int { return cmp.Compare(a.Position, b.Position) })
	v.out.Problems = v.out.Problems[:min(len(v.out.Problems), maxProblems)]
	if v.seen != v.last {
		v.problem(audit.Breach{Position: v.last, Code: "gap", Detail: fmt.Sprintf("The log has %d facts up to position %d.", v.seen, v.last)})
	}
	v.out.Position, v.out.Head = v.last, head{v.last, combine(v.now)}.String()
	if v.then.given() {
		v.out.Against = v.compare()
	}
	v.out.OK = len(v.out.Problems) == 0
	return v.out
}

// compare says how the log relates to the earlier head.
func (v *verification) compare() string {
	switch {
	case v.then.position > v.last:
		v.problem(audit.Breach{Position: v.last, Code: "head-differs", Detail: fmt.Sprintf("The earlier head was taken at position %d; the log ends at %d: facts are missing.", v.then.position, v.last)})
		return "broken"
	case combine(v.past) != v.then.hash:
		v.problem(audit.Breach{Position: v.then.position, Code: "head-differs", Detail: "What the log held when the earlier head was taken is not what it holds of that time now."})
		return "broken"
	case v.then.position == v.last:
		return "same"
	}
	return "grown"
}

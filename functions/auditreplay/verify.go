package auditreplay

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"handoff/domain/audit"
	"handoff/domain/fault"
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
// Where facts carry no positions, the log's Walker says by VersionsAt which
// facts the order that is kept apart from them has, and the log must have all of
// them. Without VersionsAt either, a head is about all facts that there are.
//
// It keeps 48 bytes a stream in memory, twice that with an earlier head or
// without positions, and uses all processors. What takes longer than ctx lets it
// is an Unavailable fault verify-too-long.
func (h *Handler) Verify(ctx context.Context, _ identity.Principal, against string, progress Progress) (audit.Verified, error) {
	then, err := parseHead(against)
	if err != nil {
		return audit.Verified{}, err
	}
	all := verification{Handler: h, then: then}
	if err := h.verify(ctx, &all, progress); err != nil {
		return audit.Verified{}, fmt.Errorf("verify: %w", tooLong(ctx, err, "verify-too-long",
			"There is more to check than fits into the time of one answer. Check the log itself: handoff verify --data or --stack."))
	}
	return all.finish()
}

func (h *Handler) verify(ctx context.Context, all *verification, progress Progress) error {
	last, err := h.Walker.Last(ctx)
	if err != nil {
		return err
	}
	if all.upTo, err = h.cutAt(ctx, last); err != nil {
		return err
	}
	if all.past, err = h.cutAt(ctx, min(all.then.position, last)); err != nil {
		return err
	}
	return h.share(ctx, all, progress)
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
		c.steps, c.used, c.verification = make(chan []eventlog.Step, 2), used, verification{Handler: h, upTo: all.upTo, past: all.past}
		wg.Go(func() {
			if err := c.run(ctx); err != nil {
				cancel(err)
			}
		})
	}
	err := h.distribute(ctx, checkers, used, all.upTo.position, progress)
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
	v.now, v.before = append(v.now, o.now...), append(v.before, o.before...)
}

func (v *verification) finish() (audit.Verified, error) {
	slices.SortFunc(v.out.Problems, func(a, b audit.Breach) int {
		return cmp.Or(cmp.Compare(a.Position, b.Position), cmp.Compare(a.Fact, b.Fact))
	})
	v.out.Problems = v.out.Problems[:min(len(v.out.Problems), maxProblems)]
	last := v.upTo.position
	if last == 0 { // without positions there are only numbers of facts
		last = v.seen
	}
	if v.seen != last {
		v.problem(audit.Breach{Position: last, Code: "gap", Detail: fmt.Sprintf("The log has %d facts up to position %d.", v.seen, last)})
	}
	v.out.Position, v.out.Head = last, head{last, combine(v.now)}.String()
	if v.then.given() {
		if v.upTo.position == 0 && v.then.position < last {
			return audit.Verified{}, fault.New(fault.Unprocessable, "head-not-comparable",
				"The log has grown since that head was taken, and nothing here says what it held then.")
		}
		v.out.Against = v.compare(last)
	}
	v.out.OK = len(v.out.Problems) == 0
	return v.out, nil
}

// compare says how the log relates to the earlier head.
func (v *verification) compare(last int64) string {
	switch {
	case v.then.position > last:
		v.problem(audit.Breach{Position: last, Code: "head-differs", Detail: fmt.Sprintf("The earlier head was taken at position %d; the log ends at %d: facts are missing.", v.then.position, last)})
		return "broken"
	case combine(v.before) != v.then.hash:
		v.problem(audit.Breach{Position: v.then.position, Code: "head-differs", Detail: "What the log held when the earlier head was taken is not what it holds of that time now."})
		return "broken"
	case v.then.position == last:
		return "same"
	}
	return "grown"
}

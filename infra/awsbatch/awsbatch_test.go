package awsbatch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"handoff/domain/fault"
	"handoff/infra/awsbatch"
)

var errBusy = errors.New("busy")

// service takes entries, and refuses some of them a number of times.
type service struct {
	refuse map[int]int
	gone   map[int]error // refused for good
	calls  [][]int
	taken  []int
}

func (s *service) call(_ context.Context, batch []int) ([]error, error) {
	s.calls = append(s.calls, slices.Clone(batch))
	errs := make([]error, len(batch))
	for at, i := range batch {
		switch {
		case s.gone[i] != nil:
			errs[at] = s.gone[i]
		case s.refuse[i] > 0:
			s.refuse[i]--
			errs[at] = errBusy
		default:
			s.taken = append(s.taken, i)
		}
	}
	return errs, nil
}

// entries are named by their groups; - is none.
func entries(groups string, bytes int) []awsbatch.Entry {
	var all []awsbatch.Entry
	for g := range strings.SplitSeq(groups, ",") {
		all = append(all, awsbatch.Entry{Group: strings.TrimPrefix(g, "-"), Bytes: bytes})
	}
	return all
}

// outcome shows what became of each entry: + was taken, - was not.
func outcome(errs []error) string {
	var b strings.Builder
	for _, err := range errs {
		b.WriteByte("+-"[map[bool]int{true: 1}[err != nil]])
	}
	return b.String()
}

func TestSend(t *testing.T) {
	t.Parallel()
	gone := fault.New(fault.Invalid, "bad", "It is bad.")
	for sentence, c := range map[string]struct {
		groups  string
		bytes   int
		service service
		calls   string
		outcome string
	}{
		"ten at a time":                                {"-,-,-,-,-,-,-,-,-,-,-,-", 1, service{}, "[[0 1 2 3 4 5 6 7 8 9] [10 11]]", "++++++++++++"},
		"256 KiB at a time":                            {"-,-,-", 100 << 10, service{}, "[[0 1] [2]]", "+++"},
		"a group is never twice in one call":           {"a,a,b,a", 1, service{}, "[[0 2] [1] [3]]", "++++"},
		"one that was refused is tried again":          {"-,-", 1, service{refuse: map[int]int{0: 2}}, "[[0 1] [0] [0]]", "++"},
		"what is behind one that was refused waits":    {"a,a,b", 1, service{refuse: map[int]int{0: 1}}, "[[0 2] [0] [1]]", "+++"},
		"one that is refused for long is given up":     {"a,a,b", 1, service{refuse: map[int]int{0: 99}}, "[[0 2] [0] [0] [0] [0]]", "--+"},
		"one that is refused for good is tried once":   {"a,a,b", 1, service{gone: map[int]error{0: gone}}, "[[0 2]]", "--+"},
		"what is larger than a call is not even tried": {"a,a", 300 << 10, service{}, "[]", "--"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				errs := awsbatch.Send(t.Context(), entries(c.groups, c.bytes), c.service.call)
				if got := fmt.Sprint(c.service.calls); got != c.calls {
					t.Errorf("calls = %s, want %s", got, c.calls)
				}
				if got := outcome(errs); got != c.outcome {
					t.Errorf("outcome = %s (%v), want %s", got, errs, c.outcome)
				}
			})
		})
	}
}

func TestWhatWasNotTriedMayBeTriedAgain(t *testing.T) {
	t.Parallel()
	s := service{gone: map[int]error{0: fault.New(fault.Invalid, "bad", "It is bad.")}}
	errs := awsbatch.Send(t.Context(), entries("a,a", 1), s.call)
	if !fault.KindOf(errs[0]).Permanent() || fault.KindOf(errs[1]).Permanent() {
		t.Errorf("errors = %v, want one for good and one for now", errs)
	}
}

func TestACallThatFailsEndsIt(t *testing.T) {
	t.Parallel()
	calls := 0
	errs := awsbatch.Send(t.Context(), entries("-,-,-,-,-,-,-,-,-,-,-", 1), func(context.Context, []int) ([]error, error) {
		calls++
		return nil, errBusy
	})
	if outcome(errs) != "-----------" || calls != 1 {
		t.Errorf("outcome = %v after %d calls, want none taken after one", errs, calls)
	}
}

func TestNobodyWaitsForAPauseThatIsOver(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := service{refuse: map[int]int{0: 99}}
	errs := awsbatch.Send(ctx, entries("-", 1), func(ctx context.Context, batch []int) ([]error, error) {
		cancel()
		return s.call(ctx, batch)
	})
	if !errors.Is(errs[0], errBusy) || len(s.calls) != 1 {
		t.Errorf("errors = %v after %d calls, want one call", errs, len(s.calls))
	}
}

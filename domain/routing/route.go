package routing

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// maxMisses is how many near misses a decision tells in full.
const maxMisses = 3

// Route decides where an escalation goes. It never fails and never panics: a
// condition that fails while it runs is a miss, and what no rule matches goes
// to the fallback queue. The same input gives the same decision on every
// machine. Route is safe for concurrent use.
func (r *RuleSet) Route(in Input) Decision {
	return r.decide(newFacts(r, &in))
}

// decide finds the rule first, going no further in a rule than its first
// failure, and only then looks how near the others came.
func (r *RuleSet) decide(f *facts) Decision {
	d := Decision{
		Queue: r.queues[r.fallback], Priority: DefaultPriority, RuleIndex: -1, Fallback: true,
		RuleSet: r.hash, Evaluator: Evaluator, TimeZones: TimeZones,
	}
	var outcomes strings.Builder
	outcomes.Grow(len(r.rules))
	for i := range r.rules {
		u := &r.rules[i]
		o := u.test(f)
		outcomes.WriteByte(o.encode())
		if o.Result == Errored {
			f.errors = append(f.errors, ruleError{i, o.Condition, f.reason})
		}
		if o.Result == Matched {
			d.Rule, d.RuleIndex, d.Fallback = u.name, i, false
			d.Queue, d.Priority, d.Skills = r.queues[u.queue], u.priority, slices.Clone(u.skills)
			break
		}
	}
	tried := outcomes.Len()
	for range len(r.rules) - tried {
		outcomes.WriteByte(Outcome{}.encode())
	}
	d.Outcomes = outcomes.String()
	d.Misses = r.nearest(f, d.Outcomes[:tried])
	return d
}

func (u *rule) test(f *facts) Outcome {
	for j := range u.clauses {
		switch u.clauses[j].test(f) {
		case held:
		case failed:
			return Outcome{Errored, j}
		default:
			return Outcome{Missed, j}
		}
	}
	return Outcome{Result: Matched}
}

// candidate is a rule that did not match, and how near it came.
type candidate struct {
	rule, first   int // the rule, and the first of its clauses that failed
	failed, holds int
}

// order puts the rules with the fewest failures first, and of those the ones
// of which the most held: two of three is nearer than none of one.
func (a candidate) order(b candidate) int {
	return cmp.Or(cmp.Compare(a.failed, b.failed), cmp.Compare(b.holds, a.holds), cmp.Compare(a.rule, b.rule))
}

// nearest returns the rules that came nearest, of those that were tried.
func (r *RuleSet) nearest(f *facts, outcomes string) []Miss {
	var best [maxMisses + 1]candidate
	count := 0
	for i := range len(outcomes) {
		if outcomes[i] == '=' {
			break
		}
		limit := math.MaxInt
		if count == maxMisses {
			limit = best[maxMisses-1].failed
		}
		c, ok := r.measure(f, i, outcomes[i], limit)
		if !ok {
			continue
		}
		at := count
		for ; at > 0 && c.order(best[at-1]) < 0; at-- {
			best[at] = best[at-1]
		}
		best[at] = c
		count = min(count+1, maxMisses)
	}
	if count == 0 {
		return nil
	}
	misses := make([]Miss, count)
	for i, c := range best[:count] {
		misses[i] = r.miss(f, c)
	}
	return misses
}

// measure counts how many clauses of a rule fail, and gives up above limit.
func (r *RuleSet) measure(f *facts, rule int, outcome byte, limit int) (candidate, bool) {
	first := firstFailure(f, rule, outcome)
	c := candidate{rule: rule, first: first, failed: 1, holds: first}
	clauses := r.rules[rule].clauses
	for j := first + 1; j < len(clauses) && c.failed <= limit; j++ {
		if clauses[j].test(f) == held {
			c.holds++
		} else {
			c.failed++
		}
	}
	return c, c.failed <= limit
}

// firstFailure returns the clause at which a rule was given up.
func firstFailure(f *facts, rule int, outcome byte) int {
	switch {
	case 'a' <= outcome && outcome <= 'z':
		return int(outcome - 'a')
	case 'A' <= outcome && outcome <= 'Z':
		return int(outcome-'A') + letters
	}
	e, _ := f.errorOf(rule) // the byte of an error doesn't tell
	return e.clause
}

package routing

import (
	"regexp"
	"slices"
)

// verdict is how one condition, or one clause, came out.
type verdict uint8

const (
	held     verdict = iota
	unmet            // the value is another
	missing          // no value
	mismatch         // a value of another type
	failed           // the condition itself failed
)

func verdictOf(holds bool) verdict {
	if holds {
		return held
	}
	return unmet
}

// condition is one plain condition: a subject, an operator and operands.
type condition struct {
	subject subject
	op      operator
	// compares is what the operands are; it is natureText for most.
	compares nature
	texts    []string // folded
	numbers  []number
	flag     bool
	pattern  *regexp.Regexp
	hours    []span
	dates    []date
	// name and operands are for people, as written.
	name     string
	operands []string
}

// test decides the condition. An absent value is a miss for every operator but
// absent, so that nobody matches by sending nothing.
func (c *condition) test(f *facts) verdict {
	v := f.get(c.subject)
	switch c.op {
	case opPresent, opAbsent:
		present := v.shape != shapeAbsent && !v.defaulted
		return verdictOf((present == (c.op == opPresent)) == c.flag)
	case opWithin, opOutside:
		in := slices.ContainsFunc(c.hours, func(s span) bool { return s.covers(f.local) })
		return verdictOf(in == (c.op == opWithin))
	case opOn, opNotOn:
		in := slices.ContainsFunc(c.dates, func(d date) bool { return d.is(f.local) })
		return verdictOf(in == (c.op == opOn))
	}
	if v.shape == shapeAbsent {
		return missing
	}
	switch c.compares {
	case natureFlag:
		return c.testFlag(v)
	case natureNumber:
		return c.testNumber(v)
	}
	return c.testText(f, v)
}

func (c *condition) testFlag(v *value) verdict {
	if v.shape != shapeFlag {
		return mismatch
	}
	return verdictOf(v.flag == c.flag)
}

func (c *condition) testNumber(v *value) verdict {
	if v.shape != shapeNumber {
		return mismatch
	}
	order := v.number.compare(c.numbers[0])
	switch c.op {
	case opAtLeast:
		return verdictOf(order >= 0)
	case opAtMost:
		return verdictOf(order <= 0)
	case opAbove:
		return verdictOf(order > 0)
	case opBelow:
		return verdictOf(order < 0)
	}
	same := slices.ContainsFunc(c.numbers, func(n number) bool { return v.number.compare(n) == 0 })
	return verdictOf(same == (c.op != opIsNot))
}

// testText compares a text, or any text of a list. is_not holds where nothing
// in the list is the operand.
func (c *condition) testText(f *facts, v *value) verdict {
	var found bool
	switch v.shape {
	case shapeText:
		if !f.spend(c.cost(len(v.text))) {
			return f.fail(errWork)
		}
		found = c.compare(v.text)
	case shapeTexts:
		for _, t := range v.texts {
			if !f.spend(c.cost(len(t))) {
				return f.fail(errWork)
			}
			if found = c.compare(t); found {
				break
			}
		}
	default:
		return mismatch
	}
	return verdictOf(found == (c.op != opIsNot))
}

// cost is the work of comparing with a text of so many bytes. Patterns are
// linear too (RE2), but step by step.
func (c *condition) cost(length int) int {
	if c.op == opMatches {
		return 4*length + 1
	}
	return length*len(c.texts)/16 + 1
}

// spend takes from the work that is left and reports whether there was enough.
func (f *facts) spend(units int) bool {
	f.work -= units
	return f.work >= 0
}

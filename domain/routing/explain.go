package routing

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"handoff/domain/fault"
)

// Line tells about one rule of a decision, for somebody who reads no code.
type Line struct {
	Rule   string // empty in the line about the fallback
	Index  int    // -1 in the line about the fallback
	Result Result
	// Nearest says that the rule is one of the nearest misses.
	Nearest bool
	// Text is such as "no, because order_total is 380, needs at least 500".
	Text string
}

// String returns the whole sentence.
func (l Line) String() string {
	if l.Index < 0 {
		return l.Text
	}
	return fmt.Sprintf("rule %q: %s", l.Rule, l.Text)
}

// Explain tells why a decision came out as it did: a line for each rule in
// order, and a last one if the fallback took it. The decision may come from
// storage; then r is loaded from the source with the decision's RuleSet hash.
// Values that were erased from its misses are left out of the sentences.
func (r *RuleSet) Explain(d Decision) ([]Line, error) {
	if d.RuleSet != r.hash {
		return nil, fault.Newf(fault.Conflict, "rules-other", "The decision was made by rule set %s, not by %s.", d.RuleSet, r.hash)
	}
	outcomes, err := DecodeOutcomes(d.Outcomes)
	if err != nil || len(outcomes) != len(r.rules) {
		return nil, fault.New(fault.Conflict, "rules-other", "The decision's outcomes do not fit its rule set.").Because(err)
	}
	misses := make(map[int]*Miss, len(d.Misses))
	for i := range d.Misses {
		misses[d.Misses[i].RuleIndex] = &d.Misses[i]
	}
	lines := make([]Line, 0, len(outcomes)+1)
	for i, o := range outcomes {
		m := misses[i]
		text := r.rules[i].text(o)
		if m != nil && (o.Result == Missed || o.Result == Errored) {
			text = "no, because " + r.missText(m)
		}
		lines = append(lines, Line{Rule: r.rules[i].name, Index: i, Result: o.Result, Nearest: m != nil, Text: text})
	}
	if d.Fallback {
		lines = append(lines, Line{Index: -1, Result: Matched, Text: fmt.Sprintf("no rule matched, so it went to the fallback queue, %s", d.Queue.Name)})
	}
	return lines, nil
}

// text tells how a rule came out, from its outcome alone.
func (u *rule) text(o Outcome) string {
	switch o.Result {
	case Matched:
		list := make([]string, len(u.clauses))
		for i := range u.clauses {
			list[i] = u.clauses[i].describe()
		}
		return "yes: " + strings.Join(list, ", ")
	case NotTried:
		return "not asked, because an earlier rule had matched"
	case Errored:
		return "no, because a condition could not be decided"
	}
	if o.Condition >= len(u.clauses) {
		return "no"
	}
	return "no, because this does not hold: " + u.clauses[o.Condition].describe()
}

// missText tells a miss in full, such as "order_total is 380, needs at least
// 500". It takes nothing for granted: the miss may come from storage.
func (r *RuleSet) missText(m *Miss) string {
	if m.RuleIndex < 0 || m.RuleIndex >= len(r.rules) || m.Failed < 0 || m.Failed >= len(r.rules[m.RuleIndex].clauses) {
		return "this does not hold: " + m.Condition
	}
	c := &r.rules[m.RuleIndex].clauses[m.Failed]
	text := c.missText(m)
	if m.Others > 0 {
		text += fmt.Sprintf(" (%d more of its conditions failed)", m.Others)
	}
	return text
}

func (c *clause) missText(m *Miss) string {
	switch {
	case m.Kind == KindError && m.Was != nil:
		return fmt.Sprintf("%s could not be decided: %s", c.describe(), show(m.Was))
	case m.Kind == KindError:
		return c.describe() + " could not be decided"
	case c.when != nil:
		return "this does not hold: " + c.describe() + values(m.Was)
	case c.any && len(c.conditions) > 1:
		return c.noneText(m.Was)
	}
	n := &c.conditions[0]
	was := m.Was
	if c.any {
		was = entries(m.Was)[n.name]
	}
	return n.missText(m.Kind, was)
}

func (c *condition) missText(kind Kind, was json.RawMessage) string {
	subject := c.english()
	if c.subject.field == fieldTime {
		subject = "the time"
	}
	switch {
	case kind == KindMissing:
		return fmt.Sprintf("%s is missing, needs %s", subject, c.need())
	case c.op == opPresent || c.op == opAbsent:
		return "this does not hold: " + c.describe()
	case len(was) == 0:
		return "this does not hold: " + c.describe()
	case kind == KindDefault:
		return fmt.Sprintf("%s was not sent and counts as %s, needs %s", subject, show(was), c.need())
	case kind == KindMismatch:
		return fmt.Sprintf("%s is %s, which is %s, needs %s", subject, show(was), typeOf(was), c.need())
	}
	return fmt.Sprintf("%s is %s, needs %s", subject, show(was), c.need())
}

// noneText tells of an `any` of which nothing held.
func (c *clause) noneText(was json.RawMessage) string {
	object := entries(was)
	list := make([]string, len(c.conditions))
	for i := range c.conditions {
		n := &c.conditions[i]
		list[i] = n.describe()
		if raw, ok := object[n.name]; ok {
			list[i] += " (it is " + show(raw) + ")"
		}
	}
	return "none of these holds: " + strings.Join(list, "; ")
}

// values lists the entries of an object: " (reason is other, topic is Refund)".
func values(was json.RawMessage) string {
	object := entries(was)
	if len(object) == 0 {
		return ""
	}
	list := make([]string, 0, len(object))
	for _, name := range slices.Sorted(maps.Keys(object)) {
		list = append(list, name+" is "+show(object[name]))
	}
	return " (" + strings.Join(list, ", ") + ")"
}

func entries(was json.RawMessage) map[string]json.RawMessage {
	var object map[string]json.RawMessage
	if json.Unmarshal(was, &object) != nil {
		return nil
	}
	return object
}

// typeOf names the type of a JSON value.
func typeOf(raw json.RawMessage) string {
	switch raw[0] {
	case '"':
		return "text"
	case '[':
		return "a list"
	case '{':
		return "an object"
	case 't', 'f':
		return "true or false"
	}
	return "a number"
}

// show prints a value for people on one line. Whatever could upset a terminal
// is escaped: a stranger wrote it.
func show(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		s = string(raw)
		if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
			s = strconv.Quote(s)
		}
		return shorten(s, 120)
	}
	plain := func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_.:@+/", r)
	}
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) && len(s) <= 40 {
		return s
	}
	return strconv.Quote(shorten(s, 120))
}

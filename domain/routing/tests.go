package routing

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// testCase is one of the file's own tests.
type testCase struct {
	name         string
	line, column int
	given        Input
	queue        string // "" where it doesn't matter
	rule         string
	fallback     bool
}

// TestResult is how one of the file's own tests came out.
type TestResult struct {
	Name         string // as given in the file, or "test 3"
	Line, Column int
	Passed       bool
	// Detail says what was expected and what happened instead.
	Detail   string
	Decision Decision
}

// RunTests runs the tests inside the file. A set that Parse returned passes
// them; it stops early if they take too much work.
func (r *RuleSet) RunTests() []TestResult {
	results, _ := r.runTests()
	return results
}

// runTests stops when the tests have used up their work.
func (r *RuleSet) runTests() (results []TestResult, complete bool) {
	work := testsWork
	for i := range r.tests {
		if work <= 0 {
			return results, false
		}
		t := &r.tests[i]
		f := newFacts(r, &t.given)
		d := r.decide(f)
		work -= routeWork - f.work
		detail := r.differs(t, &d)
		results = append(results, TestResult{t.name, t.line, t.column, detail == "", detail, d})
	}
	return results, true
}

// differs says how a decision differs from what a test expects, or "".
func (r *RuleSet) differs(t *testCase, d *Decision) string {
	var want []string
	if t.queue != "" && t.queue != d.Queue.ID {
		want = append(want, fmt.Sprintf("queue %s", t.queue))
	}
	if t.rule != "" && t.rule != d.Rule {
		want = append(want, fmt.Sprintf("rule %q", t.rule))
	}
	if t.fallback && !d.Fallback {
		want = append(want, "the fallback")
	}
	if len(want) == 0 {
		return ""
	}
	got := "the fallback"
	if !d.Fallback {
		got = fmt.Sprintf("rule %q", d.Rule)
	}
	s := fmt.Sprintf("expected %s, but %s chose queue %s", strings.Join(want, " and "), got, d.Queue.ID)
	if len(d.Misses) > 0 {
		m := &d.Misses[0]
		s += fmt.Sprintf("; nearest miss: rule %q, because %s", m.Rule, r.missText(m))
	}
	return s
}

func (p *parser) runTests() {
	results, complete := p.set.runTests()
	for _, t := range results {
		if !t.Passed {
			p.addAt(t.Line, t.Column, "%s fails: %s", t.Name, t.Detail)
		}
	}
	if !complete {
		next := p.set.tests[len(results)]
		p.addAt(next.line, next.column, "the tests before this one took too much work: simplify the rules that use when")
	}
}

func (p *parser) readTests(n *yaml.Node) {
	for i, e := range p.items(n, "tests", MaxTests) {
		t := testCase{name: fmt.Sprintf("test %d", i+1), line: e.Line, column: e.Column}
		entries := p.mapping(e, "a test", "name", "given", "expect")
		if name := entries["name"]; name != nil {
			if s, ok := p.text(name, "a test's name", maxName); ok {
				t.name = fmt.Sprintf("test %q", s)
			}
		}
		if given := entries["given"]; given == nil {
			p.add(e, "a test needs given: what the bot sends")
		} else {
			p.given(given, &t.given)
		}
		if expect := entries["expect"]; expect == nil {
			p.add(e, "a test needs expect: the queue")
		} else {
			p.expect(expect, &t)
		}
		if p.timeUse != nil && t.given.At.IsZero() && entries["given"] != nil {
			p.add(entries["given"], `the rules look at the time, so a test must say at: "2026-11-23T10:00"`)
		}
		p.set.tests = append(p.set.tests, t)
	}
}

// expect reads a queue's id, or any of queue, rule and fallback.
func (p *parser) expect(n *yaml.Node, t *testCase) {
	if n.Kind == yaml.ScalarNode {
		t.queue = p.expectQueue(n)
		return
	}
	entries := p.mapping(n, "expect", "queue", "rule", "fallback")
	if q := entries["queue"]; q != nil {
		t.queue = p.expectQueue(q)
	}
	if e := entries["rule"]; e != nil {
		t.rule, _ = p.text(e, "the rule", maxName)
		if !slices.ContainsFunc(p.set.rules, func(r rule) bool { return r.name == t.rule }) {
			p.add(e, "there is no rule %q", t.rule)
		}
	}
	if e := entries["fallback"]; e != nil {
		var ok bool
		if t.fallback, ok = p.boolean(e, "fallback"); ok && !t.fallback {
			p.add(e, "fallback can only be true: otherwise name a rule")
		}
	}
	if len(entries) == 0 && n.Kind == yaml.MappingNode {
		p.add(n, "expect names nothing: write a queue, a rule or fallback: true")
	}
}

func (p *parser) expectQueue(n *yaml.Node) string {
	before := len(p.list)
	i := p.queueRef(n, "the queue")
	if len(p.list) > before || i >= len(p.set.queues) {
		return ""
	}
	return p.set.queues[i].ID
}

// given reads what the bot sends, under the names that conditions use; those
// with a dot may also be nested, as in the request of an escalation.
func (p *parser) given(n *yaml.Node, in *Input) {
	for _, e := range p.pairs(n, "given") {
		switch name := e.key.Value; name {
		case "variables":
			p.givenVariables(e.value, in)
		case "at":
			p.givenTime(e.value, in)
		case "customer", "bot", "wishes":
			for _, inner := range p.pairs(e.value, name) {
				p.givenField(inner.key, name+"."+inner.key.Value, inner.value, in)
			}
		default:
			p.givenField(e.key, name, e.value, in)
		}
	}
}

func (p *parser) givenVariables(n *yaml.Node, in *Input) {
	in.Variables = map[string]json.RawMessage{}
	for _, v := range p.pairs(n, "variables") {
		raw, err := jsonOf(v.value)
		if err != nil {
			p.add(v.value, "%v", err)
			continue
		}
		in.Variables[v.key.Value] = raw
	}
}

// givenTime reads a local time of the file's zone.
func (p *parser) givenTime(n *yaml.Node, in *Input) {
	location := p.set.location
	if location == nil {
		location = time.UTC
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(layout, n.Value, location); err == nil {
			in.At = t
			return
		}
	}
	in.At = time.Unix(0, 0) // there is a time, though a wrong one: one finding is enough
	p.add(n, `%s is no time: write the local time as "2026-11-23T10:00"`, kindOf(n))
}

func (p *parser) givenField(key *yaml.Node, name string, n *yaml.Node, in *Input) {
	id, known := fieldOf(name)
	if !known || id == fieldTime {
		p.add(key, "%q is nothing that a bot sends%s", name, suggest(name, append(fieldNames(), "variables", "at")))
		return
	}
	switch fieldTable[id].nature {
	case natureFlag:
		in.Customer.Verified, _ = p.boolean(n, name)
	case natureNumber:
		if i, ok := p.integer(n, name, 0, 100); ok {
			in.WishedPriority = &i
		}
	case natureTexts:
		for _, e := range p.items(n, name, MaxOperands) {
			if s, ok := p.text(e, name, maxOperand); ok {
				list := in.listField(id)
				*list = append(*list, s)
			}
		}
	default:
		if s, ok := p.text(n, name, MaxExpression); ok {
			*in.textField(id) = s
		}
	}
}

package routing

import (
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"handoff/domain/fault"
)

// rule is one rule of a set: clauses that must all hold, and what follows.
type rule struct {
	name     string
	line     int
	column   int
	clauses  []clause
	queue    int
	priority int
	skills   []string
}

// clause is one condition of a rule: one of `all`, the whole `any`, or `when`.
type clause struct {
	conditions []condition
	any        bool
	when       *expression
}

// test decides a clause.
func (c *clause) test(f *facts) verdict {
	if c.when != nil {
		return c.when.test(f)
	}
	if !c.any {
		return c.conditions[0].test(f)
	}
	worst := missing
	for i := range c.conditions {
		switch v := c.conditions[i].test(f); v {
		case held:
			return held
		case failed:
			worst = failed
		case unmet, mismatch:
			if worst != failed {
				worst = unmet
			}
		}
	}
	return worst
}

func (p *parser) rules(n *yaml.Node) {
	names := map[string]bool{}
	for _, r := range p.items(n, "rules", MaxRules) {
		p.parseRule(r, names)
		p.rule = ""
	}
}

func (p *parser) parseRule(n *yaml.Node, names map[string]bool) {
	if n.Kind != yaml.MappingNode {
		p.add(n, "a rule must be a mapping of keys to values, not %s", kindOf(n))
		return
	}
	p.rule = nameIn(n) // known first, so that every finding can tell it
	entries := p.mapping(n, "a rule", "name", "all", "any", "when", "then")
	r := rule{line: n.Line, column: n.Column, priority: DefaultPriority}
	if name := entries["name"]; name == nil {
		p.add(n, "a rule needs a name")
	} else if r.name, _ = p.text(name, "a rule's name", maxName); r.name != "" && names[r.name] {
		p.add(name, "rule %q comes twice", r.name)
	}
	names[r.name] = true
	p.clauses(n, entries, &r)
	if then := entries["then"]; then == nil {
		p.add(n, "a rule needs a then: that names its queue")
	} else {
		p.then(then, &r)
	}
	p.set.rules = append(p.set.rules, r)
}

// nameIn returns the name that a rule gives itself, or "".
func nameIn(n *yaml.Node) string {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "name" && n.Content[i+1].Kind == yaml.ScalarNode {
			return shorten(n.Content[i+1].Value, maxName)
		}
	}
	return ""
}

func (p *parser) clauses(n *yaml.Node, entries map[string]*yaml.Node, r *rule) {
	all, some, when := entries["all"], entries["any"], entries["when"]
	if all == nil && some == nil && when == nil {
		p.add(n, `a rule needs conditions: all, any or when (when: "true" always holds)`)
	}
	if all != nil {
		for _, c := range p.conditions(all, "all") {
			r.clauses = append(r.clauses, clause{conditions: []condition{c}})
		}
	}
	if some != nil {
		if list := p.conditions(some, "any"); len(list) > 0 {
			r.clauses = append(r.clauses, clause{conditions: list, any: true})
		}
	}
	if when != nil {
		if x := p.expression(when); x != nil {
			r.clauses = append(r.clauses, clause{when: x})
		}
	}
}

// conditions reads a list of plain conditions; an empty one is a finding,
// because it would hold always (all) or never (any).
func (p *parser) conditions(n *yaml.Node, what string) []condition {
	if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		p.add(n, "%s is empty", what)
	}
	var list []condition
	for _, e := range p.items(n, what, MaxConditions) {
		if c, ok := p.condition(e); ok {
			list = append(list, c)
		}
	}
	return list
}

// expression compiles a `when`, and puts its findings where they stand in the file.
func (p *parser) expression(n *yaml.Node) *expression {
	source, ok := p.text(n, "when", MaxExpression)
	if !ok {
		return nil
	}
	if p.environment == nil {
		e, err := newEnvironment(p.set.variables)
		if err != nil {
			p.add(n, "%v", err)
			return nil
		}
		p.environment = e
	}
	x, errs := compile(p.environment, source)
	for _, e := range errs {
		line, column := p.locate(n, offset(source, e.line, e.column))
		p.addAt(line, column, "when: %s", e.detail)
	}
	if x != nil && slices.ContainsFunc(x.reads, func(name string) bool { return clockFields[name] != nil }) {
		p.usesTime(n)
	}
	return x
}

// usesTime notes the first place that looks at the time, as the finding that
// it is if the file names no time zone.
func (p *parser) usesTime(n *yaml.Node) {
	if p.timeUse == nil {
		p.timeUse = &fault.Problem{
			Rule: p.rule, Line: n.Line, Column: n.Column,
			Detail: "the rules look at the time, so the file must say its time_zone, such as Europe/Amsterdam",
		}
	}
}

// offset returns the byte of text at a line (from 1) and a column in
// characters (from 0).
func offset(text string, line, column int) int {
	at := 0
	for ; line > 1; line-- {
		i := strings.IndexByte(text[at:], '\n')
		if i < 0 {
			break
		}
		at += i + 1
	}
	for ; column > 0 && at < len(text); column-- {
		_, size := utf8.DecodeRuneInString(text[at:])
		at += size
	}
	return at
}

func (p *parser) then(n *yaml.Node, r *rule) {
	entries := p.mapping(n, "then", "queue", "priority", "skills")
	if q := entries["queue"]; q == nil {
		p.add(n, "then needs a queue")
	} else {
		r.queue = p.queueRef(q, "the queue")
	}
	if e := entries["priority"]; e != nil {
		r.priority, _ = p.integer(e, "priority", 0, 100)
	}
	if e := entries["skills"]; e != nil {
		for _, s := range p.items(e, "skills", maxSkills) {
			if skill, ok := p.text(s, "a skill", maxSkill); ok {
				r.skills = append(r.skills, skill)
			}
		}
	}
}

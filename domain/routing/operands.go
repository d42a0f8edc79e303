package routing

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// condition reads `field: {operator: value}` or `variable: name, operator: value`.
func (p *parser) condition(n *yaml.Node) (c condition, ok bool) {
	pairs := p.pairs(n, "a condition")
	if i := slices.IndexFunc(pairs, func(e pair) bool { return e.key.Value == "variable" }); i >= 0 {
		subject := pairs[i]
		return p.variableCondition(n, subject.value, slices.Delete(pairs, i, i+1))
	}
	if len(pairs) != 1 {
		if len(pairs) > 1 {
			p.add(n, "a condition tests one field: write two conditions")
		} else if n.Kind == yaml.MappingNode {
			p.add(n, "a condition is empty: write field: {operator: value}")
		}
		return c, false
	}
	key := pairs[0].key
	id, known := fieldOf(key.Value)
	if !known {
		hint := suggest(key.Value, fieldNames())
		if hint == "" {
			hint = "; a variable of the bot is written variable: NAME, operator: value"
		}
		p.add(key, "%q is no field%s", key.Value, hint)
		return c, false
	}
	c = condition{subject: subject{field: id}, name: key.Value}
	if id == fieldTime {
		p.usesTime(key)
	}
	operators := p.pairs(pairs[0].value, key.Value)
	return c, p.operator(pairs[0].value, operators, fieldTable[id].nature, &c)
}

func (p *parser) variableCondition(n, name *yaml.Node, rest []pair) (c condition, ok bool) {
	if c.name, ok = p.text(name, "a variable's name", 100); !ok {
		return c, false
	}
	_, known := p.names[c.name]
	if !known && len(p.set.variables) >= 2*MaxVariables {
		p.add(name, "the rules test more than %d variables", MaxVariables)
		return c, false
	}
	c.subject = subject{fieldVariable, p.intern(variable{name: c.name})}
	return c, p.operator(n, rest, p.set.variables[c.subject.variable].nature(), &c)
}

// operator reads the only operator of a condition and its operands.
func (p *parser) operator(n *yaml.Node, pairs []pair, of nature, c *condition) bool {
	if len(pairs) != 1 {
		if n.Kind == yaml.MappingNode {
			p.add(n, "a condition has one operator, not %d: write one condition for each", len(pairs))
		}
		return false
	}
	key, operand := pairs[0].key, pairs[0].value
	op, fits := operatorOf(key.Value, of)
	if !fits {
		hint := suggest(key.Value, operatorNames(of))
		if hint == "" {
			hint = ": use " + strings.Join(operatorNames(of), ", ")
		}
		p.add(key, "%q is no operator for %s%s", key.Value, c.name, hint)
		return false
	}
	c.op = op
	switch op {
	case opPresent, opAbsent:
		var ok bool
		c.flag, ok = p.boolean(operand, key.Value)
		c.operands = []string{operand.Value}
		return ok
	case opWithin, opOutside:
		return p.hours(operand, c)
	case opOn, opNotOn:
		return p.days(operand, c)
	case opMatches:
		return p.pattern(operand, c)
	}
	return p.values(operand, of, c)
}

// lists reports whether an operator takes a list of operands.
func (o operator) lists() bool {
	switch o {
	case opIsNot, opOneOf, opStartsWith, opEndsWith, opContains, opHasWord:
		return true
	}
	return false
}

// values reads operands that are compared: one, or a list for some operators.
func (p *parser) values(n *yaml.Node, of nature, c *condition) bool {
	what := "the operand of " + operatorTable[c.op].name
	nodes := []*yaml.Node{n}
	switch {
	case n.Kind == yaml.SequenceNode && c.op.lists():
		if nodes = p.items(n, what, MaxOperands); len(nodes) == 0 {
			p.add(n, "%s is empty", what)
			return false
		}
	case n.Kind != yaml.ScalarNode:
		p.add(n, "%s must be one value, not %s", what, kindOf(n))
		return false
	case c.op == opOneOf:
		p.add(n, "%s must be a list, such as [%s]", what, n.Value)
		return false
	}
	c.compares = c.comparesAs(nodes[0], of)
	ok := true
	for _, e := range nodes {
		ok = p.value(e, what, c) && ok
	}
	return ok
}

// comparesAs returns what the operands are, given the subject and the first of
// them: only an undeclared variable leaves it to the operand.
func (c *condition) comparesAs(n *yaml.Node, of nature) nature {
	switch {
	case c.op >= opAtLeast && c.op <= opBelow:
		return natureNumber
	case c.op >= opStartsWith && c.op <= opMatches, of == natureText, of == natureTexts:
		return natureText
	case of == natureNumber, of == natureFlag:
		return of
	case n.Tag == "!!int", n.Tag == "!!float":
		return natureNumber
	case n.Tag == "!!bool":
		return natureFlag
	}
	return natureText
}

func (p *parser) value(n *yaml.Node, what string, c *condition) bool {
	if n.Kind != yaml.ScalarNode {
		p.add(n, "%s must hold plain values, not %s", what, kindOf(n))
		return false
	}
	c.operands = append(c.operands, n.Value)
	switch c.compares {
	case natureNumber:
		num, ok := numberOf(n)
		if !ok {
			p.add(n, "%s must be a number, not %s", what, kindOf(n))
		}
		c.numbers = append(c.numbers, num)
		return ok
	case natureFlag:
		var ok bool
		if c.op != opIs {
			p.add(n, "true and false are tested with is")
			return false
		}
		c.flag, ok = p.boolean(n, what)
		return ok
	}
	text, ok := p.text(n, what, maxOperand)
	c.texts = append(c.texts, fold(text))
	return ok
}

// hours reads one text of hours, or a list of them.
func (p *parser) hours(n *yaml.Node, c *condition) bool {
	nodes := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		nodes = p.items(n, "the hours", MaxOperands)
	}
	for _, e := range nodes {
		text, ok := p.text(e, "the hours", maxOperand)
		if !ok {
			return false
		}
		spans, err := parseHours(text)
		if err != nil {
			p.add(e, "%v", err)
			return false
		}
		c.operands = append(c.operands, text)
		c.hours = append(c.hours, spans...)
	}
	if len(nodes) == 0 && n.Kind == yaml.SequenceNode {
		p.add(n, "the hours are empty")
	}
	return len(c.hours) > 0
}

// days reads a list of dates, or the word holidays.
func (p *parser) days(n *yaml.Node, c *condition) bool {
	if n.Kind == yaml.ScalarNode && n.Value == "holidays" {
		if len(p.holidays) == 0 {
			p.add(n, "the file has no holidays: list them under holidays")
		}
		c.dates, c.operands = p.holidays, []string{n.Value}
		return len(c.dates) > 0
	}
	for _, e := range p.items(n, "the days (a list of dates, or holidays)", MaxOperands) {
		if !p.date(e, &c.dates) {
			return false
		}
		c.operands = append(c.operands, e.Value)
	}
	if len(c.dates) == 0 && n.Kind == yaml.SequenceNode {
		p.add(n, "the days are empty")
	}
	return len(c.dates) > 0
}

func (p *parser) date(n *yaml.Node, dates *[]date) bool {
	d, err := parseDate(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil {
		p.add(n, "%s is no date: write 2026-12-25, or 12-25 for every year", kindOf(n))
		return false
	}
	*dates = append(*dates, d)
	return true
}

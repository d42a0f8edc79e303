package routing

import (
	"fmt"
	"strings"
)

// code writes a clause down as it stands in the file, on one line.
func (c *clause) code() string {
	if c.when != nil {
		return "when " + shorten(strings.Join(strings.Fields(c.when.source), " "), 300)
	}
	list := make([]string, len(c.conditions))
	for i := range c.conditions {
		list[i] = c.conditions[i].code()
	}
	if !c.any {
		return list[0]
	}
	return shorten("any of: "+strings.Join(list, "; "), 300)
}

// code is such as "order_total at_least 500".
func (c *condition) code() string {
	return shorten(c.name+" "+operatorTable[c.op].name+" "+strings.Join(c.operands, ", "), 300)
}

// describe says in plain English what a clause asks for.
func (c *clause) describe() string {
	if c.when != nil {
		return "the formula " + strings.Join(strings.Fields(c.when.source), " ")
	}
	list := make([]string, len(c.conditions))
	for i := range c.conditions {
		list[i] = c.conditions[i].describe()
	}
	if len(list) == 1 {
		return list[0]
	}
	return "one of these: " + strings.Join(list, "; ")
}

// describe is such as "order_total is at least 500" or "Mon-Fri 08:00-18:00".
func (c *condition) describe() string {
	switch c.op {
	case opWithin:
		return c.operand()
	case opOutside:
		return "outside " + c.operand()
	case opOn:
		return "the day is " + c.operand()
	case opNotOn:
		return "the day is not " + c.operand()
	case opPresent, opAbsent:
		if (c.op == opPresent) == c.flag {
			return c.english() + " is present"
		}
		return c.english() + " is absent"
	}
	return c.english() + " " + fmt.Sprintf(operatorTable[c.op].statement, c.operand())
}

// need is such as "at least 500": what the value would have had to be. It is
// not for present and absent, which say so themselves.
func (c *condition) need() string {
	return fmt.Sprintf(operatorTable[c.op].need, c.operand())
}

// english is the subject's name for people. Variables keep the bot's name.
func (c *condition) english() string {
	if c.subject.field == fieldVariable {
		return c.name
	}
	return fieldTable[c.subject.field].english
}

// operand joins the operands: "a, b or c".
func (c *condition) operand() string {
	if c.hours != nil {
		list := make([]string, len(c.hours))
		for i := range c.hours {
			list[i] = c.hours[i].text
		}
		return alternatives(list)
	}
	if c.dates != nil && c.operands[0] == "holidays" {
		return "a holiday"
	}
	return alternatives(c.operands)
}

func alternatives(list []string) string {
	if len(list) > 10 {
		list = append(list[:10:10], fmt.Sprintf("%d more", len(list)-10))
	}
	if len(list) == 1 {
		return list[0]
	}
	last := len(list) - 1
	return strings.Join(list[:last], ", ") + " or " + list[last]
}

// Package ruleset reads and evaluates the rulesets of unified routing
// (msdyn_rulesetdefinition), in the XML that live organisations were seen to
// store. The vendor documents the meaning of the steps and not the XML:
// operators, prefixes of attributes, the place of conditions and actions, and
// percentage splits are from captured definitions. Texts are compared without
// regard to case, numbers as numbers, as a tool tested against a live
// organisation does; a null matches != only.
package ruleset

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Rule is one rule of a ruleset.
type Rule struct {
	ID, Name string
	// Set are the attributes that the rule sets, in their order.
	Set []Assignment
	// Shares are the queues among which the rule distributes by percentage.
	Shares []Share

	conditions []node
}

// Assignment is one attribute and its value.
type Assignment struct{ Attribute, Value string }

// Share is a queue and how many of a hundred go there.
type Share struct {
	Queue   string
	Percent int
}

// Get returns the value that a rule sets an attribute to, or "".
func (r Rule) Get(attribute string) string {
	for _, a := range r.Set {
		if a.Attribute == attribute {
			return a.Value
		}
	}
	return ""
}

// Ruleset is a list of rules, in their order. Its zero value matches nothing.
type Ruleset struct{ Rules []Rule }

type node struct {
	XMLName  xml.Name
	Operator string `xml:"operator,attr"`
	ID       string `xml:"id,attr"`
	Name     string `xml:"name,attr"`
	Text     string `xml:",chardata"`
	Nodes    []node `xml:",any"`
}

func (n node) child(name string) node {
	for _, c := range n.Nodes {
		if c.XMLName.Local == name {
			return c
		}
	}
	return node{}
}

func (n node) text() string { return strings.TrimSpace(n.Text) }

// Parse reads a definition and leaves out the rules that are disabled: a JSON
// list of their ids, or the ids between commas.
func Parse(definition, disabled string) (*Ruleset, error) {
	var root node
	if err := xml.Unmarshal([]byte(definition), &root); err != nil {
		return nil, fmt.Errorf("read a ruleset: %w", err)
	}
	if root.XMLName.Local != "decision" {
		return nil, fmt.Errorf("read a ruleset: its root is %q, not decision", root.XMLName.Local)
	}
	s, skip := &Ruleset{}, ids(disabled)
	for _, n := range root.child("rules").Nodes {
		if slices.Contains(skip, strings.ToLower(n.ID)) {
			continue
		}
		r, err := rule(n)
		if err != nil {
			return nil, fmt.Errorf("read rule %s: %w", n.ID, err)
		}
		s.Rules = append(s.Rules, r)
	}
	return s, nil
}

func ids(text string) (all []string) {
	if json.Unmarshal([]byte(text), &all) != nil {
		all = strings.Split(text, ",")
	}
	for i, id := range all {
		all[i] = strings.ToLower(strings.Trim(strings.TrimSpace(id), "{}"))
	}
	return all
}

func rule(n node) (Rule, error) {
	r := Rule{ID: n.ID, Name: n.Name}
	for _, c := range n.Nodes {
		switch c.XMLName.Local {
		case "logical", "condition":
			if err := check(c); err != nil {
				return r, err
			}
			r.conditions = append(r.conditions, c)
		case "action":
			r.Set = append(r.Set, assignments(c)...)
			for _, record := range c.child("upsertrecords").child("records").Nodes {
				r.Shares = append(r.Shares, share(record))
			}
		default:
			return r, fmt.Errorf("there is no element %s", c.XMLName.Local)
		}
	}
	total := 0
	for _, s := range r.Shares {
		total += s.Percent
	}
	if len(r.Shares) > 0 && total != 100 {
		return r, fmt.Errorf("its shares make %d%%", total)
	}
	return r, nil
}

func assignments(n node) (all []Assignment) {
	for _, c := range n.Nodes {
		if c.XMLName.Local == "setattribute" {
			all = append(all, Assignment{c.child("lhs").text(), c.child("rhs").text()})
		}
	}
	return all
}

func share(record node) (s Share) {
	for _, a := range assignments(record) {
		switch a.Attribute {
		case "queuedetails.queueid":
			s.Queue = a.Value
		case "queuedetails.percentage":
			s.Percent, _ = strconv.Atoi(a.Value)
		}
	}
	return s
}

// check refuses a condition that can't be evaluated.
func check(n node) error {
	if n.XMLName.Local == "logical" {
		if n.Operator != "AND" && n.Operator != "OR" {
			return fmt.Errorf("there is no logical operator %q", n.Operator)
		}
		for _, c := range n.Nodes {
			if err := check(c); err != nil {
				return err
			}
		}
		return nil
	}
	if !slices.Contains([]string{"==", "!=", ">", ">=", "<", "<=", "not-null", "contains", "equals"}, n.Operator) {
		return fmt.Errorf("there is no operator %q", n.Operator)
	}
	return nil
}

// Matches returns the rules that hold, in their order. get returns the value of
// an attribute: a text, a float64, a bool or nil.
func (s *Ruleset) Matches(get func(attribute string) any) (all []Rule) {
	for _, r := range s.Rules {
		holds := func(n node) bool { return evaluate(n, get) }
		if !slices.ContainsFunc(r.conditions, func(n node) bool { return !holds(n) }) {
			all = append(all, r)
		}
	}
	return all
}

func evaluate(n node, get func(string) any) bool {
	if n.XMLName.Local == "logical" {
		holds := func(c node) bool { return evaluate(c, get) }
		if n.Operator == "OR" {
			return slices.ContainsFunc(n.Nodes, holds)
		}
		return !slices.ContainsFunc(n.Nodes, func(c node) bool { return !holds(c) })
	}
	return compare(get(n.child("lhs").text()), n.Operator, n.child("rhs").text())
}

func compare(value any, operator, want string) bool {
	if operator == "not-null" || value == nil {
		return value != nil && value != "" || operator == "!=" && value == nil
	}
	got := strings.ToLower(fmt.Sprint(value))
	want = strings.ToLower(want)
	if operator == "contains" {
		return strings.Contains(got, want)
	}
	order := strings.Compare(got, want)
	a, notA := strconv.ParseFloat(got, 64)
	b, notB := strconv.ParseFloat(want, 64)
	if notA == nil && notB == nil {
		order = 0
		if a != b {
			order = map[bool]int{true: -1, false: 1}[a < b]
		}
	}
	switch operator {
	case "==", "equals":
		return order == 0
	case "!=":
		return order != 0
	case ">":
		return order > 0
	case ">=":
		return order >= 0
	case "<":
		return order < 0
	default:
		return order <= 0
	}
}

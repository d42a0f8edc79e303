package omnichannel

import (
	"cmp"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/uuid"

	"handoff/domain/fault"
	"handoff/infra/microsoft/entra/guid"
)

// Names in rules (captured from live organisations by a community tool; the
// vendor documents the meaning of rulesets and not their XML).
const (
	queueAttribute  = "liveworkitemcontext." + VariableQueue
	assignAttribute = "assign_to.queue"
)

// QueueRule is a route-to-queue rule by which the hub obeys Handoff: what
// Handoff routes to a queue of its own goes to a queue of the hub.
type QueueRule struct {
	Queue string  // what HandoffQueue says: the id of the queue in Handoff's rules
	Hub   guid.ID // the hub's queue
	Name  string  // of the hub's queue
}

// Words say the rule as the hub's administration asks for it.
func (r QueueRule) Words() string {
	return fmt.Sprintf("If the context variable %s equals %s, route to the queue %s (%s).", VariableQueue, r.Queue, r.Name, r.Hub)
}

// id is the same wherever the rule is written, so that it is found again.
func (r QueueRule) id() string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("handoff/hub-rule/"+r.Queue)).String()
}

// RulesSource returns rules as a ruleset has them.
func RulesSource(rules []QueueRule) string {
	var b strings.Builder
	for _, r := range rules {
		fmt.Fprintf(&b, `
    <rule id="%s" name="%s">
      <condition operator="==">
        <lhs type="attribute">%s</lhs>
        <rhs type="staticvalue">%s</rhs>
      </condition>
      <action>
        <setattribute>
          <lhs type="attribute">%s</lhs>
          <rhs type="staticvalue">{%s}</rhs>
        </setattribute>
      </action>
    </rule>`, r.id(), escaped("Handoff: "+cmp.Or(r.Name, r.Queue)), queueAttribute, escaped(r.Queue), assignAttribute, r.Hub)
	}
	return b.String()
}

func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}

// RulesPlan is what a ruleset needs so that it obeys Handoff.
type RulesPlan struct {
	Missing []QueueRule
	// Own are rules that Handoff wrote, as they are wanted.
	Own []QueueRule
	// Definition is the ruleset with what is missing before its other rules. Of
	// those it changes none but Handoff's own that stand or lead elsewhere.
	Definition string
}

// PlanRules compares a ruleset (msdyn_rulesetdefinition, msdyn_disabledrules)
// with the rules that are wanted. A ruleset of another shape than those that
// were seen is the fault hub-rules-unreadable, a wanted rule that somebody
// switched off is hub-rules-disabled; both are Unprocessable. It is pure.
func PlanRules(definition, disabled string, want []QueueRule) (RulesPlan, error) {
	d, err := readDefinition(definition)
	if err != nil {
		return RulesPlan{}, fault.New(fault.Unprocessable, "hub-rules-unreadable",
			"The workstream's route-to-queue rules have a shape that this version does not know, so nothing is changed there. Add the rules by hand.").Because(err)
	}
	var plan RulesPlan
	var stale []written
	off := ruleIDs(disabled)
	first := d.first(off)
	for _, r := range want {
		own, isThere := d.rule(r.id())
		switch {
		case isThere && slices.Contains(off, r.id()):
			return RulesPlan{}, fault.Newf(fault.Unprocessable, "hub-rules-disabled",
				"The hub's rule for queue %s is there, and somebody switched it off. Switch it on again in the workstream's route-to-queue rules.", r.Queue)
		case isThere && own.obeys(r) && slices.Contains(first, own):
			plan.Own = append(plan.Own, r)
		case slices.ContainsFunc(first, func(w written) bool { return w.obeys(r) }):
		default:
			plan.Missing = append(plan.Missing, r)
			if isThere {
				stale = append(stale, own)
			}
		}
	}
	plan.Definition = d.with(plan.Missing, stale)
	return plan, nil
}

// definition is a ruleset's text, and where its rules stand in it.
type definition struct {
	text  string
	start int // behind the tag that opens the rules
	rules []written
}

// written is a rule as it stands in a text.
type written struct {
	id         string
	start, end int
	value      string  // of HandoffQueue, if that is all that it asks for
	queue      guid.ID // to which it leads, if that is all that it does
}

func (w written) obeys(r QueueRule) bool {
	return w.value == r.Queue && w.queue == r.Hub && r.Hub != ""
}

func (d definition) rule(id string) (written, bool) {
	i := slices.IndexFunc(d.rules, func(w written) bool { return w.id == id })
	if i < 0 {
		return written{}, false
	}
	return d.rules[i], true
}

// first returns the rules in force that stand before all others but those about
// HandoffQueue: behind another rule that holds too, the hub does not come to them.
func (d definition) first(off []string) (all []written) {
	for _, w := range d.rules {
		switch {
		case slices.Contains(off, w.id):
		case w.value == "":
			return all
		default:
			all = append(all, w)
		}
	}
	return all
}

// with returns the text with rules at its beginning and without stale ones.
func (d definition) with(rules []QueueRule, stale []written) string {
	if len(rules) == 0 {
		return d.text
	}
	opened := d.text[:d.start]
	rest, at := "", d.start
	slices.SortFunc(stale, func(a, b written) int { return a.start - b.start })
	for _, s := range stale {
		rest += d.text[at:s.start]
		at = s.end
	}
	rest += d.text[at:]
	if bare, empty := strings.CutSuffix(opened, "/>"); empty {
		opened, rest = bare+">", "\n  </rules>"+rest
	}
	return opened + RulesSource(rules) + rest
}

// condition and the types around it are a rule's XML as far as it is compared.
type condition struct {
	Operator string `xml:"operator,attr"`
	Left     string `xml:"lhs"`
	Right    string `xml:"rhs"`
}

type ruleXML struct {
	ID         string      `xml:"id,attr"`
	Conditions []condition `xml:"condition"`
	Logical    []struct {
		Conditions []condition `xml:"condition"`
		Inner      []struct{}  `xml:"logical"`
	} `xml:"logical"`
	Sets    []condition `xml:"action>setattribute"`
	Upserts []struct{}  `xml:"action>upsertrecords"`
}

// readDefinition reads <decision><rules><rule>…, and refuses everything else.
func readDefinition(text string) (definition, error) {
	d := definition{text: text}
	dec := xml.NewDecoder(strings.NewReader(text))
	for depth := 0; ; {
		before := int(dec.InputOffset())
		token, err := dec.Token()
		switch {
		case errors.Is(err, io.EOF) && d.start > 0:
			return d, nil
		case err != nil:
			return d, err
		}
		switch t := token.(type) {
		case xml.Directive:
			return d, errors.New("it has a document type")
		case xml.EndElement:
			depth--
		case xml.StartElement:
			switch {
			case depth == 0 && t.Name.Local == "decision" && d.start == 0:
				depth++
			case depth == 1 && t.Name.Local == "rules" && d.start == 0:
				d.start = int(dec.InputOffset())
				depth++
			case depth == 2 && t.Name.Local == "rule":
				var r ruleXML
				if err := dec.DecodeElement(&r, &t); err != nil {
					return d, err
				}
				d.rules = append(d.rules, r.written(before, int(dec.InputOffset())))
			default:
				return d, fmt.Errorf("it has an element %s that is not known there", t.Name.Local)
			}
		}
	}
}

func (r ruleXML) written(start, end int) written {
	w := written{id: bareID(r.ID), start: start, end: end}
	conditions := r.Conditions
	for _, l := range r.Logical {
		conditions = append(conditions, l.Conditions...)
		if len(l.Inner) > 0 {
			return w
		}
	}
	if len(conditions) != 1 || len(r.Sets) != 1 || len(r.Upserts) > 0 {
		return w
	}
	asks, sets := conditions[0], r.Sets[0]
	same := asks.Operator == "==" || asks.Operator == "equals"
	if same && strings.TrimSpace(asks.Left) == queueAttribute && strings.TrimSpace(sets.Left) == assignAttribute {
		w.value = strings.TrimSpace(asks.Right)
		w.queue, _ = guid.Parse(sets.Right)
	}
	return w
}

// ruleIDs reads msdyn_disabledrules: a JSON list, or ids between commas.
func ruleIDs(text string) (all []string) {
	if json.Unmarshal([]byte(text), &all) != nil {
		all = strings.Split(text, ",")
	}
	for i, id := range all {
		all[i] = bareID(id)
	}
	return all
}

func bareID(id string) string { return strings.ToLower(strings.Trim(strings.TrimSpace(id), "{}")) }

package omnichannel_test

import (
	"strings"
	"testing"

	"handoff/domain/fault"
	"handoff/infra/microsoft/omnichannel"
	"handoff/infra/microsoft/simulation/ruleset"
)

const (
	refundsID = "aaaaaaaa-0000-4000-8000-0000000000a1"
	salesID   = "aaaaaaaa-0000-4000-8000-0000000000a2"
)

func wanted() []omnichannel.QueueRule {
	return []omnichannel.QueueRule{{Queue: "refunds", Hub: refundsID, Name: "Refunds & <more>"}, {Queue: "sales", Hub: salesID, Name: "Sales"}}
}

// byHand is a rule as an administrator's page stores it.
func byHand(id, value, queue string) string {
	return `<rule id="` + id + `" name="by hand"><logical operator="AND"><condition operator="=="><lhs type="attribute">liveworkitemcontext.HandoffQueue</lhs>` +
		`<rhs type="staticvalue"> ` + value + `</rhs></condition></logical><action><setattribute><lhs type="attribute">assign_to.queue</lhs>` +
		`<rhs type="staticvalue">{` + strings.ToUpper(queue) + `}</rhs></setattribute></action></rule>`
}

const other = `<rule id="1" name="Orders"><condition operator="not-null"><lhs type="attribute">liveworkitemcontext.OrderNumber</lhs></condition>` +
	`<action><setattribute><lhs type="attribute">assign_to.queue</lhs><rhs type="staticvalue">{X}</rhs></setattribute></action></rule>`

func decision(rules string) string {
	return "<decision hit-policy=\"all\" version=\"1\">\n  <rules>" + rules + "</rules>\n</decision>"
}

// What is missing goes before the other rules, which stay as they are to the
// byte; once it is there nothing is missing any more.
func TestPlanRules(t *testing.T) {
	t.Parallel()
	added, err := omnichannel.PlanRules(decision(""), "", wanted())
	if err != nil {
		t.Fatal(err)
	}
	for sentence, c := range map[string]struct {
		definition, disabled string
		missing              int
	}{
		"there is no rule":                        {decision(""), "", 2},
		"there are others":                        {decision("\n    <!-- x -->" + other + "\n  "), "", 2},
		"one is there by hand":                    {decision(byHand("2", "refunds", refundsID) + other), "", 1},
		"one by hand stands behind another rule":  {decision(other + byHand("2", "refunds", refundsID)), "", 2},
		"behind one that is switched off":         {decision(other + byHand("2", "refunds", refundsID)), "1", 1},
		"Handoff's were moved behind another":     {strings.Replace(added.Definition, "<rules>", "<rules>"+other, 1), "", 2},
		"one by hand leads elsewhere":             {decision(byHand("2", "refunds", salesID)), "", 2},
		"one by hand is about another value":      {decision(byHand("2", "Refunds", refundsID)), "", 2},
		"one by hand is switched off":             {decision(byHand("2", "refunds", refundsID)), `["{2}"]`, 2},
		"both are Handoff's":                      {added.Definition, "", 0},
		"one of Handoff's leads elsewhere by now": {strings.Replace(added.Definition, refundsID, "aaaaaaaa-0000-4000-8000-0000000000a9", 1), "", 1},
		"the rules are an empty element":          {`<decision><rules /></decision>`, "", 2},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			plan, err := omnichannel.PlanRules(c.definition, c.disabled, wanted())
			if err != nil || len(plan.Missing) != c.missing {
				t.Fatalf("missing = %v, %v, want %d", plan.Missing, err, c.missing)
			}
			if c.missing == 0 && (plan.Definition != c.definition || len(plan.Own) != 2) {
				t.Errorf("definition = %s, own = %v", plan.Definition, plan.Own)
			}
			again, err := omnichannel.PlanRules(plan.Definition, c.disabled, wanted())
			if err != nil || len(again.Missing) != 0 || again.Definition != plan.Definition {
				t.Errorf("once more: %v, %v", again.Missing, err)
			}
			set, err := ruleset.Parse(plan.Definition, c.disabled)
			if err != nil {
				t.Fatal(err)
			}
			for value, queue := range map[string]string{"refunds": refundsID, "sales": salesID} {
				all := set.Matches(func(a string) any {
					return map[string]any{"liveworkitemcontext.HandoffQueue": value, "liveworkitemcontext.OrderNumber": "7"}[a]
				})
				if len(all) == 0 || !strings.EqualFold(all[0].Get("assign_to.queue"), "{"+queue+"}") {
					t.Errorf("%s leads first to %v, want %s", value, all, queue)
				}
			}
			if strings.Contains(c.definition, other) && !strings.Contains(plan.Definition, other) {
				t.Error("another rule was changed")
			}
		})
	}
}

func TestRulesOfAnotherShapeAreLeftAlone(t *testing.T) {
	t.Parallel()
	own, err := omnichannel.PlanRules(decision(""), "", wanted())
	if err != nil {
		t.Fatal(err)
	}
	id := own.Definition[strings.Index(own.Definition, `id="`)+4:][:36]
	for sentence, c := range map[string]struct{ definition, disabled, code string }{
		"nothing":                   {"", "", "hub-rules-unreadable"},
		"no XML":                    {"<decision", "", "hub-rules-unreadable"},
		"another root":              {"<rules/>", "", "hub-rules-unreadable"},
		"no rules":                  {"<decision/>", "", "hub-rules-unreadable"},
		"rules twice":               {"<decision><rules/><rules/></decision>", "", "hub-rules-unreadable"},
		"something between rules":   {decision("<group/>"), "", "hub-rules-unreadable"},
		"a document type":           {"<!DOCTYPE decision>" + decision(""), "", "hub-rules-unreadable"},
		"two roots":                 {decision("") + decision(""), "", "hub-rules-unreadable"},
		"a rule that is cut":        {decision("<rule>"), "", "hub-rules-unreadable"},
		"Handoff's is switched off": {own.Definition, "{" + strings.ToUpper(id) + "}", "hub-rules-disabled"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if plan, err := omnichannel.PlanRules(c.definition, c.disabled, wanted()); !fault.Is(err, c.code) || plan.Definition != "" {
				t.Errorf("plan = %+v, %v, want %s", plan, err, c.code)
			}
		})
	}
}

func FuzzPlanRules(f *testing.F) {
	f.Add(decision(other+byHand("2", "refunds", refundsID)), "a,b", "refunds")
	f.Add(`<decision><rules/></decision>`, `["1"]`, "<&\"'")
	f.Fuzz(func(t *testing.T, text, disabled, queue string) {
		want := []omnichannel.QueueRule{{Queue: queue, Hub: refundsID, Name: queue}}
		plan, err := omnichannel.PlanRules(text, disabled, want)
		if err != nil {
			return
		}
		again, err := omnichannel.PlanRules(plan.Definition, "", want)
		if err != nil {
			t.Fatalf("%q can't be read again: %v", plan.Definition, err)
		}
		if strings.TrimSpace(queue) == queue && strings.ToValidUTF8(queue, "") == queue && !strings.ContainsFunc(queue, func(r rune) bool { return r < ' ' || r == 0xfffe || r == 0xffff }) && len(again.Missing) > 0 {
			t.Fatalf("the rule is missing in %q", plan.Definition)
		}
	})
}

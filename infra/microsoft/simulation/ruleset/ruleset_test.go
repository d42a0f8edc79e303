package ruleset_test

import (
	"slices"
	"strings"
	"testing"

	"handoff/infra/microsoft/simulation/ruleset"
)

func definition(rules ...string) string {
	return `<decision hit-policy="all" version="1"><rules>` + strings.Join(rules, "") + `</rules></decision>`
}

func condition(operator, attribute, value string) string {
	return `<condition operator="` + operator + `"><lhs type="attribute">` + attribute + `</lhs><rhs type="staticvalue">` + value + `</rhs></condition>`
}

func TestMatches(t *testing.T) {
	t.Parallel()
	values := map[string]any{"c.Language": "nl-NL", "c.Score": 7.0, "c.Text": "10", "c.Member": true, "c.Empty": ""}
	for sentence, c := range map[string]struct {
		conditions string
		want       bool
	}{
		"no conditions":                 {"", true},
		"texts are equal in any case":   {condition("==", "c.Language", "NL-nl"), true},
		"numbers are compared as such":  {condition("&gt;", "c.Text", "9"), true},
		"a number and its text":         {condition("equals", "c.Score", "7.0"), true},
		"a boolean":                     {condition("==", "c.Member", "true"), true},
		"contains":                      {condition("contains", "c.Language", "NL"), true},
		"at most":                       {condition("&lt;=", "c.Score", "6"), false},
		"null equals nothing":           {condition("==", "c.None", ""), false},
		"null differs from all":         {condition("!=", "c.None", "x"), true},
		"empty is null":                 {`<condition operator="not-null"><lhs>c.Empty</lhs></condition>`, false},
		"not null":                      {`<condition operator="not-null"><lhs>c.Score</lhs></condition>`, true},
		"and needs all":                 {`<logical operator="AND">` + condition("==", "c.Score", "7") + condition("==", "c.Score", "8") + `</logical>`, false},
		"or needs one":                  {`<logical operator="OR">` + condition("==", "c.Score", "7") + condition("==", "c.Score", "8") + `</logical>`, true},
		"two logicals are both needed":  {`<logical operator="AND"/><logical operator="OR"/>`, false},
		"the names of attributes count": {condition("==", "c.language", "nl-NL"), false},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			s, err := ruleset.Parse(definition(`<rule id="1" name="n"><action/>`+c.conditions+`</rule>`), "")
			if err != nil {
				t.Fatal(err)
			}
			if got := len(s.Matches(func(a string) any { return values[a] })) == 1; got != c.want {
				t.Errorf("matches = %t, want %t", got, c.want)
			}
		})
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	share := func(percent string) string {
		return `<rule id="{C}"><action><upsertrecords><target>percentagebaseddistribution</target><records><record>` +
			`<setattribute><lhs>queuedetails.queueid</lhs><rhs>q1</rhs></setattribute><setattribute><lhs>queuedetails.percentage</lhs><rhs>` + percent + `</rhs></setattribute>` +
			`</record></records></upsertrecords></action></rule>`
	}
	set := `<action><setattribute><lhs>assign_to.queue</lhs><rhs> {Q} </rhs></setattribute></action>`
	s, err := ruleset.Parse(definition(`<rule id="A">`+set+`</rule>`, `<rule id="B"/>`, share("100")), `["{b}"]`)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Rules) != 2 || s.Rules[0].Get("assign_to.queue") != "{Q}" || !slices.Equal(s.Rules[1].Shares, []ruleset.Share{{Queue: "q1", Percent: 100}}) {
		t.Errorf("rules = %+v", s.Rules)
	}
	for sentence, text := range map[string]string{
		"no XML": "<decision", "another root": "<rules/>", "an unknown operator": definition(`<rule id="1">` + condition("like", "a", "b") + `</rule>`),
		"an unknown logical": definition(`<rule id="1"><logical operator="XOR"/></rule>`), "an unknown element": definition(`<rule id="1"><then/></rule>`),
		"shares that do not make 100": definition(share("90")),
	} {
		if _, err := ruleset.Parse(text, ""); err == nil {
			t.Errorf("%s is taken", sentence)
		}
	}
}

// What an administrator stored is read or refused, and never more than that.
func FuzzParse(f *testing.F) {
	f.Add(definition(`<rule id="1"><logical operator="AND">`+condition("==", "a", "b")+`</logical><action/></rule>`), `["1"]`)
	f.Add(definition(`<rule><condition operator="contains"/></rule>`), "a,b")
	f.Fuzz(func(t *testing.T, text, disabled string) {
		s, err := ruleset.Parse(text, disabled)
		if err == nil && len(s.Matches(func(string) any { return nil })) > len(s.Rules) {
			t.Error("more rules match than there are")
		}
	})
}

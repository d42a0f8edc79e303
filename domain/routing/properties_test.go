package routing_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"handoff/domain/routing"
)

// Words are few, so that rules and inputs meet often.
var (
	words     = []string{"a", "B", "refund", "REFUND", "héllo", "a b", "ab", ""}
	jsonTexts = []string{"1", "2.5", "-0", "1e400", `"a"`, `"REFUND"`, `""`, "null", "true", "false", "[]", `["a"]`, `["b",null]`, "[1]", "{}", `{"k":1}`, "rubbish", "", "\"\xff\""}
	plainOnes = []string{
		"{topic: {is: %s}}", "{topic: {is_not: %s}}", "{topics: {has_word: %s}}", "{last_phrase: {contains: %s}}", "{phrases: {starts_with: %s}}",
		"{language: {matches: %s}}", "{channel: {ends_with: %s}}", "{variable: v, is: %s}", "{variable: w, has_word: %s}", "{variable: v, at_least: 2}",
		"{variable: w, absent: true}", "{wishes.priority: {below: 50}}", "{customer.verified: {is: true}}", `{time: {within: "mon-fri 08:00-18:00"}}`, "{time: {on: [01-01]}}",
	}
	formulas = []string{"w == 'a'", "size(phrases) > 1", "1 / size(topics) == 1", "v == 'a' || topic == 'a'", "m.exists(k, k == 'k')", "time.hour > 12"}
)

// drawRules draws a file with up to six rules.
func drawRules(t *rapid.T) string {
	var b strings.Builder
	b.WriteString("version: 1\nfallback: q0\ntime_zone: America/New_York\nvariables: {w: {type: string, default: a}, v: {type: any}, m: {type: map}}\nqueues: [{id: q0}, {id: q1}, {id: q2}]\nrules:\n")
	condition := rapid.Custom(func(t *rapid.T) string {
		c := rapid.SampledFrom(plainOnes).Draw(t, "condition")
		if strings.Contains(c, "%s") {
			return fmt.Sprintf(c, rapid.SampledFrom(words[:7]).Draw(t, "operand"))
		}
		return c
	})
	for i := range rapid.IntRange(1, 6).Draw(t, "rules") {
		fmt.Fprintf(&b, "- name: r%d\n  then: {queue: q%d, priority: %d, skills: [s]}\n", i, i%3, i)
		all := rapid.SliceOfN(condition, 1, 3).Draw(t, "all")
		fmt.Fprintf(&b, "  all: [%s]\n", strings.Join(all, ", "))
		if some := rapid.SliceOfN(condition, 0, 3).Draw(t, "any"); len(some) > 0 {
			fmt.Fprintf(&b, "  any: [%s]\n", strings.Join(some, ", "))
		}
		if rapid.Bool().Draw(t, "formula") {
			fmt.Fprintf(&b, "  when: %q\n", rapid.SampledFrom(formulas).Draw(t, "when"))
		}
	}
	return b.String()
}

func drawInput(t *rapid.T) routing.Input {
	word := rapid.SampledFrom(words)
	in := routing.Input{
		Topic: word.Draw(t, "topic"), LastPhrase: word.Draw(t, "last phrase"), Language: word.Draw(t, "language"), Channel: word.Draw(t, "channel"),
		Topics: rapid.SliceOfN(word, 0, 3).Draw(t, "topics"), Phrases: rapid.SliceOfN(word, 0, 3).Draw(t, "phrases"),
		Customer:  routing.Customer{Verified: rapid.Bool().Draw(t, "verified")},
		At:        time.Unix(rapid.Int64Range(-1<<36, 1<<36).Draw(t, "at"), 0),
		Variables: map[string]json.RawMessage{},
	}
	for _, name := range []string{"v", "w", "m"} {
		if rapid.Bool().Draw(t, "sent") {
			in.Variables[name] = json.RawMessage(rapid.SampledFrom(jsonTexts).Draw(t, name))
		}
	}
	if rapid.Bool().Draw(t, "wished") {
		in.WishedPriority = new(rapid.Int().Draw(t, "priority"))
	}
	return in
}

// checkDecision holds what every decision promises.
func checkDecision(t interface {
	Helper()
	Fatalf(string, ...any)
}, r *routing.RuleSet, d routing.Decision,
) {
	t.Helper()
	if _, declared := r.Queue(d.Queue.ID); !declared || d.RuleSet != r.Hash() || d.Priority < 0 || d.Priority > 100 {
		t.Fatalf("decision = %+v", d)
	}
	outcomes, err := routing.DecodeOutcomes(d.Outcomes)
	if err != nil || len(outcomes) != len(r.Rules()) {
		t.Fatalf("outcomes %q of %d rules: %v", d.Outcomes, len(r.Rules()), err)
	}
	for i, o := range outcomes {
		if want := d.RuleIndex == i; (o.Result == routing.Matched) != want || (o.Result == routing.NotTried) != (d.RuleIndex >= 0 && i > d.RuleIndex) {
			t.Fatalf("rule %d %s, but rule %d decided", i, o.Result, d.RuleIndex)
		}
	}
	for _, m := range d.Misses {
		if o := outcomes[m.RuleIndex]; o.Result == routing.Missed && o.Condition != m.Failed || (m.Kind == routing.KindError) != (o.Result == routing.Errored) {
			t.Fatalf("miss %+v does not fit outcome %+v", m, o)
		}
	}
	stored, err := json.Marshal(d)
	if err != nil {
		t.Fatalf("store: %v", err)
	}
	var again routing.Decision
	if err := json.Unmarshal(stored, &again); err != nil || !reflect.DeepEqual(again, d) {
		t.Fatalf("stored and read again: %+v, %v, want %+v", again, err, d)
	}
	lines, err := r.Explain(again)
	if want := len(outcomes) + strings.Count(fmt.Sprint(d.Fallback), "true"); err != nil || len(lines) != want {
		t.Fatalf("%d lines, %v, want %d", len(lines), err, want)
	}
}

// TestRouteIsTotal draws rules and inputs: every decision keeps its promises,
// and the same input decides the same, also by a rule set that was parsed anew.
func TestRouteIsTotal(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		source := []byte(drawRules(t))
		r, err := routing.Parse(source)
		if err != nil {
			t.Fatalf("%v\n%s", err, source)
		}
		twin, err := routing.Parse(source)
		if err != nil {
			t.Fatal(err)
		}
		in := drawInput(t)
		d := r.Route(in)
		checkDecision(t, r, d)
		if again := twin.Route(in); !reflect.DeepEqual(again, d) {
			t.Fatalf("decided %+v, then %+v", d, again)
		}
	})
}

// TestFirstMatchWins takes away every rule before the one that decided: it
// still decides, and alone it matches too.
func TestFirstMatchWins(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		source := drawRules(t)
		r, err := routing.Parse([]byte(source))
		if err != nil {
			t.Fatal(err)
		}
		in := drawInput(t)
		d := r.Route(in)
		header, rules, _ := strings.Cut(source, "rules:\n")
		parts := strings.SplitAfter(rules, "- name: ")
		for i := range r.Rules() {
			body := strings.TrimSuffix(parts[i+1], "- name: ")
			alone, err := routing.Parse([]byte(header + "rules:\n- name: " + body))
			if err != nil {
				t.Fatal(err)
			}
			matches := !alone.Route(in).Fallback
			if d.RuleIndex == i && !matches || (d.Fallback || i < d.RuleIndex) && matches {
				t.Fatalf("rule %d alone matches: %t, but rule %d decided", i, matches, d.RuleIndex)
			}
		}
	})
}

// TestPlainAndFormulaAgree holds that there is one meaning: a plain condition
// and the same written as a formula decide alike.
func TestPlainAndFormulaAgree(t *testing.T) {
	t.Parallel()
	twins := [][2]string{
		{"{topic: {is: %s}}", "lower(topic) == lower(%q)"},
		{"{topic: {is_not: %s}}", "topic != '' && lower(topic) != lower(%q)"},
		{"{last_phrase: {has_word: %s}}", "has_word(last_phrase, %q)"},
		{"{last_phrase: {contains: %s}}", "lower(last_phrase).contains(lower(%q))"},
		{"{topics: {starts_with: %s}}", "topics.exists(x, lower(x).startsWith(lower(%q)))"},
		{"{phrases: {ends_with: %s}}", "phrases.exists(x, lower(x).endsWith(lower(%q)))"},
		{"{variable: w, is: %s}", "lower(w) == lower(%q)"},
		{"{variable: v, is: %s}", "type(v) == string ? lower(v) == lower(%q) : v.exists(x, type(x) != string) == false && v.exists(x, lower(x) == lower(%[1]q))"},
		{"{variable: v, at_least: 2} # %s", "v >= 2 # %s"},
		{"{variable: v, below: 2} # %s", "v < 2 # %s"},
		{"{variable: v, is: true} # %s", "v == true # %s"},
		{"{customer.verified: {is: true}} # %s", "customer.verified # %s"},
		{"{wishes.priority: {at_most: 50}} # %s", "wishes.priority <= 50 # %s"},
	}
	const frame = "version: 1\nfallback: q0\nvariables: {w: {type: string, default: a}, v: {type: any}}\nqueues: [{id: q0}]\nrules:\n- name: r\n  then: {queue: q0}\n  "
	rapid.Check(t, func(t *rapid.T) {
		twin := rapid.SampledFrom(twins).Draw(t, "twin")
		word := rapid.SampledFrom(words[:7]).Draw(t, "operand")
		clean := func(s string) string { s, _, _ = strings.Cut(s, " #"); return s }
		plain, err := routing.Parse([]byte(frame + "all: [" + clean(fmt.Sprintf(twin[0], word)) + "]"))
		if err != nil {
			t.Fatal(err)
		}
		formula, err := routing.Parse([]byte(frame + "when: " + strconv.Quote(clean(fmt.Sprintf(twin[1], word)))))
		if err != nil {
			t.Fatal(err)
		}
		in := drawInput(t)
		if p, f := plain.Route(in), formula.Route(in); p.Fallback != f.Fallback {
			t.Fatalf("%s: plain misses %t, formula misses %t: %+v %+v", twin[0], p.Fallback, f.Fallback, p.Misses, f.Misses)
		}
	})
}

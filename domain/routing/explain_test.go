package routing_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/domain/routing"
)

// explain stores a decision, takes it out again and returns its lines.
func explain(t testing.TB, r *routing.RuleSet, d routing.Decision) []string {
	t.Helper()
	stored, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var again routing.Decision
	if err := json.Unmarshal(stored, &again); err != nil {
		t.Fatal(err)
	}
	lines, err := parse(t, string(r.Source())).Explain(again)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, l := range lines {
		list = append(list, l.String())
	}
	return list
}

func TestExplainStoreBot(t *testing.T) {
	t.Parallel()
	r := storeBot(t)
	in := variables("order_total", "380")
	in.Topic, in.Language, in.LastPhrase, in.Customer.Verified = "Refund", "nl-NL", "where is my parcel", true
	in.At = time.Date(2026, 11, 23, 9, 10, 0, 0, time.UTC)
	d := r.Route(in)
	want := []string{
		`rule "emergencies first": no, because none of these holds: last phrase has the word ambulance, 112 or emergency (it is "where is my parcel"); topic is Emergency (it is Refund)`,
		`rule "big refunds": no, because order_total is 380, needs at least 500`,
		`rule "refunds in Dutch": yes: topic is Refund, language starts with nl, Mon-Fri 08:00-18:00`,
		`rule "bot kept failing": not asked, because an earlier rule had matched`,
	}
	if got := explain(t, r, d); !reflect.DeepEqual(got, want) {
		t.Errorf("lines:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	first := routing.Miss{
		Rule: "big refunds", RuleIndex: 1, Condition: "order_total at_least 500", Failed: 1, Kind: routing.KindFalse, Was: json.RawMessage("380"),
	}
	if got := d.Misses[0]; !reflect.DeepEqual(got, first) {
		t.Errorf("nearest miss = %+v, want %+v", got, first)
	}
}

func TestExplainErased(t *testing.T) {
	t.Parallel()
	r := storeBot(t)
	in := variables("order_total", "380")
	in.Topic, in.Customer.Verified = "Refund", true
	d := r.Route(in)
	for i := range d.Misses {
		d.Misses[i].Was = nil
	}
	want := []string{
		`rule "emergencies first": no, because none of these holds: last phrase has the word ambulance, 112 or emergency; topic is Emergency`,
		`rule "big refunds": no, because this does not hold: order_total is at least 500`,
		`rule "refunds in Dutch": no, because this does not hold: language starts with nl`,
		`rule "bot kept failing": no, because this does not hold: the formula reason == "not_understood" && size(phrases) >= 3`,
		`no rule matched, so it went to the fallback queue, General help`,
	}
	// Of four misses three are kept in full; the least near one is told from its outcome.
	got := explain(t, r, d)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("lines:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestExplainSentences(t *testing.T) {
	t.Parallel()
	night := amsterdam(t, "2026-11-28T21:05")
	for name, c := range map[string]struct {
		conditions string
		in         routing.Input
		want       string
		kind       routing.Kind
		outcomes   string
	}{
		"a wrong text":          {"all: [{topic: {is: a}}]", routing.Input{Topic: "b"}, "topic is b, needs a", routing.KindFalse, "a"},
		"a text with blanks":    {"all: [{topic: {is_not: [a b, c]}}]", routing.Input{Topic: "a b"}, `topic is "a b", needs anything but a b or c`, routing.KindFalse, "a"},
		"what upsets terminals": {"all: [{topic: {is: a}}]", routing.Input{Topic: "\x1b[2J"}, `topic is "\x1b[2J", needs a`, routing.KindFalse, "a"},
		"one of":                {"all: [{topic: {one_of: [a, b, c]}}]", routing.Input{Topic: "d"}, "topic is d, needs one of a, b or c", routing.KindFalse, "a"},
		"many operands":         {"all: [{topic: {one_of: [a, b, c, d, e, f, g, h, i, j, k, l]}}]", routing.Input{Topic: "x"}, "topic is x, needs one of a, b, c, d, e, f, g, h, i, j or 2 more", routing.KindFalse, "a"},
		"a missing text":        {"all: [{topic: {contains: a}}]", routing.Input{}, "topic is missing, needs a text that contains a", routing.KindMissing, "a"},
		"a word":                {"all: [{phrases: {has_word: [a, b]}}]", routing.Input{Phrases: []string{"x"}}, `one of the phrases is ["x"], needs the word a or b`, routing.KindFalse, "a"},
		"a pattern":             {"all: [{topic: {matches: ^a}}]", routing.Input{Topic: "b"}, "topic is b, needs a text that matches ^a", routing.KindFalse, "a"},
		"an ending":             {"all: [{topic: {ends_with: a}}]", routing.Input{Topic: "b"}, "topic is b, needs a text that ends with a", routing.KindFalse, "a"},
		"a number":              {"all: [{wishes.priority: {above: 5}}]", routing.Input{WishedPriority: new(5)}, "wished priority is 5, needs more than 5", routing.KindFalse, "a"},
		"a default":             {"all: [{variable: total, at_least: 5}]", routing.Input{}, "total was not sent and counts as 0, needs at least 5", routing.KindDefault, "a"},
		"a mismatch":            {"all: [{variable: x, at_most: 5}]", variables("x", `"3"`), "x is 3, which is text, needs at most 5", routing.KindMismatch, "a"},
		"a list mismatch":       {"all: [{variable: x, below: 5}]", variables("x", `[3]`), "x is [3], which is a list, needs less than 5", routing.KindMismatch, "a"},
		"an object mismatch":    {"all: [{variable: x, is: a}]", variables("x", `{"a":1}`), `x is {"a":1}, which is an object, needs a`, routing.KindMismatch, "a"},
		"a truth mismatch":      {"all: [{variable: x, is: a}]", variables("x", `true`), `x is true, which is true or false, needs a`, routing.KindMismatch, "a"},
		"a number mismatch":     {"all: [{variable: x, is: a}]", variables("x", `1`), `x is 1, which is a number, needs a`, routing.KindMismatch, "a"},
		"rubbish":               {"all: [{variable: x, is: a}]", variables("x", `rubbish`), `x is rubbish, which is text, needs a`, routing.KindMismatch, "a"},
		"a truth":               {"all: [{customer.verified: {is: true}}]", routing.Input{}, "customer verified is false, needs true", routing.KindFalse, "a"},
		"presence":              {"all: [{topic: {present: true}}]", routing.Input{}, "this does not hold: topic is present", routing.KindFalse, "a"},
		"absence":               {"all: [{topic: {present: false}}]", routing.Input{Topic: "x"}, "this does not hold: topic is absent", routing.KindFalse, "a"},
		"hours":                 {`all: [{time: {within: "mon-fri 08:00-18:00, sat 9:00-12:00"}}]`, night, `the time is "Sat 2026-11-28 21:05", needs Mon-Fri 08:00-18:00 or Sat 9:00-12:00`, routing.KindFalse, "a"},
		"outside":               {`all: [{time: {outside: "sat-sun 00:00-24:00"}}]`, night, `the time is "Sat 2026-11-28 21:05", needs a time outside Sat-Sun 00:00-24:00`, routing.KindFalse, "a"},
		"holidays":              {`all: [{time: {on: holidays}}]`, night, `the time is "Sat 2026-11-28 21:05", needs a holiday`, routing.KindFalse, "a"},
		"no day":                {`all: [{time: {not_on: [11-28]}}]`, night, `the time is "Sat 2026-11-28 21:05", needs any day but 11-28`, routing.KindFalse, "a"},
		"more failures":         {"all: [{topic: {is: a}}, {channel: {is: b}}, {variable: total, is: 1}]", routing.Input{Topic: "b"}, "topic is b, needs a (2 more of its conditions failed)", routing.KindFalse, "a"},
		"any of one":            {"any: [{topic: {is: a}}]", routing.Input{Topic: "b"}, "topic is b, needs a", routing.KindFalse, "a"},
		"any of variables":      {"any: [{variable: x, is: a}, {variable: total, is: 1}]", variables("x", `"b"`), "none of these holds: x is a (it is b); total is 1 (it is 0)", routing.KindFalse, "a"},
		"any of nothing":        {"any: [{topic: {is: a}}, {channel: {is: b}}]", routing.Input{}, "none of these holds: topic is a; channel is b", routing.KindMissing, "a"},
		"a formula":             {"when: topic == 'a' && time.hour == 1", night, `this does not hold: the formula topic == 'a' && time.hour == 1 (time.hour is "Sat 2026-11-28 21:05")`, routing.KindFalse, "a"},
		"a missing variable":    {"when: count == 1", routing.Input{}, "this does not hold: the formula count == 1", routing.KindMissing, "a"},
		"a mistyped variable":   {"when: count == 1", variables("count", `"1"`), "this does not hold: the formula count == 1 (count is 1)", routing.KindMismatch, "a"},
		"an error":              {"when: 1 / size(topic) == 1", routing.Input{}, `the formula 1 / size(topic) == 1 could not be decided: "division by zero"`, routing.KindError, "!"},
		"too much work":         {"when: phrases.all(p, phrases.all(q, size(p + q) >= 0))", routing.Input{Phrases: make([]string, 1000)}, `the formula phrases.all(p, phrases.all(q, size(p + q) >= 0)) could not be decided: "operation cancelled: actual cost limit exceeded"`, routing.KindError, "!"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := parse(t, one(c.conditions))
			d := r.Route(c.in)
			if d.Outcomes != c.outcomes || len(d.Misses) != 1 || d.Misses[0].Kind != c.kind {
				t.Errorf("outcomes = %q, misses = %+v, want %q and kind %s", d.Outcomes, d.Misses, c.outcomes, c.kind)
			}
			if got, want := explain(t, r, d)[0], `rule "the rule": no, because `+c.want; got != want {
				t.Errorf("line = %s\nwant   %s", got, want)
			}
		})
	}
}

// TestNearest wants the rules with the fewest failures, and of those the ones
// with the most successes.
func TestNearest(t *testing.T) {
	t.Parallel()
	r := parse(t, head+`rules:
- {name: one of one, all: [{topic: {is: x}}], then: {queue: other}}
- {name: three of three, all: [{topic: {is: x}}, {topic: {is: x}}, {topic: {is: x}}], then: {queue: other}}
- {name: another one of one, all: [{topic: {is: x}}], then: {queue: other}}
- {name: one of two, all: [{topic: {is: x}}, {topic: {is: a}}], then: {queue: other}}
- {name: one of three, all: [{topic: {is: a}}, {topic: {is: a}}, {topic: {is: x}}], then: {queue: other}}
- {name: an error in two, when: 1 / size(phrases) == 1, all: [{topic: {is: a}}], then: {queue: other}}
- {name: hit, all: [{topic: {is: a}}], then: {queue: other}}
- {name: not tried, all: [{topic: {is: x}}, {topic: {is: a}}, {topic: {is: a}}, {topic: {is: a}}], then: {queue: other}}
`)
	d := r.Route(routing.Input{Topic: "a"})
	if d.Outcomes != "aaaac!=." {
		t.Errorf("outcomes = %q", d.Outcomes)
	}
	var got []string
	for _, m := range d.Misses {
		got = append(got, m.Rule)
	}
	if want := []string{"one of three", "one of two", "an error in two"}; !reflect.DeepEqual(got, want) {
		t.Errorf("misses = %q, want %q", got, want)
	}
	if m := d.Misses[2]; m.Failed != 1 || m.Kind != routing.KindError {
		t.Errorf("the error = %+v", m)
	}
}

// TestExplanationsStaySmall sends values as large as they can be.
func TestExplanationsStaySmall(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 4000)
	in := variables("x", `"`+long+`"`, "y", "["+strings.Repeat("1,", 9000)+"1]")
	in.Topic, in.Phrases = long, []string{long, long, long, long, long, long}
	r := parse(t, one("all: [{topic: {is: a}}, {variable: x, is: a}]\n    then: {queue: hit}\n"+
		"  - name: second\n    any: [{topic: {is: a}}, {phrases: {is: a}}, {variable: x, is: a}, {variable: y, is: a}, {last_phrase: {is: a}}]\n    then: {queue: hit}\n"+
		"  - name: third\n    all: [{phrases: {is: a}}]"))
	d := r.Route(in)
	stored, err := json.Marshal(d)
	if err != nil || len(stored) > 4096 {
		t.Errorf("decision has %d bytes, %v", len(stored), err)
	}
	for _, m := range d.Misses {
		if !m.WasCut || !json.Valid(m.Was) || strings.Contains(string(m.Was), "\ufffd") {
			t.Errorf("was = %s, cut %t", m.Was, m.WasCut)
		}
	}
	explain(t, r, d)
}

func TestExplainRefusesOthers(t *testing.T) {
	t.Parallel()
	r := storeBot(t)
	for name, change := range map[string]func(*routing.Decision){
		"another rule set":   func(d *routing.Decision) { d.RuleSet = "sha256:00" },
		"too few outcomes":   func(d *routing.Decision) { d.Outcomes = "a" },
		"an unknown outcome": func(d *routing.Decision) { d.Outcomes = "a??." },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := r.Route(routing.Input{})
			change(&d)
			if _, err := r.Explain(d); !fault.Is(err, "rules-other") {
				t.Errorf("Explain = %v, want rules-other", err)
			}
		})
	}
}

// TestExplainOddMisses takes misses that no version of the package wrote.
func TestExplainOddMisses(t *testing.T) {
	t.Parallel()
	r := storeBot(t)
	d := r.Route(routing.Input{})
	d.Outcomes = "ZZ!Z"
	for _, m := range []routing.Miss{
		{RuleIndex: 0, Was: json.RawMessage("[")},
		{RuleIndex: 1, Failed: 99, Condition: "x is y"},
		{RuleIndex: 1, Failed: -1},
		{RuleIndex: -1},
		{RuleIndex: 99},
		{RuleIndex: 1, Kind: "new", Was: json.RawMessage("null")},
		{RuleIndex: 2, Kind: routing.KindError},
	} {
		d.Misses = []routing.Miss{m}
		if lines, err := r.Explain(d); err != nil || len(lines) != 5 {
			t.Errorf("Explain = %v, %v", lines, err)
		}
	}
}

func TestDecodeOutcomes(t *testing.T) {
	t.Parallel()
	got, err := routing.DecodeOutcomes("=azAZ!.")
	want := []routing.Outcome{
		{Result: routing.Matched},
		{Result: routing.Missed},
		{Result: routing.Missed, Condition: 25},
		{Result: routing.Missed, Condition: 26},
		{Result: routing.Missed, Condition: 51},
		{Result: routing.Errored},
		{Result: routing.NotTried},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("DecodeOutcomes = %v, %v, want %v", got, err, want)
	}
	if s := routing.Missed.String() + routing.Result(9).String(); s != "missedresult-9" {
		t.Errorf("results in words = %q", s)
	}
}

// TestLateMiss reaches the last byte that an outcome can be.
func TestLateMiss(t *testing.T) {
	t.Parallel()
	all := strings.Repeat("{topic: {is: a}}, ", 50)
	r := parse(t, one("all: ["+all+"]\n    any: [{topic: {is: a}}]\n    when: topic == 'b'"))
	d := r.Route(routing.Input{Topic: "a"})
	if d.Outcomes != "Z" || d.Misses[0].Failed != 51 {
		t.Errorf("outcomes = %q, misses = %+v", d.Outcomes, d.Misses)
	}
	explain(t, r, d)
}

package routing_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"handoff/domain/routing"
)

// parse is Parse for sources that must be right.
func parse(t testing.TB, source string) *routing.RuleSet {
	t.Helper()
	r, err := routing.Parse([]byte(source))
	if err != nil {
		t.Fatalf("Parse: %v\n%s", err, source)
	}
	return r
}

// one returns a file whose only rule has the given conditions.
func one(conditions string) string {
	return "version: 1\nfallback: general\ntime_zone: Europe/Amsterdam\nholidays: [2026-12-25, 01-01]\n" +
		"variables:\n  total: {type: double, default: 0}\n  count: {type: int}\n  city: {type: string}\n  vip: {type: bool}\n" +
		"  tags: {type: list}\n  order: {type: map}\n  thing: {type: any}\n" +
		"queues: [{id: general}, {id: hit}]\nrules:\n  - name: the rule\n    " + conditions + "\n    then: {queue: hit}\n"
}

func variables(pairs ...string) routing.Input {
	in := routing.Input{Variables: map[string]json.RawMessage{}}
	for i := 0; i < len(pairs); i += 2 {
		in.Variables[pairs[i]] = json.RawMessage(pairs[i+1])
	}
	return in
}

// amsterdam returns the instant at which Amsterdam's clocks show a time in
// November or December, an hour ahead of UTC.
func amsterdam(t testing.TB, local string) routing.Input {
	t.Helper()
	at, err := time.Parse("2006-01-02T15:04", local)
	if err != nil {
		t.Fatal(err)
	}
	return routing.Input{At: at.Add(-time.Hour)}
}

type conditionCase struct {
	condition string
	yes, no   []routing.Input
}

func runConditions(t *testing.T, cases map[string]conditionCase) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source := one("all: [" + c.condition + "]")
			if strings.HasPrefix(c.condition, "when:") {
				source = one(c.condition)
			}
			r := parse(t, source)
			for i, in := range c.yes {
				if d := r.Route(in); d.Fallback {
					t.Errorf("input %d of yes: a miss, want a match: %+v", i, d.Misses)
				}
			}
			for i, in := range c.no {
				if d := r.Route(in); !d.Fallback {
					t.Errorf("input %d of no: a match, want a miss", i)
				}
			}
		})
	}
}

func TestTextOperators(t *testing.T) {
	t.Parallel()
	type in = routing.Input
	runConditions(t, map[string]conditionCase{
		"is compares the whole text without case": {
			"{topic: {is: Refund}}",
			[]in{{Topic: "Refund"}, {Topic: "REFUND"}},
			[]in{{Topic: "Refunds"}, {}},
		},
		"is takes numbers as text for a text field": {
			"{topic: {is: 112}}",
			[]in{{Topic: "112"}},
			[]in{{Topic: "1120"}},
		},
		"no is a country and not a truth value": {
			"{language: {is: no}}",
			[]in{{Language: "NO"}},
			[]in{{Language: "false"}},
		},
		"case goes beyond ASCII": {
			"{topic: {is: ΟΔΟΣ École}}",
			[]in{{Topic: "οδος école"}, {Topic: "οδοσ ÉCOLE"}},
			[]in{{Topic: "ecole"}},
		},
		"is_not needs a value": {
			"{topic: {is_not: Refund}}",
			[]in{{Topic: "Weather"}},
			[]in{{Topic: "refund"}, {}},
		},
		"is_not with a list means none of them": {
			"{topic: {is_not: [a, b]}}",
			[]in{{Topic: "c"}},
			[]in{{Topic: "A"}, {Topic: "B"}},
		},
		"one_of": {
			"{channel: {one_of: [web, teams]}}",
			[]in{{Channel: "Teams"}},
			[]in{{Channel: "sms"}, {}},
		},
		"starts_with": {
			"{language: {starts_with: [nl, fy]}}",
			[]in{{Language: "nl-BE"}, {Language: "FY"}},
			[]in{{Language: "en-NL"}},
		},
		"ends_with": {
			"{customer.email: {ends_with: \"@example.com\"}}",
			[]in{{Customer: routing.Customer{Email: "a@EXAMPLE.com"}}},
			[]in{{Customer: routing.Customer{Email: "a@example.com.evil"}}},
		},
		"contains": {
			"{customer.page_url: {contains: /checkout/}}",
			[]in{{Customer: routing.Customer{PageURL: "https://shop.example/Checkout/2"}}},
			[]in{{}},
		},
		"has_word finds words only": {
			"{last_phrase: {has_word: [ambulance, \"112\", heart attack]}}",
			[]in{{LastPhrase: "call 112!"}, {LastPhrase: "AMBULANCE"}, {LastPhrase: "a (heart attack)"}},
			[]in{{LastPhrase: "order 1125"}, {LastPhrase: "ambulances"}, {LastPhrase: "heart-attack"}},
		},
		"has_word goes on after a part of a word": {
			"{last_phrase: {has_word: men}}",
			[]in{{LastPhrase: "women and men"}},
			[]in{{LastPhrase: "women, menu"}},
		},
		"matches": {
			`{customer.phone: {matches: '^\+31'}}`,
			[]in{{Customer: routing.Customer{Phone: "+31612345678"}}},
			[]in{{Customer: routing.Customer{Phone: "0031+31"}}},
		},
		"a list holds if any entry does": {
			"{phrases: {has_word: person}}",
			[]in{{Phrases: []string{"hi", "a PERSON please"}}},
			[]in{{Phrases: []string{"personal"}}, {}},
		},
		"a list is_not if no entry is": {
			"{topics: {is_not: Refund}}",
			[]in{{Topics: []string{"a", "b"}}},
			[]in{{Topics: []string{"a", "refund"}}, {}},
		},
		"present":               {"{topic: {present: true}}", []in{{Topic: "x"}}, []in{{}}},
		"absent":                {"{phrases: {absent: true}}", []in{{}, {Phrases: []string{}}}, []in{{Phrases: []string{"x"}}}},
		"not absent is present": {"{topic: {absent: false}}", []in{{Topic: "x"}}, []in{{}}},
		"a wish is a field": {
			"{wishes.queue: {is: vip}}, {wishes.skills: {is: french}}",
			[]in{{WishedQueue: "VIP", WishedSkills: []string{"x", "French"}}},
			[]in{{WishedQueue: "vip"}},
		},
		"who the customer is": {
			"{customer.id: {is: a}}, {customer.name: {is: b}}, {customer.time_zone: {is: c}}",
			[]in{{Customer: routing.Customer{ID: "a", Name: "b", TimeZone: "c"}}},
			[]in{{Customer: routing.Customer{ID: "a", Name: "b"}}},
		},
		"which bot it was": {
			"{bot.id: {is: a}}, {bot.name: {is: b}}, {reason: {is: other}}",
			[]in{{BotID: "a", BotName: "B", Reason: "other"}},
			[]in{{BotID: "a", BotName: "b"}},
		},
	})
}

func TestOtherOperators(t *testing.T) {
	t.Parallel()
	type in = routing.Input
	yes, no := routing.Customer{Verified: true}, routing.Customer{}
	runConditions(t, map[string]conditionCase{
		"is true":  {"{customer.verified: {is: true}}", []in{{Customer: yes}}, []in{{Customer: no}}},
		"is false": {"{customer.verified: {is: false}}", []in{{Customer: no}}, []in{{Customer: yes}}},
		"at_least": {"{wishes.priority: {at_least: 50}}", []in{{WishedPriority: new(50)}}, []in{{WishedPriority: new(49)}, {}}},
		"at_most":  {"{wishes.priority: {at_most: 50}}", []in{{WishedPriority: new(50)}}, []in{{WishedPriority: new(51)}, {}}},
		"above":    {"{wishes.priority: {above: 50.5}}", []in{{WishedPriority: new(51)}}, []in{{WishedPriority: new(50)}}},
		"below":    {"{wishes.priority: {below: 50}}", []in{{WishedPriority: new(49)}}, []in{{WishedPriority: new(50)}}},
		"is and is_not for numbers": {
			"{wishes.priority: {is_not: [1, 2]}}, {wishes.priority: {one_of: [3, 4]}}",
			[]in{{WishedPriority: new(3)}},
			[]in{{WishedPriority: new(1)}, {WishedPriority: new(5)}},
		},
		"a number of a variable": {
			"{variable: price, at_least: 500}",
			[]in{variables("price", "500"), variables("price", "5e2"), variables("price", "1e300")},
			[]in{variables("price", "499.99"), variables("price", `"500"`), variables("price", "null"), variables("price", "1e400"), variables("price", "05"), {}},
		},
		"whole numbers are exact": {
			"{variable: id, is: 9007199254740993}",
			[]in{variables("id", "9007199254740993")},
			[]in{variables("id", "9007199254740992")},
		},
		"a text of a variable": {
			`{variable: no, is: "4711"}`,
			[]in{variables("no", `"4711"`), variables("no", `"\u0034711"`)},
			[]in{variables("no", "4711")},
		},
		"a truth of a variable": {
			"{variable: ok, is: true}",
			[]in{variables("ok", "true"), variables("ok", " true ")},
			[]in{variables("ok", "false"), variables("ok", `"true"`), variables("ok", "truth")},
		},
		"a list of a variable": {
			"{variable: list, has_word: b}",
			[]in{variables("list", `["a","B"]`)},
			[]in{variables("list", `["a",1]`), variables("list", `["b",null]`), variables("list", `{"b":1}`), variables("list", `["b"`)},
		},
		"empty values count as not sent": {
			"{variable: v, absent: true}",
			[]in{{}, variables("v", "null"), variables("v", `""`), variables("v", "[]"), variables("v", "")},
			[]in{variables("v", "0"), variables("v", "{}"), variables("v", "false")},
		},
		"a default stands in":     {"{variable: total, below: 1}", []in{{}, variables("total", "0.5")}, []in{variables("total", "1")}},
		"a default isn't present": {"{variable: total, present: true}", []in{variables("total", "0")}, []in{{}}},
		"declared text takes numbers as written": {
			"{variable: city, is: 010}",
			[]in{variables("city", `"010"`)},
			[]in{variables("city", "8")},
		},
		"rubbish is a mismatch": {
			"{variable: v, is_not: x}",
			[]in{variables("v", `"y"`)},
			[]in{variables("v", "rubbish"), variables("v", `"`), variables("v", "\xff"), variables("v", "\"\xff\"x"), variables("v", "-")},
		},
	})
}

func TestTimeOperators(t *testing.T) {
	t.Parallel()
	at := func(list ...string) (inputs []routing.Input) {
		for _, local := range list {
			inputs = append(inputs, amsterdam(t, local))
		}
		return inputs
	}
	runConditions(t, map[string]conditionCase{ // 2026-11-23 is a Monday
		"hours on days": {
			`{time: {within: "mon-fri 08:00-18:00"}}`,
			at("2026-11-23T08:00", "2026-11-27T17:59"), at("2026-11-23T07:59", "2026-11-23T18:00", "2026-11-28T10:00"),
		},
		"several ranges": {
			`{time: {within: "Mon-Fri 8:00-18:00, SAT 10:00-14:00"}}`,
			at("2026-11-28T10:00", "2026-11-24T09:00"), at("2026-11-28T09:00", "2026-11-29T10:00"),
		},
		"a list of ranges": {
			`{time: {within: ["mon 08:00-09:00", "tue 08:00-09:00"]}}`,
			at("2026-11-23T08:30", "2026-11-24T08:30"), at("2026-11-25T08:30"),
		},
		"over midnight belongs to the day it begins": {
			`{time: {within: "fri 22:00-06:00"}}`,
			at("2026-11-27T22:00", "2026-11-28T05:59"), at("2026-11-27T05:00", "2026-11-28T06:00", "2026-11-28T22:30"),
		},
		"days wrap": {
			`{time: {within: "sat-mon 00:00-24:00"}}`,
			at("2026-11-28T00:00", "2026-11-29T12:00", "2026-11-23T23:59"), at("2026-11-24T00:00", "2026-11-27T23:59"),
		},
		"every day": {`{time: {within: "12:00-13:00"}}`, at("2026-11-29T12:30"), at("2026-11-29T13:00")},
		"outside":   {`{time: {outside: "mon-fri 08:00-18:00"}}`, at("2026-11-28T10:00"), at("2026-11-23T10:00")},
		"on dates, of one year or every": {
			"{time: {on: [2026-12-25, 12-31]}}",
			at("2026-12-25T00:00", "2027-12-31T23:59"), at("2027-12-25T10:00"),
		},
		"holidays":            {"{time: {on: holidays}}", at("2026-12-25T10:00", "2030-01-01T10:00"), at("2026-12-24T10:00")},
		"no holiday":          {"{time: {not_on: holidays}}", at("2026-12-24T10:00"), at("2026-12-25T10:00")},
		"summer time, by UTC": {`{time: {within: "08:00-09:00"}}`, []routing.Input{{At: time.Date(2026, 7, 1, 6, 30, 0, 0, time.UTC)}}, []routing.Input{{At: time.Date(2026, 7, 1, 7, 30, 0, 0, time.UTC)}}},
	})
}

func TestFormulas(t *testing.T) {
	t.Parallel()
	type in = routing.Input
	runConditions(t, map[string]conditionCase{
		"fields": {
			`when: reason == "not_understood" && size(phrases) >= 3`,
			[]in{{Reason: "not_understood", Phrases: []string{"a", "b", "c"}}},
			[]in{{Reason: "not_understood"}, {}},
		},
		"all fields are there": {
			`when: topic + last_phrase + language + channel + customer.id + customer.name + customer.email + customer.phone + customer.page_url + customer.time_zone + bot.id + bot.name + wishes.queue == "" && size(topics) + size(wishes.skills) == 0 && !customer.verified`,
			[]in{{}},
			[]in{{BotID: "x"}, {Customer: routing.Customer{Verified: true}}},
		},
		"a default":                       {"when: total < 1.0", []in{{}, variables("total", "0")}, []in{variables("total", "1")}},
		"int and double compare":          {"when: total >= 500", []in{variables("total", "500.0")}, []in{variables("total", "499")}},
		"a missing variable is a miss":    {"when: count < 10", []in{variables("count", "9"), variables("count", "9.0")}, []in{{}, variables("count", "9.5"), variables("count", `"9"`), variables("count", "1e999")}},
		"unless it doesn't matter":        {`when: count < 10 || topic == "x"`, []in{{Topic: "x"}}, []in{{}}},
		"types":                           {`when: city == "A" && vip && tags[0] == "x" && order.sum > 1 && thing == "y"`, []in{variables("city", `"A"`, "vip", "true", "tags", `["x"]`, "order", `{"sum":2}`, "thing", `"y"`)}, []in{variables("city", `"A"`, "vip", "true", "tags", `["x"]`, "order", `{"sum":2}`, "thing", `1`)}},
		"any takes anything":              {"when: type(thing) in [int, double, bool, list, map]", []in{variables("thing", "1"), variables("thing", "1.5"), variables("thing", "true"), variables("thing", "[1]"), variables("thing", "{}")}, []in{variables("thing", `"x"`), {}}},
		"absent keys are run-time errors": {"when: order.sum > 1", []in{variables("order", `{"sum":2}`)}, []in{variables("order", "{}")}},
		"has":                             {"when: has(order.sum)", []in{variables("order", `{"sum":null}`)}, []in{variables("order", "{}")}},
		"out of range inside":             {"when: order.sum > 1", nil, []in{variables("order", `{"sum":1e999}`)}},
		"dividing by zero is a miss":      {"when: 1 / size(phrases) == 1", []in{{Phrases: []string{"a"}}}, []in{{}}},
		"lower and has_word":              {`when: lower(topic) == "refund" && has_word(last_phrase, "Person")`, []in{{Topic: "REFUND", LastPhrase: "a PERSON!"}}, []in{{Topic: "refund", LastPhrase: "personal"}}},
		"the clock":                       {`when: time.weekday == "mon" && time.hour == 10 && time.minute == 5 && time.date == "2026-11-23"`, []in{amsterdam(t, "2026-11-23T10:05")}, []in{amsterdam(t, "2026-11-24T10:05")}},
		"a wished priority":               {"when: wishes.priority > 10", []in{{WishedPriority: new(11)}}, []in{{}, {WishedPriority: new(10)}}},
		"objects are walked in order":     {`when: order.map(k, k) == ["a", "b", "c", "d", "e"]`, []in{variables("order", `{"e":1,"d":1,"c":1,"b":1,"a":1}`)}, nil},
		"too much work is a miss":         {"when: phrases.all(p, phrases.all(q, size(p + q) >= 0))", []in{{Phrases: make([]string, 3)}}, []in{{Phrases: make([]string, 1000)}}},
	})
}

func TestListsCombine(t *testing.T) {
	t.Parallel()
	type in = routing.Input
	r := parse(t, one("all: [{topic: {is: a}}]\n    any: [{channel: {is: web}}, {language: {is: nl}}]\n    when: size(phrases) == 0"))
	for name, c := range map[string]struct {
		in       routing.Input
		outcomes string
	}{
		"all three hold":            {in{Topic: "a", Language: "nl"}, "="},
		"all fails":                 {in{Language: "nl"}, "a"},
		"any fails":                 {in{Topic: "a"}, "b"},
		"when fails":                {in{Topic: "a", Language: "nl", Phrases: []string{"x"}}, "c"},
		"the first failure is told": {in{Phrases: []string{"x"}}, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := r.Route(c.in).Outcomes; got != c.outcomes {
				t.Errorf("outcomes = %q, want %q", got, c.outcomes)
			}
		})
	}
}

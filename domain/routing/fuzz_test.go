package routing_test

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/domain/routing"
)

// FuzzParse wants a rule set that decides, or findings with places in the file.
func FuzzParse(f *testing.F) {
	source, err := os.ReadFile("testdata/store-bot.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(source)
	f.Add([]byte(head))
	f.Add([]byte(one(`all: [{time: {within: "fri 22:00-06:00, sat 1:00-2:00"}}, {time: {not_on: holidays}}, {topic: {matches: "a.*"}}]`)))
	f.Add([]byte(one("when: |\n      order.a[0] in [1, 2] &&\n      tags.exists(t, t == 'é')")))
	f.Add([]byte(one("when: 'topic == \"it''s\" && bar'")))
	f.Add([]byte(one("when: \"topic == \\\"a\\\" && \\x41 &&\"")))
	f.Add([]byte("a: &a [*a, *a]\n<<: *a\n--- !!x\n? [b]\n: {}"))
	f.Add([]byte(head + "tests: [{given: {variables: {a: [1, {b: .inf}]}, at: 2026-11-23}, expect: {}}]"))
	f.Fuzz(func(t *testing.T, source []byte) {
		r, err := routing.Parse(source)
		if err == nil {
			checkDecision(t, r, r.Route(routing.Input{Topic: "Refund", Phrases: []string{"a"}}))
			return
		}
		p := fault.Of(err)
		if p == nil || !fault.Is(err, "rules-invalid") || len(p.Problems) == 0 {
			t.Fatalf("error = %v", err)
		}
		for _, q := range p.Problems {
			if q.Line < 1 || q.Column < 1 || q.Detail == "" {
				t.Fatalf("finding = %+v", q)
			}
		}
	})
}

// FuzzRoute sends any text and any variable past every kind of condition.
func FuzzRoute(f *testing.F) {
	for _, seed := range jsonTexts {
		f.Add("Refund", []byte(seed), int64(1_795_000_000))
	}
	f.Add("112 \xff ÉÉ\u0301", []byte(`{"a":[{"b":1e999}],"a":2}`), int64(-1<<62))
	f.Add("&", []byte(` "X&000<" `), int64(0))
	f.Add("(((", []byte(`[[[[[["x"]]]]]]`), int64(1<<62))
	r := parse(f, "version: 1\nfallback: q\ntime_zone: Asia/Kathmandu\nqueues: [{id: q}]\nvariables:\n"+
		"  s: {type: string}\n  i: {type: int, default: 3}\n  d: {type: double}\n  b: {type: bool}\n  l: {type: list}\n  m: {type: map}\n  x: {type: any}\nrules:\n"+
		"- {name: text, all: [{topic: {has_word: é}}, {phrases: {contains: z}}, {variable: s, matches: 'a+b'}], then: {queue: q}}\n"+
		"- {name: number, all: [{variable: u, at_least: 5}], any: [{variable: i, is: 4}, {variable: d, below: 1}], then: {queue: q}}\n"+
		"- {name: truth, all: [{variable: b, is: true}, {variable: u, is: true}], then: {queue: q}}\n"+
		"- {name: list, any: [{variable: l, is: x}, {variable: u, has_word: x}], then: {queue: q}}\n"+
		"- {name: time, all: [{time: {outside: '22:00-06:00'}}, {time: {on: [02-29]}}], then: {queue: q}}\n"+
		"- {name: formula, when: \"s.matches('^(a|b)+') && lower(s) == lower(topic) && i > 1 && d < 2.0 && b && l.all(e, e == x) && m.exists(k, m[k] == x)\", then: {queue: q}}\n"+
		"- {name: any, when: \"x.a.b == 1 || has_word(topic, last_phrase) && time.date > '2026'\", then: {queue: q}}\n")
	f.Fuzz(func(t *testing.T, text string, raw []byte, seconds int64) {
		in := routing.Input{Topic: text, LastPhrase: text, Phrases: []string{text, "z"}, Variables: map[string]json.RawMessage{}, At: time.Unix(seconds, 0)}
		for _, name := range []string{"s", "i", "d", "b", "l", "m", "x", "u"} {
			in.Variables[name] = raw
		}
		checkDecision(t, r, r.Route(in))
	})
}

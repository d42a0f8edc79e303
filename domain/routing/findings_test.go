package routing_test

import (
	"fmt"
	"strings"
	"testing"

	"handoff/domain/routing"
)

func TestAllFindingsAtOnce(t *testing.T) {
	t.Parallel()
	list := problems(t, `version: 1
fallback: general
queues: [{id: general}]
rules:
  - name: first
    all: [{topik: {is: a}}, {topic: {iz: a}}, {time: {within: "mon 8-9"}}]
    when: |
      foo == 1 &&
        topic == 3
    then: {queue: nope}
  - name: first
    when: "true"
    then: {queue: general, priority: 101}
`)
	var got []string
	for _, p := range list {
		got = append(got, fmt.Sprintf("%d:%d %s", p.Line, p.Column, p.Rule))
	}
	want := "6:12 first, 6:38 first, 6:48 first, 6:63 first, 8:7 first, 9:15 first, 10:19 first, 11:11 first, 13:38 first"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("findings at\n%s\nwant\n%s\n%+v", s, want, list)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	list := func(n int, item string) string {
		return "[" + strings.TrimSuffix(strings.Repeat(item+", ", n), ", ") + "]"
	}
	numbered := func(n int, item string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, item, i)
		}
		return b.String()
	}
	rule := "rules:\n- name: r\n  then: {queue: other}\n  "
	for name, c := range map[string]struct{ fits, breaks, detail string }{
		"bytes": {
			head + "#" + strings.Repeat("x", routing.MaxSource-len(head)-1), head + "#" + strings.Repeat("x", routing.MaxSource-len(head)), "204801 bytes",
		},
		"rules": {
			head + "rules:\n" + numbered(routing.MaxRules, "- {name: r%d, all: [{topic: {is: a}}], then: {queue: other}}\n"),
			head + "rules:\n" + numbered(routing.MaxRules+1, "- {name: r%d, all: [{topic: {is: a}}], then: {queue: other}}\n"), "at most 500",
		},
		"queues": {
			"version: 1\nfallback: q0\nqueues:\n" + numbered(routing.MaxQueues, "- {id: q%d}\n"),
			"version: 1\nfallback: q0\nqueues:\n" + numbered(routing.MaxQueues+1, "- {id: q%d}\n"), "at most 500",
		},
		"variables": {
			head + "variables:\n" + numbered(routing.MaxVariables, "  v%d: {type: int}\n"),
			head + "variables:\n" + numbered(routing.MaxVariables+1, "  v%d: {type: int}\n"), "more than 500 variables",
		},
		"conditions": {
			head + rule + "all: " + list(routing.MaxConditions, "{topic: {is: a}}"), head + rule + "all: " + list(routing.MaxConditions+1, "{topic: {is: a}}"), "at most 50",
		},
		"operands": {
			head + rule + "all: [{topic: {one_of: " + list(routing.MaxOperands, "a") + "}}]", head + rule + "all: [{topic: {one_of: " + list(routing.MaxOperands+1, "a") + "}}]", "at most 200",
		},
		"tests": {
			head + "tests: " + list(routing.MaxTests, "{given: {}, expect: general}"), head + "tests: " + list(routing.MaxTests+1, "{given: {}, expect: general}"), "at most 200",
		},
		"skills": {
			head + "rules: [{name: r, when: \"true\", then: {queue: other, skills: " + list(20, "a") + "}}]", head + "rules: [{name: r, when: \"true\", then: {queue: other, skills: " + list(21, "a") + "}}]", "at most 20",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parse(t, c.fits)
			if p := problems(t, c.breaks); !strings.Contains(p[0].Detail, c.detail) {
				t.Errorf("first finding: %s, want … %s", p[0].Detail, c.detail)
			}
		})
	}
}

func TestManyFindingsAreCounted(t *testing.T) {
	t.Parallel()
	list := problems(t, head+"rules: ["+strings.Repeat("x, ", 300)+"x]")
	if last := list[len(list)-1]; len(list) != 201 || !strings.Contains(last.Detail, "101 more findings") {
		t.Errorf("%d findings, the last is %q", len(list), last.Detail)
	}
}

// TestTestsAreBounded adopts a file whose tests would run for minutes.
func TestTestsAreBounded(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(head + "rules:\n")
	for i := range 100 {
		fmt.Fprintf(&b, "- {name: r%d, when: 'phrases.all(a, phrases.all(b, a + b != \"\")) && topic == \"x\"', then: {queue: other}}\n", i)
	}
	b.WriteString("tests:\n")
	for range 100 {
		b.WriteString("- {given: {phrases: [" + strings.Repeat("a,", 150) + "a]}, expect: general}\n")
	}
	if p := problems(t, b.String()); !strings.Contains(p[0].Detail, "took too much work") {
		t.Errorf("finding = %q", p[0].Detail)
	}
}

func TestGivenHasEveryField(t *testing.T) {
	t.Parallel()
	r := parse(t, head+`time_zone: America/New_York
rules:
- name: r
  when: >-
    topic == "a" && topics == ["b"] && last_phrase == "c" && phrases == ["d", "e"] && language == "f" && channel == "g" &&
    reason == "h" && customer.id == "i" && customer.verified && bot.name == "j" && wishes.queue == "k" && wishes.skills == ["l"] &&
    wishes.priority == 7 && time.hour == 10 && time.date == "2026-11-23"
  then: {queue: other}
tests:
- name: flat
  given: {topic: a, topics: [b], last_phrase: c, phrases: [d, e], language: f, channel: g, reason: h, customer.id: i, customer.verified: true,
    bot.name: j, wishes.queue: k, wishes.skills: [l], wishes.priority: 7, at: "2026-11-23T10:00"}
  expect: {queue: other, rule: r}
- given: {topic: a, topics: [b], last_phrase: c, phrases: [d, e], language: f, channel: g, reason: h, customer: {id: i, verified: true},
    bot: {name: j}, wishes: {queue: k, skills: [l], priority: 7}, at: 2026-11-23T10:00:59,
    variables: {a: {b: [1, 1.5, x, true, null]}}}
  expect: other
`)
	results := r.RunTests()
	if len(results) != 2 || !results[0].Passed || results[0].Name != `test "flat"` || results[1].Line != 17 || results[1].Decision.Rule != "r" {
		t.Errorf("results = %+v", results)
	}
}

// TestLoadSkipsTests loads a file that Parse refuses for its tests alone.
func TestLoadSkipsTests(t *testing.T) {
	t.Parallel()
	source := head + "tests: [{given: {topic: a}, expect: other}]"
	problems(t, source)
	r, err := routing.Load([]byte(source))
	if err != nil {
		t.Fatal(err)
	}
	if results := r.RunTests(); len(results) != 1 || results[0].Passed {
		t.Errorf("results = %+v, want one failure", results)
	}
	if _, err := routing.Load([]byte("version: 1")); err == nil {
		t.Error("Load took a file that is wrong")
	}
}

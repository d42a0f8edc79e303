package routing_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/domain/routing"
)

func storeBot(t testing.TB) *routing.RuleSet {
	t.Helper()
	source, err := os.ReadFile("testdata/store-bot.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(source))
}

func TestStoreBot(t *testing.T) {
	t.Parallel()
	r := storeBot(t)
	monday := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	big := variables("order_total", "900")
	big.Topic, big.Customer.Verified, big.At = "refund", true, monday
	for name, c := range map[string]struct {
		in       routing.Input
		queue    string
		priority int
		outcomes string
	}{
		"an emergency":          {routing.Input{LastPhrase: "I need an ambulance"}, "urgent", 100, "=..."},
		"an emergency by topic": {routing.Input{Topic: "emergency"}, "urgent", 100, "=..."},
		"a big refund":          {big, "seniors", 80, "a=.."},
		"a refund in Dutch":     {routing.Input{Topic: "Refund", Language: "nl-NL", At: monday}, "refunds-nl", 60, "ab=."},
		"a refund at night":     {routing.Input{Topic: "Refund", Language: "nl-NL", At: monday.Add(12 * time.Hour)}, "general", 50, "abca"},
		"a bot that failed":     {routing.Input{Reason: "not_understood", Phrases: []string{"a", "b", "c"}}, "general", 40, "aaa="},
		"nothing known":         {routing.Input{}, "general", 50, "aaaa"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := r.Route(c.in)
			if d.Queue.ID != c.queue || d.Priority != c.priority || d.Outcomes != c.outcomes {
				t.Errorf("queue, priority, outcomes = %q, %d, %q, want %q, %d, %q", d.Queue.ID, d.Priority, d.Outcomes, c.queue, c.priority, c.outcomes)
			}
			if d.Fallback != (d.RuleIndex == -1) || d.Fallback != (d.Rule == "") {
				t.Errorf("fallback = %t, rule %q, index %d do not agree", d.Fallback, d.Rule, d.RuleIndex)
			}
		})
	}
}

func TestAccessors(t *testing.T) {
	t.Parallel()
	r := storeBot(t)
	if got, want := r.Hash(), fmt.Sprintf("sha256:%x", sha256.Sum256(r.Source())); got != want {
		t.Errorf("Hash = %q, want %q", got, want)
	}
	if got := r.Name() + ", " + r.TimeZone(); got != "store-bot, Europe/Amsterdam" {
		t.Errorf("name and zone = %q", got)
	}
	if got := r.Fallback(); got != (routing.Queue{ID: "general", Name: "General help"}) {
		t.Errorf("Fallback = %+v", got)
	}
	q, ok := r.Queue("refunds-nl")
	if !ok || q.HubQueue != "aaaaaaaa-0000-4000-8000-0000000000a1" || len(r.Queues()) != 4 {
		t.Errorf("Queue = %+v, %t of %d", q, ok, len(r.Queues()))
	}
	if _, ok := r.Queue("nope"); ok {
		t.Error("a queue that was not declared is there")
	}
	want := routing.Rule{
		Name: "big refunds", Line: 15, Queue: routing.Queue{ID: "seniors", Name: "Senior agents"}, Priority: 80, Skills: []string{"refunds"},
		Conditions: []string{"topic is Refund", "order_total is at least 500", "customer verified is true"},
	}
	if got := r.Rules()[1]; !reflect.DeepEqual(got, want) {
		t.Errorf("rule = %+v, want %+v", got, want)
	}
}

func TestFallbackOnly(t *testing.T) {
	t.Parallel()
	r := parse(t, "version: 1\nfallback: help\nqueues: [{id: help}]\n")
	d := r.Route(routing.Input{Topic: "x"})
	if !d.Fallback || d.Queue != (routing.Queue{ID: "help", Name: "help"}) || d.Outcomes != "" || d.Misses != nil {
		t.Errorf("decision = %+v", d)
	}
}

// problems returns the findings of a source that must be refused.
func problems(t testing.TB, source string) []fault.Problem {
	t.Helper()
	r, err := routing.Parse([]byte(source))
	f := fault.Of(err)
	if r != nil || f == nil || f.Kind != fault.Unprocessable || f.Code != "rules-invalid" || len(f.Problems) == 0 {
		t.Fatalf("Parse = %v, %v, want rules-invalid with problems", r, err)
	}
	return f.Problems
}

const head = "version: 1\nfallback: general\nqueues: [{id: general}, {id: other}]\n"

func TestFindings(t *testing.T) {
	t.Parallel()
	rule := func(conditions string) string {
		return head + "rules:\n- name: r\n  " + conditions + "\n  then: {queue: other}"
	}
	zoned := func(conditions string) string { return "time_zone: UTC\n" + rule(conditions) }
	test := func(test string) string { return rule("all: [{topic: {is: a}}]") + "\ntests:\n- " + test }
	timed := func(test string) string {
		return zoned("all: [{time: {within: \"08:00-09:00\"}}]") + "\ntests:\n- " + test
	}
	for name, c := range map[string]struct {
		source string
		at     string // line:column of the first finding
		detail string // a part of it
	}{
		// The file.
		"an empty file":           {"", "1:1", "the file is empty"},
		"a list":                  {"- a", "1:1", "must be a mapping"},
		"broken brackets":         {"version: 1\nrules: [\n  a: b\n", "2:1", "not YAML: did not find expected"},
		"a value in a value":      {head + "name: a: b\n", "4:1", "not YAML: mapping values are not allowed"},
		"not UTF-8":               {"version: \xff", "1:1", "not UTF-8"},
		"two documents":           {head + "---\nversion: 1\n", "4:1", "one YAML document"},
		"an alias":                {head + "name: &a x\nrules: [*a]", "4:7", "anchors and aliases"},
		"a tag":                   {head + "name: !!binary eA==", "4:7", "tags and merges"},
		"a merge":                 {head + "<<: {name: x}", "4:1", "tags and merges"},
		"deep nesting":            {head + "rules: " + strings.Repeat("[", 40) + strings.Repeat("]", 40), "4:40", "levels deep"},
		"an unknown key":          {head + "fallbak: x", "4:1", `unknown key "fallbak" in the file, did you mean "fallback"?`},
		"a key twice":             {head + "fallback: x", "4:1", `key "fallback" comes twice`},
		"a key that is a list":    {head + "[a]: x", "4:1", "a key of the file must be text"},
		"no version":              {"fallback: a\nqueues: [{id: a}]", "1:1", "version is missing"},
		"another version":         {"version: 2\nfallback: a\nqueues: [{id: a}]", "1:10", "version must be 1"},
		"no fallback":             {"version: 1\nqueues: [{id: a}]", "1:1", "fallback is missing"},
		"no queues":               {"version: 1\nfallback: a", "1:1", "queues is missing"},
		"an undeclared fallback":  {"version: 1\nfallback: helpp\nqueues: [{id: help}]", "2:11", `queue "helpp" is not declared under queues, did you mean "help"?`},
		"an unknown zone":         {head + "time_zone: Europe/Amstelveen", "4:12", `time zone "Europe/Amstelveen" is unknown`},
		"the zone of the host":    {head + "time_zone: Local", "4:12", "unknown"},
		"no name":                 {head + "name:", "4:6", "name must be text, not nothing"},
		"a holiday that is none":  {head + "holidays: [2026-02-30]", "4:12", "is no date"},
		"a queue without an id":   {"version: 1\nfallback: a\nqueues: [{id: a}, {name: b}]", "3:19", "a queue needs an id"},
		"a queue twice":           {"version: 1\nfallback: a\nqueues: [{id: a}, {id: a}]", "3:24", `queue "a" is declared twice`},
		"an id with a space":      {"version: 1\nfallback: a\nqueues: [{id: a}, {id: a b}]", "3:24", "no queue id"},
		"queues in a mapping":     {"version: 1\nfallback: a\nqueues: {a: b}", "2:11", "not declared"},
		"a variable without type": {head + "variables: {a: {default: 1}}", "4:16", "variable a needs a type"},
		"an unknown type":         {head + "variables: {a: {type: number}}", "4:23", `"number" is no type`},
		"a wrong default":         {head + "variables: {a: {type: int, default: x}}", "4:37", "default of a is not of type int"},
		"a default that is none":  {head + "variables: {a: {type: double, default: .nan}}", "4:40", "not of type double"},
		"a name with a dash":      {head + "variables: {a-b: {type: int}}", "4:13", "can't be declared"},
		"the name of a field":     {head + "variables: {topic: {type: int}}", "4:13", "the name is taken"},
		"the name of a CEL word":  {head + "variables: {in: {type: int}}", "4:13", "the name is taken"},
		// Rules.
		"a rule that is text":     {head + "rules: [x]", "4:9", "a rule must be a mapping"},
		"rules in a mapping":      {head + "rules: {a: b}", "4:8", "rules must be a list"},
		"a rule without a name":   {head + "rules: [{when: \"true\", then: {queue: other}}]", "4:9", "a rule needs a name"},
		"a rule twice":            {rule("when: \"true\"") + "\n- {name: r, when: \"true\", then: {queue: other}}", "8:10", `rule "r" comes twice`},
		"an unknown key in rules": {rule("al: []\n  when: \"true\""), "6:3", `unknown key "al" in a rule, did you mean "all"?`},
		"no conditions":           {rule("any: []"), "6:8", "any is empty"},
		"no condition at all":     {head + "rules: [{name: r, then: {queue: other}}]", "4:9", "a rule needs conditions"},
		"no then":                 {head + "rules: [{name: r, when: \"true\"}]", "4:9", "needs a then"},
		"then without a queue":    {head + "rules: [{name: r, when: \"true\", then: {}}]", "4:39", "then needs a queue"},
		"an undeclared queue":     {head + "rules: [{name: r, when: \"true\", then: {queue: otter}}]", "4:47", `did you mean "other"?`},
		"a priority above 100":    {head + "rules: [{name: r, when: \"true\", then: {queue: other, priority: 101}}]", "4:64", "from 0 to 100, not 101"},
		"a skill that is empty":   {head + "rules: [{name: r, when: \"true\", then: {queue: other, skills: [\"\"]}}]", "4:63", "a skill must have 1 to 64 characters"},
		// Plain conditions.
		"an unknown field":             {rule("all: [{topik: {is: a}}]"), "6:10", `"topik" is no field, did you mean "topic"?`},
		"a variable as a field":        {rule("all: [{order_total: {is: a}}]"), "6:10", "variable: NAME"},
		"an unknown operator":          {rule("all: [{topic: {iss: a}}]"), "6:18", `"iss" is no operator for topic, did you mean "is"?`},
		"an operator that doesn't fit": {rule("all: [{topic: {at_least: 5}}]"), "6:18", "is no operator for topic: use is, "},
		"two operators":                {rule("all: [{topic: {is: a, contains: b}}]"), "6:17", "one operator, not 2"},
		"two fields":                   {rule("all: [{topic: {is: a}, channel: {is: b}}]"), "6:9", "tests one field"},
		"an empty condition":           {rule("all: [{}]"), "6:9", "a condition is empty"},
		"a condition that is text":     {rule("all: [topic]"), "6:9", "a condition must be a mapping"},
		"a field without operator":     {rule("all: [{topic: refund}]"), "6:17", `topic must be a mapping of keys to values, not "refund"`},
		"a variable without operator":  {rule("all: [{variable: x}]"), "6:9", "one operator, not 0"},
		"a variable without a name":    {rule("all: [{variable: [x], is: 1}]"), "6:20", "a variable's name must be text"},
		"a number that is none":        {rule("all: [{variable: x, at_least: five}]"), "6:33", `must be a number, not "five"`},
		"a mixed list":                 {rule("all: [{variable: x, one_of: [1, two]}]"), "6:35", "must be a number"},
		"a list for is":                {rule("all: [{topic: {is: [a]}}]"), "6:22", "must be one value, not a list"},
		"no list for one_of":           {rule("all: [{topic: {one_of: a}}]"), "6:26", "must be a list, such as [a]"},
		"an empty list":                {rule("all: [{topic: {one_of: []}}]"), "6:26", "is empty"},
		"a list in a list":             {rule("all: [{topic: {one_of: [[a]]}}]"), "6:27", "must hold plain values"},
		"an empty text":                {rule("all: [{topic: {is: \"\"}}]"), "6:22", "must have 1 to 1000 characters"},
		"is nothing":                   {rule("all: [{topic: {is: }}]"), "6:22", "must be text, not nothing"},
		"a truth that is none":         {rule("all: [{customer.verified: {is: maybe}}]"), "6:34", "must be true or false"},
		"is_not for a truth":           {rule("all: [{variable: x, is_not: true}]"), "6:31", "tested with is"},
		"present that is none":         {rule("all: [{topic: {present: maybe}}]"), "6:27", "must be true or false"},
		"a pattern that is none":       {rule("all: [{topic: {matches: \"(\"}}]"), "6:27", "no RE2 pattern"},
		"too large a pattern":          {rule("all: [{topic: {matches: \"(a{100}){10}\"}}]"), "6:27", "too many steps"},
		"a declared type":              {"variables: {n: {type: int}}\n" + rule("all: [{variable: n, is: five}]"), "7:27", "must be a number"},
		"an operator against the type": {"variables: {n: {type: map}}\n" + rule("all: [{variable: n, is: five}]"), "7:23", "use present, absent"},
		// The time.
		"no zone":              {rule("all: [{time: {within: \"08:00-09:00\"}}]"), "6:10", "must say its time_zone"},
		"no zone for when":     {rule("when: time.hour == 1"), "6:9", "must say its time_zone"},
		"days without hours":   {zoned("all: [{time: {within: \"mon, wed 08:00-09:00\"}}]"), "7:25", `"mon" is not days and hours`},
		"an unknown day":       {zoned("all: [{time: {within: \"mo 08:00-09:00\"}}]"), "7:25", `"mo" is no day`},
		"an unknown last day":  {zoned("all: [{time: {within: \"mon-fry 08:00-09:00\"}}]"), "7:25", `"fry" is no day`},
		"an hour too many":     {zoned("all: [{time: {within: \"08:00-24:01\"}}]"), "7:25", `"24:01" is no time of day`},
		"no length of time":    {zoned("all: [{time: {within: \"08:00-08:00\"}}]"), "7:25", "no length of time"},
		"half a range":         {zoned("all: [{time: {within: \"08:00\"}}]"), "7:25", `"" is no time of day`},
		"hours in a mapping":   {zoned("all: [{time: {within: {a: b}}}]"), "7:25", "the hours must be text"},
		"no hours":             {zoned("all: [{time: {within: []}}]"), "7:25", "the hours are empty"},
		"a day that is none":   {zoned("all: [{time: {on: [13-01]}}]"), "7:22", "is no date"},
		"no days":              {zoned("all: [{time: {on: []}}]"), "7:21", "the days are empty"},
		"no list of days":      {zoned("all: [{time: {on: 12-25}}]"), "7:21", "must be a list"},
		"holidays without any": {zoned("all: [{time: {on: holidays}}]"), "7:21", "the file has no holidays"},
		// Formulas.
		"an undeclared name":               {rule("when: order_total > 5"), "6:9", "when: 'order_total' is no field, no function and not declared"},
		"in double quotes":                 {rule(`when: "topic == \"a\" && bar"`), "6:28", "'bar' is no field"},
		"in single quotes":                 {rule(`when: 'topic == "it''s" && bar'`), "6:30", "'bar' is no field"},
		"with an escaped blank":            {rule(`when: "topic == 'a'\n\t&& bar"`), "6:29", "'bar' is no field"},
		"in a block":                       {rule("when: |\n    topic == 'a' &&\n      bar"), "8:7", "'bar' is no field"},
		"in a folded block":                {rule("when: >-\n\n    topic == 'a' &&\n    bar"), "9:5", "'bar' is no field"},
		"over plain lines":                 {rule("when: topic == 'é' &&\n    bar"), "7:5", "'bar' is no field"},
		"an unfinished formula":            {rule("when: topic ==   # why"), "6:17", "Syntax error"},
		"the wrong types":                  {rule("when: topic == 1"), "6:15", "no matching overload"},
		"no truth":                         {rule("when: topic"), "6:9", "must be true or false"},
		"a formula that is a list":         {rule("when: [a]"), "6:9", "when must be text"},
		"objects":                          {rule(`when: "{'b': 1}.all(k, true)"`), "6:10", "objects can't be built"},
		"a bad pattern":                    {rule("when: topic.matches('(')"), "6:22", "no RE2 pattern"},
		"too large a pattern in a formula": {rule("when: topic.matches('(a{100}){10}')"), "6:22", "too many steps"},
		"a pattern from a value":           {rule("when: topic.matches(channel)"), "6:22", "must be written out"},
		"the clock of the host":            {rule("when: timestamp('2026-11-23T10:00:00Z').getHours('Asia/Tokyo') == 1"), "6:51", "'getHours' is no field, no function"},
		"loops in loops in loops":          {rule("when: phrases.all(a, phrases.all(b, phrases.all(c, true)))"), "6:50", "comprehension"},
		"too long a formula":               {rule("when: \"" + strings.Repeat("true && ", 600) + "true\""), "6:9", "1 to 4000 characters"},
		"too deep a formula":               {rule("when: \"" + strings.Repeat("(", 100) + "true" + strings.Repeat(")", 100) + "\""), "6:10", "recursion"},
		// Tests.
		"a test that fails":          {test("{given: {topic: b}, expect: other}"), "9:3", "test 1 fails: expected queue other, but the fallback chose queue general; nearest miss: rule \"r\", because topic is b, needs a"},
		"a named test that fails":    {test("{name: x, given: {topic: a}, expect: {fallback: true}}"), "9:3", `test "x" fails: expected the fallback, but rule "r" chose queue other`},
		"a test of an unknown rule":  {test("{given: {topic: b}, expect: {rule: z}}"), "9:38", `there is no rule "z"`},
		"a test of another rule":     {test("{given: {topic: b}, expect: {rule: r}}"), "9:3", `expected rule "r"`},
		"a test of an unknown queue": {test("{given: {topic: b}, expect: z}"), "9:31", `queue "z" is not declared`},
		"a test without given":       {test("{expect: other}"), "9:3", "a test needs given"},
		"a test without expect":      {test("{given: {}}"), "9:3", "a test needs expect"},
		"a test of nothing":          {test("{given: {}, expect: {}}"), "9:23", "expect names nothing"},
		"a test of no fallback":      {test("{given: {}, expect: {fallback: false}}"), "9:34", "can only be true"},
		"a test with a typing error": {test("{given: {topik: b}, expect: other}"), "9:12", `"topik" is nothing that a bot sends, did you mean "topic"?`},
		"a test with a wrong wish":   {test("{given: {wishes: {priority: 101}}, expect: other}"), "9:31", "wishes.priority must be a whole number"},
		"a test with no number":      {test("{given: {variables: {a: .inf}}, expect: other}"), "9:27", "no number that JSON knows"},
		"a test without a time":      {timed("{given: {topic: b}, expect: other}"), "10:11", "a test must say at"},
		"a test with a wrong time":   {timed("{given: {at: noon}, expect: other}"), "10:16", `"noon" is no time`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := problems(t, c.source)[0]
			if at := fmt.Sprintf("%d:%d", p.Line, p.Column); at != c.at || !strings.Contains(p.Detail, c.detail) {
				t.Errorf("first finding at %s: %s\nwant at %s: … %s", at, p.Detail, c.at, c.detail)
			}
		})
	}
}

package omnichannel_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"handoff/events"
	"handoff/infra/microsoft/activity"
	"handoff/infra/microsoft/omnichannel"
)

type values = map[string]json.RawMessage

var plainCase = omnichannel.Escalation{
	Queue: "Refunds", ID: "esc_1", ContextURL: "https://handoff.example/c/1", Summary: "Wants a refund",
	Context: events.Context{ConversationID: "c1"},
}

// sent is what the hub reads of a message.
func sent(t testing.TB, a activity.Activity) (values, []string) {
	t.Helper()
	tags := omnichannel.TagsOf(a)
	c, _ := omnichannel.ParseTags(tags)
	if c.Type != omnichannel.CommandEscalate || c.Context == nil {
		t.Fatalf("the hub reads no command from %s", tags)
	}
	var order []string
	d := json.NewDecoder(strings.NewReader(tags))
	for depth := 0; d.More() || depth > 0; {
		token, err := d.Token()
		if err != nil {
			break
		}
		switch v := token.(type) {
		case json.Delim:
			if depth++; v == '}' {
				depth -= 2
			}
		case string:
			if _, is := c.Context[v]; is && depth == 2 && !slices.Contains(order, v) {
				order = append(order, v)
			}
		}
	}
	return c.Context, order
}

func codes(all []omnichannel.Finding) (c []string) {
	for _, f := range all {
		c = append(c, f.Code+" "+f.Variable)
	}
	return c
}

func TestTheCommandOnTheWire(t *testing.T) {
	t.Parallel()
	a, findings := plainCase.Message(omnichannel.Limits{})
	want := `{"channelData":{"tags":"{\"type\":\"Escalate\",\"context\":{\"HandoffQueue\":\"Refunds\",\"HandoffEscalationId\":\"esc_1\",` +
		`\"HandoffContextUrl\":\"https://handoff.example/c/1\",\"va_ConversationId\":\"c1\",\"va_Scope\":\"bot\"}}"},"text":"Wants a refund","type":"message"}`
	if got := string(a.JSON()); got != want || len(findings) > 0 {
		t.Errorf("sent %s, want %s; %v", got, want, findings)
	}
	if got, want := string(omnichannel.End("Solved").JSON()), `{"channelData":{"tags":"{\"type\":\"EndConversation\",\"context\":{}}"},"text":"Solved","type":"message"}`; got != want {
		t.Errorf("sent %s, want %s", got, want)
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 4001)
	for sentence, c := range map[string]struct {
		value, want string
		finding     string
	}{
		"a text":                              {`"Delft"`, `"Delft"`, ""},
		"an empty text":                       {`""`, `""`, ""},
		"markup":                              {`"<b> & \"c\""`, `"<b> & \"c\""`, ""},
		"a whole number (8.4)":                {`7`, `7`, ""},
		"minus zero":                          {`-0`, `0`, ""},
		"a number with a point (8.4)":         {`7.50`, `"7.50"`, omnichannel.FindingNumber},
		"a number with an exponent":           {`1e3`, `"1e3"`, omnichannel.FindingNumber},
		"the largest whole number":            {`9007199254740991`, `9007199254740991`, ""},
		"a number that others would round":    {`9007199254740993`, `"9007199254740993"`, omnichannel.FindingNumber},
		"a bool (8.4)":                        {`true`, `"true"`, ""},
		"null (8.4)":                          {`null`, ``, omnichannel.FindingNull},
		"a list of texts and others":          {`["a, b", 7, null, true]`, `"a, b, 7, true"`, ""},
		"an empty list":                       {`[]`, `""`, ""},
		"a list of lists":                     {`[ ["a"], 1 ]`, `"[[\"a\"],1]"`, ""},
		"an object in an object (8.4)":        {`{ "a" : { "b" : 1 } }`, `"{\"a\":{\"b\":1}}"`, ""},
		"4,000 characters":                    {`"` + long[:4000] + `"`, `"` + long[:4000] + `"`, ""},
		"4,001 characters (8.4)":              {`"` + long + `"`, `"(4001 characters, more than the hub takes; see HandoffContextUrl)"`, omnichannel.FindingValueTooLong},
		"4,001 characters as the hub counts":  {`"` + long[:3999] + `😀"`, `"(4001 characters, more than the hub takes; see HandoffContextUrl)"`, omnichannel.FindingValueTooLong},
		"4,000 letters of two bytes":          {`"` + strings.Repeat("é", 4000) + `"`, `"` + strings.Repeat("é", 4000) + `"`, ""},
		"a list that is too long when flat":   {`["` + long[:3000] + `","` + long[:1000] + `"]`, `"(4002 characters, more than the hub takes; see HandoffContextUrl)"`, omnichannel.FindingValueTooLong},
		"half of a pair, which must not harm": {`"\ud83d"`, `"�"`, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			e := plainCase
			e.Context.Variables = values{"Store": json.RawMessage(c.value)}
			a, findings := e.Message(omnichannel.Limits{})
			got, _ := sent(t, a)
			if string(got["Store"]) != c.want {
				t.Errorf("Store = %s, want %s", got["Store"], c.want)
			}
			want := []string(nil)
			if c.finding != "" {
				want = []string{c.finding + " Store"}
			}
			if !slices.Equal(codes(findings), want) {
				t.Errorf("findings = %v, want %v", findings, want)
			}
		})
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 101)
	e := plainCase
	e.Context.Variables = values{
		long: json.RawMessage(`1`), long[:200]: json.RawMessage(`2`), "": json.RawMessage(`3`), "handoffqueue": json.RawMessage(`"Mine"`),
		"HandoffLeftOut": json.RawMessage(`4`), "Store": json.RawMessage(`5`), "store": json.RawMessage(`6`),
	}
	a, findings := e.Message(omnichannel.Limits{})
	got, _ := sent(t, a)
	if string(got[long[:200]]) != "2" || string(got["Store"]) != "5" || string(got["store"]) != "6" || len(got) != 9 {
		t.Errorf("sent %s", got)
	}
	want := []string{
		omnichannel.FindingNameEmpty + " ", omnichannel.FindingNameReserved + " HandoffLeftOut",
		omnichannel.FindingNameReserved + " handoffqueue", omnichannel.FindingNameTooLong + " " + long,
	}
	if c := codes(findings); !slices.Equal(c, want) {
		t.Errorf("findings = %q, want %q", c, want)
	}
	if left, want := string(got[omnichannel.VariableLeftOut]), `"(no name), HandoffLeftOut, handoffqueue, `+strings.Repeat("é", 60)+`…"`; left != want {
		t.Errorf("left out = %s, want %s", left, want)
	}
}

func TestTheVariablesOfPowerVirtualAgents(t *testing.T) {
	t.Parallel()
	full := events.Context{
		ConversationID: "c1", Topics: []string{"Refund", "Hours"}, LastPhrase: "a person please", Phrases: []string{"hi", "refund"}, MessageToAgent: "VIP",
	}
	for sentence, c := range map[string]struct {
		variables  values
		name, want string
	}{
		"a list is flattened":                       {nil, "va_Topics", `"Refund, Hours"`},
		"phrases too":                               {nil, "va_Phrases", `"hi, refund"`},
		"the message to the agent":                  {nil, "va_AgentMessage", `"VIP"`},
		"the last topic":                            {nil, "va_LastTopic", `"Refund"`},
		"who the bot is":                            {nil, "va_BotName", `"Store bot"`},
		"what the bot said goes before":             {values{"va_LastPhrase": json.RawMessage(`"now"`)}, "va_LastPhrase", `"now"`},
		"an empty one is filled (8.1)":              {values{"va_LastPhrase": json.RawMessage(`""`), "va_LastPhrases": json.RawMessage(`"x"`)}, "va_LastPhrase", `"a person please"`},
		"the documentation's spelling stays (8.1)":  {values{"va_LastPhrases": json.RawMessage(`"x"`)}, "va_LastPhrases", `"x"`},
		"beside the one that bots really use (8.1)": {values{"va_LastPhrases": json.RawMessage(`"x"`)}, "va_LastPhrase", `"a person please"`},
		"a list as a text stays a text":             {values{"va_Topics": json.RawMessage(`"[\"a\"]"`)}, "va_Topics", `"[\"a\"]"`},
		"an odd language is the hub's to judge":     {values{"va_Language": json.RawMessage(`"En-US"`)}, "va_Language", `"En-US"`},
	} {
		e := plainCase
		e.Context, e.Topic, e.Language, e.Bot = full, "Refund", "nl-NL", events.Bot{ID: "<REDACTED>", Name: "Store bot"}
		e.Context.Variables = c.variables
		a, findings := e.Message(omnichannel.Limits{})
		if got, _ := sent(t, a); string(got[c.name]) != c.want || len(findings) > 0 {
			t.Errorf("%s: %s = %s, want %s; %v", sentence, c.name, got[c.name], c.want, findings)
		}
	}
}

func TestOneHundredVariables(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct{ custom, kept, over int }{
		"exactly one hundred with our own": {95, 95, 0},
		"the 101st (8.4)":                  {96, 94, 2}, // the list of what is missing takes a place, too
		"five hundred":                     {500, 94, 406},
	} {
		e := plainCase
		e.Context.Variables = values{}
		for i := range c.custom {
			e.Context.Variables[fmt.Sprintf("v%03d", i)] = json.RawMessage(`1`)
		}
		a, findings := e.Message(omnichannel.Limits{})
		got, order := sent(t, a)
		custom := 0
		for name := range got {
			if strings.HasPrefix(name, "v0") || strings.HasPrefix(name, "v1") {
				custom++
			}
		}
		if custom != c.kept || len(findings) != c.over || len(got) > 100 {
			t.Errorf("%s: %d of %d variables, %d findings; want %d and %d", sentence, custom, len(got), len(findings), c.kept, c.over)
		}
		if !slices.Equal(order[:3], []string{omnichannel.VariableQueue, omnichannel.VariableEscalation, omnichannel.VariableURL}) {
			t.Errorf("%s: order = %q", sentence, order)
		}
		if left := string(got[omnichannel.VariableLeftOut]); c.over > 0 && !strings.Contains(left, "v094") {
			t.Errorf("%s: left out = %s", sentence, left)
		}
	}
}

func TestAMessageThatWouldBeTooLarge(t *testing.T) {
	t.Parallel()
	e := plainCase
	e.Context.Variables = values{"small": json.RawMessage(`"x"`), "va_Phrases": json.RawMessage(`"hi"`)}
	for i := range 10 {
		e.Context.Variables[fmt.Sprintf("big%d", i)] = activity.Marshal(strings.Repeat("é", 4000)) // 8,000 bytes each
	}
	a, findings := e.Message(omnichannel.Limits{})
	got, _ := sent(t, a)
	if n := len(a.JSON()); n > 26<<10 || n < 20<<10 {
		t.Errorf("%d bytes", n)
	}
	for _, name := range []string{"HandoffQueue", "HandoffEscalationId", "HandoffContextUrl", "va_Phrases", "small", "big0", "big1", "big2"} {
		if got[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	if want := `"big3, big4, big5, big6, big7, big8, big9"`; len(findings) != 7 || findings[0].Code != omnichannel.FindingOverSize || string(got[omnichannel.VariableLeftOut]) != want {
		t.Errorf("left out = %s, want %s; %v", got[omnichannel.VariableLeftOut], want, codes(findings))
	}
}

func TestSummaries(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		summary string
		long    bool
	}{
		"4,000 characters":                   {strings.Repeat("a", 4000), false},
		"4,001 characters":                   {strings.Repeat("a", 4001), true},
		"fewer that take half of a message":  {strings.Repeat("\u0001", 3000), true},
		"none, and yet the hub asks for one": {"", false},
	} {
		e := plainCase
		e.Summary = c.summary
		a, findings := e.Message(omnichannel.Limits{})
		said := a.Text("text")
		if long := said != c.summary; long != c.long || long != (len(findings) == 1) || long && !strings.Contains(said, e.ContextURL) {
			t.Errorf("%s: %.80q, %v", sentence, said, findings)
		}
	}
}

func TestLimitsAreConfigurable(t *testing.T) {
	t.Parallel()
	e := plainCase
	e.ContextURL = ""
	e.Context.Variables = values{"abc": activity.Marshal(strings.Repeat("a", 513)), "abcd": json.RawMessage(`1`)}
	a, findings := e.Message(omnichannel.Limits{Name: 3, Value: 512, Count: 8, Message: 8 << 10})
	got, _ := sent(t, a)
	if string(got["abc"]) != `"(513 characters, more than the hub takes)"` || got["abcd"] != nil || len(findings) < 2 {
		t.Errorf("sent %s with %v", got, findings)
	}
}

// Whatever a bot says, the hub takes the message, our own variables are in it,
// and every variable is there, or a finding tells why not.
func FuzzEscalation(f *testing.F) {
	f.Add("Store", `"Delft"`, "summary", 3)
	f.Add("", `[1,"a",{}]`, "\x00", 200)
	f.Add("va_Topics", `null`, "\u0001\u2028", 0)
	f.Add(strings.Repeat("\x01", 99), `"\u0000\u0001\""`, strings.Repeat("\"", 4000), 99)
	f.Fuzz(func(t *testing.T, name, value, summary string, n int) {
		if !json.Valid([]byte(value)) {
			return
		}
		if _, err := activity.Parse([]byte(`{"v":` + value + `}`)); err != nil {
			return
		}
		e := plainCase
		e.Summary, e.Context.Variables = summary, values{}
		for i := range min(max(n, 0), 300) {
			e.Context.Variables[strings.ToValidUTF8(name, "")+fmt.Sprint(i)] = json.RawMessage(strings.TrimSpace(value))
		}
		a, findings := e.Message(omnichannel.Limits{})
		if size := len(a.JSON()); size > 26<<10 {
			t.Errorf("%d bytes", size)
		}
		got, _ := sent(t, a)
		if len(got) > 100 || string(got["HandoffQueue"]) != `"Refunds"` || string(got["HandoffEscalationId"]) != `"esc_1"` || got["HandoffContextUrl"] == nil {
			t.Errorf("sent %d variables, %s", len(got), got["HandoffQueue"])
		}
		for name := range e.Context.Variables {
			told := slices.ContainsFunc(findings, func(f omnichannel.Finding) bool { return f.Variable == name })
			if got[name] == nil && !told {
				t.Errorf("%q is gone without a word", name)
			}
		}
	})
}

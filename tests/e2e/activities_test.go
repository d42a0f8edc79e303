package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// activity is a hand-off as Power Virtual Agents sends it, with what a test
// says instead. Values are JSON.
func activity(conversation string, with map[string]string) string {
	fields := map[string]json.RawMessage{
		"type": json.RawMessage(`"event"`), "name": json.RawMessage(`"handoff.initiate"`), "channelId": json.RawMessage(`"directline"`),
		"timestamp":    json.RawMessage(`"2024-05-02T09:10:11.1234567+00:00"`),
		"conversation": json.RawMessage(fmt.Sprintf(`{"id":%q}`, conversation)),
		"value":        json.RawMessage(`{"va_Scope":"bot","va_LastTopic":"Refund","va_BotId":"<REDACTED>","va_Language":"En-US"}`),
		"attachments":  json.RawMessage(`[]`),
	}
	for name, value := range with {
		if fields[name] = json.RawMessage(value); value == "" {
			delete(fields, name)
		}
	}
	b, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return string(b)
}

const attached = `{"contentType":"application/json","name":"Transcript","content":`

// said is a transcript of two turns.
const said = `{"activities":[{"type":"message","id":"K|0000000","from":{"id":"u","role":"user"},"text":"hi there"},` +
	`{"type":"message","id":"K|0000001","from":{"id":"b","role":"bot"},"text":"good day","cci_bot_id":"cci-7"}]}`

func TestActivitiesComeOutAsTheyWereMeant(t *testing.T) {
	t.Parallel()
	quoted, _ := json.Marshal(said)
	many := make(map[string]int)
	for i := range 101 {
		many[fmt.Sprintf("v%03d", i)] = i
	}
	hundredAndOne, _ := json.Marshal(many)
	long := strings.Repeat("x", 4001)
	for name, c := range map[string]struct {
		with  map[string]string
		has   []string // in what the desk receives
		count float64  // messages
	}{
		"va_LastPhrase alone":              {with: map[string]string{"value": `{"va_LastPhrase":"one"}`}, has: []string{`"last_phrase":"one"`, `"va_LastPhrase":"one"`}},
		"va_LastPhrases alone":             {with: map[string]string{"value": `{"va_LastPhrases":"many"}`}, has: []string{`"last_phrase":"many"`, `"va_LastPhrases":"many"`}},
		"both phrases":                     {with: map[string]string{"value": `{"va_LastPhrase":"one","va_LastPhrases":"many"}`}, has: []string{`"last_phrase":"one"`, `"va_LastPhrases":"many"`}},
		"both phrases, the singular empty": {with: map[string]string{"value": `{"va_LastPhrase":"","va_LastPhrases":"many"}`}, has: []string{`"last_phrase":"many"`}},
		"no attachments":                   {with: map[string]string{"attachments": ""}},
		"attachments null":                 {with: map[string]string{"attachments": "null"}},
		"a transcript":                     {with: map[string]string{"attachments": `[` + attached + said + `}]`}, has: []string{`"text":"hi there"`, `"from":"customer"`, `cci-7`}, count: 2},
		"a name in lower case":             {with: map[string]string{"attachments": `[{"contentType":"application/json; charset=utf-8","name":"transcript","content":` + said + `}]`}, has: []string{`hi there`}, count: 2},
		"a transcript as text":             {with: map[string]string{"attachments": `[` + attached + string(quoted) + `}]`}, has: []string{`"text":"hi there"`, `"text":"good day"`}, count: 2},
		"a transcript as list":             {with: map[string]string{"attachments": `[` + attached + `[{"type":"message","from":{"role":"user"},"text":"listed"}]}]`}, has: []string{`"text":"listed"`}, count: 1},
		"two transcripts": {with: map[string]string{"attachments": `[` + attached + said + `},` + attached +
			`{"activities":[{"type":"message","id":"K|0000009","from":{"role":"user"},"text":"third"}]}}]`}, has: []string{`hi there`, `"text":"third"`}, count: 3},
		"an attachment of another kind": {
			with: map[string]string{"attachments": `[{"contentType":"image/png","name":"Transcript","contentUrl":"https://x.example/a.png"},` + attached + said + `}]`},
			has:  []string{"https://x.example/a.png", "hi there"}, count: 2,
		},
		"an empty transcript":    {with: map[string]string{"attachments": `[` + attached + `{"activities":[]}}]`}},
		"value null":             {with: map[string]string{"value": "null"}},
		"no value":               {with: map[string]string{"value": ""}},
		"a value that is a text": {with: map[string]string{"value": `"just text"`}, has: []string{"just text"}},
		"values of all kinds":    {with: map[string]string{"value": `{"n":1.50,"b":true,"o":{"deep":[1,{"x":null}]},"nul":null}`}, has: []string{`"n":1.50`, `"b":true`, `"deep":[1,{"x":null}]`}},
		"a hundred and one":      {with: map[string]string{"value": string(hundredAndOne)}, has: []string{`"v100":100`, `"v000":0`}},
		"a long value":           {with: map[string]string{"value": `{"long":"` + long + `"}`}, has: []string{long}},
		"unknown fields":         {with: map[string]string{"callerId": `"urn:x"`, "entities": `[{"type":"ClientCapabilities"}]`, "zzz": `{"a":1}`}, has: []string{`urn:x`, `ClientCapabilities`, `"zzz":{"a":1}`}},
		"an id twice":            {with: map[string]string{"attachments": `[` + attached + `{"activities":[{"type":"message","id":"1","from":{"role":"user"},"text":"same id one"},{"type":"message","id":"1","from":{"role":"user"},"text":"same id two"}]}}]`}, has: []string{"same id one", "same id two"}, count: 2},
		"the same message twice": {with: map[string]string{"attachments": `[` + attached + `{"activities":[{"type":"message","id":"1","from":{"role":"user"},"text":"twin"},{"type":"message","id":"1","from":{"role":"user"},"text":"twin"}]}}]`}, has: []string{"twin", `"transcript_repeats":1`}, count: 1},
		"numbers for times and roles": {
			with: map[string]string{"attachments": `[` + attached + `{"activities":[
			{"type":"message","id":"9","timestamp":1714641020,"from":{"id":"u","role":1},"text":"later"},
			{"type":"message","id":"2","timestamp":1714641011,"from":{"id":"b","role":0},"text":"earlier"},
			{"type":"trace","id":"3","name":"hidden trace","timestamp":"nonsense"}]}}]`},
			has: []string{`"from":"customer"`, `"from":"bot"`, "2024-05-02T09:10:20Z", "hidden trace", "nonsense", "1714641020"}, count: 2,
		},
		"seven digits after the point": {
			with: map[string]string{"attachments": `[` + attached + `{"activities":[{"type":"message","timestamp":"2024-05-02T09:10:11.1234567+00:00","from":{"role":"user"},"text":"t"}]}}]`},
			has:  []string{"2024-05-02T09:10:11.1234567+00:00"}, count: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			con := w.connect("store-bot", "full", rules)
			id := w.activities(con, activity("Kx", c.with))[0].ID
			got := w.event(id, routedEvent)
			_, context := w.call(con.hub, "GET", "/v1/escalations/"+id+"/context", nil)
			for _, text := range c.has {
				if !bytes.Contains(got.raw, []byte(text)) {
					t.Errorf("%q is missing in what the desk received: %s", text, got.raw)
				}
				if !bytes.Contains(context, []byte(text)) {
					t.Errorf("%q is missing in the context: %s", text, context)
				}
			}
			messages, _ := got.value("transcript", "messages").([]any)
			if n := got.value("transcript", "count"); n != c.count || len(messages) != int(c.count) {
				t.Errorf("%v messages counted, %d received, want %v", n, len(messages), c.count)
			}
			if got.value("conversation_id") != "Kx" {
				t.Errorf("conversation = %v, want Kx", got.value("conversation_id"))
			}
		})
	}
}

// activities sends activities among which are hand-offs.
func (w *world) activities(c connected, body string, header ...string) []answer {
	w.t.Helper()
	var set struct{ Escalations []answer }
	w.must(http.StatusAccepted, &set, c.bot, "POST", "/v1/connections/"+c.id+"/activities", body, header...)
	if len(set.Escalations) == 0 {
		w.t.Fatalf("%s raised nothing", body)
	}
	return set.Escalations
}

func TestASetOfActivitiesRaisesEachHandOff(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c := w.connect("store-bot", "full", rules)
		set := `{"activities":[{"type":"typing"},` + activity("one", map[string]string{"id": `"one|7"`}) + `,{"type":"message","text":"x"},` +
			activity("two", nil) + `],"watermark":"5"}`
		first := w.activities(c, set)
		if len(first) != 2 || first[0].ID == first[1].ID || first[0].Queue != "refunds" {
			t.Fatalf("answers = %+v, want two escalations", first)
		}
		again := w.activities(c, set)
		for i := range again {
			if again[i].ID != first[i].ID || !again[i].Duplicate {
				t.Errorf("the repeat was answered %+v, want %+v", again, first)
			}
		}
		w.idle()
		if n := tally(w.facts()); n["EscalationRaised"] != 2 || n["EscalationContextAdded"] != 0 {
			t.Errorf("facts = %v, want two raised and nothing added", n)
		}
	})
}

func TestOneOfASetFailsAndTheSetCanBeSentAgain(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c := w.connect("store-bot", "full", rules)
		bad := `{"activities":[` + activity("one", nil) + `,` + activity("two", map[string]string{"value": `{"` + strings.Repeat("n", 101) + `":1}`}) + `]}`
		status, body := w.call(c.bot, "POST", "/v1/connections/store-bot/activities", bad)
		if status != http.StatusUnprocessableEntity || !strings.Contains(string(body), `"pointer":"/activities/1/value/nnn`) {
			t.Errorf("answer = %d %s, want 422 that points at the second", status, body)
		}
		good := `{"activities":[` + activity("one", nil) + `,` + activity("two", nil) + `]}`
		if all := w.activities(c, good); len(all) != 2 || !all[0].Duplicate || all[1].Duplicate {
			t.Errorf("answers = %+v, want the first as a duplicate", all)
		}
	})
}

func TestOtherActivitiesAreIgnored(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c := w.connect("store-bot", "full", rules)
		for body, n := range map[string]int{
			`{"type":"event","name":"something.else","conversation":{"id":"x"}}`:                       1,
			`{"type":"event","name":"Handoff.Initiate","conversation":{"id":"x"}}`:                     1,
			`{"type":"message","name":"handoff.initiate","conversation":{"id":"x"}}`:                   1,
			`{"type":"handoff","conversation":{"id":"x"}}`:                                             1,
			`{"type":"event","name":"handoff.status","conversation":{"id":"x"},"value":{"state":"?"}}`: 1,
			`{"activities":[]}`: 0,
			`{"activities":[{"type":"typing"},{"type":"message"}]}`: 2,
			`[]`: 0,
		} {
			var out struct{ Ignored *int }
			w.must(http.StatusOK, &out, c.bot, "POST", "/v1/connections/store-bot/activities", body)
			if out.Ignored == nil || *out.Ignored != n {
				t.Errorf("%s was answered %+v, want %d ignored", body, out, n)
			}
		}
		for _, body := range []string{`{}`, `{"conversation_id":"plain"}`, `"text"`, `null`, `{"activities":{}}`, `{"activities":[1]}`} {
			status, answer := w.call(c.bot, "POST", "/v1/connections/store-bot/activities", body)
			if status != http.StatusUnprocessableEntity && status != http.StatusBadRequest {
				t.Errorf("%s was answered %d %s, want a refusal", body, status, answer)
			}
		}
		w.problem(http.StatusBadRequest, "conversation-id-missing", c.bot, "POST", "/v1/connections/store-bot/activities", activity("", map[string]string{"conversation": `{}`}))
		w.must(http.StatusAccepted, nil, c.bot, "POST", "/v1/connections/store-bot/activities", "\xef\xbb\xbf"+activity("bom", nil))
		w.settled()
		if n := w.count("EscalationRaised"); n != 1 {
			t.Errorf("%d were raised, want only the one with a byte order mark", n)
		}
	})
}

func TestAnActivitySentAgainIsARepeat(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c := w.connect("store-bot", "full", rules)
		one := activity("Kx", map[string]string{"id": `"Kx|0000007"`})
		first := w.activities(c, one)[0]
		w.restart()
		if a := w.activities(c, one)[0]; a.ID != first.ID || !a.Duplicate {
			t.Errorf("after a restart the repeat was answered %+v, want %s", a, first.ID)
		}
		// Another hand-off before the end is a duplicate too.
		if a := w.activities(c, activity("Kx", map[string]string{"id": `"Kx|0000009"`}))[0]; a.ID != first.ID || !a.Duplicate {
			t.Errorf("a second hand-off was answered %+v, want %s", a, first.ID)
		}
		w.report(c, first.ID, "completed")
		if a := w.activities(c, one)[0]; a.ID != first.ID || !a.Duplicate {
			t.Errorf("a late repeat was answered %+v, want the ended %s", a, first.ID)
		}
		if a := w.activities(c, activity("Kx", map[string]string{"id": `"Kx|0000012"`}))[0]; a.ID != first.ID+"-2" || a.Duplicate {
			t.Errorf("a hand-off after the end was answered %+v, want the next number", a)
		}
		// The plain dialect speaks of the same conversations.
		if a := w.raise(c, "Kx"); a.ID != first.ID+"-2" || !a.Duplicate {
			t.Errorf("a plain hand-off was answered %+v, want the second", a)
		}
	})
}

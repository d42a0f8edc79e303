package botframework_test

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/domain/intake"
	"handoff/events"
	"handoff/infra/microsoft/botframework"
)

// A payload of the shape that Power Virtual Agents sends: ids with gaps, times
// of six and seven digits and in two notations, out of order, unknown fields at
// every level.
func TestAPayloadOfPowerVirtualAgentsIsReadWhole(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile("testdata/handoff_initiate.json")
	if err != nil {
		t.Fatal(err)
	}
	set, err := botframework.ParseActivities(body)
	if err != nil || len(set.HandOffs) != 1 || set.Ignored != 1 {
		t.Fatalf("%d hand-offs, %d ignored, %v, want one each", len(set.HandOffs), set.Ignored, err)
	}
	h := set.HandOffs[0]
	if err := h.Check(); err != nil {
		t.Errorf("check = %v, want nil", err)
	}
	got := []any{h.RaisedAt, h.Reason, h.Topic, h.Language, h.Channel, h.Bot, h.RequestID, h.Format, h.Counts()}
	want := []any{
		time.Date(2024, 5, 2, 9, 10, 11, 123456700, time.UTC), "", "Escalate", "En-US", "directline",
		events.Bot{ID: "<REDACTED>", Name: "Store bot"},
		"Kx81cQ2mVz7|0000005", "botframework",
		events.Counts{Messages: 4, Variables: 15},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read %v, want %v", got, want)
	}
	x := h.Context
	got = []any{x.ConversationID, x.RequestID, x.Topics, x.LastPhrase, x.Phrases, x.MessageToAgent, *x.Customer, string(x.Variables["va_LastTopic"]), string(x.Variables["OrderTotal"])}
	want = []any{
		"Kx81cQ2mVz7", "Kx81cQ2mVz7|0000005",
		[]string{"Greeting", "Store hours", "Escalate"},
		"talk to a person, please",
		[]string{"hi", "when are you open", "talk to a person, please"},
		"Wants the Sunday hours of the Delft store.",
		events.Customer{ID: "dl_7f31"},
		`"Escalate"`, `380.5`,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read %v, want %v", got, want)
	}
	ids, from, texts := "", "", ""
	for _, m := range x.Transcript.Messages {
		ids, from, texts = ids+m.ID[len(m.ID)-1:], from+m.From[:1], texts+m.AtText+" "
	}
	if ids != "0134" || from != "cbcb" || texts != "2024-05-02T09:09:50.482913+00:00  2024-05-02T09:10:02.11+00:00 2024-05-02T09:10:01.9000000Z " {
		t.Errorf("messages %s from %s, times kept as written %q, want 0134 from cbcb in their order", ids, from, texts)
	}
	if card := x.Transcript.Messages[3].Attachments[0]; card.ContentType != "application/vnd.microsoft.card.adaptive" || !bytes.Contains(card.Content, []byte("AdaptiveCard")) {
		t.Errorf("card = %+v, want its content kept", card)
	}
}

// Every value that stands in the request stands in the stored context too.
func TestNoFieldOfAPayloadIsLost(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile("testdata/handoff_initiate.json")
	if err != nil {
		t.Fatal(err)
	}
	var sent map[string]any
	if err := json.Unmarshal(body, &sent); err != nil {
		t.Fatal(err)
	}
	event := sent["activities"].([]any)[0].(map[string]any)
	h := one(t, string(body))
	stored, err := json.Marshal(h.Context)
	if err != nil {
		t.Fatal(err)
	}
	var kept any
	if err := json.Unmarshal(stored, &kept); err != nil {
		t.Fatal(err)
	}
	have := leaves(kept, map[any]int{})
	have[h.Channel], have["event"], have["handoff.initiate"], have["message"] = 1, 1, 1, 1
	have["Transcript"], have["application/json"] = 1, 1
	delete(event, "timestamp") // is RaisedAt
	for leaf := range leaves(event, map[any]int{}) {
		if s, ok := leaf.(string); have[leaf] == 0 && (!ok || !strings.HasPrefix(s, "2024-05-02T")) {
			t.Errorf("%v was sent and is not kept", leaf)
		}
	}
	var extension struct {
		Activity map[string]json.RawMessage `json:"activity"`
	}
	if err := json.Unmarshal(h.Context.Extensions[botframework.ExtensionKey], &extension); err != nil {
		t.Fatal(err)
	}
	if got := string(extension.Activity["x_seen_nowhere_else"]); got != `{"kept":[1,2,{"deep":true}]}` {
		t.Errorf("unknown root field = %s, want it as sent", got)
	}
	if _, mapped := extension.Activity["attachments"]; mapped {
		t.Errorf("the transcript is kept twice")
	}
	if m := h.Context.Transcript.Messages[1].Extensions; !bytes.Contains(m["channelData"], []byte(`"DialogTraceDetail"`)) || string(m["cci_content_version"]) != `"1204771"` {
		t.Errorf("extensions of a message = %s, want channelData and cci_content_version", m)
	}
}

// leaves counts the strings and numbers in v, and the names in it.
func leaves(v any, into map[any]int) map[any]int {
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			leaves(e, into)
		}
	case []any:
		for _, e := range v {
			leaves(e, into)
		}
	case string, float64:
		into[v]++
	}
	return into
}

func TestFormsOfARequest(t *testing.T) {
	t.Parallel()
	const initiate = `{"type":"event","name":"handoff.initiate","conversation":{"id":"K"}}`
	for name, c := range map[string]struct {
		in                string
		handOffs, ignored int
	}{
		"a single hand-off":                    {initiate, 1, 0},
		"a list":                               {`[` + initiate + `,{"type":"typing"},` + initiate + `]`, 2, 1},
		"an ActivitySet":                       {`{"watermark":"5","activities":[` + initiate + `]}`, 1, 0},
		"a set without activities":             {`{"activities":[],"watermark":null}`, 0, 0},
		"a set of null":                        {`{"activities":null}`, 0, 0},
		"an empty list":                        {`[]`, 0, 0},
		"an event of unknown name":             {`{"type":"event","name":"GenesysHandoff"}`, 0, 1},
		"an event of that name in other case":  {`{"type":"event","name":"Handoff.Initiate"}`, 0, 1},
		"a message of that name":               {`{"type":"message","name":"handoff.initiate"}`, 0, 1},
		"an activity of type handoff":          {`{"type":"handoff"}`, 0, 1},
		"an activity without a type in a list": {`[{"name":"handoff.initiate"}]`, 0, 1},
		"a byte order mark":                    {"\ufeff" + initiate, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set, err := botframework.ParseActivities([]byte(c.in))
			if err != nil || len(set.HandOffs) != c.handOffs || set.Ignored != c.ignored {
				t.Errorf("%d hand-offs, %d ignored, %v, want %d and %d", len(set.HandOffs), set.Ignored, err, c.handOffs, c.ignored)
			}
		})
	}
}

func TestBrokenRequestsAreRefused(t *testing.T) {
	t.Parallel()
	const initiate = `"type":"event","name":"handoff.initiate"`
	for name, c := range map[string]struct{ in, code, pointer string }{
		"nothing":                             {``, "json-invalid", ""},
		"a body that breaks off":              {`{"activities":[{"type":"event"`, "json-invalid", ""},
		"a text":                              {`"handoff.initiate"`, "field-invalid", ""},
		"a plain hand-off at this address":    {`{"conversation_id":"K","reason":"policy"}`, "field-invalid", "/type"},
		"a number among activities":           {`{"activities":[{"type":"typing"},7]}`, "field-invalid", "/activities/1"},
		"no conversation":                     {`{` + initiate + `}`, "conversation-id-missing", "/conversation/id"},
		"a conversation without id":           {`[{` + initiate + `,"conversation":{"name":"x"}}]`, "conversation-id-missing", "/0/conversation/id"},
		"an empty conversation id":            {`{"activities":[{` + initiate + `,"conversation":{"id":""}}]}`, "conversation-id-missing", "/activities/0/conversation/id"},
		"a bomb of brackets":                  {`{` + initiate + `,"value":` + strings.Repeat(`[`, 9999), "limit-exceeded", "/value"},
		"the same field of an activity twice": {`{` + initiate + `,"value":{},"value":{}}`, "json-invalid", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := botframework.ParseActivities([]byte(c.in))
			if f := fault.Of(err); f == nil || f.Code != c.code || f.Pointer != c.pointer {
				t.Errorf("fault = %v, want %s at %q", err, c.code, c.pointer)
			}
		})
	}
}

func TestLimitsPointIntoTheActivity(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 5000)
	transcript := func(activities string) string {
		return `"attachments":[{},{"name":"Transcript","content":{"activities":[{"type":"trace"},` + activities + `]}}]`
	}
	for name, c := range map[string]struct{ fields, pointer string }{
		"the topic's variable":        {`"value":{"va_LastTopic":"` + long + `"}`, "/value/va_LastTopic"},
		"one of the phrases":          {`"value":{"va_Phrases":["","` + long + `"]}`, "/value/va_Phrases/1"},
		"the message to the agent":    {`"value":{"va_AgentMessage":"` + long + `"}`, "/value/va_AgentMessage"},
		"the name of a variable":      {`"value":{"` + long + `":1}`, "/value/" + long},
		"the activity's id":           {`"id":"` + long + `"`, "/id"},
		"the channel":                 {`"channelId":"` + long + `"`, "/channelId"},
		"the reference's channel":     {`"relatesTo":{"channelId":"` + long + `"}`, "/relatesTo/channelId"},
		"the customer's name":         {`"relatesTo":{"user":{"name":"` + long + `"}}`, "/relatesTo/user/name"},
		"the bot's id":                {`"relatesTo":{"bot":{"id":"` + long + `"}}`, "/relatesTo/bot/id"},
		"a locale":                    {`"locale":"nl` + strings.Repeat("-abc", 20) + `"`, "/locale"},
		"the customer's id in a turn": {transcript(`{"type":"message","from":{"role":1,"id":"` + long + `"}}`), "/attachments/1/content/activities/1/from/id"},
		"the text of a turn":          {transcript(`{"type":"message","text":"` + strings.Repeat(long, 7) + `"}`), "/attachments/1/content/activities/1/text"},
		"the name of a turn's writer": {transcript(`{"type":"message","from":{"name":"` + long + `"}}`), "/attachments/1/content/activities/1/from/name"},
		"a file's address":            {transcript(`{"type":"message","attachments":[{"contentUrl":"` + long + `"}]}`), "/attachments/1/content/activities/1/attachments/0/contentUrl"},
		"a file's type":               {transcript(`{"type":"message","attachments":[{"contentType":"` + long + `"}]}`), "/attachments/1/content/activities/1/attachments/0/contentType"},
		"too many files":              {transcript(`{"type":"message","attachments":[` + strings.Repeat("{},", 10) + `{}]}`), "/attachments/1/content/activities/1/attachments"},
		"a transcript's address":      {`"attachments":[{},{"name":"Transcript","contentUrl":"https://bot.example/` + long + `"}]`, "/attachments/1/contentUrl"},
		"too many messages":           {transcript(strings.Repeat(`{"type":"message"},`, 2000) + `{"type":"message"}`), "/attachments"},
		"a turn inside a text":        {`"attachments":[{"name":"Transcript","content":"[{\"type\":\"message\",\"id\":\"` + long + `\"}]"}]`, "/attachments/0/content"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for at, body := range map[string]string{"": activity(c.fields), "/0": `[` + activity(c.fields) + `]`, "/activities/1": `{"activities":[{},` + activity(c.fields) + `]}`} {
				h := one(t, body)
				if f := fault.Of(h.Check()); f == nil || f.Code != "limit-exceeded" || f.Pointer != at+c.pointer {
					t.Errorf("fault = %v, want limit-exceeded at %s", f, at+c.pointer)
				}
			}
		})
	}
}

// activity returns a hand-off with the given fields.
func activity(fields string) string {
	return `{"type":"event","name":"handoff.initiate","conversation":{"id":"K"},` + fields + `}`
}

func one(t *testing.T, body string) *intake.HandOff {
	t.Helper()
	set, err := botframework.ParseActivities([]byte(body))
	if err != nil || len(set.HandOffs) != 1 {
		t.Fatalf("%d hand-offs, %v, want one", len(set.HandOffs), err)
	}
	return &set.HandOffs[0]
}

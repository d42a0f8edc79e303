package botframework_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/microsoft/botframework"
)

func TestOdditiesOfAnActivity(t *testing.T) {
	t.Parallel()
	type fields struct {
		Conversation, Topic, Phrase, Language, Channel string
		Customer                                       *events.Customer
		Bot                                            events.Bot
		Variables                                      int
		Extension                                      string
	}
	for name, c := range map[string]struct {
		in   string
		want fields
	}{
		"no value at all":              {`"id":"1"`, fields{}},
		"a value of null":              {`"value":null`, fields{}},
		"a value that is a text":       {`"value":"va_LastTopic"`, fields{Extension: `{"activity":{"value":"va_LastTopic"}}`}},
		"a value that is a list":       {`"value":[{"a":1}]`, fields{Extension: `{"activity":{"value":[{"a":1}]}}`}},
		"numbers, truths and nests":    {`"value":{"a":1.50,"b":true,"c":{"d":[]},"e":null}`, fields{Variables: 4}},
		"va_LastPhrase alone":          {`"value":{"va_LastPhrase":"one"}`, fields{Phrase: "one", Variables: 1}},
		"va_LastPhrases alone":         {`"value":{"va_LastPhrases":"many"}`, fields{Phrase: "many", Variables: 1}},
		"both, the singular wins":      {`"value":{"va_LastPhrases":"many","va_LastPhrase":"one"}`, fields{Phrase: "one", Variables: 2}},
		"both, the singular is empty":  {`"value":{"va_LastPhrases":"many","va_LastPhrase":""}`, fields{Phrase: "many", Variables: 2}},
		"a conversation id of its own": {`"value":{"va_ConversationId":"other"}`, fields{Variables: 1}},
		"a language that is none":      {`"value":{"va_Language":"English (US)"},"locale":"nl-NL"`, fields{Language: "nl-NL", Variables: 1, Extension: `{"activity":{"locale":"nl-NL"}}`}},
		"a bot id that is no GUID":     {`"value":{"va_BotId":"<REDACTED>"}`, fields{Bot: events.Bot{ID: "<REDACTED>"}, Variables: 1}},
		"no attachments":               {`"attachments":[],"channelId":"lcw"`, fields{Channel: "lcw"}},
		"attachments of null":          {`"attachments":null`, fields{Extension: `{"activity":{"attachments":null}}`}},
		"an attachment of another kind": {
			`"attachments":[{"contentType":"image/png","contentUrl":"https://a.example/p","name":"p"}]`,
			fields{Extension: `{"activity":{"attachments":[{"contentType":"image/png","contentUrl":"https://a.example/p","name":"p"}]}}`},
		},
		"a time that is none":    {`"timestamp":"today"`, fields{Extension: `{"activity":{"timestamp":"today"}}`}},
		"an id that is a number": {`"id":7`, fields{Extension: `{"activity":{"id":7}}`}},
		"bot and user of the reference": {
			`"relatesTo":{"user":{"id":"u","name":"R."},"bot":{"id":"b","name":"Bot"},"channelId":"msteams"}`,
			fields{
				Channel: "msteams", Customer: &events.Customer{ID: "u", Name: "R."}, Bot: events.Bot{ID: "b", Name: "Bot"},
				Extension: `{"activity":{"relatesTo":{"user":{"id":"u","name":"R."},"bot":{"id":"b","name":"Bot"},"channelId":"msteams"}}}`,
			},
		},
		"unknown fields": {`"x":{"y":[1]},"z":null`, fields{Extension: `{"activity":{"x":{"y":[1]},"z":null}}`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := one(t, activity(c.in))
			c.want.Conversation = "K"
			got := fields{
				h.Context.ConversationID, h.Topic, h.Context.LastPhrase, h.Language, h.Channel, h.Context.Customer, h.Bot,
				len(h.Context.Variables), string(h.Context.Extensions[botframework.ExtensionKey]),
			}
			if !reflect.DeepEqual(got, c.want) || h.Check() != nil {
				t.Errorf("read %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestConversationsAreFoundWhereTheyAre(t *testing.T) {
	t.Parallel()
	h := one(t, `{"type":"event","name":"handoff.initiate","value":{"va_ConversationId":"V"}}`)
	if h.Context.ConversationID != "V" {
		t.Errorf("conversation = %q, want that of the variable", h.Context.ConversationID)
	}
	h = one(t, `{"type":"event","name":"handoff.initiate","conversation":{"id":"K","isGroup":false},"value":{"va_ConversationId":"V"}}`)
	got := string(h.Context.Extensions[botframework.ExtensionKey])
	if want := `{"activity":{"conversation":{"isGroup":false}}}`; h.Context.ConversationID != "K" || got != want {
		t.Errorf("conversation = %q with %s, want K with %s", h.Context.ConversationID, got, want)
	}
}

func TestTranscriptsInEveryPacking(t *testing.T) {
	t.Parallel()
	const one1, two2 = `{"type":"message","id":"1","text":"a","from":{"role":"user"}}`, `{"type":"message","id":"2","text":"b","from":{"role":"bot"}}`
	quote := func(s string) string {
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for name, c := range map[string]struct {
		attachments string
		texts, url  string
		extension   string
	}{
		"an object":               {`{"contentType":"application/json","name":"Transcript","content":{"activities":[` + one1 + `,` + two2 + `]}}`, "a b", "", ""},
		"a text with an object":   {`{"contentType":"application/json","name":"Transcript","content":` + quote(`{"activities":[`+one1+`]}`) + `}`, "a", "", ""},
		"a text with a list":      {`{"name":"Transcript","content":` + quote(" ["+one1+"]") + `}`, "a", "", ""},
		"a bare list":             {`{"name":"Transcript","content":[` + one1 + `]}`, "a", "", ""},
		"a name in lower case":    {`{"contentType":"application/json","name":"transcript","content":[` + one1 + `]}`, "a", "", ""},
		"a type with parameters":  {`{"contentType":"Application/JSON; charset=utf-8","name":"Transcript","content":[` + one1 + `]}`, "a", "", ""},
		"a URL":                   {`{"contentType":"application/json","name":"Transcript","contentUrl":"https://bot.example/t"}`, "", "https://bot.example/t", ""},
		"a URL and no content":    {`{"name":"Transcript","content":null,"contentUrl":"https://bot.example/t"}`, "", "https://bot.example/t", ""},
		"two attachments":         {`{"name":"Transcript","content":[` + one1 + `]},{"name":"Transcript","content":[` + two2 + `]}`, "a b", "", ""},
		"one inline, one by URL":  {`{"name":"Transcript","content":[` + one1 + `]},{"name":"Transcript","contentUrl":"https://bot.example/t"}`, "a", "https://bot.example/t", ""},
		"two that overlap":        {`{"name":"Transcript","content":[` + one1 + `]},{"name":"Transcript","content":[` + one1 + `,` + two2 + `]}`, "a b", "", `{"transcript_repeats":1}`},
		"no activities":           {`{"name":"Transcript","content":{"activities":[]}}`, "", "", ""},
		"a wrong type is ignored": {`{"contentType":"text/plain","name":"Transcript","content":"hi"}`, "", "", `{"activity":{"attachments":[{"contentType":"text/plain","name":"Transcript","content":"hi"}]}}`},
		"another name is ignored": {`{"contentType":"application/json","name":"Log","content":[]}`, "", "", `{"activity":{"attachments":[{"contentType":"application/json","name":"Log","content":[]}]}}`},
		"a text that is no JSON":  {`{"name":"Transcript","content":"hi there"}`, "", "", `{"activity":{"attachments":[{"content":"hi there","name":"Transcript"}]}}`},
		"a URL of another scheme": {`{"name":"Transcript","contentUrl":"file:///t"}`, "", "", `{"activity":{"attachments":[{"contentUrl":"file:///t","name":"Transcript"}]}}`},
		"a second URL":            {`{"name":"Transcript","contentUrl":"https://bot.example/t"},{"name":"Transcript","contentUrl":"https://bot.example/u"}`, "", "https://bot.example/t", `{"activity":{"attachments":[{"contentUrl":"https://bot.example/u","name":"Transcript"}]}}`},
		"more beside the list":    {`{"name":"Transcript","content":{"activities":[` + one1 + `],"locale":"nl"},"thumbnailUrl":"x"}`, "a", "", `{"activity":{"attachments":[{"content":{"locale":"nl"},"name":"Transcript","thumbnailUrl":"x"}]}}`},
		"an attachment of null":   {`null,{"name":"Transcript","content":[` + one1 + `]}`, "a", "", `{"activity":{"attachments":[null]}}`},
		"traces between messages": {
			`{"name":"Transcript","content":[{"type":"trace","value":1},` + one1 + `,7,` + two2 + `,{"type":"endOfConversation","text":"bye"}]}`, "a b", "",
			`{"other_activities":[{"position":0,"activity":{"type":"trace","value":1}},{"position":2,"activity":7},{"position":4,"activity":{"type":"endOfConversation","text":"bye"}}]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := one(t, activity(`"attachments":[`+c.attachments+`]`))
			var texts []string
			var url string
			if tr := h.Context.Transcript; tr != nil {
				url = tr.URL
				for _, m := range tr.Messages {
					texts = append(texts, m.Text)
				}
			}
			if got := strings.Join(texts, " "); got != c.texts || url != c.url {
				t.Errorf("transcript = %q at %q, want %q at %q", got, url, c.texts, c.url)
			}
			if got := string(h.Context.Extensions[botframework.ExtensionKey]); got != c.extension {
				t.Errorf("extension = %s, want %s", got, c.extension)
			}
			if err := h.Check(); err != nil {
				t.Errorf("check = %v, want nil", err)
			}
		})
	}
}

func TestOdditiesOfMessages(t *testing.T) {
	t.Parallel()
	second := time.Date(2024, 5, 2, 8, 53, 21, 0, time.UTC)
	ext := func(name, raw string) map[string]json.RawMessage {
		return map[string]json.RawMessage{name: json.RawMessage(raw)}
	}
	for name, c := range map[string]struct {
		in   string
		want events.Message
	}{
		"a role of 1 and seconds":         {`"timestamp":1714640001,"from":{"role":1}`, events.Message{At: &second, AtText: "1714640001", From: "customer", Extensions: ext("from", `{"role":1}`)}},
		"a role of 0 and milliseconds":    {`"timestamp":1714640001000,"from":{"role":0}`, events.Message{At: &second, AtText: "1714640001000", From: "bot", Extensions: ext("from", `{"role":0}`)}},
		"a skill":                         {`"from":{"role":"skill","name":"Weather"}`, events.Message{From: "bot", Name: "Weather", Extensions: ext("from", `{"role":"skill","name":"Weather"}`)}},
		"the id of the user":              {`"from":{"id":"u"}`, events.Message{From: "customer", Extensions: ext("from", `{"id":"u"}`)}},
		"the id of the bot":               {`"from":{"id":"b"}`, events.Message{From: "bot", Extensions: ext("from", `{"id":"b"}`)}},
		"sent to the bot":                 {`"recipient":{"role":"bot"}`, events.Message{From: "customer", Extensions: ext("recipient", `{"role":"bot"}`)}},
		"sent to the user":                {`"recipient":{"role":"user"}`, events.Message{From: "bot", Extensions: ext("recipient", `{"role":"user"}`)}},
		"nobody knows from whom":          {`"from":{"role":7}`, events.Message{From: "system", Extensions: ext("from", `{"role":7}`)}},
		"from is a text":                  {`"from":"me"`, events.Message{From: "system", Extensions: ext("from", `"me"`)}},
		"a time that is none":             {`"timestamp":"noon"`, events.Message{From: "system", Extensions: ext("timestamp", `"noon"`)}},
		"a text of null":                  {`"text":null,"id":null`, events.Message{From: "system"}},
		"a text that is a number":         {`"text":7`, events.Message{From: "system", Extensions: ext("text", `7`)}},
		"an unknown field":                {`"x":{"y":1}`, events.Message{From: "system", Extensions: ext("x", `{"y":1}`)}},
		"a file":                          {`"attachments":[{"contentType":"image/png","contentUrl":"https://a.example/p","name":"p","thumbnailUrl":"t"}]`, events.Message{From: "system", Attachments: []events.Attachment{{URL: "https://a.example/p", ContentType: "image/png", Name: "p", Extensions: ext("thumbnailUrl", `"t"`)}}}},
		"a card":                          {`"attachments":[{"contentType":"application/vnd.microsoft.card.adaptive","content":{"body":[]}}]`, events.Message{From: "system", Attachments: []events.Attachment{{ContentType: "application/vnd.microsoft.card.adaptive", Content: json.RawMessage(`{"body":[]}`)}}}},
		"a file in a data URL":            {`"attachments":[{"content":null,"contentUrl":"DATA:image/png;base64,AAAA"}]`, events.Message{From: "system", Attachments: []events.Attachment{{Content: json.RawMessage(`"DATA:image/png;base64,AAAA"`)}}}},
		"a card and a data URL":           {`"attachments":[{"content":{},"contentUrl":"data:,a"}]`, events.Message{From: "system", Attachments: []events.Attachment{{Content: json.RawMessage(`{}`), Extensions: ext("contentUrl", `"data:,a"`)}}}},
		"attachments that are no objects": {`"attachments":[{},7]`, events.Message{From: "system", Extensions: ext("attachments", `[{},7]`)}},
		"attachments that are not a list": {`"attachments":{}`, events.Message{From: "system", Extensions: ext("attachments", `{}`)}},
		"no attachments":                  {`"attachments":[]`, events.Message{From: "system"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := one(t, activity(`"relatesTo":{"user":{"id":"u"},"bot":{"id":"b"}},"attachments":[{"name":"Transcript","content":[{"type":"message",`+c.in+`}]}]`))
			if got := h.Context.Transcript.Messages[0]; !reflect.DeepEqual(got, c.want) || h.Check() != nil {
				t.Errorf("message = %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestTheSameMessageIDTwice(t *testing.T) {
	t.Parallel()
	h := one(t, activity(`"attachments":[{"name":"Transcript","content":[{"type":"message","id":"1","text":"a","x":1},{"type":"message","id":"3"},{"type":"message","text":"a","x":1, "id":"1"},
		{"type":"message","id":"1","text":"edited"},{"type":"message","text":"yes"},{"type":"message","text":"yes"},{"type":"message","id":"9","text":"`+strings.Repeat("x", 32001)+`"}]}]`))
	if got := len(h.Context.Transcript.Messages); got != 6 {
		t.Errorf("%d messages, want 6: only the exact twin is left out", got)
	}
	if got := string(h.Context.Extensions[botframework.ExtensionKey]); got != `{"transcript_repeats":1}` {
		t.Errorf("extension = %s, want the count of what was left out", got)
	}
	if f := fault.Of(h.Check()); f == nil || f.Pointer != "/attachments/0/content/6/text" {
		t.Errorf("fault = %v, want one at the seventh activity as sent", f)
	}
}

func TestACustomerIsFoundInTheTranscript(t *testing.T) {
	t.Parallel()
	h := one(t, activity(`"attachments":[{"name":"Transcript","content":[{"type":"message","from":{"id":"b","role":"bot"}},{"type":"message","from":{"id":"dl_1","name":"Ann","role":"user"}}]}]`))
	if want := (events.Customer{ID: "dl_1", Name: "Ann"}); h.Context.Customer == nil || *h.Context.Customer != want {
		t.Errorf("customer = %+v, want %+v", h.Context.Customer, want)
	}
}

func TestARepeatThatOnlyHasANewIDSaysNothingNew(t *testing.T) {
	t.Parallel()
	a := one(t, activity(`"id":"1","timestamp":"2024-05-02T09:10:11Z","value":{"a":1}`))
	b := one(t, activity(`"value":{"a":1},"id":"2","timestamp":"2024-05-02T09:10:59Z"`))
	c := one(t, activity(`"value":{"a":2},"id":"1"`))
	if string(a.Canonical()) != string(b.Canonical()) || string(a.Canonical()) == string(c.Canonical()) {
		t.Errorf("canonical forms\n%s\n%s\n%s\nwant the first two alike", a.Canonical(), b.Canonical(), c.Canonical())
	}
}

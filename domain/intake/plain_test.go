package intake_test

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/domain/intake"
	"handoff/events"
)

func TestEveryFieldIsRead(t *testing.T) {
	t.Parallel()
	got, err := intake.ParsePlain(readFile(t, "full.json"))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 22, 9, 10, 12, 0, time.UTC)
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	want := intake.HandOff{
		RaisedAt: at, Reason: "customer_asked", Topic: "Refund", Language: "nl-NL", Channel: "web", Format: "plain",
		Bot: events.Bot{ID: "b-1", Name: "Store bot", Version: "7"},
		Context: events.Context{
			ConversationID: "Kx81c", Topics: []string{"Greeting", "Refund"}, LastPhrase: "where is it?", Phrases: []string{"hi", "where is it?"},
			MessageToAgent: "Parcel lost twice", Summary: "Wants money back.",
			Customer: &events.Customer{
				ID: "c-881", Name: "R. Bakker", Email: "r@mail.example", Phone: "+31 6 0000", Verified: true,
				PageURL: "https://shop.example/orders", TimeZone: "Europe/Amsterdam",
			},
			Variables:       map[string]json.RawMessage{"order_number": raw(`"4711"`), "order_total": raw(`380.0`), "basket": raw(`[{"sku": 1}]`), "coupon": raw(`null`)},
			VariableChanges: []events.VariableChange{{Name: "order_number", Value: raw(`"4710"`), Topic: "Refund", At: &at}},
			Transcript: &events.Transcript{Complete: true, Messages: []events.Message{
				{ID: "m1", At: &at, From: "customer", Name: "R.", Text: "hi", Attachments: []events.Attachment{
					{URL: "https://files.example/a.png", ContentType: "image/png", Name: "a.png", Bytes: 120, Extensions: map[string]json.RawMessage{"alt": raw(`"a parcel"`)}},
				}},
				{ID: "m2", At: &at, AtText: "2026-11-22T10:10:12+01:00", From: "bot", Text: "Hello!", Extensions: map[string]json.RawMessage{"mood": raw(`"glad"`)}},
				{At: &at, AtText: "1795338612000", From: "system"},
			}},
			Wishes: &events.Wishes{Queue: "refunds", Skills: []string{"refunds"}, Priority: new(60)},
			Extensions: map[string]json.RawMessage{
				"x_ray": raw(`{"a": [1, 2]}`), "Topic": raw(`"names match exactly"`), "customer": raw(`{"loyalty":"gold"}`),
				"variable_changes": raw(`{"0":{"by":"flow"}}`), "transcript": raw(`{"source":"live"}`), "wishes": raw(`{"person":"Ann"}`), "bot": raw(`{"vendor":"x"}`),
			},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read\n%s\nwant\n%s", show(t, got), show(t, want))
	}
	if err := got.Check(); err != nil {
		t.Errorf("check = %v, want nil", err)
	}
	if got, want := got.Counts(), (events.Counts{Messages: 3, Variables: 4}); got != want {
		t.Errorf("counts = %+v, want %+v", got, want)
	}
}

func TestOdditiesOfThePlainDialect(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   string
		want intake.HandOff
	}{
		"an empty object":                       {`{}`, intake.HandOff{}},
		"a byte order mark":                     {"\ufeff{\"topic\":\"a\"}", intake.HandOff{Topic: "a"}},
		"nulls everywhere":                      {nulls(), intake.HandOff{}},
		"an unset time of .NET":                 {`{"raised_at":"0001-01-01T00:00:00Z"}`, intake.HandOff{}},
		"an empty text for a time":              {`{"raised_at":"","transcript":{"messages":[{"at":"","from":"bot"}]}}`, intake.HandOff{Context: events.Context{Transcript: &events.Transcript{Messages: []events.Message{{From: "bot"}}}}}},
		"a transcript by URL":                   {`{"transcript":{"url":"https://bot.example/t"}}`, intake.HandOff{Context: events.Context{Transcript: &events.Transcript{URL: "https://bot.example/t"}}}},
		"a card in an attachment":               {`{"transcript":{"messages":[{"attachments":[{"content":{"a":1}},{"content":null}]}]}}`, intake.HandOff{Context: events.Context{Transcript: &events.Transcript{Messages: []events.Message{{Attachments: []events.Attachment{{Content: json.RawMessage(`{"a":1}`)}, {}}}}}}}},
		"half of an emoji":                      {`{"topic":"\ud83d"}`, intake.HandOff{Topic: "\ufffd"}},
		"an empty list of messages":             {`{"transcript":{"messages":[],"url":"http://bot.example/t"}}`, intake.HandOff{Context: events.Context{Transcript: &events.Transcript{URL: "http://bot.example/t"}}}},
		"the same message id twice stays twice": {`{"transcript":{"messages":[{"id":"1"},{"id":"1"}]}}`, intake.HandOff{Context: events.Context{Transcript: &events.Transcript{Messages: []events.Message{{ID: "1"}, {ID: "1"}}}}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.want.Format = intake.FormatPlain
			got, err := intake.ParsePlain([]byte(c.in))
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("read %s, %v, want %s", show(t, got), err, show(t, c.want))
			}
		})
	}
}

func TestBrokenBodiesAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, code, pointer string }{
		"nothing":                           {``, "json-invalid", ""},
		"a body that breaks off":            {`{"topic":"a`, "json-invalid", ""},
		"a field twice":                     {`{"topic":"a","topic":"b"}`, "json-invalid", ""},
		"a variable twice":                  {`{"variables":{"a":1,"a":1}}`, "json-invalid", ""},
		"two bodies":                        {`{}{}`, "json-invalid", ""},
		"a list":                            {`[]`, "field-invalid", ""},
		"a number for a conversation id":    {`{"conversation_id":7}`, "field-invalid", "/conversation_id"},
		"no time":                           {`{"raised_at":"today"}`, "field-invalid", "/raised_at"},
		"ten digits after the point":        {`{"raised_at":"2026-11-22T09:10:12.0123456789Z"}`, "field-invalid", "/raised_at"},
		"no time in a message":              {`{"transcript":{"messages":[{},{"at":"noon"}]}}`, "field-invalid", "/transcript/messages/1/at"},
		"no time in a change":               {`{"variable_changes":[{"at":"noon"}]}`, "field-invalid", "/variable_changes/0/at"},
		"messages and a url":                {`{"transcript":{"messages":[{"from":"bot"}],"url":"https://bot.example/t"}}`, "field-invalid", "/transcript"},
		"an object among topics":            {`{"topics":["a",{}]}`, "field-invalid", "/topics/1"},
		"a text for variables":              {`{"variables":"a=1"}`, "field-invalid", "/variables"},
		"a text for verified":               {`{"customer":{"verified":"yes"}}`, "field-invalid", "/customer/verified"},
		"a null among messages":             {`{"transcript":{"messages":[null]}}`, "field-invalid", "/transcript/messages/0"},
		"a fraction for a priority":         {`{"wishes":{"priority":1.5}}`, "field-invalid", "/wishes/priority"},
		"a fraction of bytes":               {`{"transcript":{"messages":[{"attachments":[{"bytes":0.5}]}]}}`, "field-invalid", "/transcript/messages/0/attachments/0/bytes"},
		"a bomb of brackets":                {`{"variables":{"a":` + strings.Repeat("[", 100_000), "limit-exceeded", "/variables/a"},
		"a bomb of brackets, field unknown": {`{"x":` + strings.Repeat(`{"a":`, 100_000), "limit-exceeded", "/x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := intake.ParsePlain([]byte(c.in))
			if f := fault.Of(err); f == nil || f.Code != c.code || f.Pointer != c.pointer {
				t.Errorf("fault = %v, want %s at %q", err, c.code, c.pointer)
			}
		})
	}
}

func TestWellKnownVariablesFillWhatWasNotSaid(t *testing.T) {
	t.Parallel()
	in := `{"variables":{"va_ConversationId":"K1","va_LastTopic":"Refund","va_Topics":["A","B"],"va_LastPhrase":"","va_LastPhrases":"plural",
		"va_Phrases":"[\"p\",\"q\"]","va_AgentMessage":"note","va_Language":"En-US","va_BotId":"<REDACTED>","va_BotName":"Bot"}}`
	got, err := intake.ParsePlain([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Context.Variables) != 10 {
		t.Errorf("%d variables stay, want all 10", len(got.Context.Variables))
	}
	got.Context.Variables = nil
	a := []any{got.Topic, got.Language, got.Bot, got.Context}
	want := []any{"Refund", "En-US", events.Bot{ID: "<REDACTED>", Name: "Bot"}, events.Context{
		ConversationID: "K1", Topics: []string{"A", "B"},
		LastPhrase: "plural", Phrases: []string{"p", "q"}, MessageToAgent: "note",
	}}
	if !reflect.DeepEqual(a, want) {
		t.Errorf("filled %+v, want %+v", a, want)
	}
	said := `{"topic":"T","topics":["t"],"last_phrase":"l","phrases":["p"],"language":"nl","message_to_agent":"m","conversation_id":"c","bot":{"id":"i","name":"n"},`
	got, err = intake.ParsePlain([]byte(said + in[1:]))
	want = []any{"T", "nl", events.Bot{ID: "i", Name: "n"}, events.Context{ConversationID: "c", Topics: []string{"t"}, LastPhrase: "l", Phrases: []string{"p"}, MessageToAgent: "m"}}
	got.Context.Variables = nil
	if a := []any{got.Topic, got.Language, got.Bot, got.Context}; err != nil || !reflect.DeepEqual(a, want) {
		t.Errorf("read %+v, %v, want %+v: what was said wins", a, err, want)
	}
}

func TestVariablesOfAnotherKindFillNothing(t *testing.T) {
	t.Parallel()
	got, err := intake.ParsePlain([]byte(`{"variables":{"va_LastTopic":7,"va_Topics":"A, B","va_Phrases":[1],"va_Language":"English (US)","va_BotId":null}}`))
	want := intake.HandOff{Format: "plain", Context: events.Context{Variables: got.Context.Variables}}
	if err != nil || !reflect.DeepEqual(got, want) || got.Check() != nil {
		t.Errorf("read %s, %v, want only the variables", show(t, got), err)
	}
}

func TestCanonicalTellsWhetherARepeatSaysAnythingNew(t *testing.T) {
	t.Parallel()
	const first = `{"conversation_id":"K","topic":"a","raised_at":"2026-11-22T09:10:12Z","variables":{"a":1,"b":"<2>"},"x":{"y":1}}`
	for name, c := range map[string]struct {
		in   string
		same bool
	}{
		"the same bytes":                {first, true},
		"another order and white space": {`{ "x":{ "y" : 1 }, "variables":{"b":"<2>","a":1}, "topic":"a", "conversation_id":"K", "raised_at":"2026-11-22T09:10:12Z"}`, true},
		"raised again a minute later":   {strings.Replace(first, "09:10", "09:11", 1), true},
		"another value":                 {strings.Replace(first, `"a":1`, `"a":2`, 1), false},
		"another topic":                 {strings.Replace(first, `"topic":"a"`, `"topic":"b"`, 1), false},
		"an unknown field changed":      {strings.Replace(first, `{"y":1}`, `{"y":2}`, 1), false},
		"more of a transcript":          {strings.Replace(first, `"topic"`, `"transcript":{"messages":[{"from":"bot"}]},"topic"`, 1), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := parse(t, first), parse(t, c.in)
			b.RequestID, b.Context.RequestID = "another", "another"
			if same := string(a.Canonical()) == string(b.Canonical()); same != c.same {
				t.Errorf("says the same = %t, want %t:\n%s\n%s", same, c.same, a.Canonical(), b.Canonical())
			}
		})
	}
}

func TestWhatIsReadSurvivesStorage(t *testing.T) {
	t.Parallel()
	h := parse(t, string(readFile(t, "full.json")))
	stored, err := json.Marshal(h.Context)
	if err != nil {
		t.Fatal(err)
	}
	again := h
	again.Context = events.Context{}
	if err := json.Unmarshal(stored, &again.Context); err != nil {
		t.Fatal(err)
	}
	if a, b := string(h.Canonical()), string(again.Canonical()); a != b {
		t.Errorf("after storage\n%s\nwant\n%s", b, a)
	}
}

func parse(t *testing.T, in string) intake.HandOff {
	t.Helper()
	h, err := intake.ParsePlain([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func nulls() string {
	fields := map[string]any{}
	for _, f := range []string{
		"conversation_id", "raised_at", "reason", "topic", "topics", "last_phrase", "phrases", "language", "channel", "message_to_agent",
		"summary", "customer", "bot", "variables", "variable_changes", "transcript", "wishes",
	} {
		fields[f] = nil
	}
	b, _ := json.Marshal(fields)
	return string(b)
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func show(t *testing.T, h intake.HandOff) string {
	t.Helper()
	keys := slices.Sorted(maps.Keys(h.Context.Extensions))
	b, err := json.MarshalIndent([]any{h.RaisedAt, h.RequestID, h.Format, json.RawMessage(h.Canonical()), keys}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

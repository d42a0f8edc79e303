package intake_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"handoff/domain/fault"
	"handoff/domain/intake"
	"handoff/events"
)

// limited is a field with a limit: set makes a hand-off whose field has n of
// what the limit counts.
type limited struct {
	limit   int
	pointer string
	set     func(h *intake.HandOff, n int, text func(n int) string)
}

func limits() map[string]limited {
	type H = *intake.HandOff
	type T = func(int) string
	message := func(h H) *events.Message {
		h.Context.Transcript = &events.Transcript{Messages: []events.Message{{From: "bot"}, {From: "bot"}}}
		return &h.Context.Transcript.Messages[1]
	}
	attachment := func(h H) *events.Attachment {
		m := message(h)
		m.Attachments = make([]events.Attachment, 1)
		return &m.Attachments[0]
	}
	customer := func(h H) *events.Customer {
		h.Context.Customer = new(events.Customer)
		return h.Context.Customer
	}
	wishes := func(h H) *events.Wishes {
		h.Context.Wishes = new(events.Wishes)
		return h.Context.Wishes
	}
	const m1 = "/transcript/messages/1"
	return map[string]limited{
		"conversation_id":  {256, "/conversation_id", func(h H, n int, t T) { h.Context.ConversationID = t(n) }},
		"request id":       {256, "/request_id", func(h H, n int, t T) { h.RequestID = t(n) }},
		"topic":            {256, "/topic", func(h H, n int, t T) { h.Topic = t(n) }},
		"topics":           {100, "/topics", func(h H, n int, _ T) { h.Context.Topics = make([]string, n) }},
		"one of topics":    {256, "/topics/1", func(h H, n int, t T) { h.Context.Topics = []string{"", t(n)} }},
		"last_phrase":      {4000, "/last_phrase", func(h H, n int, t T) { h.Context.LastPhrase = t(n) }},
		"phrases":          {100, "/phrases", func(h H, n int, _ T) { h.Context.Phrases = make([]string, n) }},
		"one of phrases":   {4000, "/phrases/0", func(h H, n int, t T) { h.Context.Phrases = []string{t(n)} }},
		"language":         {35, "/language", func(h H, n int, _ T) { h.Language = ("nl-" + strings.Repeat("abcdefg-", 9))[:n-1] + "x" }},
		"channel":          {64, "/channel", func(h H, n int, t T) { h.Channel = t(n) }},
		"message_to_agent": {4000, "/message_to_agent", func(h H, n int, t T) { h.Context.MessageToAgent = t(n) }},
		"summary":          {4000, "/summary", func(h H, n int, t T) { h.Context.Summary = t(n) }},
		"customer id":      {256, "/customer/id", func(h H, n int, t T) { customer(h).ID = t(n) }},
		"customer name":    {256, "/customer/name", func(h H, n int, t T) { customer(h).Name = t(n) }},
		"email":            {320, "/customer/email", func(h H, n int, t T) { customer(h).Email = t(n) }},
		"phone":            {32, "/customer/phone", func(h H, n int, t T) { customer(h).Phone = t(n) }},
		"page_url":         {2048, "/customer/page_url", func(h H, n int, t T) { customer(h).PageURL = t(n) }},
		"time_zone":        {64, "/customer/time_zone", func(h H, n int, t T) { customer(h).TimeZone = t(n) }},
		"bot id":           {256, "/bot/id", func(h H, n int, t T) { h.Bot.ID = t(n) }},
		"bot name":         {256, "/bot/name", func(h H, n int, t T) { h.Bot.Name = t(n) }},
		"bot version":      {64, "/bot/version", func(h H, n int, t T) { h.Bot.Version = t(n) }},
		"variables": {500, "/variables", func(h H, n int, _ T) {
			h.Context.Variables = make(map[string]json.RawMessage)
			for i := range n {
				h.Context.Variables["v"+strconv.Itoa(i)] = json.RawMessage("1")
			}
		}},
		"a change's topic": {256, "/variable_changes/0/topic", func(h H, n int, t T) {
			h.Context.VariableChanges = []events.VariableChange{{Name: "a", Topic: t(n)}}
		}},
		"a change's name": {100, "/variable_changes/1/name", func(h H, n int, t T) {
			h.Context.VariableChanges = []events.VariableChange{{Name: "a"}, {Name: t(n)}}
		}},
		"variable_changes": {2000, "/variable_changes", func(h H, n int, _ T) {
			h.Context.VariableChanges = make([]events.VariableChange, n)
			for i := range n {
				h.Context.VariableChanges[i].Name = "a"
			}
		}},
		"messages": {2000, "/transcript/messages", func(h H, n int, _ T) {
			h.Context.Transcript = &events.Transcript{Messages: make([]events.Message, n)}
			for i := range n {
				h.Context.Transcript.Messages[i].From = "bot"
			}
		}},
		"transcript url": {2048, "/transcript/url", func(h H, n int, _ T) {
			h.Context.Transcript = &events.Transcript{URL: "https://" + strings.Repeat("a", n-8)}
		}},
		"message id":      {256, m1 + "/id", func(h H, n int, t T) { message(h).ID = t(n) }},
		"message name":    {256, m1 + "/name", func(h H, n int, t T) { message(h).Name = t(n) }},
		"message text":    {32000, m1 + "/text", func(h H, n int, t T) { message(h).Text = t(n) }},
		"attachments":     {10, m1 + "/attachments", func(h H, n int, _ T) { message(h).Attachments = make([]events.Attachment, n) }},
		"attachment url":  {2048, m1 + "/attachments/0/url", func(h H, n int, t T) { attachment(h).URL = t(n) }},
		"attachment name": {256, m1 + "/attachments/0/name", func(h H, n int, t T) { attachment(h).Name = t(n) }},
		"content type":    {256, m1 + "/attachments/0/content_type", func(h H, n int, t T) { attachment(h).ContentType = t(n) }},
		"wished queue":    {100, "/wishes/queue", func(h H, n int, t T) { wishes(h).Queue = t(n) }},
		"skills":          {20, "/wishes/skills", func(h H, n int, _ T) { wishes(h).Skills = make([]string, n) }},
		"one of skills":   {64, "/wishes/skills/0", func(h H, n int, t T) { wishes(h).Skills = []string{t(n)} }},
		"priority":        {100, "/wishes/priority", func(h H, n int, _ T) { wishes(h).Priority = &n }},
	}
}

func TestEveryLimitIsExact(t *testing.T) {
	t.Parallel()
	for name, l := range limits() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				letter := rapid.SampledFrom([]string{"a", "é", "漢", "😀"}).Draw(t, "letter")
				text := func(n int) string { return strings.Repeat(letter, n) }
				n := rapid.OneOf(rapid.Just(l.limit), rapid.Just(l.limit+1), rapid.IntRange(max(1, l.limit-9), l.limit+9)).Draw(t, "n")
				var h intake.HandOff
				l.set(&h, n, text)
				f := fault.Of(h.Check())
				if n <= l.limit && f != nil {
					t.Fatalf("%d refused: %v", n, f)
				}
				if n > l.limit && (f == nil || f.Code != "limit-exceeded" || f.Pointer != l.pointer || f.Kind != fault.Unprocessable ||
					!strings.Contains(f.Detail, strconv.Itoa(l.limit))) {
					t.Fatalf("%d: %v, want limit-exceeded at %s with the limit", n, f, l.pointer)
				}
			})
		})
	}
}

func TestVariableNamesAndTextsHaveLimits(t *testing.T) {
	t.Parallel()
	const most = 32 << 10
	quote := func(n int) string { return `"` + strings.Repeat("a", n) + `"` }
	for name, c := range map[string]struct {
		variable, value string
		code            string
	}{
		"a name of 100 characters":                {strings.Repeat("é", 100), "1", ""},
		"a name of 101 characters":                {strings.Repeat("é", 101), "1", "limit-exceeded"},
		"an empty name":                           {"", "1", "field-invalid"},
		"a text of 32 KiB":                        {"a", quote(most), ""},
		"a text of one byte more":                 {"a", quote(most + 1), "limit-exceeded"},
		"a text of 32 KiB in two-byte characters": {"a", `"` + strings.Repeat("é", most/2) + `"`, ""},
		"one character more":                      {"a", `"` + strings.Repeat("é", most/2+1) + `"`, "limit-exceeded"},
		"escapes count as what they mean":         {"a", `"` + strings.Repeat(`\u0061`, most) + `"`, ""},
		"many short texts":                        {"a", `[` + quote(most) + `,{"b":` + quote(most) + `}]`, ""},
		"a long text far down":                    {"a", `[{"b":[true,` + quote(most+1) + `]}]`, "limit-exceeded"},
		"a long name far down":                    {"a", `{` + quote(most+1) + `:1}`, "limit-exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := intake.HandOff{Context: events.Context{Variables: map[string]json.RawMessage{c.variable: json.RawMessage(c.value)}}}
			changes := intake.HandOff{Context: events.Context{VariableChanges: []events.VariableChange{{Name: c.variable, Value: json.RawMessage(c.value)}}}}
			for pointer, err := range map[string]error{"/variables/" + c.variable: h.Check(), "/variable_changes/0": changes.Check()} {
				f := fault.Of(err)
				if c.code == "" && f != nil || c.code != "" && (f == nil || f.Code != c.code || !strings.HasPrefix(f.Pointer, pointer)) {
					t.Errorf("fault = %v, want %q at %s", err, c.code, pointer)
				}
			}
		})
	}
}

func TestInvalidFieldsArePointedAt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, pointer, detail string }{
		"an unknown reason":           {`{"reason":"bored"}`, "/reason", "A reason is one of customer_asked, not_understood, topic_needs_human, bot_failed, policy, other."},
		"a language that is none":     {`{"language":"English (US)"}`, "/language", "BCP 47"},
		"a message from a stranger":   {`{"transcript":{"messages":[{"from":"user"}]}}`, "/transcript/messages/0/from", "customer, bot, human_agent or system"},
		"a message from nobody":       {`{"transcript":{"messages":[{"from":"bot"},{"text":"a"}]}}`, "/transcript/messages/1/from", "customer, bot"},
		"a transcript in a file":      {`{"transcript":{"url":"file:///etc/passwd"}}`, "/transcript/url", "https or http"},
		"a transcript without a host": {`{"transcript":{"url":"https:///t"}}`, "/transcript/url", "https or http"},
		"less than no bytes":          {`{"transcript":{"messages":[{"from":"bot","attachments":[{"bytes":-1}]}]}}`, "/transcript/messages/0/attachments/0/bytes", "0 or more"},
		"a variable that fills":       {`{"variables":{"va_LastTopic":"` + strings.Repeat("t", 257) + `"}}`, "/variables/va_LastTopic", "257 characters; at most 256"},
		"a list that fills":           {`{"variables":{"va_Topics":["a","` + strings.Repeat("t", 257) + `"]}}`, "/variables/va_Topics/1", "at most 256"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := parse(t, c.in)
			f := fault.Of(h.Check())
			if f == nil || f.Kind != fault.Unprocessable || f.Pointer != c.pointer || !strings.Contains(f.Detail, c.detail) || f.Problems != nil {
				t.Errorf("fault = %v, want %q at %s", f, c.detail, c.pointer)
			}
		})
	}
	below := parse(t, `{"wishes":{"priority":-1}}`)
	if f := fault.Of(below.Check()); f == nil || f.Pointer != "/wishes/priority" {
		t.Errorf("a priority below 0: %v, want a fault", f)
	}
}

func TestEveryFindingIsListed(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 300)
	h := parse(t, `{"reason":"bored","topic":"`+long+`","variables":{"`+long+`":1,"":2},"wishes":{"priority":101}}`)
	f := fault.Of(h.Check())
	if f == nil || len(f.Problems) != 5 {
		t.Fatalf("fault = %v, want five problems", f)
	}
	for i, want := range []string{"/reason", "/topic", "/variables/", "/variables/" + long, "/wishes/priority"} {
		if got := f.Problems[i].Pointer; got != want {
			t.Errorf("problem %d at %q, want %q", i, got, want)
		}
	}
	for range 40 {
		h.Context.Topics = append(h.Context.Topics, long)
	}
	if f := fault.Of(h.Check()); len(f.Problems) != 20 {
		t.Errorf("%d problems listed, want no more than 20", len(f.Problems))
	}
}

func TestLanguagesHaveAShape(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"nl", "nl-NL", "En-US", "en_US", "zh-Hant-TW", "de-1996", "x-klingon", "sl-rozaj-biske-1994", "i-default"} {
		if !intake.IsLanguage(s) {
			t.Errorf("IsLanguage(%q) = false, want true", s)
		}
	}
	for _, s := range []string{"", "-", "nl-", "-nl", "n l", "1l", "English (US)", "nl--NL", "abcdefghi", "nl-abcdefghi", "né"} {
		if intake.IsLanguage(s) {
			t.Errorf("IsLanguage(%q) = true, want false", s)
		}
	}
}

package transcript_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"handoff/domain/transcript"
	"handoff/events"
)

func TestRolesAreReadAsWordsAndNumbers(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]string{
		"user": "customer", "customer": "customer", "1": "customer", "User": "customer",
		"bot": "bot", "skill": "bot", "0": "bot", "Bot": "bot",
		"human_agent": "human_agent", "agent": "human_agent", "system": "system",
		"": "", "2": "", "robot": "", "-1": "",
	} {
		got, ok := transcript.Role(written)
		if got != want || ok != (want != "") {
			t.Errorf("Role(%q) = %q, %t, want %q", written, got, ok, want)
		}
	}
}

func TestTimesAreReadInEverySpelling(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want, text string }{
		"UTC":                           {"2024-05-02T09:10:11Z", "2024-05-02T09:10:11Z", ""},
		"seven digits":                  {"2024-05-02T09:10:11.1234567Z", "2024-05-02T09:10:11.1234567Z", ""},
		"nine digits":                   {"2024-05-02T09:10:11.123456789Z", "2024-05-02T09:10:11.123456789Z", ""},
		"digits that end in a nought":   {"2024-05-02T09:10:11.1200000Z", "2024-05-02T09:10:11.12Z", "2024-05-02T09:10:11.1200000Z"},
		"a zone of nought":              {"2024-05-02T09:10:11.123456+00:00", "2024-05-02T09:10:11.123456Z", "2024-05-02T09:10:11.123456+00:00"},
		"another zone":                  {"2024-05-02T11:10:11+02:00", "2024-05-02T09:10:11Z", "2024-05-02T11:10:11+02:00"},
		"seconds":                       {"1714640001", "2024-05-02T08:53:21Z", "1714640001"},
		"seconds with a fraction":       {"1714640001.25", "2024-05-02T08:53:21.25Z", "1714640001.25"},
		"milliseconds":                  {"1714640001250", "2024-05-02T08:53:21.25Z", "1714640001250"},
		"milliseconds with a fraction":  {"1714640001250.5", "2024-05-02T08:53:21.2505Z", "1714640001250.5"},
		"seconds with an exponent":      {"1.714640001E9", "2024-05-02T08:53:21Z", "1.714640001E9"},
		"a fraction before 1970":        {"-0.5", "1969-12-31T23:59:59.5Z", "-0.5"},
		"the last second":               {"9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z", ""},
		"an unset time of .NET":         {"0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", ""},
		"a date without a time":         {"2024-05-02", "", ""},
		"no time":                       {"yesterday", "", ""},
		"nothing":                       {"", "", ""},
		"a zone that leaves the years":  {"9999-12-31T23:59:59-23:00", "", ""},
		"a zone before the first year":  {"0001-01-01T00:00:00+01:00", "", ""},
		"a number beyond all years":     {"999999999999999", "", ""},
		"a number that is none":         {"NaN", "", ""},
		"an infinite number":            {"1e400", "", ""},
		"a fraction that is none":       {"1714640001.x", "", ""},
		"a fraction with junk":          {"1714640001.123456789x", "", ""},
		"more digits than a time needs": {"2024-05-02T09:10:11.123456712345671234567Z", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at, text, ok := transcript.Written(c.in)
			if ok != (c.want != "") || ok && at.Format(time.RFC3339Nano) != c.want || text != c.text {
				t.Errorf("Written(%q) = %s, %q, %t, want %s, %q", c.in, at.Format(time.RFC3339Nano), text, ok, c.want, c.text)
			}
		})
	}
}

func TestOnlyExactTwinsAreRepeats(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 5, 2, 9, 0, 0, 0, time.UTC)
	raw := func(s string) map[string]json.RawMessage {
		return map[string]json.RawMessage{"channelData": json.RawMessage(s)}
	}
	for name, c := range map[string]struct {
		in   []events.Message
		want []int
	}{
		"nothing":                            {nil, nil},
		"a twin":                             {[]events.Message{{ID: "1", Text: "a", At: &at}, {ID: "2"}, {ID: "1", Text: "a", At: new(at)}}, []int{2}},
		"triplets":                           {[]events.Message{{ID: "1"}, {ID: "1"}, {ID: "1"}}, []int{1, 2}},
		"the same id with other words":       {[]events.Message{{ID: "1", Text: "a"}, {ID: "1", Text: "b"}}, nil},
		"the same words without an id":       {[]events.Message{{Text: "yes"}, {Text: "yes"}}, nil},
		"raw parts that differ in spelling":  {[]events.Message{{ID: "1", Extensions: raw(`{"a": "<"}`)}, {ID: "1", Extensions: raw("{\"a\":\"\\u003c\"}")}}, []int{1}},
		"raw parts that differ in substance": {[]events.Message{{ID: "1", Extensions: raw(`1`)}, {ID: "1", Extensions: raw(`2`)}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := transcript.Repeats(c.in); !slices.Equal(got, c.want) {
				t.Errorf("repeats = %v, want %v", got, c.want)
			}
		})
	}
}

func TestMerging(t *testing.T) {
	t.Parallel()
	yes, no := events.Message{From: "customer", Text: "yes"}, events.Message{From: "customer", Text: "no"}
	of := func(ms ...events.Message) *events.Transcript { return &events.Transcript{Messages: ms} }
	for name, c := range map[string]struct {
		earlier, later, want *events.Transcript
		added                int
	}{
		"nothing and nothing":             {nil, nil, nil, 0},
		"nothing and something":           {nil, of(yes), of(yes), 1},
		"something and nothing":           {of(yes), nil, of(yes), 0},
		"the same again":                  {of(yes, no), of(yes, no), of(yes, no), 0},
		"the same and more":               {of(yes, no), of(yes, no, yes), of(yes, no, yes), 1},
		"only the new part":               {of(yes), of(no), of(yes, no), 1},
		"a URL that became known":         {of(yes), &events.Transcript{URL: "https://bot.example/t"}, &events.Transcript{Messages: []events.Message{yes}, URL: "https://bot.example/t"}, 0},
		"a later claim to be complete":    {of(yes), &events.Transcript{Messages: []events.Message{yes, no}, Complete: true}, &events.Transcript{Messages: []events.Message{yes, no}, Complete: true}, 1},
		"an earlier claim that is undone": {&events.Transcript{Messages: []events.Message{yes}, Complete: true}, of(no), of(yes, no), 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, added := transcript.Merge(c.earlier, c.later)
			if !reflect.DeepEqual(got, c.want) || added != c.added {
				t.Errorf("merged = %+v, %d added, want %+v, %d added", got, added, c.want, c.added)
			}
		})
	}
}

// Merging the same thing twice adds nothing the second time, loses nothing, and
// leaves what it was given alone.
func TestMergingIsIdempotentAndLosesNothing(t *testing.T) {
	t.Parallel()
	message := rapid.Custom(func(t *rapid.T) events.Message {
		return events.Message{ID: rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "id"), Text: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "text")}
	})
	rapid.Check(t, func(t *rapid.T) {
		a := &events.Transcript{Messages: rapid.SliceOfN(message, 0, 6).Draw(t, "a")}
		b := &events.Transcript{Messages: rapid.SliceOfN(message, 0, 6).Draw(t, "b")}
		was := slices.Clone(a.Messages)
		once, added := transcript.Merge(a, b)
		if len(once.Messages) != len(a.Messages)+added || !reflect.DeepEqual(a.Messages, was) {
			t.Fatalf("%d messages and %d added make %d, or the first was changed", len(a.Messages), added, len(once.Messages))
		}
		if _, more := transcript.Merge(once, b); more != 0 {
			t.Fatalf("merging again added %d, want 0", more)
		}
		if _, rest := transcript.Merge(once, a); rest != 0 {
			t.Fatalf("%d messages of the first are gone", rest)
		}
	})
}

func FuzzTime(f *testing.F) {
	for _, s := range []string{"2024-05-02T09:10:11.1234567Z", "1714640001", "1714640001250.5", "-0.5", "1e9", "0001-01-01T00:00:00+01:00", "+1", "1.-2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, ok := transcript.Time(s)
		if !ok {
			return
		}
		if b, err := at.MarshalJSON(); err != nil {
			t.Fatalf("Time(%q) = %s can't be stored: %s, %v", s, at, b, err)
		}
	})
}

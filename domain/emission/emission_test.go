package emission_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"handoff/domain/conversation"
	"handoff/domain/emission"
	"handoff/events"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// private stands in everything that only a full event may say.
const private = "PRIVATE"

func input(f events.Fact) emission.Input {
	at := time.Date(2026, 11, 22, 9, 10, 12, 4e6, time.UTC)
	turn := at.Add(-time.Minute)
	raised := events.EscalationRaised{
		Number: 1, RaisedAt: at.Truncate(time.Second), ExpiresAt: at.Add(24 * time.Hour).Truncate(time.Second),
		Reason: "customer_asked", Topic: "Refund", Language: "nl-NL", Channel: "web", Bot: events.Bot{ID: "b-1", Name: "Store bot"},
		Counts: events.Counts{Messages: 2, Variables: 1},
	}
	said := &events.Context{
		ConversationID: "Kx81c", Topics: []string{"Greeting", "Refund"}, LastPhrase: private, Phrases: []string{private + " phrase"},
		MessageToAgent: private + ": parcel lost twice", Summary: private,
		Customer:        &events.Customer{ID: "c-881", Name: private, Email: private + "@example.org", Verified: true},
		Variables:       map[string]json.RawMessage{"order_total": json.RawMessage("380.0"), "note": json.RawMessage(`"` + private + `"`)},
		VariableChanges: []events.VariableChange{{Name: "order_total", Value: json.RawMessage("12"), Topic: "Refund", At: &turn}},
		Wishes:          &events.Wishes{Queue: "seniors", Priority: new(80)},
		Transcript: &events.Transcript{Complete: true, URL: "https://bot.example/t/" + private, Messages: []events.Message{
			{ID: "m1", At: &turn, From: events.FromCustomer, Name: private, Text: private, Attachments: []events.Attachment{{URL: "https://bot.example/" + private, ContentType: "image/png", Bytes: 9}}},
			{ID: "m2", AtText: "1669108200", From: events.FromBot, Text: private, Extensions: map[string]json.RawMessage{"x": json.RawMessage("1")}},
		}},
		Extensions: map[string]json.RawMessage{"vendor_field": json.RawMessage(`{"a":"` + private + `"}`)},
	}
	route := events.EscalationRouted{
		Number: 1, Connection: "store-bot", ConnectionVersion: 7, DecidedAt: at, Priority: 60, Skills: []string{"refunds"},
		Queue:  events.Queue{ID: "refunds-nl", Name: "Refunds (Dutch)", HubQueue: "aaaaaaaa-0000-4000-8000-0000000000a1"},
		Route:  events.Route{RuleSet: "sha256:9f", Rule: "refunds in Dutch", RuleIndex: 2, Outcomes: "ffm", Evaluator: "e", TimeZones: "z"},
		Misses: json.RawMessage(`[{"rule":"big refunds","rule_index":1,"condition":"order_total at_least 500","failed":1,"kind":"false","was":"` + private + `"}]`),
	}
	return emission.Input{
		Stream: uuid.MustParse("1f8b0800-0000-8000-8000-00000000002a"), Version: 2, At: at, Fact: f, Connection: "store-bot", Home: "store-bot",
		Trace: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		View: conversation.View{
			Escalation: conversation.Escalation{Number: 1, Status: conversation.Routed}, Raised: raised, Context: said,
			Routes: []conversation.Decision{{Version: 2, At: at, Fact: route}},
		},
	}
}

// everyFact is one fact of each kind that leads to an event.
func everyFact() map[string]events.Fact {
	words := &events.Words{Message: private}
	return map[string]events.Fact{
		"routed":        &events.EscalationRouted{Number: 1},
		"context_added": &events.EscalationContextAdded{Number: 1},
		"accepted":      &events.EscalationAccepted{Number: 1, Code: "taken", Words: words},
		"completed":     &events.EscalationCompleted{Number: 1, Code: "solved", Words: words},
		"failed":        &events.EscalationFailed{Number: 1, Code: "nobody-there", Words: words},
		"expired":       &events.EscalationExpired{Number: 1},
		"erased":        &events.ContextErased{Reason: "asked by the customer"},
	}
}

// erase makes of an input what is left after its context was erased.
func erase(in emission.Input) emission.Input {
	in.View.Context, in.View.Erased = nil, true
	in.View.Routes[0].Fact.Misses, in.View.Routes[0].Erased = nil, true
	switch f := in.Fact.(type) {
	case *events.EscalationAccepted:
		f.Words = nil
	case *events.EscalationCompleted:
		f.Words = nil
	case *events.EscalationFailed:
		f.Words = nil
	}
	return in
}

func build(t testing.TB, in emission.Input, mode emission.Mode) emission.Event {
	t.Helper()
	e, err := emission.Builder{Base: "https://handoff.example"}.Build(in, mode)
	if err != nil {
		t.Fatalf("Build: %v", err)
	}
	return e
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for name, f := range everyFact() {
		for _, mode := range []emission.Mode{emission.Thin, emission.Full} {
			compare(t, name+"."+string(mode), build(t, input(f), mode))
		}
		compare(t, name+".after-erasure", build(t, erase(input(f)), emission.Full))
	}
	moved := input(everyFact()["routed"])
	moved.Connection, moved.View.Routes[0].Fact.Moved, moved.View.Pending = "other-bot", true, true
	compare(t, "routed.moved", build(t, moved, emission.Thin))
}

func compare(t *testing.T, name string, e emission.Event) {
	t.Helper()
	got, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	got = append(got, '\n')
	file := filepath.Join("testdata", name+".v1.json")
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from its golden file:\n%s", name, got)
	}
}

func TestDataFitsItsSchema(t *testing.T) {
	t.Parallel()
	for _, typ := range emission.Types() {
		if _, ok := emission.Schema(emission.SchemaPath(typ)); !ok {
			t.Errorf("%s has no schema", typ)
		}
	}
	for name, f := range everyFact() {
		for sentence, e := range map[string]emission.Event{
			"thin": build(t, input(f), emission.Thin), "full": build(t, input(f), emission.Full), "erased": build(t, erase(input(f)), emission.Full),
		} {
			var data any
			if err := json.Unmarshal(e.Data, &data); err != nil {
				t.Fatalf("%s %s: %v", name, sentence, err)
			}
			source, _ := emission.Schema(emission.SchemaPath(e.Type))
			if err := compile(t, source).Validate(data); err != nil {
				t.Errorf("%s %s: %v", name, sentence, err)
			}
			var doc map[string]any
			if err := json.Unmarshal(source, &doc); err != nil {
				t.Fatal(err)
			}
			undocumented(t, name, data, doc)
		}
	}
}

func compile(t *testing.T, source []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(source))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("s.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("s.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// undocumented reports what stands in data and not in its schema, which is open
// to fields of later versions and so does not notice itself.
func undocumented(t *testing.T, path string, data any, schema map[string]any) {
	t.Helper()
	switch data := data.(type) {
	case map[string]any:
		props, ok := schema["properties"].(map[string]any)
		if !ok {
			return // a map of the bot's
		}
		for name, v := range data {
			sub, ok := props[name].(map[string]any)
			if !ok {
				t.Errorf("%s.%s is not in the schema", path, name)
				continue
			}
			undocumented(t, path+"."+name, v, sub)
		}
	case []any:
		items, _ := schema["items"].(map[string]any)
		for i, v := range data {
			undocumented(t, fmt.Sprintf("%s[%d]", path, i), v, items)
		}
	}
}

func TestOnlyFullEventsSayWhatIsPrivate(t *testing.T) {
	t.Parallel()
	for name, f := range everyFact() {
		thin, erased := build(t, input(f), emission.Thin), build(t, erase(input(f)), emission.Full)
		for _, e := range []emission.Event{thin, erased} {
			if bytes.Contains(e.Data, []byte(private)) {
				t.Errorf("%s says what is private: %s", name, e.Data)
			}
		}
		if bytes.Contains(erased.Data, []byte("Kx81c")) {
			t.Errorf("%s names the conversation after its erasure", name)
		}
		for _, a := range build(t, input(f), emission.Full).Attributes() {
			if strings.Contains(a.Value, private) || strings.Contains(a.Value, "Kx81c") {
				t.Errorf("%s: attribute %s, which proxies log, is private: %s", name, a.Name, a.Value)
			}
		}
	}
	full := build(t, input(everyFact()["routed"]), emission.Full)
	if n := bytes.Count(full.Data, []byte(private)); n != strings.Count(string(everythingPrivate(t)), private) {
		t.Errorf("the full event says %d private things: %s", n, full.Data)
	}
}

// everythingPrivate is the context and the misses as JSON.
func everythingPrivate(t *testing.T) []byte {
	t.Helper()
	in := input(nil)
	said, err := json.Marshal(in.View.Context)
	if err != nil {
		t.Fatal(err)
	}
	return append(said, in.View.Routes[0].Fact.Misses...)
}

func TestSequenceOrdersAsText(t *testing.T) {
	t.Parallel()
	last := ""
	for _, version := range []int{1, 2, 9, 10, 99, 100, 12345} {
		in := input(everyFact()["expired"])
		in.Version = version
		e := build(t, in, emission.Thin)
		if e.Sequence <= last {
			t.Errorf("sequence %q follows %q", e.Sequence, last)
		}
		last = e.Sequence
	}
}

func TestFactsThatLeadToNoEvent(t *testing.T) {
	t.Parallel()
	codec, emitting := events.Register(), map[string]bool{"TranscriptStored": true}
	for f := range maps.Values(everyFact()) {
		emitting[f.FactType()] = true
	}
	for name, version := range codec.Types() {
		f, err := codec.Decode(name, version, []byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		if got := emission.TypeOf(f) != ""; got != emitting[name] {
			t.Errorf("%s leads to an event: %t", name, got)
		}
	}
	if _, err := (emission.Builder{}).Build(input(&events.ConnectionReady{}), emission.Thin); err == nil {
		t.Error("Build made an event of ConnectionReady")
	}
}

func BenchmarkBuildFull20KiB(b *testing.B) {
	in := input(everyFact()["routed"])
	turn := in.View.Context.Transcript.Messages[0]
	turn.Text = strings.Repeat("Where is my parcel? ", 15)
	in.View.Context.Transcript.Messages = nil
	for range 50 {
		in.View.Context.Transcript.Messages = append(in.View.Context.Transcript.Messages, turn)
	}
	b.ReportAllocs()
	for b.Loop() {
		b.SetBytes(int64(len(build(b, in, emission.Full).Data)))
	}
}

package botframework_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/microsoft/botframework"
)

// FuzzParseActivities: whatever comes in is a set of hand-offs or a fault, and
// every hand-off is within the limits or a fault says why not, has a
// conversation, is read alike each time, and survives storage.
func FuzzParseActivities(f *testing.F) {
	real, err := os.ReadFile("testdata/handoff_initiate.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(real)
	for _, s := range []string{
		`{"value":{"va_LastPhrases":"x","va_Topics":"[\"a\"]"}}`, `{"value":[1],"timestamp":1714640001.5,"locale":"nl"}`, `{"relatesTo":{"user":{"id":"u"},"bot":[]}}`,
		`{"attachments":[{"name":"transcript","content":"[{\"type\":\"message\",\"id\":\"1\"}]"},null,{"name":"Transcript","contentUrl":"https://a"}]}`,
		`{"attachments":[{"name":"Transcript","content":{"activities":[{"type":"message","id":"1","from":{"role":1}},{"type":"message","id":"1","from":{"role":1}},7]}}]}`,
	} {
		f.Add([]byte(`[{"type":"event","name":"handoff.initiate","conversation":{"id":"K"},` + s[1:] + `]`))
	}
	f.Add([]byte(`{"activities":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		set, err := botframework.ParseActivities(body)
		if err != nil {
			if f := fault.Of(err); f == nil || f.Code == "" || !f.Kind.Permanent() {
				t.Fatalf("error = %v, want a permanent fault", err)
			}
			return
		}
		again, err := botframework.ParseActivities(body)
		if err != nil {
			t.Fatal(err)
		}
		for i, h := range set.HandOffs {
			if err := h.Check(); err != nil {
				if f := fault.Of(err); f == nil || f.Kind != fault.Unprocessable || f.Pointer == "" {
					t.Fatalf("check = %v, want an unprocessable fault with a pointer", err)
				}
			}
			stored, err := json.Marshal(h.Context)
			if err != nil || h.Context.ConversationID == "" {
				t.Fatalf("conversation %q, %v", h.Context.ConversationID, err)
			}
			a := again.HandOffs[i]
			if !bytes.Equal(h.Canonical(), a.Canonical()) {
				t.Fatalf("read twice: %s and %s", h.Canonical(), a.Canonical())
			}
			a.Context = events.Context{}
			if err := json.Unmarshal(stored, &a.Context); err != nil || !bytes.Equal(h.Canonical(), a.Canonical()) {
				t.Fatalf("after storage %s, want %s, %v", a.Canonical(), h.Canonical(), err)
			}
		}
	})
}

func BenchmarkParseActivities(b *testing.B) {
	body, err := os.ReadFile("testdata/handoff_initiate.json")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := botframework.ParseActivities(body); err != nil {
			b.Fatal(err)
		}
	}
}

package intake_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"handoff/domain/fault"
	"handoff/domain/intake"
	"handoff/events"
)

// FuzzParsePlain: whatever comes in is a hand-off or a fault; what is read is
// within the limits or a fault says why not; and it survives storage.
func FuzzParsePlain(f *testing.F) {
	f.Add(readFile(f, "full.json"))
	for _, s := range []string{
		``, `{}`, `[]`, `{"variables":{"va_Topics":"[\"a\"]","va_LastPhrases":"x"}}`, `{"raised_at":"0001-01-01T00:00:00Z"}`, `{"transcript":{"url":"http://a"}}`,
		`{"transcript":{"messages":[{"at":1e9,"from":"bot"}]}}`, `{"wishes":{"priority":99999999999}}`, `{"language":"\ud83d"}`, "\ufeff{}", `{"topic":"a","topic":"b"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		h, err := intake.ParsePlain(body)
		if err != nil {
			if f := fault.Of(err); f == nil || f.Code == "" || !f.Kind.Permanent() {
				t.Fatalf("error = %v, want a permanent fault", err)
			}
			return
		}
		if err := h.Check(); err != nil {
			if f := fault.Of(err); f == nil || f.Kind != fault.Unprocessable {
				t.Fatalf("check = %v, want an unprocessable fault", err)
			}
		}
		again, err := intake.ParsePlain(body)
		if err != nil || !bytes.Equal(h.Canonical(), again.Canonical()) {
			t.Fatalf("read twice: %s and %s, %v", h.Canonical(), again.Canonical(), err)
		}
		stored, err := json.Marshal(h.Context)
		if err != nil {
			t.Fatal(err)
		}
		again.Context = events.Context{}
		if err := json.Unmarshal(stored, &again.Context); err != nil || !bytes.Equal(h.Canonical(), again.Canonical()) {
			t.Fatalf("after storage %s, want %s, %v", again.Canonical(), h.Canonical(), err)
		}
	})
}

// conversation returns a body of about 20 KiB: 50 turns and 20 variables.
func conversation() []byte {
	type m = map[string]any
	var messages []m
	for i := range 50 {
		from := []string{"customer", "bot"}[i%2]
		messages = append(messages, m{
			"id": fmt.Sprintf("Kx81c|%07d", i), "at": fmt.Sprintf("2026-11-22T09:%02d:12.1234567Z", i), "from": from,
			"text": fmt.Sprintf("Turn %d: the parcel with number %d was to come on Monday, and the driver's note says \"left with a neighbour\". "+
				"I've asked at every door of the street and nobody has it. Could someone look into this, please? It is rather urgent, for it holds a present.", i, 4711+i),
		})
	}
	variables := m{}
	for i := range 20 {
		variables[fmt.Sprintf("variable_%d", i)] = []any{"a value of some length", 12.5 + float64(i), true, m{"sku": i}}[i%4]
	}
	b, err := json.Marshal(m{
		"conversation_id": "Kx81c", "reason": "customer_asked", "topic": "Refund", "language": "nl-NL", "channel": "web",
		"raised_at": "2026-11-22T09:59:12Z", "customer": m{"id": "c-881", "name": "R. Bakker"}, "variables": variables,
		"transcript": m{"messages": messages, "complete": true},
	})
	if err != nil {
		panic(err)
	}
	return b
}

func BenchmarkParsePlain(b *testing.B) {
	body := conversation()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := intake.ParsePlain(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	h, err := intake.ParsePlain(conversation())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := h.Check(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCanonical(b *testing.B) {
	h, err := intake.ParsePlain(conversation())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		h.Canonical()
	}
}

// BenchmarkUnmarshalFloor is the floor to compare with: encoding/json into a
// struct, which keeps no unknown field and sees no name twice.
func BenchmarkUnmarshalFloor(b *testing.B) {
	body := conversation()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var x events.Context
		if err := json.Unmarshal(body, &x); err != nil {
			b.Fatal(err)
		}
	}
}

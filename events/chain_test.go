package events_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"handoff/events"
)

// vector is one link of a frozen chain: each is chained to the one before it.
type vector struct {
	Why    string        `json:"why"`
	Header events.Header `json:"header"`
	Clear  string        `json:"clear"`
	Sealed string        `json:"sealed"` // hexadecimal
	Hash   string        `json:"hash"`
}

// The hashes below were computed once. If one of them changes, every log that
// was ever written fails its verification.
func TestChainIsFrozen(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/chain.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	var prev events.Hash
	for _, v := range vectors {
		sealed, err := hex.DecodeString(v.Sealed)
		if err != nil {
			t.Fatal(err)
		}
		r := events.Record{Header: v.Header, Clear: []byte(v.Clear), Sealed: sealed, SealedSum: events.SumSealed(sealed)}
		prev = events.Chain(prev, &r)
		if prev.String() != v.Hash {
			t.Errorf("%s: hash = %s, want %s", v.Why, prev, v.Hash)
		}
	}
}

func link() events.Record {
	return events.Record{
		Header: events.Header{
			Stream: uuid.MustParse("7c1f0a52-6d3b-8e1a-9f40-2b8f6f0d4e11"), Version: 2, Kind: events.KindConversation, Type: "EscalationRaised",
			Schema: 1, Tenant: "default", Connection: "store-bot", Time: 1772442612004000000, Commit: "c1", Causation: "r1", Correlation: "r0",
			Actor: "key_1", Key: "k.0", Trace: "00-aa-bb-01",
		},
		Clear: []byte(`{"number":1}`), Sealed: []byte("sealed"), SealedSum: events.SumSealed([]byte("sealed")),
	}
}

// A field that is added to Header and forgotten in Chain fails here.
func TestChainCoversEveryFieldOfTheHeader(t *testing.T) {
	t.Parallel()
	base := link()
	want := events.Chain(events.Hash{}, &base)
	header := reflect.TypeFor[events.Header]()
	for i := range header.NumField() {
		r := base
		alter(t, reflect.ValueOf(&r.Header).Elem().Field(i))
		if events.Chain(events.Hash{}, &r) == want {
			t.Errorf("changing Header.%s does not change the hash", header.Field(i).Name)
		}
	}
}

func alter(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.Array:
		v.Index(15).SetUint(v.Index(15).Uint() ^ 1)
	default:
		t.Fatalf("teach this test to change a %s", v.Type())
	}
}

func TestChainCoversTheRest(t *testing.T) {
	t.Parallel()
	base := link()
	want := events.Chain(events.Hash{}, &base)
	for sentence, change := range map[string]func(*events.Record) events.Hash{
		"the hash before": func(*events.Record) events.Hash { return events.Hash{31: 1} },
		"the clear bytes": func(r *events.Record) events.Hash { r.Clear = []byte(`{"number":2}`); return events.Hash{} },
		"the sealed bytes": func(r *events.Record) events.Hash {
			r.SealedSum = events.SumSealed([]byte("Sealed"))
			return events.Hash{}
		},
		"that there are sealed bytes": func(r *events.Record) events.Hash { r.SealedSum = events.Hash{}; return events.Hash{} },
	} {
		r := base
		prev := change(&r)
		if events.Chain(prev, &r) == want {
			t.Errorf("changing %s does not change the hash", sentence)
		}
	}
	moved := base
	moved.Sealed, moved.Position, moved.Hash = nil, 99, events.Hash{1}
	if events.Chain(events.Hash{}, &moved) != want {
		t.Error("the hash depends on where sealed bytes are kept, or on the position")
	}
}

// Text that moves from one field into the next must not leave the hash alone.
func TestChainKnowsWhereFieldsEnd(t *testing.T) {
	t.Parallel()
	header := reflect.TypeFor[events.Header]()
	var texts []int
	for i := range header.NumField() {
		if header.Field(i).Type.Kind() == reflect.String {
			texts = append(texts, i)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		from, to := rapid.SampledFrom(texts).Draw(t, "from"), rapid.SampledFrom(texts).Draw(t, "to")
		if from == to {
			return
		}
		r := link()
		before := events.Chain(events.Hash{}, &r)
		v := reflect.ValueOf(&r.Header).Elem()
		text := v.Field(from).String()
		cut := rapid.IntRange(0, len(text)-1).Draw(t, "cut")
		v.Field(from).SetString(text[:cut])
		v.Field(to).SetString(text[cut:] + v.Field(to).String())
		if events.Chain(events.Hash{}, &r) == before {
			t.Fatal("the hash is the same")
		}
	})
}

func TestAssociatedDataTellsPlacesApart(t *testing.T) {
	t.Parallel()
	base := link().Header
	seen := map[string]string{string(events.AssociatedData(base)): "the fact itself"}
	other := func(sentence string, change func(*events.Header)) {
		h := base
		change(&h)
		aad := string(events.AssociatedData(h))
		if was, ok := seen[aad]; ok {
			t.Errorf("%s has the associated data of %s", sentence, was)
		}
		seen[aad] = sentence
	}
	other("another stream", func(h *events.Header) { h.Stream[0]++ })
	other("another version", func(h *events.Header) { h.Version++ })
	other("another type", func(h *events.Header) { h.Type = "EscalationRouted" })
	other("another key", func(h *events.Header) { h.Key = "k.1" })
	other("text moved from key to type", func(h *events.Header) { h.Type, h.Key = h.Type+"k", ".0" })
	other("text moved from type to key", func(h *events.Header) { h.Type, h.Key = "EscalationRaise", "dk.0" })
}

func TestRecord(t *testing.T) {
	t.Parallel()
	r := link()
	if got, want := r.ID(), "7c1f0a52-6d3b-8e1a-9f40-2b8f6f0d4e11@2"; got != want {
		t.Errorf("ID = %s, want %s", got, want)
	}
	if got, want := r.At().Format("2006-01-02T15:04:05.000Z07:00"), "2026-03-02T09:10:12.004Z"; got != want {
		t.Errorf("At = %s, want %s", got, want)
	}
	if got, want := events.NewKeyID(r.Stream, 3), events.KeyID(r.Stream.String()+".3"); got != want {
		t.Errorf("NewKeyID = %s, want %s", got, want)
	}
	if !r.HasSealed() || (events.Record{}).HasSealed() || !events.SumSealed(nil).IsZero() {
		t.Error("HasSealed or SumSealed is wrong about no sealed bytes")
	}
}

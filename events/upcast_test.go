package events_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"handoff/events"
)

// sample is a fact that exists in these tests only. Its clear part had three
// versions, {"n":1}, {"number":1} and {"number":1,"unit":"piece"}; its private
// part had two, {"text":"…"} and {"words":["…"]}.
type sample struct {
	Number int    `json:"number"`
	Unit   string `json:"unit"`

	Secret *secret `json:"-"`
}

type secret struct {
	Words []string `json:"words"`
}

// FactType implements events.Fact.
func (*sample) FactType() string { return "Sample" }

// Private implements events.Confidential.
func (s *sample) Private() any {
	if s.Secret == nil {
		s.Secret = new(secret)
	}
	return s.Secret
}

// HasPrivate implements events.Confidential.
func (s *sample) HasPrivate() bool { return s.Secret != nil }

func same(j json.RawMessage) (json.RawMessage, error) { return j, nil }

// change returns an upcast that reads an A and writes what it becomes.
func change[A, B any](become func(A) (B, error)) events.Upcast {
	return func(old json.RawMessage) (json.RawMessage, error) {
		var a A
		if err := json.Unmarshal(old, &a); err != nil {
			return nil, err
		}
		b, err := become(a)
		if err != nil {
			return nil, err
		}
		return json.Marshal(b)
	}
}

var errNegative = errors.New("negative")

func sampleCodec() *events.Codec {
	type first struct {
		N int `json:"n"`
	}
	type second struct {
		Number int `json:"number"`
	}
	type text struct {
		Text string `json:"text"`
	}
	return events.NewCodec(events.Definition{
		New: func() events.Fact { return new(sample) }, Schema: 3, PrivateSchema: 2,
		Upcasts: map[int]events.Upcast{
			1: change(func(a first) (second, error) {
				if a.N < 0 {
					return second{}, errNegative
				}
				return second{Number: a.N}, nil
			}),
			2: change(func(b second) (sample, error) { return sample{Number: b.Number, Unit: "piece"}, nil }),
		},
		PrivateUpcasts: map[int]events.Upcast{
			1: change(func(a text) (secret, error) { return secret{Words: []string{a.Text}}, nil }),
		},
	})
}

func TestUpcast(t *testing.T) {
	t.Parallel()
	codec := sampleCodec()
	for sentence, c := range map[string]struct {
		schema         int
		clear, private string
		want           string
	}{
		"the first version goes through both upcasts":       {1, `{"n":7}`, "", "7 piece []"},
		"the second goes through one":                       {2, `{"number":7}`, "", "7 piece []"},
		"the current one goes through none":                 {3, `{"number":7,"unit":"box"}`, "", "7 box []"},
		"an old private part under an old clear part":       {1, `{"n":7}`, "\x01" + `{"text":"hi"}`, "7 piece [hi]"},
		"an old private part under a current clear part":    {3, `{"number":7,"unit":"box"}`, "\x01" + `{"text":"hi"}`, "7 box [hi]"},
		"a current private part under an old clear part":    {1, `{"n":7}`, "\x02" + `{"words":["a","b"]}`, "7 piece [a b]"},
		"a current private part under a current clear part": {3, `{"number":7,"unit":"box"}`, "\x02" + `{"words":["a","b"]}`, "7 box [a b]"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			f, err := codec.Decode("Sample", c.schema, []byte(c.clear))
			if err != nil {
				t.Fatal(err)
			}
			if c.private != "" {
				if err := codec.DecodePrivate(f, []byte(c.private)); err != nil {
					t.Fatal(err)
				}
			}
			s := f.(*sample)
			s.Private()
			if got := fmt.Sprintf("%d %s %v", s.Number, s.Unit, s.Secret.Words); got != c.want {
				t.Errorf("fact = %q, want %q", got, c.want)
			}
		})
	}
}

func TestWritingUsesTheCurrentVersions(t *testing.T) {
	t.Parallel()
	clear, private, schema, err := sampleCodec().Encode(&sample{Number: 7, Unit: "box", Secret: &secret{Words: []string{"hi"}}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%d %s %q", schema, clear, private), `3 {"number":7,"unit":"box"} "\x02{\"words\":[\"hi\"]}"`; got != want {
		t.Errorf("encoded = %s, want %s", got, want)
	}
}

func TestUpcastsThatFail(t *testing.T) {
	t.Parallel()
	codec := sampleCodec()
	if _, err := codec.Decode("Sample", 1, []byte(`{"n":-1}`)); !errors.Is(err, errNegative) {
		t.Errorf("Decode: %v, want the upcast's error", err)
	}
	for sentence, err := range map[string]error{
		"clear, not JSON":       decodeError(codec, 1, `{`),
		"clear, of version 4":   decodeError(codec, 4, `{}`),
		"private, not JSON":     codec.DecodePrivate(new(sample), []byte("\x01{")),
		"private, of version 3": codec.DecodePrivate(new(sample), []byte("\x03{}")),
	} {
		if err == nil {
			t.Errorf("%s: no error", sentence)
		}
	}
}

func decodeError(codec *events.Codec, schema int, clear string) error {
	_, err := codec.Decode("Sample", schema, []byte(clear))
	return err
}

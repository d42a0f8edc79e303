package events_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"handoff/events"
)

func TestDecodeRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	codec := events.Register()
	for sentence, c := range map[string]struct {
		typ    string
		schema int
		clear  string
		known  bool // the fact is, its text is at fault
	}{
		"a type of a later Handoff":    {"EscalationSplit", 1, `{}`, false},
		"no type":                      {"", 1, `{}`, false},
		"a version of a later Handoff": {"EscalationRaised", 2, `{}`, false},
		"version nought":               {"EscalationRaised", 0, `{}`, false},
		"a negative version":           {"EscalationRaised", -1, `{}`, false},
		"nothing at all":               {"EscalationRaised", 1, ``, true},
		"half an object":               {"EscalationRaised", 1, `{"number":`, true},
		"an array":                     {"EscalationRaised", 1, `[]`, true},
		"two objects":                  {"EscalationRaised", 1, `{} {}`, true},
		"a number as text":             {"EscalationRaised", 1, `{"number":"1"}`, true},
		"a time that is none":          {"EscalationRaised", 1, `{"raised_at":"noon"}`, true},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			f, err := codec.Decode(c.typ, c.schema, []byte(c.clear))
			if err == nil {
				t.Fatalf("Decode = %+v, want an error", f)
			}
			if unknown := errors.Is(err, events.ErrUnknownFact); unknown == c.known {
				t.Errorf("Decode: %v; is ErrUnknownFact: %t, want %t", err, unknown, !c.known)
			}
		})
	}
}

func TestDecodePrivateRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	codec := events.Register()
	for sentence, c := range map[string]struct {
		fact    events.Fact
		private string
		known   bool
	}{
		"a fact without a private part": {&events.ConnectionReady{}, "\x01{}", false},
		"a fact that is not registered": {&sample{}, "\x01{}", false},
		"no bytes":                      {&events.EscalationRaised{}, "", false},
		"a version of a later Handoff":  {&events.EscalationRaised{}, "\x02{}", false},
		"version nought":                {&events.EscalationRaised{}, "\x00{}", false},
		"nothing after the version":     {&events.EscalationRaised{}, "\x01", true},
		"half an object":                {&events.EscalationRaised{}, "\x01{", true},
		"two objects":                   {&events.EscalationRaised{}, "\x01{}{}", true},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			err := codec.DecodePrivate(c.fact, []byte(c.private))
			if err == nil {
				t.Fatal("DecodePrivate = nil, want an error")
			}
			if unknown := errors.Is(err, events.ErrUnknownFact); unknown == c.known {
				t.Errorf("DecodePrivate: %v; is ErrUnknownFact: %t, want %t", err, unknown, !c.known)
			}
		})
	}
}

func TestEncodeRefusesAnUnregisteredFact(t *testing.T) {
	t.Parallel()
	_, _, _, err := events.Register().Encode(&sample{})
	if !errors.Is(err, events.ErrUnknownFact) {
		t.Errorf("Encode: %v, want ErrUnknownFact", err)
	}
}

func TestEncodeRefusesBrokenJSON(t *testing.T) {
	t.Parallel()
	codec := events.Register()
	broken := &events.EscalationRouted{Misses: json.RawMessage("{")}
	if _, _, _, err := codec.Encode(broken); err == nil {
		t.Error("misses that are no JSON are encoded")
	}
}

// What is private must not be in the clear, whatever a fact looks like.
func TestNothingPrivateIsInTheClear(t *testing.T) {
	t.Parallel()
	codec := events.Register()
	const canary = "canary"
	for name, version := range codec.Types() {
		f, ok := zero(t, codec, name, version).(events.Confidential)
		if !ok {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			switch p := f.Private().(type) {
			case *json.RawMessage:
				*p = json.RawMessage(`"` + canary + `"`)
			default:
				fill(reflect.ValueOf(p).Elem(), canary)
				stain(reflect.ValueOf(p).Elem(), canary)
			}
			clear, private, _, err := codec.Encode(f)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(private), canary) || strings.Contains(string(clear), canary) {
				t.Errorf("private = %q, clear = %q", private, clear)
			}
		})
	}
}

// stain writes text into every string of a struct.
func stain(v reflect.Value, text string) {
	for _, field := range v.Fields() {
		if field.Kind() == reflect.String {
			field.SetString(text)
		}
		for _, s := range structsIn(field) {
			stain(s, text)
		}
	}
}

func TestNewCodecPanics(t *testing.T) {
	t.Parallel()
	fact := func() events.Fact { return new(sample) }
	up := map[int]events.Upcast{1: same, 2: same}
	for sentence, c := range map[string]struct {
		defs  []events.Definition
		panic string
	}{
		"on a type that is defined twice":          {[]events.Definition{{New: fact, Schema: 1}, {New: fact, Schema: 1}}, "defined twice"},
		"on version nought":                        {[]events.Definition{{New: fact}}, "has version 0"},
		"on a version that fits no byte":           {[]events.Definition{{New: fact, Schema: 256}}, "has version 256"},
		"without the first upcast":                 {[]events.Definition{{New: fact, Schema: 2}}, "no upcast from version 1"},
		"without an upcast in between":             {[]events.Definition{{New: fact, Schema: 4, Upcasts: up}}, "no upcast from version 3"},
		"without an upcast of the private part":    {[]events.Definition{{New: fact, Schema: 1, PrivateSchema: 2}}, "private part of Sample has no upcast"},
		"on a private version that fits no byte":   {[]events.Definition{{New: fact, Schema: 1, PrivateSchema: 256}}, "private part of Sample has version 256"},
		"but not where every upcast is there":      {[]events.Definition{{New: fact, Schema: 3, Upcasts: up, PrivateSchema: 3, PrivateUpcasts: up}}, ""},
		"but not where the private part says none": {[]events.Definition{{New: fact, Schema: 1}}, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			defer func() {
				got, _ := recover().(string)
				if got == "" != (c.panic == "") || !strings.Contains(got, c.panic) {
					t.Errorf("panic = %q, want %q", got, c.panic)
				}
			}()
			events.NewCodec(c.defs...)
		})
	}
}

func FuzzDecode(f *testing.F) {
	codec := events.Register()
	for name, version := range codec.Types() {
		f.Add(name, version, []byte(`{"number":1,"code":"c","raised_at":"2026-03-02T09:10:12.004Z"}`))
		f.Add(name, version+1, []byte(`null`))
	}
	f.Fuzz(func(t *testing.T, typ string, version int, clear []byte) {
		fact, err := codec.Decode(typ, version, clear)
		if err != nil {
			return
		}
		once, _, schema, err := codec.Encode(fact)
		if err != nil {
			return // a time whose year has five digits is read and can't be written
		}
		again, err := codec.Decode(typ, schema, once)
		if err != nil {
			t.Fatalf("Decode(Encode(f)): %v", err)
		}
		if !reflect.DeepEqual(again, fact) {
			twice, _, _, err := codec.Encode(again)
			if err != nil || string(once) != string(twice) {
				t.Errorf("Decode(Encode(f)) = %s, %v, want %s", twice, err, once)
			}
		}
	})
}

func FuzzDecodePrivate(f *testing.F) {
	codec := events.Register()
	f.Add([]byte("\x01{\"conversation_id\":\"c\",\"variables\":{\"a\":null,\"b\":[1e400]}}"))
	f.Add([]byte("\x01{\"transcript\":{\"messages\":[{\"at\":\"2026-03-02T09:10:12Z\",\"from\":\"bot\"}]}}"))
	f.Add([]byte("\x02{}"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, private []byte) {
		for name, version := range codec.Types() {
			fact := zero(t, codec, name, version)
			if err := codec.DecodePrivate(fact, private); err != nil {
				continue
			}
			_, once, _, err := codec.Encode(fact)
			if err != nil {
				continue
			}
			if len(once) == 0 {
				t.Fatalf("%s: a private part that was read is not written again", name)
			}
			again := zero(t, codec, name, version)
			if err := codec.DecodePrivate(again, once); err != nil {
				t.Fatalf("%s: DecodePrivate(Encode(f)): %v", name, err)
			}
			if _, twice, _, err := codec.Encode(again); err != nil || string(once) != string(twice) {
				t.Errorf("%s: written %q, then %q, %v", name, once, twice, err)
			}
		}
	})
}

package botframework

import (
	"encoding/json"

	"handoff/domain/intake/strictjson"
)

// members are the fields of an object that are not mapped yet.
type members map[string]json.RawMessage

// text returns the text of that name, or nothing.
func (m members) text(name string) string { return textOf(m[name]) }

// take moves a text out of m. A null goes too, for it says nothing; a value of
// another kind stays where it is.
func (m members) take(name string, dst *string) {
	raw, ok := m[name]
	if !ok || kindOf(raw) != strictjson.Text && kindOf(raw) != strictjson.Null {
		return
	}
	*dst = textOf(raw)
	delete(m, name)
}

// object returns the fields of the object of that name, or nil.
func (m members) object(name string) members { return objectOf(m[name]) }

func objectOf(raw json.RawMessage) members {
	if kindOf(raw) != strictjson.Object {
		return nil
	}
	fields, err := strictjson.Members(raw)
	if err != nil {
		return nil
	}
	return fields
}

func listOf(raw json.RawMessage) []json.RawMessage {
	if kindOf(raw) != strictjson.Array {
		return nil
	}
	list, err := strictjson.Elements(raw)
	if err != nil {
		return nil
	}
	return list
}

func textOf(raw json.RawMessage) (s string) {
	if kindOf(raw) != strictjson.Text {
		return ""
	}
	if strictjson.Read(raw, func(r *strictjson.Reader) error { return r.Text(&s) }) != nil {
		return ""
	}
	return s
}

// scalar returns a text or the spelling of a number, or nothing.
func scalar(raw json.RawMessage) string {
	if kindOf(raw) == strictjson.Number {
		return string(raw)
	}
	return textOf(raw)
}

// kindOf returns the kind of a raw value, which begins with no white space.
func kindOf(raw json.RawMessage) strictjson.Kind {
	if len(raw) == 0 {
		return strictjson.Nothing
	}
	return strictjson.KindOf(raw[0])
}

// raw returns the JSON of what is made of raw values and texts.
func raw(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic("botframework: values that were read can't be written: " + err.Error())
	}
	return b
}

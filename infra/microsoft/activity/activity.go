// Package activity reads, makes and changes Bot Framework activities (Bot
// Framework activity specification 3.1.12, documented) without losing what it
// does not know: an activity is its fields as they are written (A2005).
package activity

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"handoff/domain/intake/strictjson"
)

// The types of activities that Handoff makes or looks for, compared exactly.
const (
	TypeMessage           = "message"
	TypeEvent             = "event"
	TypeTyping            = "typing"
	TypeEndOfConversation = "endOfConversation"
)

// Activity is the fields of one activity. Its nil value has none and can't be
// added to. It is safe for concurrent use as long as nobody writes to the map;
// With returns a copy.
type Activity map[string]json.RawMessage

// Set is a Direct Line ActivitySet.
type Set struct {
	Activities []Activity
	// Watermark is opaque, and empty where the set has none: then the one that
	// is known still holds.
	Watermark string
}

// Parse reads an activity. A byte order mark is passed over. Its faults are
// strictjson's: json-invalid and field-invalid.
func Parse(data []byte) (Activity, error) {
	fields, err := strictjson.Members(data)
	return fields, err
}

// ParseSet reads an ActivitySet. A field that is null or missing is none.
func ParseSet(data []byte) (Set, error) {
	var s Set
	err := strictjson.Read(data, func(r *strictjson.Reader) error {
		return r.Object(func(name string) error {
			switch name {
			case "activities":
				return s.activities(r)
			case "watermark":
				return s.watermark(r)
			}
			_, err := r.Raw()
			return err
		})
	})
	return s, err
}

func (s *Set) activities(r *strictjson.Reader) error {
	if null, err := r.Null(); null || err != nil {
		return err
	}
	return r.Array(func(int) error {
		a, err := r.Members()
		s.Activities = append(s.Activities, a)
		return err
	})
}

// watermark reads a text; a number is taken as it is written.
func (s *Set) watermark(r *strictjson.Reader) error {
	if r.Kind() != strictjson.Number {
		return r.Text(&s.Watermark)
	}
	raw, err := r.Raw()
	s.Watermark = string(raw)
	return err
}

// Message returns a message with a text.
func Message(text string) Activity {
	return Activity{}.With("type", TypeMessage).With("text", text)
}

// Event returns an event. A value of nil is left out.
func Event(name string, value any) Activity {
	a := Activity{}.With("type", TypeEvent).With("name", name)
	if value == nil {
		return a
	}
	return a.With("value", value)
}

// Text returns the text of that name, or nothing where it is none.
func (a Activity) Text(name string) string { return TextOf(a[name]) }

// TextOf returns the text that a value is, or nothing.
func TextOf(raw json.RawMessage) (s string) {
	if len(raw) == 0 || raw[0] != '"' {
		return ""
	}
	if strictjson.Read(raw, func(r *strictjson.Reader) error { return r.Text(&s) }) != nil {
		return ""
	}
	return s
}

// Scalar returns a text, or the spelling of a number, or nothing. Roles and
// times are texts in the Bot Framework and numbers in Omnichannel.
func (a Activity) Scalar(name string) string {
	if raw := a[name]; len(raw) > 0 && strictjson.KindOf(raw[0]) == strictjson.Number {
		return string(raw)
	}
	return a.Text(name)
}

// Object returns the fields of the object of that name, or nil.
func (a Activity) Object(name string) Activity {
	if raw := a[name]; len(raw) > 0 && raw[0] == '{' {
		if fields, err := strictjson.Members(raw); err == nil {
			return fields
		}
	}
	return nil
}

// ID returns the id that the channel gave the activity, or nothing.
func (a Activity) ID() string { return a.Text("id") }

// Type returns the type.
func (a Activity) Type() string { return a.Text("type") }

// Is reports whether the activity is the event of that name.
func (a Activity) Is(event string) bool { return a.Type() == TypeEvent && a.Text("name") == event }

// From returns the id of who sent it.
func (a Activity) From() string { return a.Object("from").Text("id") }

// With returns a copy with one field set. It panics on a value that has no
// JSON, such as a channel.
func (a Activity) With(name string, value any) Activity {
	c := maps.Clone(a)
	if c == nil {
		c = make(Activity, 1)
	}
	c[name] = Marshal(value)
	return c
}

// Without returns a copy without some fields.
func (a Activity) Without(names ...string) Activity {
	c := maps.Clone(a)
	maps.DeleteFunc(c, func(name string, _ json.RawMessage) bool { return slices.Contains(names, name) })
	return c
}

// JSON returns the activity as it is sent: without white space, its fields in
// the order of their names. It panics on a field that is no JSON; none comes
// from Parse or With.
func (a Activity) JSON() []byte {
	return Marshal(a)
}

// Marshal returns the JSON of a value without escaping <, > and &, which would
// cost five bytes each where a message may have few. It panics on a value that
// has no JSON.
func Marshal(value any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		panic(fmt.Sprintf("activity: a value without JSON: %v", err))
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

package omnichannel

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"

	"handoff/domain/intake/strictjson"
	"handoff/infra/microsoft/activity"
)

// variable is a context variable as the hub takes it: a text, or a whole
// number.
type variable struct {
	name  string
	value json.RawMessage
}

// pair returns name and value as a member of an object.
func (v variable) pair() string { return string(activity.Marshal(v.name)) + ":" + string(v.value) }

// object returns variables as an object, in their order.
func object(all []variable) string {
	pairs := make([]string, len(all))
	for i, v := range all {
		pairs[i] = v.pair()
	}
	return "{" + strings.Join(pairs, ",") + "}"
}

func text(name, value string) variable { return variable{name, activity.Marshal(value)} }

// safe is the largest whole number that every reader of JSON keeps (RFC 8259
// §6).
const safe = 1<<53 - 1

// flat returns a value as text or whole number. A list of simple values becomes
// a text with commas, everything else that is not simple its JSON. It reports
// what became of a number that is no whole one, and false for a null, which
// says nothing.
func flat(raw json.RawMessage) (value json.RawMessage, says string, ok bool) {
	if len(raw) == 0 {
		return nil, "", false
	}
	switch strictjson.KindOf(raw[0]) {
	case strictjson.Null:
		return nil, "", false
	case strictjson.Number:
		if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil && n >= -safe && n <= safe {
			return json.RawMessage(strconv.FormatInt(n, 10)), "", true
		}
		return activity.Marshal(string(raw)), "The hub takes whole numbers only; this one is sent as text.", true
	case strictjson.Array:
		return activity.Marshal(list(raw)), "", true
	}
	return activity.Marshal(simple(raw)), "", true
}

// simple returns a text, or the JSON of what is none.
func simple(raw json.RawMessage) string {
	if raw[0] == '"' {
		return activity.TextOf(raw)
	}
	return string(activity.Marshal(raw))
}

func list(raw json.RawMessage) string {
	elements, err := strictjson.Elements(raw)
	if err != nil {
		return string(raw)
	}
	var parts []string
	for _, e := range elements {
		switch e[0] {
		case '{', '[':
			return simple(raw)
		case 'n':
		default:
			parts = append(parts, simple(e))
		}
	}
	return strings.Join(parts, ", ")
}

// characters counts as the hub's database does: UTF-16 code units.
func characters(s string) (n int) {
	for _, r := range s {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}

// length returns how many characters a value has in the hub.
func (v variable) length() int {
	if v.value[0] != '"' {
		return len(v.value)
	}
	return characters(simple(v.value))
}

// cost returns how many bytes a variable takes in a message: the tags are JSON
// inside of a JSON text.
func (v variable) cost() int { return encoded(v.pair() + ",") }

// encoded returns the length of a text inside of a JSON text.
func encoded(s string) int { return len(activity.Marshal(s)) - len(`""`) }

// instead is what stands for a text that is too long.
func instead(n int, where string) string {
	if where == "" {
		return fmt.Sprintf("(%d characters, more than the hub takes)", n)
	}
	return fmt.Sprintf("(%d characters, more than the hub takes; see %s)", n, where)
}

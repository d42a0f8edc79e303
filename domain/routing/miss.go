package routing

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// An explanation stays small whatever the customer sent: so much of a value is
// kept, and of the values of one condition together.
const (
	maxWas       = 256
	maxWasObject = 1024
)

// miss tells one near miss in full.
func (r *RuleSet) miss(f *facts, c candidate) Miss {
	u := &r.rules[c.rule]
	k := &u.clauses[c.first]
	m := Miss{Rule: u.name, RuleIndex: c.rule, Condition: k.code(), Failed: c.first, Others: c.failed - 1}
	if e, ok := f.errorOf(c.rule); ok {
		text, cut := cutText(e.err.Error())
		m.Kind, m.Was, m.WasCut = KindError, marshal(text), cut
		return m
	}
	m.Kind = k.test(f).kind()
	switch {
	case k.when != nil:
		m.Was, m.WasCut = f.wasObject(k.when.reads)
	case k.any:
		m.Was, m.WasCut = f.wasObject(k.names())
	default:
		s := k.conditions[0].subject
		if m.Kind == KindFalse && f.get(s).defaulted {
			m.Kind = KindDefault
		}
		m.Was, m.WasCut = f.was(s)
	}
	return m
}

// kind is how a verdict is stored. A clause is asked a second time for its
// miss; where the work has run out by then, all that is known is that it did
// not hold.
func (v verdict) kind() Kind {
	switch v {
	case missing:
		return KindMissing
	case mismatch:
		return KindMismatch
	}
	return KindFalse
}

// names returns what the conditions of a clause look at.
func (c *clause) names() []string {
	list := make([]string, len(c.conditions))
	for i := range c.conditions {
		list[i] = c.conditions[i].name
	}
	return list
}

// was returns the value of a subject as it came, or nil where there is none,
// and whether it had to be cut.
func (f *facts) was(s subject) (json.RawMessage, bool) {
	if s.field == fieldVariable {
		raw, _ := f.raw(&f.set.variables[s.variable])
		return wasJSON(raw)
	}
	switch fieldTable[s.field].nature {
	case natureText:
		if text := *f.in.textField(s.field); text != "" {
			short, cut := cutText(text)
			return marshal(short), cut
		}
	case natureTexts:
		return wasTexts(*f.in.listField(s.field))
	case natureFlag:
		return marshal(f.in.Customer.Verified), false
	case natureNumber:
		if p := f.in.WishedPriority; p != nil {
			return marshal(*p), false
		}
	case natureTime:
		return marshal(f.local.Format("Mon 2006-01-02 15:04")), false
	}
	return nil, false
}

// wasJSON keeps a short JSON value, and of another the beginning as text. The
// value is kept in the form in which a fact stores it (no blanks, <, > and &
// escaped), so that a decision read from the log equals the one that was made.
func wasJSON(raw json.RawMessage) (json.RawMessage, bool) {
	if raw == nil {
		return nil, false
	}
	if len(raw) <= maxWas && json.Valid(raw) {
		return marshal(raw), false
	}
	text, cut := cutText(string(raw))
	return marshal(text), cut
}

// wasTexts keeps the first texts of a list, as many as fit.
func wasTexts(list []string) (json.RawMessage, bool) {
	if len(list) == 0 {
		return nil, false
	}
	var kept []string
	size, anyCut := 0, false
	for _, s := range list {
		text, cut := cutText(s)
		anyCut = anyCut || cut
		if size += len(text); size > maxWasObject {
			anyCut = true
			break
		}
		kept = append(kept, text)
	}
	return marshal(kept), anyCut
}

// wasObject returns the values of several names as an object.
func (f *facts) wasObject(names []string) (json.RawMessage, bool) {
	object := map[string]json.RawMessage{}
	size, anyCut := 0, false
	for _, name := range names {
		raw, cut := f.wasNamed(name)
		if raw == nil {
			continue
		}
		anyCut = anyCut || cut
		if size += len(raw); size > maxWasObject+maxWas {
			anyCut = true
			break
		}
		object[name] = raw
	}
	if len(object) == 0 {
		return nil, anyCut
	}
	return marshal(object), anyCut
}

// wasNamed returns the value of a field or variable by name; of a part of the
// time the whole time.
func (f *facts) wasNamed(name string) (json.RawMessage, bool) {
	if s, ok := f.set.subjects[name]; ok {
		return f.was(s)
	}
	if name == "time" || strings.HasPrefix(name, "time.") {
		return f.was(subject{field: fieldTime})
	}
	return wasJSON(f.in.Variables[name])
}

// cutText returns at most maxWas bytes of s, ending between characters.
func cutText(s string) (string, bool) {
	if len(s) <= maxWas {
		return s, false
	}
	end := maxWas
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end], true
}

// marshal is for values that JSON always has.
func marshal(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return raw
}

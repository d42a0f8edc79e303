package routing

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"cel.dev/cel-go/common/types/ref"
)

// Work is counted so that a decision takes bounded time whatever comes in, and
// the same on every machine (a clock would not be). One unit is sixteen bytes
// of text compared; a unit of CEL's cost (measured: up to 0.4 µs) counts tenfold.
const (
	routeWork      = 2_000_000
	celUnit        = 10
	expressionCost = routeWork / celUnit / 2 // in CEL's units, for one `when`
	testsWork      = 5 * routeWork
)

// shape is what a value turned out to be.
type shape uint8

const (
	shapeUnread shape = iota
	shapeAbsent
	shapeText
	shapeTexts
	shapeNumber
	shapeFlag
	shapeTime
	shapeOther // an object, or a list that is not all text
)

// number is a number as JSON has it: exact where it is a whole one.
type number struct {
	float   float64
	integer int64
	exact   bool
}

func (n number) compare(m number) int {
	if n.exact && m.exact {
		return cmp.Compare(n.integer, m.integer)
	}
	return cmp.Compare(n.float, m.float)
}

// plain returns the number as encoding/json should write it.
func (n number) plain() any {
	if n.exact {
		return n.integer
	}
	return n.float
}

// value is one value of an escalation, made ready to be compared.
type value struct {
	shape     shape
	defaulted bool // the file's default stands for a missing value
	flag      bool
	number    number
	text      string // folded
	texts     []string
}

// facts is one escalation as the rules see it, read as far as they ask.
type facts struct {
	set       *RuleSet
	in        *Input
	local     time.Time
	work      int // what is left
	fields    [fieldCount]value
	variables []value
	bound     []ref.Val // variables for `when`
	// unbound is how the last variable that `when` could not have is unfit.
	unbound verdict
	// reason is why the last condition failed while it ran; errors are those
	// that made a rule a miss.
	reason error
	errors []ruleError
}

// ruleError is a rule that was given up because a clause of it failed.
type ruleError struct {
	rule, clause int
	err          error
}

// fail records why a condition fails while it runs.
func (f *facts) fail(err error) verdict {
	f.reason = err
	return failed
}

// errorOf returns the error that made a rule a miss.
func (f *facts) errorOf(rule int) (ruleError, bool) {
	for _, e := range f.errors {
		if e.rule == rule {
			return e, true
		}
	}
	return ruleError{}, false
}

func newFacts(r *RuleSet, in *Input) *facts {
	return &facts{set: r, in: in, local: in.At.In(r.location), work: routeWork, variables: make([]value, len(r.variables))}
}

func (f *facts) get(s subject) *value {
	if s.field == fieldVariable {
		v := &f.variables[s.variable]
		if v.shape == shapeUnread {
			f.readVariable(&f.set.variables[s.variable], v)
		}
		return v
	}
	v := &f.fields[s.field]
	if v.shape == shapeUnread {
		f.readField(s.field, v)
	}
	return v
}

func (f *facts) readField(id field, v *value) {
	v.shape = shapeAbsent
	switch fieldTable[id].nature {
	case natureText:
		if s := *f.in.textField(id); s != "" {
			v.shape, v.text = shapeText, fold(s)
		}
	case natureTexts:
		if list := *f.in.listField(id); len(list) > 0 {
			v.shape, v.texts = shapeTexts, make([]string, len(list))
			for i, s := range list {
				v.texts[i] = fold(s)
			}
		}
	case natureFlag:
		v.shape, v.flag = shapeFlag, f.in.Customer.Verified
	case natureNumber:
		if p := f.in.WishedPriority; p != nil {
			v.shape, v.number = shapeNumber, number{float64(*p), int64(*p), true}
		}
	case natureTime:
		v.shape = shapeTime
	}
}

// textField returns where a text field stands, or nil for another field.
func (in *Input) textField(id field) *string {
	switch id {
	case fieldTopic:
		return &in.Topic
	case fieldLastPhrase:
		return &in.LastPhrase
	case fieldLanguage:
		return &in.Language
	case fieldChannel:
		return &in.Channel
	case fieldReason:
		return &in.Reason
	case fieldBotID:
		return &in.BotID
	case fieldBotName:
		return &in.BotName
	case fieldWishesQueue:
		return &in.WishedQueue
	}
	return in.Customer.textField(id)
}

func (c *Customer) textField(id field) *string {
	switch id {
	case fieldCustomerID:
		return &c.ID
	case fieldCustomerName:
		return &c.Name
	case fieldCustomerEmail:
		return &c.Email
	case fieldCustomerPhone:
		return &c.Phone
	case fieldCustomerPageURL:
		return &c.PageURL
	case fieldCustomerTimeZone:
		return &c.TimeZone
	}
	return nil
}

// listField returns where a list of texts stands, or nil for another field.
func (in *Input) listField(id field) *[]string {
	switch id {
	case fieldTopics:
		return &in.Topics
	case fieldPhrases:
		return &in.Phrases
	case fieldWishesSkills:
		return &in.WishedSkills
	}
	return nil
}

// raw returns a variable as the bot sent it, or the default, or nil. What
// means nothing (null, "" and []) counts as not sent: bots fill variables that
// were never set with it.
func (f *facts) raw(v *variable) (raw json.RawMessage, defaulted bool) {
	raw = bytes.TrimSpace(f.in.Variables[v.name])
	switch string(raw) {
	case "", "null", `""`, "[]":
		return v.fallback, v.fallback != nil
	}
	return raw, false
}

func (f *facts) readVariable(d *variable, v *value) {
	raw, defaulted := f.raw(d)
	if raw == nil {
		v.shape = shapeAbsent
		return
	}
	v.read(raw)
	v.defaulted = defaulted
}

// read takes a JSON value; whatever is none, or is an object, is shapeOther.
func (v *value) read(raw json.RawMessage) {
	v.shape = shapeOther
	switch raw[0] {
	case '"':
		if s, ok := readText(raw); ok {
			v.shape, v.text = shapeText, fold(s)
		}
	case 't', 'f':
		if s := string(raw); s == "true" || s == "false" {
			v.shape, v.flag = shapeFlag, s == "true"
		}
	case '[':
		var list []*string
		if json.Unmarshal(raw, &list) == nil {
			v.readTexts(list)
		}
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		if n, ok := readNumber(raw); ok {
			v.shape, v.number = shapeNumber, n
		}
	}
}

func (v *value) readTexts(list []*string) {
	texts := make([]string, len(list))
	for i, s := range list {
		if s == nil {
			return
		}
		texts[i] = fold(*s)
	}
	v.shape, v.texts = shapeTexts, texts
}

// readText decodes a JSON string, at no cost where it has no escapes.
func readText(raw json.RawMessage) (string, bool) {
	if n := len(raw); n >= 2 && raw[n-1] == '"' && isSimple(raw[1:n-1]) {
		return string(raw[1 : n-1]), true
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err == nil
}

// isSimple reports whether a JSON string's inside stands for itself.
func isSimple(inside []byte) bool {
	for _, c := range inside {
		if c < ' ' || c == '"' || c == '\\' {
			return false
		}
	}
	return utf8.Valid(inside)
}

func readNumber(raw json.RawMessage) (number, bool) {
	if !json.Valid(raw) { // ParseFloat takes more than JSON does
		return number{}, false
	}
	s := string(raw)
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return number{float64(i), i, true}, true
	}
	d, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(d, 0) {
		return number{}, false
	}
	return number{float: d}, true
}

package odata

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Row is one entity: texts, float64 numbers, booleans and nil by column.
type Row = map[string]any

// Expr is a parsed $filter.
type Expr struct {
	columns []string
	match   func(Row) bool
}

// Columns returns the columns that the expression reads.
func (e *Expr) Columns() []string {
	if e == nil {
		return nil
	}
	return e.columns
}

// Match reports whether a row passes. Without an expression every row does.
func (e *Expr) Match(r Row) bool { return e == nil || e.match(r) }

// ParseFilter reads a $filter (OData 4.0 part 2, section 5.1.1.1) as far as it
// is used here: eq, ne, gt, ge, lt, le, and, or, not, parentheses, contains,
// startswith and endswith. With fold, texts are compared without regard to
// case, as Dataverse and Graph do and the discovery service does not.
func ParseFilter(text string, fold bool) (*Expr, error) {
	p := &parser{tokens: tokens.FindAllString(text, -1), fold: fold}
	if strings.Count(text, "'")%2 != 0 {
		return nil, errorf("a text in the filter is not closed")
	}
	e := &Expr{}
	var err error
	if e.match, err = p.or(); err != nil {
		return nil, err
	}
	if p.peek() != "" {
		return nil, errorf("%q is not expected in a filter", p.peek())
	}
	e.columns = p.columns
	return e, nil
}

var tokens = regexp.MustCompile(`'(?:[^']|'')*'|[(),]|[^\s(),']+`)

type parser struct {
	tokens  []string
	at      int
	fold    bool
	columns []string
}

func (p *parser) peek() string {
	if p.at < len(p.tokens) {
		return p.tokens[p.at]
	}
	return ""
}

func (p *parser) take() string {
	t := p.peek()
	p.at++
	return t
}

// took takes the next token if it is the given one.
func (p *parser) took(t string) bool {
	if p.peek() != t {
		return false
	}
	p.at++
	return true
}

func (p *parser) or() (func(Row) bool, error) {
	return p.chain("or", p.and, func(a, b func(Row) bool) func(Row) bool {
		return func(r Row) bool { return a(r) || b(r) }
	})
}

func (p *parser) and() (func(Row) bool, error) {
	return p.chain("and", p.not, func(a, b func(Row) bool) func(Row) bool {
		return func(r Row) bool { return a(r) && b(r) }
	})
}

func (p *parser) chain(word string, part func() (func(Row) bool, error), join func(a, b func(Row) bool) func(Row) bool) (func(Row) bool, error) {
	all, err := part()
	for err == nil && p.took(word) {
		var next func(Row) bool
		if next, err = part(); err == nil {
			all = join(all, next)
		}
	}
	return all, err
}

func (p *parser) not() (func(Row) bool, error) {
	if !p.took("not") {
		return p.primary()
	}
	inner, err := p.not()
	return func(r Row) bool { return !inner(r) }, err
}

func (p *parser) primary() (func(Row) bool, error) {
	if p.took("(") {
		inner, err := p.or()
		if err == nil && !p.took(")") {
			err = errorf("a parenthesis is not closed")
		}
		return inner, err
	}
	word := p.take()
	if p.peek() == "(" {
		return p.function(word)
	}
	left, err := p.operand(word)
	if err != nil {
		return nil, err
	}
	operator := p.take()
	right, err := p.operand(p.take())
	if err != nil {
		return nil, err
	}
	holds, ok := comparisons()[operator]
	if !ok {
		return nil, errorf("%q is no operator", operator)
	}
	return func(r Row) bool { return holds(left(r), right(r), p.fold) }, nil
}

func (p *parser) function(name string) (func(Row) bool, error) {
	test, ok := map[string]func(s, part string) bool{
		"contains": strings.Contains, "startswith": strings.HasPrefix, "endswith": strings.HasSuffix,
	}[name]
	if !ok {
		return nil, errorf("the function %q is not supported", name)
	}
	p.took("(")
	subject, err := p.operand(p.take())
	if err != nil || !p.took(",") {
		return nil, errorf("%s has two arguments", name)
	}
	part, err := p.operand(p.take())
	if err != nil || !p.took(")") {
		return nil, errorf("%s has two arguments", name)
	}
	return func(r Row) bool {
		s, isText := subject(r).(string)
		sub, partIsText := part(r).(string)
		if p.fold {
			s, sub = strings.ToLower(s), strings.ToLower(sub)
		}
		return isText && partIsText && test(s, sub)
	}, nil
}

// operand reads a literal or the name of a column.
func (p *parser) operand(t string) (func(Row) any, error) {
	constant := func(v any) (func(Row) any, error) { return func(Row) any { return v }, nil }
	switch {
	case t == "" || t == ")" || t == ",":
		return nil, errorf("the filter ends too early")
	case t[0] == '\'':
		return constant(strings.ReplaceAll(t[1:len(t)-1], "''", "'"))
	case t == "null":
		return constant(nil)
	case t == "true" || t == "false":
		return constant(t == "true")
	case IsGUID(t):
		return constant(strings.ToLower(t))
	}
	if n, err := strconv.ParseFloat(t, 64); err == nil {
		return constant(n)
	}
	if at, err := time.Parse(time.RFC3339Nano, t); err == nil {
		return constant(at)
	}
	if !name.MatchString(t) {
		return nil, errorf("%q is neither a value nor a column", t)
	}
	p.columns = append(p.columns, t)
	return func(r Row) any { return r[t] }, nil
}

var name = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// comparisons are the operators. Null equals null alone and has no order.
func comparisons() map[string]func(a, b any, fold bool) bool {
	ordered := func(holds func(int) bool) func(a, b any, fold bool) bool {
		return func(a, b any, fold bool) bool {
			c, ok := compare(a, b, fold)
			return ok && holds(c)
		}
	}
	equal := func(a, b any, fold bool) bool {
		c, ok := compare(a, b, fold)
		return a == nil && b == nil || ok && c == 0
	}
	return map[string]func(a, b any, fold bool) bool{
		"eq": equal,
		"ne": func(a, b any, fold bool) bool { return !equal(a, b, fold) },
		"gt": ordered(func(c int) bool { return c > 0 }),
		"ge": ordered(func(c int) bool { return c >= 0 }),
		"lt": ordered(func(c int) bool { return c < 0 }),
		"le": ordered(func(c int) bool { return c <= 0 }),
	}
}

func compare(a, b any, fold bool) (int, bool) {
	if at, bt, ok := times(a, b); ok {
		return at.Compare(bt), true
	}
	switch a := a.(type) {
	case string:
		b, ok := b.(string)
		if fold {
			a, b = strings.ToLower(a), strings.ToLower(b)
		}
		return strings.Compare(a, b), ok
	case float64:
		b, ok := b.(float64)
		return cmp.Compare(a, b), ok
	case bool:
		b, ok := b.(bool)
		return cmp.Compare(truth(a), truth(b)), ok
	}
	return 0, false
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// times reads both as instants, if one of them is one.
func times(a, b any) (at, bt time.Time, ok bool) {
	at, aIs := a.(time.Time)
	bt, bIs := b.(time.Time)
	if !aIs && !bIs {
		return at, bt, false
	}
	var err error
	if text, isText := a.(string); isText {
		at, err = time.Parse(time.RFC3339Nano, text)
		aIs = err == nil
	}
	if text, isText := b.(string); isText {
		bt, err = time.Parse(time.RFC3339Nano, text)
		bIs = err == nil
	}
	return at, bt, aIs && bIs
}

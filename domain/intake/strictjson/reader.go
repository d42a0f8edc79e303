// Package strictjson reads JSON that strangers wrote, in one pass.
//
// It promises what encoding/json does not: names match exactly, a name occurs
// once in an object at every level, nesting is bounded, nothing follows the
// value, the text is UTF-8, and every error says where it is, by line and
// column if the text is no JSON and by RFC 6901 pointer if a value is of the
// wrong kind. A byte order mark before the text is skipped, as RFC 8259 §8.1
// permits. Half of a surrogate pair (\ud83d alone) reads as U+FFFD: bots that
// cut a text through an emoji write that, and a hand-off must not die of it.
package strictjson

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"handoff/domain/fault"
)

// MaxDepth is how deep objects and lists may be nested.
const MaxDepth = 100

// Reader is a place in a JSON text. Its methods read the value at that place
// and move behind it. It is not safe for concurrent use; the zero value reads
// an empty text.
type Reader struct {
	data  []byte
	pos   int
	depth int
	names [][]byte // those of the objects around pos, innermost last
}

// Read opens data, calls read once, and demands that nothing but white space
// follows what it read. What is read shares no memory with data.
func Read(data []byte, read func(r *Reader) error) error {
	r := &Reader{data: bytes.Clone(data)}
	if i := invalidUTF8(r.data); i >= 0 {
		r.pos = i
		return r.broken("is not valid UTF-8")
	}
	if bytes.HasPrefix(r.data, []byte("\ufeff")) {
		r.pos = len("\ufeff")
	}
	if err := read(r); err != nil {
		return err
	}
	if r.space(); r.pos < len(r.data) {
		return r.broken("has something after its end")
	}
	return nil
}

// Members reads an object and returns the raw value of each name.
func Members(data []byte) (map[string]json.RawMessage, error) {
	var m map[string]json.RawMessage
	err := Read(data, func(r *Reader) (err error) {
		m, err = r.Members()
		return err
	})
	return m, err
}

// Elements reads a list and returns the raw value of each element.
func Elements(data []byte) ([]json.RawMessage, error) {
	var list []json.RawMessage
	err := Read(data, func(r *Reader) error {
		return r.Array(func(int) error {
			raw, err := r.Raw()
			list = append(list, raw)
			return err
		})
	})
	return list, err
}

// Object reads an object and calls field at the value of each name, which must
// read it. Errors of kind Unprocessable get the name added to their pointer.
func (r *Reader) Object(field func(name string) error) error {
	if err := r.expect(Object); err != nil {
		return err
	}
	return r.members(func(name []byte) error {
		if err := field(string(name)); err != nil {
			return Under(Segment(string(name)), err)
		}
		return nil
	})
}

// Array reads a list and calls item at each element, which must read it.
// Errors of kind Unprocessable get the index added to their pointer.
func (r *Reader) Array(item func(i int) error) error {
	if err := r.expect(Array); err != nil {
		return err
	}
	return r.elements(func(i int) error {
		if err := item(i); err != nil {
			return Under(Index(i), err)
		}
		return nil
	})
}

// Members reads an object and returns the raw value of each name.
func (r *Reader) Members() (map[string]json.RawMessage, error) {
	m := make(map[string]json.RawMessage)
	err := r.Object(func(name string) (err error) {
		m[name], err = r.Raw()
		return err
	})
	return m, err
}

// Raw reads any value and returns it as it is written.
func (r *Reader) Raw() (json.RawMessage, error) {
	r.space()
	from := r.pos
	if err := r.skip(); err != nil {
		return nil, err
	}
	return json.RawMessage(r.data[from:r.pos:r.pos]), nil
}

// Kind returns the kind of the value that comes next and does not read it.
func (r *Reader) Kind() Kind {
	r.space()
	if r.pos >= len(r.data) {
		return Nothing
	}
	return KindOf(r.data[r.pos])
}

func (r *Reader) expect(want Kind) error {
	got := r.Kind()
	switch got {
	case want:
		return nil
	case Nothing:
		return r.broken("ends or breaks off where a value is expected")
	}
	return fault.Newf(fault.Unprocessable, "field-invalid", "Expected %s and found %s.", want, got)
}

func (r *Reader) members(value func(name []byte) error) error {
	if err := r.enter(); err != nil {
		return err
	}
	seen := scope{base: len(r.names)}
	for first := true; ; first = false {
		done, err := r.next('}', first)
		if err != nil || done {
			r.names = r.names[:seen.base]
			return err
		}
		name, err := r.name(&seen)
		if err != nil {
			return err
		}
		if err := value(name); err != nil {
			return err
		}
	}
}

func (r *Reader) elements(value func(i int) error) error {
	if err := r.enter(); err != nil {
		return err
	}
	for i := 0; ; i++ {
		if done, err := r.next(']', i == 0); err != nil || done {
			return err
		}
		if err := value(i); err != nil {
			return err
		}
	}
}

// enter steps behind the bracket at pos.
func (r *Reader) enter() error {
	if r.depth++; r.depth > MaxDepth {
		line, column := r.place()
		return fault.Newf(fault.Unprocessable, "limit-exceeded",
			"Nested deeper than %d levels at line %d, column %d.", MaxDepth, line, column)
	}
	r.pos++
	return nil
}

// next steps to the next element of an object or list, or behind its end.
func (r *Reader) next(end byte, first bool) (done bool, err error) {
	r.space()
	switch c := r.peek(); {
	case c == end:
		r.pos++
		r.depth--
		return true, nil
	case first:
		return false, nil
	case c != ',':
		return false, r.broken("lacks a comma or a closing bracket")
	}
	r.pos++
	if r.space(); r.peek() == end {
		return false, r.broken("has a comma before a closing bracket")
	}
	return false, nil
}

// name reads the name of a member and the colon behind it.
func (r *Reader) name(seen *scope) ([]byte, error) {
	if r.peek() != '"' {
		return nil, r.broken("lacks a name in double quotes")
	}
	start := r.pos
	name, err := r.text()
	if err != nil {
		return nil, err
	}
	if seen.repeats(r, name) {
		r.pos = start
		return nil, r.broken("has the same name twice in one object")
	}
	if r.space(); r.peek() != ':' {
		return nil, r.broken("lacks a colon after a name")
	}
	r.pos++
	return name, nil
}

// scope remembers the names of one object: the few of most objects on the
// reader's own stack, those of a large one in a map, or a hostile object of
// many names would cost their square.
type scope struct {
	base  int
	large map[string]struct{}
}

const fewNames = 16

func (s *scope) repeats(r *Reader, name []byte) bool {
	if s.large != nil {
		_, twice := s.large[string(name)]
		s.large[string(name)] = struct{}{}
		return twice
	}
	mine := r.names[s.base:]
	for _, n := range mine {
		if bytes.Equal(n, name) {
			return true
		}
	}
	r.names = append(r.names, name)
	if len(mine) < fewNames {
		return false
	}
	s.large = make(map[string]struct{}, 4*fewNames)
	for _, n := range r.names[s.base:] {
		s.large[string(n)] = struct{}{}
	}
	return false
}

func invalidUTF8(data []byte) int {
	if utf8.Valid(data) {
		return -1
	}
	for i := 0; i < len(data); {
		c, size := utf8.DecodeRune(data[i:])
		if c == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

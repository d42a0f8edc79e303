package strictjson

import (
	"bytes"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"handoff/domain/fault"
)

// Kind is the kind of a JSON value.
type Kind uint8

// The kinds. Nothing means that no value begins here.
const (
	Nothing Kind = iota
	Null
	Bool
	Number
	Text
	Array
	Object
)

// String returns the kind in words for people.
func (k Kind) String() string {
	return [...]string{"nothing", "null", "true or false", "a number", "a text", "a list", "an object"}[k]
}

// KindOf returns the kind of the value that begins with c.
func KindOf(c byte) Kind {
	switch {
	case c == '{':
		return Object
	case c == '[':
		return Array
	case c == '"':
		return Text
	case c == 't' || c == 'f':
		return Bool
	case c == 'n':
		return Null
	case c == '-' || c >= '0' && c <= '9':
		return Number
	}
	return Nothing
}

// skip reads any value.
func (r *Reader) skip() error {
	switch r.Kind() {
	case Object:
		return r.members(func([]byte) error { return r.skip() })
	case Array:
		return r.elements(func(int) error { return r.skip() })
	case Text:
		_, _, err := r.quoted()
		return err
	case Number:
		return r.number()
	case Bool, Null:
		return r.word()
	default:
		return r.broken("ends or breaks off where a value is expected")
	}
}

// text reads a text. It shares memory with the reader where nothing in it is
// escaped.
func (r *Reader) text() ([]byte, error) {
	raw, escaped, err := r.quoted()
	if err != nil || !escaped {
		return raw, err
	}
	return unescape(raw), nil
}

// quoted reads a text and returns what stands between its quotes.
func (r *Reader) quoted() (raw []byte, escaped bool, err error) {
	start := r.pos + 1
	for i := start; i < len(r.data); i++ {
		switch c := r.data[i]; {
		case c == '"':
			r.pos = i + 1
			return r.data[start:i:i], escaped, nil
		case c == '\\':
			escaped = true
			n := escapeLength(r.data[i+1:])
			if n == 0 {
				r.pos = i
				return nil, false, r.broken("has a backslash that escapes nothing known")
			}
			i += n
		case c < ' ':
			r.pos = i
			return nil, false, r.broken("has a control character in a text (a line break is written \\n)")
		}
	}
	r.pos = len(r.data)
	return nil, false, r.broken("breaks off inside a text")
}

// escapeLength returns how many bytes after the backslash belong to it, or 0.
func escapeLength(after []byte) int {
	if len(after) == 0 {
		return 0
	}
	if strings.IndexByte(`"\/bfnrt`, after[0]) >= 0 {
		return 1
	}
	if after[0] != 'u' || len(after) < 5 {
		return 0
	}
	for _, c := range after[1:5] {
		if !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
			return 0
		}
	}
	return 5
}

// unescape returns the text that quoted has found to be well formed.
func unescape(raw []byte) []byte {
	out := make([]byte, 0, len(raw))
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return append(out, raw...)
		}
		out, raw = append(out, raw[:i]...), raw[i:]
		if raw[1] == 'u' {
			c, n := unit(raw)
			out, raw = utf8.AppendRune(out, c), raw[n:]
			continue
		}
		out, raw = append(out, short(raw[1])), raw[2:]
	}
}

// short returns what a backslash and c stand for (RFC 8259 §7).
func short(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// unit returns the character at the \u with which raw begins, and how many
// bytes it takes: twelve for a surrogate pair.
func unit(raw []byte) (c rune, n int) {
	c = hex(raw[2:6])
	if !utf16.IsSurrogate(c) {
		return c, 6
	}
	if len(raw) >= 12 && raw[6] == '\\' && raw[7] == 'u' {
		if pair := utf16.DecodeRune(c, hex(raw[8:12])); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return utf8.RuneError, 6
}

func hex(digits []byte) (n rune) {
	for _, c := range digits {
		if isDigit(c) {
			n = n<<4 | rune(c-'0')
		} else {
			n = n<<4 | rune(c|0x20-'a'+10)
		}
	}
	return n
}

// number reads a number (RFC 8259 §6).
func (r *Reader) number() error {
	if r.peek() == '-' {
		r.pos++
	}
	switch c := r.peek(); {
	case c == '0':
		r.pos++
	case isDigit(c):
		r.digits()
	default:
		return r.broken("has a minus sign without a number")
	}
	if r.peek() == '.' {
		r.pos++
		if !r.digits() {
			return r.broken("has a number without digits after its point")
		}
	}
	if r.peek()|0x20 == 'e' {
		r.pos++
		if c := r.peek(); c == '+' || c == '-' {
			r.pos++
		}
		if !r.digits() {
			return r.broken("has a number without digits in its exponent")
		}
	}
	return nil
}

func (r *Reader) digits() bool {
	from := r.pos
	for isDigit(r.peek()) {
		r.pos++
	}
	return r.pos > from
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// word reads true, false or null.
func (r *Reader) word() error {
	for _, w := range [...]string{"true", "false", "null"} {
		if bytes.HasPrefix(r.data[r.pos:], []byte(w)) {
			r.pos += len(w)
			return nil
		}
	}
	return r.broken("has a word that is none of true, false and null")
}

func (r *Reader) space() {
	for r.pos < len(r.data) {
		switch r.data[r.pos] {
		case ' ', '\n', '\r', '\t':
			r.pos++
		default:
			return
		}
	}
}

// peek returns the byte at pos, or 0, which begins nothing in JSON.
func (r *Reader) peek() byte {
	if r.pos < len(r.data) {
		return r.data[r.pos]
	}
	return 0
}

// broken returns the fault of a text that is no JSON at pos. It quotes nothing
// of the text, which is personal.
func (r *Reader) broken(how string) *fault.Error {
	if len(bytes.TrimSpace(r.data)) == 0 {
		return fault.New(fault.Invalid, "json-invalid", "The body is empty.")
	}
	line, column := r.place()
	return fault.Newf(fault.Invalid, "json-invalid", "The JSON %s, at line %d, column %d.", how, line, column)
}

// place returns line and column of pos, both from 1, the column in characters.
func (r *Reader) place() (line, column int) {
	before := r.data[:r.pos]
	line = 1 + bytes.Count(before, []byte("\n"))
	return line, 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
}

package routing

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxDepth is how deep a file may nest.
const maxDepth = 32

// yamlError takes the line out of an error of the YAML parser, which has it in
// its text only.
var yamlError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// document reads the only document of a file, or records why it can't.
func (f *findings) document(source []byte) *yaml.Node {
	decoder := yaml.NewDecoder(bytes.NewReader(source))
	var doc, second yaml.Node
	err := decode(decoder, &doc)
	if errors.Is(err, io.EOF) {
		f.addAt(1, 1, "the file is empty")
		return nil
	}
	if err != nil {
		f.syntax(err)
		return nil
	}
	if err := decode(decoder, &second); err == nil {
		f.addAt(max(second.Line, 1), max(second.Column, 1), "a rules file is one YAML document, and a second one starts here")
	} else if !errors.Is(err, io.EOF) {
		f.syntax(err)
	}
	if len(doc.Content) != 1 || !f.plain(doc.Content[0], 0) {
		return nil
	}
	return doc.Content[0]
}

// decode guards against a YAML parser that panics at odd bytes: a rules file
// comes from outside, and no file may bring the process down.
func decode(d *yaml.Decoder, n *yaml.Node) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("yaml: can't be read: %v", p)
		}
	}()
	return d.Decode(n)
}

func (f *findings) syntax(err error) {
	line, detail := 1, err.Error()
	if m := yamlError.FindStringSubmatch(detail); m != nil {
		line, detail = lineOf(m[1], m[2]), m[2]
	}
	f.addAt(line, 1, "not YAML: %s", detail)
}

// lineOf returns the line that a YAML error means. yaml.v3 counts the lines of
// what its scanner finds from 1, but of what its parser finds from 0, and says
// none for line 0; the parser's wording tells them apart.
func lineOf(number, detail string) int {
	line, err := strconv.Atoi(number)
	if err != nil {
		return 1
	}
	if strings.HasPrefix(detail, "did not find expected") {
		line++
	}
	return line
}

// plain records whatever goes beyond plain YAML: aliases (a few bytes of which
// can stand for gigabytes), anchors, merges, tags, deep nesting.
func (f *findings) plain(n *yaml.Node, depth int) bool {
	switch {
	case depth > maxDepth:
		f.add(n, "nested more than %d levels deep", maxDepth)
		return false
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		f.add(n, "anchors and aliases are not allowed: write the value out")
		return false
	case n.Style&yaml.TaggedStyle != 0 || n.Tag == "!!merge":
		f.add(n, "tags and merges are not allowed: write a plain value")
		return false
	}
	ok := true
	for _, c := range n.Content {
		ok = f.plain(c, depth+1) && ok
	}
	return ok
}

// pair is a key of a mapping and its value.
type pair struct{ key, value *yaml.Node }

// pairs returns the entries of a mapping; keys are text, and no key comes twice.
func (f *findings) pairs(n *yaml.Node, what string) []pair {
	if n.Kind != yaml.MappingNode {
		f.add(n, "%s must be a mapping of keys to values, not %s", what, kindOf(n))
		return nil
	}
	list := make([]pair, 0, len(n.Content)/2)
	seen := make(map[string]bool, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		p := pair{n.Content[i], n.Content[i+1]}
		switch {
		case p.key.Kind != yaml.ScalarNode:
			f.add(p.key, "a key of %s must be text", what)
		case seen[p.key.Value]:
			f.add(p.key, "key %q comes twice in %s", p.key.Value, what)
		default:
			seen[p.key.Value] = true
			list = append(list, p)
		}
	}
	return list
}

// mapping returns the entries of a mapping by key, and records unknown keys.
func (f *findings) mapping(n *yaml.Node, what string, known ...string) map[string]*yaml.Node {
	entries := map[string]*yaml.Node{}
	for _, p := range f.pairs(n, what) {
		if !slices.Contains(known, p.key.Value) {
			f.add(p.key, "unknown key %q in %s%s", p.key.Value, what, suggest(p.key.Value, known))
			continue
		}
		entries[p.key.Value] = p.value
	}
	return entries
}

// items returns the entries of a list of at most limit.
func (f *findings) items(n *yaml.Node, what string, limit int) []*yaml.Node {
	if n.Kind != yaml.SequenceNode {
		f.add(n, "%s must be a list, not %s", what, kindOf(n))
		return nil
	}
	if len(n.Content) > limit {
		f.add(n.Content[limit], "%s has %d entries, at most %d are allowed", what, len(n.Content), limit)
		return n.Content[:limit]
	}
	return n.Content
}

// text returns a scalar as it is written, of 1 to limit characters.
func (f *findings) text(n *yaml.Node, what string, limit int) (string, bool) {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		f.add(n, "%s must be text, not %s", what, kindOf(n))
		return "", false
	}
	if length := utf8.RuneCountInString(n.Value); length == 0 || length > limit {
		f.add(n, "%s must have 1 to %d characters, not %d", what, limit, length)
		return "", false
	}
	return n.Value, true
}

// integer returns a whole number from low to high.
func (f *findings) integer(n *yaml.Node, what string, low, high int) (int, bool) {
	var i int
	if n.Kind != yaml.ScalarNode || n.Tag != "!!int" || n.Decode(&i) != nil || i < low || i > high {
		f.add(n, "%s must be a whole number from %d to %d, not %s", what, low, high, kindOf(n))
		return 0, false
	}
	return i, true
}

// boolean returns true or false.
func (f *findings) boolean(n *yaml.Node, what string) (value, ok bool) {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" || n.Decode(&value) != nil {
		f.add(n, "%s must be true or false, not %s", what, kindOf(n))
		return false, false
	}
	return value, true
}

// kindOf names what a node holds, for people.
func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "nothing"
	case n.Tag == "!!bool", n.Tag == "!!int", n.Tag == "!!float":
		return shorten(n.Value, 40)
	default:
		return strconv.Quote(shorten(n.Value, 40))
	}
}

// shorten returns at most limit bytes of s, marked where it was cut. It is for
// messages; data is never cut unmarked.
func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "…"
}

// jsonOf returns a YAML value as JSON. Dates and other scalars that JSON lacks
// become text as written; numbers that JSON lacks are refused.
func jsonOf(n *yaml.Node) (json.RawMessage, error) {
	v, err := plainOf(n)
	if err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

func plainOf(n *yaml.Node) (any, error) {
	switch n.Kind {
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, c := range n.Content {
			v, err := plainOf(c)
			if err != nil {
				return nil, err
			}
			list[i] = v
		}
		return list, nil
	case yaml.MappingNode:
		object := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			v, err := plainOf(n.Content[i+1])
			if err != nil {
				return nil, err
			}
			object[n.Content[i].Value] = v
		}
		return object, nil
	}
	return scalarOf(n)
}

func scalarOf(n *yaml.Node) (any, error) {
	switch n.Tag {
	case "!!null":
		return nil, nil
	case "!!bool":
		var b bool
		err := n.Decode(&b)
		return b, err
	case "!!int", "!!float":
		num, ok := numberOf(n)
		if !ok {
			return nil, fmt.Errorf("%s is no number that JSON knows", n.Value)
		}
		return num.plain(), nil
	}
	return n.Value, nil
}

// numberOf returns the finite number that a scalar stands for.
func numberOf(n *yaml.Node) (number, bool) {
	var i int64
	if n.Tag == "!!int" && n.Decode(&i) == nil {
		return number{integer: i, float: float64(i), exact: true}, true
	}
	var d float64
	if (n.Tag != "!!int" && n.Tag != "!!float") || n.Decode(&d) != nil || math.IsNaN(d) || math.IsInf(d, 0) {
		return number{}, false
	}
	return number{float: d}, true
}

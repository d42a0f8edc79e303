package botfile

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"handoff/domain/fault"
)

const code = "bot-file-invalid"

// reader walks the nodes of a file and collects what is wrong.
type reader struct {
	file     *File
	findings []fault.Problem
}

// read takes a value that stands at a JSON pointer.
type read func(r *reader, n *yaml.Node, at string)

// fields are the keys that a mapping may have.
type fields map[string]read

func (r *reader) find(n *yaml.Node, format string, args ...any) {
	r.findings = append(r.findings, fault.Problem{Line: n.Line, Column: n.Column, Detail: fmt.Sprintf(format, args...)})
}

func (r *reader) err() error {
	if len(r.findings) == 0 {
		return nil
	}
	slices.SortStableFunc(r.findings, func(a, b fault.Problem) int { return a.Line - b.Line })
	first := r.findings[0]
	f := fault.Newf(fault.Unprocessable, code, "The bot file can't be used, line %d: %s.", first.Line, first.Detail)
	f.Problems = r.findings
	return f
}

func (r *reader) mapping(n *yaml.Node, at string, known fields) {
	if n.Kind != yaml.MappingNode {
		r.find(n, "here stand %s", choice(known))
		return
	}
	seen := make(map[string]bool)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		do, ok := known[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode || !ok:
			r.find(key, "%q is not known here; here may stand %s", key.Value, choice(known))
			continue
		case seen[key.Value]:
			r.find(key, "%q stands here twice", key.Value)
			continue
		}
		seen[key.Value] = true
		pointer := at + "/" + key.Value
		r.file.Lines[pointer] = key.Line
		if !isNull(value) {
			do(r, value, pointer)
		}
	}
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func choice(known fields) string {
	return strings.Join(slices.Sorted(maps.Keys(known)), ", ")
}

// text reads a value that is one text. What YAML takes for a number or a truth
// is a text as well, as it was written.
func text(dst *string) read {
	return func(r *reader, n *yaml.Node, at string) {
		if n.Kind != yaml.ScalarNode {
			r.find(n, "%s is a text", nameOf(at))
			return
		}
		*dst = n.Value
	}
}

// truth reads yes or no. A word that is neither is no consent to anything.
func truth(dst *bool) read {
	return func(r *reader, n *yaml.Node, at string) {
		if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" || n.Decode(dst) != nil {
			r.find(n, "%s is true or false", nameOf(at))
		}
	}
}

func texts(dst *[]string) read {
	return list(func(r *reader, n *yaml.Node, at string) {
		var s string
		text(&s)(r, n, at)
		*dst = append(*dst, s)
	})
}

func group(known fields) read {
	return func(r *reader, n *yaml.Node, at string) { r.mapping(n, at, known) }
}

func list(each read) read {
	return func(r *reader, n *yaml.Node, at string) {
		if n.Kind != yaml.SequenceNode {
			r.find(n, "%s is a list", nameOf(at))
			return
		}
		for i, item := range n.Content {
			pointer := at + "/" + strconv.Itoa(i)
			r.file.Lines[pointer] = item.Line
			each(r, item, pointer)
		}
	}
}

func nameOf(at string) string { return strconv.Quote(at[strings.LastIndexByte(at, '/')+1:]) }

// Package template holds template.yaml to what it promises: functions and
// folders match, roles allow no more than each function needs, tables and
// queues are what the tests of adapters assume, and what fails is noticed.
package template_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// root is the repository, seen from this package.
var root = filepath.Join("..", "..")

// object is a mapping of the template. CloudFormation's functions are mappings
// with one member, whichever way they were written: !Ref Log is {Ref: Log}.
type object = map[string]any

// resource is one of the template's resources.
type resource struct {
	Name, Type string
	Raw        object // with DeletionPolicy, Condition, …
	Properties object
}

// document is the template.
type document struct {
	object
	resources map[string]resource
}

func load(t *testing.T) document {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func parse(text []byte) (document, error) {
	var n yaml.Node
	if err := yaml.Unmarshal(text, &n); err != nil {
		return document{}, fmt.Errorf("read template: %w", err)
	}
	v, err := plain(n.Content[0])
	if err != nil {
		return document{}, err
	}
	d := document{object: v.(object), resources: map[string]resource{}}
	for name, r := range at[object](d.object, "Resources") {
		raw := r.(object)
		d.resources[name] = resource{Name: name, Type: at[string](raw, "Type"), Raw: raw, Properties: at[object](raw, "Properties")}
	}
	return d, nil
}

// plain turns a node into strings, bools, numbers, lists and objects.
func plain(n *yaml.Node) (any, error) {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		return nil, fmt.Errorf("line %d: CloudFormation knows no anchors", n.Line)
	}
	tag := n.Tag
	if strings.HasPrefix(tag, "!!") || tag == "!" {
		tag = ""
	}
	v, err := untagged(n)
	if err != nil || tag == "" {
		return v, err
	}
	name := strings.TrimPrefix(tag, "!")
	if name != "Ref" && name != "Condition" {
		name = "Fn::" + name
	}
	return object{name: v}, nil
}

func untagged(n *yaml.Node) (v any, err error) {
	switch n.Kind {
	case yaml.MappingNode:
		o := object{}
		for i := 0; i < len(n.Content); i += 2 {
			key := n.Content[i].Value
			if _, twice := o[key]; twice {
				return nil, fmt.Errorf("line %d: %s stands here twice", n.Content[i].Line, key)
			}
			if o[key], err = plain(n.Content[i+1]); err != nil {
				return nil, err
			}
		}
		return o, nil
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, c := range n.Content {
			if list[i], err = plain(c); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	if strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") {
		return n.Value, nil
	}
	err = n.Decode(&v)
	return v, err
}

// at returns what stands at a path of objects, or the zero value.
func at[T any](v any, path ...string) (zero T) {
	for _, p := range path {
		o, ok := v.(object)
		if !ok {
			return zero
		}
		v = o[p]
	}
	found, _ := v.(T)
	return found
}

// of returns the resources of a type, by name.
func (d document) of(typ string) []resource {
	var all []resource
	for _, name := range slices.Sorted(maps.Keys(d.resources)) {
		if r := d.resources[name]; r.Type == typ {
			all = append(all, r)
		}
	}
	return all
}

// list returns a value that may be one thing or several as several.
func list(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

// words writes scalars and functions of CloudFormation as one would in a table:
// Log.Arn for {Fn::GetAtt: Log.Arn}, Log for {Ref: Log}.
func words(v any) []string {
	var all []string
	for _, one := range list(v) {
		if o, ok := one.(object); ok {
			for _, name := range []string{"Ref", "Fn::GetAtt", "Fn::Sub"} {
				if s, ok := o[name].(string); ok {
					one = s
				}
			}
		}
		all = append(all, fmt.Sprint(one))
	}
	return all
}

func word(v any) string { return strings.Join(words(v), " ") }

// each calls visit for every object of a value, the outer one first.
func each(v any, visit func(object)) {
	switch v := v.(type) {
	case object:
		visit(v)
		for _, k := range slices.Sorted(maps.Keys(v)) {
			each(v[k], visit)
		}
	case []any:
		for _, one := range v {
			each(one, visit)
		}
	}
}

// equal compares two sets of words and tells how they differ.
func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	for _, s := range got {
		if !slices.Contains(want, s) {
			t.Errorf("%s: %s is too much", what, s)
		}
	}
	for _, s := range want {
		if !slices.Contains(got, s) {
			t.Errorf("%s: %s is missing", what, s)
		}
	}
}

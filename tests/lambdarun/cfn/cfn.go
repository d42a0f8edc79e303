// Package cfn reads a CloudFormation template and computes what its resources
// are given, so that tests can make from template.yaml what a deployment makes.
// It knows the intrinsic functions that template.yaml uses. Of what the transform
// AWS::Serverless does, it only lays a function's own properties over the global
// ones.
package cfn

import (
	"fmt"
	"maps"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Template is a template with its parameters. It is safe for concurrent use.
type Template struct {
	parameters map[string]any
	conditions map[string]*yaml.Node
	functions  *yaml.Node // Globals.Function, may be nil
	resources  map[string]*yaml.Node
	names      []string
}

// Lookup returns what Ref (attribute is empty) or Fn::GetAtt says of a resource.
type Lookup func(resource, attribute string) (string, error)

// Parse reads a template. Parameters that are not given have their defaults.
func Parse(text []byte, given map[string]string) (*Template, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, fmt.Errorf("read template: %w", err)
	}
	if root.Kind != yaml.DocumentNode {
		return nil, fmt.Errorf("read template: it is empty")
	}
	file := root.Content[0]
	t := &Template{
		parameters: map[string]any{
			"AWS::Region": "us-east-1", "AWS::AccountId": "000000000000", "AWS::Partition": "aws",
			"AWS::URLSuffix": "amazonaws.com", "AWS::StackName": "handoff", "AWS::NoValue": absent{},
		},
		conditions: map[string]*yaml.Node{}, resources: map[string]*yaml.Node{}, functions: member(member(file, "Globals"), "Function"),
	}
	for name, n := range members(member(file, "Parameters")) {
		if err := t.parameter(name, n, given); err != nil {
			return nil, err
		}
	}
	maps.Insert(t.conditions, members(member(file, "Conditions")))
	for name, n := range members(member(file, "Resources")) {
		t.resources[name] = n
		t.names = append(t.names, name)
	}
	return t, nil
}

func (t *Template) parameter(name string, n *yaml.Node, given map[string]string) error {
	value, ok := given[name]
	if d := member(n, "Default"); !ok && d != nil {
		value, ok = d.Value, true
	}
	if !ok {
		return fmt.Errorf("read template: parameter %s has no value", name)
	}
	t.parameters[name] = value
	if typ := member(n, "Type"); typ != nil && strings.HasPrefix(typ.Value, "CommaDelimitedList") {
		var list []any
		for v := range strings.SplitSeq(value, ",") {
			list = append(list, v)
		}
		t.parameters[name] = list
	}
	return nil
}

// Of returns the names of all resources of a type, in the order of the file and
// without those whose condition does not hold.
func (t *Template) Of(typ string) (names []string, err error) {
	for _, name := range t.names {
		if t.Type(name) != typ {
			continue
		}
		there := true
		if c := member(t.resources[name], "Condition"); c != nil {
			if there, err = t.condition(c.Value); err != nil {
				return nil, fmt.Errorf("resource %s: %w", name, err)
			}
		}
		if there {
			names = append(names, name)
		}
	}
	return names, nil
}

// Type returns the type of a resource, empty if there is none of that name.
func (t *Template) Type(name string) string {
	if n := member(t.resources[name], "Type"); n != nil {
		return n.Value
	}
	return ""
}

// Properties computes the properties of a resource. A function's are laid over
// the global ones, maps member by member.
func (t *Template) Properties(name string, lookup Lookup) (map[string]any, error) {
	e := evaluation{t, lookup}
	own, err := e.mapping(member(t.resources[name], "Properties"))
	if err == nil && t.Type(name) == "AWS::Serverless::Function" {
		var all map[string]any
		if all, err = e.mapping(t.functions); err == nil {
			own = over(all, own)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("resource %s: %w", name, err)
	}
	return own, nil
}

func over(below, above map[string]any) map[string]any {
	out := maps.Clone(below)
	for k, v := range above {
		a, aok := v.(map[string]any)
		b, bok := out[k].(map[string]any)
		if aok && bok {
			v = over(b, a)
		}
		out[k] = v
	}
	return out
}

// member returns the value of a mapping's member, or nil.
func member(n *yaml.Node, name string) *yaml.Node {
	for k, v := range members(n) {
		if k == name {
			return v
		}
	}
	return nil
}

func members(n *yaml.Node) func(yield func(string, *yaml.Node) bool) {
	return func(yield func(string, *yaml.Node) bool) {
		for i := 0; n != nil && n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i].Value, n.Content[i+1]) {
				return
			}
		}
	}
}

package cfn

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// absent is what AWS::NoValue stands for: whatever has it is left out.
type absent struct{}

// evaluation computes values.
type evaluation struct {
	*Template

	lookup Lookup
}

func (e evaluation) mapping(n *yaml.Node) (map[string]any, error) {
	if n == nil {
		return map[string]any{}, nil
	}
	v, err := e.value(n)
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("line %d is no mapping", n.Line)
	}
	return m, nil
}

// value computes a node. Long forms (Fn::If) are not known: the file uses none.
func (e evaluation) value(n *yaml.Node) (any, error) {
	if strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") {
		v, err := e.intrinsic(n)
		if err != nil {
			return nil, fmt.Errorf("line %d: %s: %w", n.Line, n.Tag, err)
		}
		return v, nil
	}
	switch n.Kind {
	case yaml.MappingNode:
		out := map[string]any{}
		for name, m := range members(n) {
			v, err := e.value(m)
			if err != nil {
				return nil, err
			}
			if v != any(absent{}) {
				out[name] = v
			}
		}
		return out, nil
	case yaml.SequenceNode:
		return e.values(n.Content)
	default:
		var v any
		err := n.Decode(&v)
		return v, err
	}
}

func (e evaluation) values(nodes []*yaml.Node) ([]any, error) {
	out := []any{}
	for _, n := range nodes {
		v, err := e.value(n)
		if err != nil {
			return nil, err
		}
		if v != any(absent{}) {
			out = append(out, v)
		}
	}
	return out, nil
}

func (e evaluation) intrinsic(n *yaml.Node) (any, error) {
	switch n.Tag {
	case "!Ref":
		return e.ref(n.Value)
	case "!GetAtt":
		resource, attribute, _ := strings.Cut(n.Value, ".")
		return e.find(resource, attribute)
	case "!Sub":
		return e.sub(n.Value)
	case "!Condition":
		return e.condition(n.Value)
	case "!If":
		if len(n.Content) != 3 {
			return nil, errors.New("it has not 3 parts")
		}
		yes, err := e.condition(n.Content[0].Value)
		if err != nil {
			return nil, err
		}
		if yes {
			return e.value(n.Content[1])
		}
		return e.value(n.Content[2])
	}
	args, err := e.values(n.Content)
	if err != nil {
		return nil, err
	}
	return apply(n.Tag, args)
}

// apply computes functions of values alone.
func apply(tag string, args []any) (any, error) {
	switch {
	case tag == "!Equals" && len(args) == 2:
		return fmt.Sprint(args[0]) == fmt.Sprint(args[1]), nil
	case tag == "!Not" && len(args) == 1:
		return args[0] != true, nil
	case tag == "!And" || tag == "!Or":
		for _, a := range args {
			if (a == true) == (tag == "!Or") {
				return tag == "!Or", nil
			}
		}
		return tag == "!And", nil
	case tag == "!Join" && len(args) == 2:
		list, ok := args[1].([]any)
		if !ok {
			break
		}
		parts := make([]string, len(list))
		for i, p := range list {
			parts[i] = fmt.Sprint(p)
		}
		return strings.Join(parts, fmt.Sprint(args[0])), nil
	}
	return nil, errors.New("it is not known here")
}

func (e evaluation) ref(name string) (any, error) {
	if v, ok := e.parameters[name]; ok {
		return v, nil
	}
	return e.find(name, "")
}

func (e evaluation) find(resource, attribute string) (any, error) {
	if e.lookup == nil {
		return nil, fmt.Errorf("%s can't be looked up here", resource)
	}
	return e.lookup(resource, attribute)
}

var placeholder = regexp.MustCompile(`\$\{([A-Za-z0-9:.]+)\}`)

// sub replaces ${Name} and ${Name.Attribute}. What is no parameter and no
// resource, such as ${aws:PrincipalAccount}, is IAM's and stays.
func (e evaluation) sub(text string) (string, error) {
	var failed error
	out := placeholder.ReplaceAllStringFunc(text, func(p string) string {
		name := p[2 : len(p)-1]
		resource, attribute, _ := strings.Cut(name, ".")
		v, known := e.parameters[name]
		if !known && e.resources[resource] == nil {
			return p
		}
		if !known {
			var err error
			if v, err = e.find(resource, attribute); err != nil {
				failed = errors.Join(failed, err)
			}
		}
		return fmt.Sprint(v)
	})
	return out, failed
}

func (t *Template) condition(name string) (bool, error) {
	n := t.conditions[name]
	if n == nil {
		return false, fmt.Errorf("there is no condition %s", name)
	}
	v, err := evaluation{Template: t}.value(n)
	return v == true, err
}

package routing

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// activation lets an expression look at an escalation. A name without a value
// is not resolved, which makes the expression fail if it can't do without.
type activation struct{ *facts }

// Parent returns nil: there is nothing behind an escalation.
func (activation) Parent() cel.Activation { return nil }

// ResolveName returns the value of a field or a variable.
func (a activation) ResolveName(name string) (any, bool) {
	s, ok := a.set.subjects[name]
	if !ok {
		return a.clock(name)
	}
	if s.field == fieldVariable {
		v := a.variable(s.variable)
		return v, v != nil
	}
	switch fieldTable[s.field].nature {
	case natureTexts:
		return types.NewStringList(types.DefaultTypeAdapter, *a.in.listField(s.field)), true
	case natureFlag:
		return types.Bool(a.in.Customer.Verified), true
	case natureNumber:
		if a.in.WishedPriority == nil {
			a.unbound = missing
			return nil, false
		}
		return types.Int(*a.in.WishedPriority), true
	}
	return types.String(*a.in.textField(s.field)), true
}

func (f *facts) clock(name string) (any, bool) {
	switch name {
	case "time.date":
		return types.String(f.local.Format("2006-01-02")), true
	case "time.weekday":
		return types.String(dayNames[f.local.Weekday()]), true
	case "time.hour":
		return types.Int(f.local.Hour()), true
	case "time.minute":
		return types.Int(f.local.Minute()), true
	}
	return nil, false
}

// variable returns a declared variable in its declared type, or nil.
func (f *facts) variable(i int) ref.Val {
	if f.bound == nil {
		f.bound = make([]ref.Val, len(f.set.variables))
	}
	if f.bound[i] != nil {
		return f.bound[i]
	}
	d := &f.set.variables[i]
	raw, _ := f.raw(d)
	if raw == nil {
		f.unbound = missing
		return nil
	}
	v := celValue(raw, d.kind)
	if v == nil {
		f.unbound = mismatch
		return nil
	}
	f.bound[i] = v
	return v
}

// celValue returns a JSON value in a declared type, or nil where it is of another.
func celValue(raw json.RawMessage, kind string) ref.Val {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) != nil || decoder.More() {
		return nil
	}
	switch v := v.(type) {
	case string:
		if kind == "string" || kind == "any" {
			return types.String(v)
		}
	case bool:
		if kind == "bool" || kind == "any" {
			return types.Bool(v)
		}
	case json.Number:
		return celNumber(v, kind)
	case []any:
		if kind == "list" || kind == "any" {
			return celAny(v)
		}
	case map[string]any:
		if kind == "map" || kind == "any" {
			return celAny(v)
		}
	}
	return nil
}

func celNumber(v json.Number, kind string) ref.Val {
	n, ok := readNumber(json.RawMessage(v))
	switch {
	case !ok:
		return nil
	case kind == "double":
		return types.Double(n.float)
	case kind == "int" && !n.exact && n.float == math.Trunc(n.float) && math.Abs(n.float) < 1<<53:
		return types.Int(n.float) // 380.0 is a whole number too
	case n.exact && (kind == "int" || kind == "any"):
		return types.Int(n.integer)
	case kind == "any":
		return types.Double(n.float)
	}
	return nil
}

// celAny returns any decoded JSON value.
func celAny(v any) ref.Val {
	switch v := v.(type) {
	case string:
		return types.String(v)
	case bool:
		return types.Bool(v)
	case json.Number:
		if n := celNumber(v, "any"); n != nil {
			return n
		}
		return types.NewErr("number %s is out of range", v)
	case []any:
		list := make([]ref.Val, len(v))
		for i, e := range v {
			list[i] = celAny(e)
		}
		return types.NewRefValList(types.DefaultTypeAdapter, list)
	case map[string]any:
		return newObject(v)
	}
	return types.NullValue
}

// object is a CEL map that is walked in the order of its keys. cel-go's own
// follows Go's maps, which are in another order each time, and decisions must
// come out the same.
type object struct {
	traits.Mapper
	keys []ref.Val
}

func newObject(entries map[string]any) object {
	values := make(map[ref.Val]ref.Val, len(entries))
	names := make([]string, 0, len(entries))
	for name, v := range entries {
		values[types.String(name)] = celAny(v)
		names = append(names, name)
	}
	slices.Sort(names)
	keys := make([]ref.Val, len(names))
	for i, name := range names {
		keys[i] = types.String(name)
	}
	return object{types.NewRefValMap(types.DefaultTypeAdapter, values), keys}
}

// Iterator walks the keys in order.
func (o object) Iterator() traits.Iterator {
	list := types.NewRefValList(types.DefaultTypeAdapter, o.keys)
	return list.Iterator()
}

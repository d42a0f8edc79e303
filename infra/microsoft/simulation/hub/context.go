package hub

import (
	"encoding/json"
	"math"
	"strings"
	"unicode/utf16"

	"handoff/infra/microsoft/simulation/tables"
	"handoff/infra/microsoft/simulation/wire"
)

// Kinds of context variables (msdyn_datatype).
const (
	plain   = 192350000.0
	number  = 192350001.0
	boolean = 192350002.0
)

func length(s string) int { return len(utf16.Encode([]rune(s))) }

// set gives a context variable its value, within the limits; a name that the
// workstream does not know becomes a text.
func (c *conversation) set(name string, v any) {
	text, kind, ok := written(v)
	items := c.db.All(c.db.ContextItems(), "_msdyn_ocliveworkitemid_value", c.id)
	declared, known := c.declared(name)
	switch {
	case !ok:
		c.problem("context variable %s is dropped: only texts, numbers and booleans are taken", name)
	case name == "" || length(name) > MaxVariableName:
		c.problem("context variable %.20s… is dropped: a name has 1 to %d characters", name, MaxVariableName)
	case length(text) > MaxVariable:
		c.problem("context variable %s is dropped: a value has at most %d characters", name, MaxVariable)
	case known && declared != kind && declared != plain:
		c.problem("context variable %s is dropped: it is declared as another kind", name)
	default:
		if !known {
			declared = plain
		}
		c.keep(items, name, text, declared)
	}
}

// keep writes a context item, new or in place of the one with that name.
func (c *conversation) keep(items []tables.Row, name, text string, kind float64) {
	item := tables.Row{"msdyn_name": name, "msdyn_value": text, "msdyn_datatype": kind, "_msdyn_ocliveworkitemid_value": c.id}
	for _, r := range items {
		if r["msdyn_name"] == name {
			set := c.db.ContextItems()
			c.db.Put(set, wire.String(r, strings.TrimSuffix(set, "s")+"id"), item)
			return
		}
	}
	if len(items) >= MaxVariables {
		c.problem("context variable %s is dropped: a conversation has at most %d", name, MaxVariables)
		return
	}
	c.db.Add(c.db.ContextItems(), item)
}

func written(v any) (text string, kind float64, ok bool) {
	switch v := v.(type) {
	case string:
		return v, plain, true
	case float64, int:
		raw, err := json.Marshal(v)
		return string(raw), number, err == nil
	case bool:
		return map[bool]string{true: "true", false: "false"}[v], boolean, true
	default:
		return "", 0, false
	}
}

// fromBot reports whether a bot may send a value: a text or a whole number.
func fromBot(v any) bool {
	switch v := v.(type) {
	case string:
		return true
	case float64:
		return v == math.Trunc(v)
	default:
		return false
	}
}

// declared returns the kind of a variable of the workstream.
func (c *conversation) declared(name string) (float64, bool) {
	for _, r := range c.db.All("msdyn_ocliveworkstreamcontextvariables", "_msdyn_liveworkstreamid_value", c.stream["msdyn_liveworkstreamid"]) {
		if r["msdyn_name"] == name {
			kind, _ := r["msdyn_datatype"].(float64)
			return kind, true
		}
	}
	return 0, false
}

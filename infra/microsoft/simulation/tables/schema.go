package tables

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
)

//go:embed schema.txt
var schemaText string

// table is what is known of one kind of row.
type table struct {
	set, logical, key, name string
	columns                 map[string]column // by their own names
}

type column struct {
	kind     string // text, memo, whole, boolean, guid, time, choice, lookup
	length   int
	target   string             // of a lookup
	labels   map[float64]string // of a choice
	required bool
	unique   bool
	fixed    bool
}

// link is a relationship of many to many.
type link struct{ from, to string }

type schema struct {
	tables map[string]*table // by set
	links  map[string]link
}

func readSchema() (*schema, error) {
	s := &schema{make(map[string]*table), make(map[string]link)}
	var current *table
	for line := range strings.Lines(schemaText) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || words[0] == "#":
		case words[0] == "table" && len(words) == 5:
			current = &table{words[1], words[2], words[3], words[4], map[string]column{
				words[3]: {kind: "guid"}, "createdon": {kind: "time", fixed: true}, "modifiedon": {kind: "time", fixed: true},
			}}
			s.tables[current.set] = current
		case words[0] == "link" && len(words) == 4:
			s.links[words[1]] = link{words[2], words[3]}
		case current != nil && len(words) >= 2:
			c, err := readColumn(strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), words[0])))
			if err != nil {
				return nil, fmt.Errorf("read column %s: %w", words[0], err)
			}
			current.columns[words[0]] = c
		default:
			return nil, fmt.Errorf("read the schema: %q", line)
		}
	}
	return s, nil
}

// readColumn reads what follows a column's name. Labels may have spaces.
func readColumn(text string) (column, error) {
	var c column
	for trimmed := true; trimmed; {
		trimmed = false
		for flag, set := range map[string]*bool{" required": &c.required, " unique": &c.unique, " fixed": &c.fixed} {
			if rest, ok := strings.CutSuffix(text, flag); ok {
				text, *set, trimmed = rest, true, true
			}
		}
	}
	kind, rest, _ := strings.Cut(text, " ")
	c.kind = kind
	switch kind {
	case "text", "memo":
		n, err := strconv.Atoi(rest)
		if err != nil {
			return c, fmt.Errorf("read a length: %w", err)
		}
		c.length = n
	case "lookup":
		c.target = rest
	case "choice":
		c.labels = make(map[float64]string)
		for option := range strings.SplitSeq(rest, ";") {
			value, label, _ := strings.Cut(option, "=")
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return c, fmt.Errorf("read a choice: %w", err)
			}
			c.labels[n] = label
		}
	}
	return c, nil
}

// stored returns the name under which a column is stored and read: a lookup
// reads as _name_value.
func (c column) stored(name string) string {
	if c.kind == "lookup" {
		return "_" + name + "_value"
	}
	return name
}

// has reports whether a column reads under a name.
func (t *table) has(name string) bool {
	if inner, ok := strings.CutPrefix(name, "_"); ok {
		inner, ok = strings.CutSuffix(inner, "_value")
		return ok && t.columns[inner].kind == "lookup"
	}
	c, ok := t.columns[name]
	return ok && c.kind != "lookup"
}

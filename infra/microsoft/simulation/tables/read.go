package tables

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"handoff/infra/microsoft/simulation/odata"
	"handoff/infra/microsoft/simulation/wire"
)

func (d *Database) list(a *asked, t *table) error { return d.page(a, t, d.rows[t.set]) }

// page answers with those rows that the query asks for, a page at a time.
func (d *Database) page(a *asked, t *table, rows []Row) error {
	if err := t.knows(a.query); err != nil {
		return err
	}
	body := wire.Object{"@odata.context": a.context(t.set)}
	rows = a.query.Sorted(rows)
	if a.query.Count {
		body["@odata.count"] = len(rows)
	}
	if a.query.Top > 0 {
		rows = rows[:min(a.query.Top, len(rows))]
	}
	if end := a.query.Skip + a.pageSize(); end < len(rows) {
		q := a.URL.Query()
		q.Set("$skiptoken", strconv.Itoa(end))
		body["@odata.nextLink"] = wire.Base(a.Request) + (&url.URL{Path: a.URL.Path, RawQuery: q.Encode()}).String()
		rows = rows[:end]
	}
	value := []any{}
	for _, r := range rows[min(a.query.Skip, len(rows)):] {
		value = append(value, d.shown(a, t, r))
	}
	body["value"] = value
	wire.JSON(a.ResponseWriter, http.StatusOK, body)
	return nil
}

func (d *Database) retrieve(a *asked, t *table) error {
	row := d.find(t.set, a.path[0].Key)
	if row == nil {
		return absent(t, a.path[0].Key)
	}
	if err := t.knows(a.query); err != nil {
		return err
	}
	d.answer(a, t, row, http.StatusOK)
	return nil
}

// answer writes one row.
func (d *Database) answer(a *asked, t *table, row Row, status int) {
	shown := d.shown(a, t, row)
	shown["@odata.context"] = a.context(t.set + "/$entity")
	wire.JSON(a.ResponseWriter, status, shown)
}

// knows refuses a query about columns that the table has not.
func (t *table) knows(q odata.Query) error {
	names := slices.Concat(q.Select, q.Filter.Columns())
	for _, o := range q.OrderBy {
		names = append(names, o.Column)
	}
	for _, name := range names {
		if !t.has(name) {
			return t.noProperty(name)
		}
	}
	for _, e := range q.Expand {
		if t.columns[e.Property].kind != "lookup" {
			return t.noProperty(e.Property)
		}
	}
	return nil
}

func (t *table) noProperty(name string) error {
	return wire.Refuse(http.StatusBadRequest, codeBadQuery,
		"Could not find a property named '"+name+"' on type 'Microsoft.Dynamics.CRM."+t.logical+"'.")
}

// shown returns what the client sees of a row: the columns that it selects,
// always the key, annotations if it prefers, and what it expands.
func (d *Database) shown(a *asked, t *table, r Row) Row {
	out := Row{"@odata.etag": r["@odata.etag"], t.key: r[t.key]}
	for name, c := range t.columns {
		stored := c.stored(name)
		if !selected(a.query.Select, stored) {
			continue
		}
		out[stored] = r[stored]
		if a.prefer["odata.include-annotations"] == "*" {
			d.annotate(out, stored, c, r[stored])
		}
	}
	for _, e := range a.query.Expand {
		c := t.columns[e.Property]
		out[e.Property] = d.expanded(c.target, r[c.stored(e.Property)], e.Select)
	}
	return out
}

// selected reports whether $select wants a column. A lookup to the default
// queue is left out without a word where it is named (community-tested
// against a live organisation); $expand gets it.
func selected(names []string, stored string) bool {
	if len(names) == 0 {
		return true
	}
	for _, n := range names {
		if n == stored && n != "_msdyn_defaultqueue_value" {
			return true
		}
	}
	return false
}

func (d *Database) expanded(set string, id any, columns []string) any {
	text, _ := id.(string)
	r := d.find(set, text)
	if r == nil {
		return nil
	}
	t := d.schema.tables[set]
	out := Row{t.key: r[t.key]}
	for name, v := range r {
		if !strings.HasPrefix(name, "@") && selected(columns, name) {
			out[name] = v
		}
	}
	return out
}

// annotate adds the label of a choice, and name and kind of what a lookup
// refers to.
func (d *Database) annotate(out Row, stored string, c column, v any) {
	const formatted = "@OData.Community.Display.V1.FormattedValue"
	switch v := v.(type) {
	case float64:
		if label, ok := c.labels[v]; ok {
			out[stored+formatted] = label
		}
	case string:
		if c.kind != "lookup" {
			return
		}
		to := d.schema.tables[c.target]
		out[stored+"@Microsoft.Dynamics.CRM.lookuplogicalname"] = to.logical
		if r := d.find(c.target, v); r != nil {
			out[stored+formatted] = r[to.name]
		}
	}
}

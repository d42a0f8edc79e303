package tables

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"handoff/infra/microsoft/simulation/odata"
	"handoff/infra/microsoft/simulation/wire"
)

func (d *Database) create(a *asked, t *table) error {
	changes, err := d.changes(a, t)
	if err != nil {
		return err
	}
	return d.add(a, t, changes)
}

// add makes a row of what a client gave.
func (d *Database) add(a *asked, t *table, given Row) error {
	for name, c := range t.columns {
		if v := given[c.stored(name)]; c.required && (v == nil || v == "") {
			return wire.Refuse(http.StatusBadRequest, codeArgument, "The column '"+name+"' of "+t.logical+" is required.")
		}
	}
	if id, _ := given[t.key].(string); id != "" && d.find(t.set, id) != nil {
		return duplicate()
	}
	if err := d.unique(t, given, nil); err != nil {
		return err
	}
	if t.set == "systemusers" {
		if err := d.user(given); err != nil {
			return err
		}
	}
	row := d.insert(t, given)
	return d.done(a, t, row, http.StatusCreated)
}

// done answers a change: with the row if the client prefers it, else 204.
func (d *Database) done(a *asked, t *table, row Row, status int) error {
	a.ResponseWriter.Header().Set("OData-EntityId", wire.Base(a.Request)+root+t.set+"("+wire.String(row, t.key)+")")
	if a.prefer["return"] != "representation" {
		a.WriteHeader(http.StatusNoContent)
		return nil
	}
	a.ResponseWriter.Header().Set("Preference-Applied", "return=representation")
	d.answer(a, t, row, status)
	return nil
}

// update changes a row. Without If-Match a row that isn't there is created.
func (d *Database) update(a *asked, t *table) error {
	changes, err := d.changes(a, t)
	if err != nil {
		return err
	}
	id := a.path[0].Key
	row := d.find(t.set, id)
	match := a.Request.Header.Get("If-Match")
	switch {
	case row == nil && match != "":
		return absent(t, id)
	case row == nil:
		changes[t.key] = id
		return d.add(a, t, changes)
	case match != "" && match != "*" && match != row["@odata.etag"]:
		return wire.Refuse(http.StatusPreconditionFailed, codeConcurrent, "The version of the existing record doesn't match the RowVersion property provided.")
	case a.Request.Header.Get("If-None-Match") == "*":
		return wire.Refuse(http.StatusPreconditionFailed, codeDuplicate, "A record with matching key values already exists.")
	}
	if err := d.unique(t, changes, row); err != nil {
		return err
	}
	if guard := d.guards[t.set]; guard != nil {
		after := maps.Clone(row)
		maps.Copy(after, changes)
		d.mu.Unlock() // a guard takes the lock itself
		err := guard(maps.Clone(row), after)
		if d.mu.Lock(); err != nil {
			return err
		}
	}
	maps.Copy(row, changes)
	d.touch(row)
	return d.done(a, t, row, http.StatusOK)
}

func (d *Database) drop(a *asked, t *table) error {
	id := a.path[0].Key
	switch {
	case d.find(t.set, id) == nil:
		return absent(t, id)
	case t.set == "systemusers" || t.set == "organizations":
		return wire.Refuse(http.StatusForbidden, codeArgument, "A "+t.logical+" can't be deleted.")
	}
	d.remove(t.set, id)
	a.WriteHeader(http.StatusNoContent)
	return nil
}

func duplicate() error {
	return wire.Refuse(http.StatusPreconditionFailed, codeDuplicate, "A record with matching key values already exists.")
}

// unique refuses a value that another row has in a column of unique values.
func (d *Database) unique(t *table, given, self Row) error {
	for name, c := range t.columns {
		for _, r := range d.rows[t.set] {
			if c.unique && given[name] != nil && r[name] == given[name] && (self == nil || self[t.key] != r[t.key]) {
				return duplicate()
			}
		}
	}
	return nil
}

// user completes a new user who is an application.
func (d *Database) user(given Row) error {
	id, _ := given["applicationid"].(string)
	if id == "" {
		return wire.Refuse(http.StatusBadRequest, codeArgument, "Users who are people come from the directory; an application user needs an applicationid.")
	}
	name, ok := d.Directory.Registered(d.Tenant, id)
	if !ok {
		return wire.Refuse(http.StatusBadRequest, codeArgument, "The application "+id+" has no service principal in the tenant of the organization.")
	}
	for column, v := range map[string]any{"fullname": "# " + name, "isdisabled": false, "accessmode": 4.0} {
		if given[column] == nil {
			given[column] = v
		}
	}
	return nil
}

// changes reads the body of a request to create or change a row.
func (d *Database) changes(a *asked, t *table) (Row, error) {
	body, err := wire.Body(a.ResponseWriter, a.Request)
	if err != nil {
		return nil, err
	}
	row := Row{}
	for _, name := range slices.Sorted(maps.Keys(body)) {
		if lookup, ok := strings.CutSuffix(name, "@odata.bind"); ok {
			err = d.bind(t, row, lookup, body[name])
		} else {
			err = t.assign(row, name, body[name])
		}
		if err != nil {
			return nil, err
		}
	}
	return row, nil
}

var reference = regexp.MustCompile(`^(?:https?://[^/]+/api/data/v9\.2)?/?([A-Za-z_]+)\(([0-9a-fA-F-]{36})\)$`)

// bind sets a lookup.
func (d *Database) bind(t *table, row Row, name string, v any) error {
	c, ok := t.columns[name]
	if !ok || c.kind != "lookup" || c.fixed {
		return wire.Refuse(http.StatusBadRequest, codePayload, "The navigation property '"+name+"' of "+t.logical+" can't be written.")
	}
	if v == nil {
		row[c.stored(name)] = nil
		return nil
	}
	text, _ := v.(string)
	m := reference.FindStringSubmatch(text)
	if m == nil || m[1] != c.target {
		return wire.Refuse(http.StatusBadRequest, codePayload, "The property '"+name+"@odata.bind' must refer to "+c.target+".")
	}
	if d.find(m[1], m[2]) == nil {
		return absent(d.schema.tables[m[1]], m[2])
	}
	row[c.stored(name)] = strings.ToLower(m[2])
	return nil
}

// assign sets a column that is no lookup, held to its kind and length.
func (t *table) assign(row Row, name string, v any) error {
	c, ok := t.columns[name]
	if !ok || c.kind == "lookup" {
		return wire.Refuse(http.StatusBadRequest, codePayload, "The property '"+name+"' does not exist on type 'Microsoft.Dynamics.CRM."+t.logical+"'.")
	}
	if c.fixed {
		return wire.Refuse(http.StatusBadRequest, codePayload, "The property '"+name+"' of "+t.logical+" can't be written.")
	}
	if text, isText := v.(string); isText && c.length > 0 && len(utf16.Encode([]rune(text))) > c.length {
		return wire.Refuse(http.StatusBadRequest, codeTooLong,
			fmt.Sprintf("A validation error occurred. The length of the '%s' attribute of the '%s' entity exceeded the maximum allowed length of '%d'.", name, t.logical, c.length))
	}
	if v != nil && !c.takes(v) {
		return wire.Refuse(http.StatusBadRequest, codePayload, fmt.Sprintf("Cannot convert the value of '%s' to the expected type '%s'.", name, c.kind))
	}
	if text, isText := v.(string); isText && c.kind == "guid" {
		v = strings.ToLower(text)
	}
	row[name] = v
	return nil
}

// takes reports whether a value that is not null is one of the column's.
func (c column) takes(v any) bool {
	switch v := v.(type) {
	case string:
		_, err := time.Parse(time.RFC3339Nano, v)
		return c.kind == "text" || c.kind == "memo" || c.kind == "guid" && odata.IsGUID(v) || c.kind == "time" && err == nil
	case float64:
		_, chosen := c.labels[v]
		return v == math.Trunc(v) && (c.kind == "whole" || c.kind == "choice" && chosen)
	case bool:
		return c.kind == "boolean"
	default:
		return false
	}
}

// links reads and changes what a row is linked to.
func (d *Database) links(a *asked, t *table, row Row) error {
	name, id := a.path[1].Name, wire.String(row, t.key)
	to := d.schema.tables[d.schema.links[name].to]
	ref := len(a.path) == 3 && a.path[2].Name == "$ref"
	switch {
	case a.Method == http.MethodGet && len(a.path) == 2 && !a.path[1].HasKey:
		var rows []Row
		for _, other := range d.linked(name, id) {
			rows = append(rows, d.find(to.set, other))
		}
		return d.page(a, to, rows)
	case a.Method == http.MethodPost && ref && !a.path[1].HasKey:
		return d.join(a, name, id, to)
	case a.Method == http.MethodDelete && ref && a.path[1].HasKey:
		pair := [2]string{id, a.path[1].Key}
		if !slices.Contains(d.pairs[name], pair) {
			return absent(to, a.path[1].Key)
		}
		d.pairs[name] = slices.DeleteFunc(d.pairs[name], func(p [2]string) bool { return p == pair })
		a.WriteHeader(http.StatusNoContent)
		return nil
	}
	return wire.Refuse(http.StatusMethodNotAllowed, "", "The requested resource does not support http method '"+a.Method+"'.")
}

func (d *Database) join(a *asked, name, id string, to *table) error {
	body, err := wire.Body(a.ResponseWriter, a.Request)
	if err != nil {
		return err
	}
	m := reference.FindStringSubmatch(wire.String(body, "@odata.id"))
	if m == nil || m[1] != to.set || len(body) != 1 {
		return wire.Refuse(http.StatusBadRequest, codePayload, "The body must have @odata.id, an address of "+to.set+", and nothing else.")
	}
	other := strings.ToLower(m[2])
	if d.find(to.set, other) == nil {
		return absent(to, other)
	}
	if pair := [2]string{id, other}; !slices.Contains(d.pairs[name], pair) {
		d.pairs[name] = append(d.pairs[name], pair)
	}
	a.WriteHeader(http.StatusNoContent)
	return nil
}

// Package tables is the fake's Dataverse: organisations with tables, the Web
// API over them, and the global discovery service.
//
// Documented are the requests and headers, the names of tables and columns, the
// shape of errors, and the codes of service protection limits (Dataverse
// developer guide, "Use the Microsoft Dataverse Web API"; entity reference of
// Customer Service). Not verified: that OData-Version and OData-MaxVersion are
// insisted on (they are "to be included always"), the status 412 with
// 0x80040237 for a second user with one application id, the codes of refused
// columns and values, that a bare lookup in $select is refused in every table,
// and what each security role may do beyond what is needed here.
package tables

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"handoff/infra/microsoft/simulation/clock"
	"handoff/infra/microsoft/simulation/odata"
	"handoff/infra/microsoft/simulation/tenants"
	"handoff/infra/microsoft/simulation/wire"
)

// Row is one row by the names that its columns read under: a lookup is
// _name_value, numbers are float64, times and GUIDs are text.
type Row = odata.Row

// Organisation is a Dataverse environment as it is at the start.
type Organisation struct {
	ID            string // of the organisation
	EnvironmentID string
	Tenant        string
	Name          string // friendly
	URLName       string
	URL           string // its official address, such as https://store.crm4.dynamics.com
	Region        string // as discovery spells it: NA, EMEA, APJ, …
	Disabled      bool
	// Elastic says that values of context variables are in an elastic table, as
	// in newer organisations (community); the standard one is there and empty.
	// Other organisations have no such table.
	Elastic bool
	// Rows are what the tables have, by entity set. Only the business unit and
	// the organisation's own row come by themselves.
	Rows map[string][]Row
	// Links are pairs of ids, by relationship.
	Links map[string][][2]string
}

// Options are what organisations share.
type Options struct {
	Clock     clock.Clock
	Directory *tenants.Directory
	// PublishTakes is how long publishing a bot takes.
	PublishTakes time.Duration
}

// Database is one organisation. It is safe for concurrent use; make it with
// New.
type Database struct {
	Options
	Organisation
	schema *schema
	unit   string // the root business unit

	mu      sync.Mutex
	rows    map[string][]Row // by set, in the order of their creation
	version int
	pairs   map[string][][2]string
	actions map[string]Action
	guards  map[string]Guard
	failing bool // the next publish of a bot fails
}

// Action is what a bound action does to a row. It may answer nil for 204.
type Action func(caller Row, row Row, body wire.Object) (wire.Object, error)

// Guard looks at a change of a row by a client before it is made, and may
// refuse it.
type Guard func(before, after Row) error

// New returns an organisation with its rows. It fails where a row has a column
// that its table has not.
func New(o Options, org Organisation) (*Database, error) {
	s, err := readSchema()
	if err != nil {
		return nil, err
	}
	d := &Database{
		Options: o, Organisation: org, schema: s, unit: uuid.NewString(), rows: make(map[string][]Row),
		pairs: make(map[string][][2]string), actions: make(map[string]Action), guards: make(map[string]Guard),
	}
	d.actions["bots/PvaPublish"] = d.publish
	if !org.Elastic {
		delete(s.tables, elasticItems)
	}
	own := map[string][]Row{
		"organizations": {{"organizationid": org.ID, "name": org.URLName}},
		"businessunits": {{"businessunitid": d.unit, "name": org.URLName}},
	}
	for _, rows := range []map[string][]Row{own, org.Rows} {
		for _, set := range slices.Sorted(maps.Keys(rows)) {
			for _, r := range rows[set] {
				if err := d.begin(set, r); err != nil {
					return nil, err
				}
			}
		}
	}
	for relationship, pairs := range org.Links {
		if _, ok := s.links[relationship]; !ok {
			return nil, fmt.Errorf("make organisation %s: there is no relationship %s", org.URLName, relationship)
		}
		d.pairs[relationship] = slices.Clone(pairs)
	}
	return d, nil
}

const elasticItems = "msdyn_ocliveworkitemcontextitemelastics"

// ContextItems returns the entity set that has the values of context variables,
// whose key has its name without the last letter and id after it.
func (d *Database) ContextItems() string {
	if d.Elastic {
		return elasticItems
	}
	return "msdyn_ocliveworkitemcontextitems"
}

func (d *Database) begin(set string, r Row) error {
	t := d.schema.tables[set]
	if t == nil {
		return fmt.Errorf("make organisation %s: there is no table %s", d.URLName, set)
	}
	for name := range r {
		if !t.has(name) {
			return fmt.Errorf("make organisation %s: table %s has no column %s", d.URLName, set, name)
		}
	}
	if _, ok := t.columns["businessunitid"]; ok && t.key != "businessunitid" && r["_businessunitid_value"] == nil {
		r = maps.Clone(r)
		r["_businessunitid_value"] = d.unit
	}
	d.insert(t, r)
	return nil
}

// insert adds a row with everything that a row has. The caller holds mu.
func (d *Database) insert(t *table, given Row) Row {
	r := make(Row, len(t.columns))
	for name, c := range t.columns {
		r[c.stored(name)] = nil
	}
	maps.Copy(r, given)
	if r[t.key] == nil {
		r[t.key] = uuid.NewString()
	}
	r["createdon"] = d.stamp()
	d.touch(r)
	d.rows[t.set] = append(d.rows[t.set], r)
	return r
}

// touch gives a row its new version and time of change.
func (d *Database) touch(r Row) {
	d.version++
	r["modifiedon"] = d.stamp()
	r["@odata.etag"] = fmt.Sprintf(`W/"%d"`, d.version)
}

func (d *Database) stamp() string { return Stamp(d.Clock.Now()) }

// Stamp writes an instant as Dataverse does, in whole seconds.
func Stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// find returns a row, nil where there is none. The caller holds mu.
func (d *Database) find(set, id string) Row {
	t := d.schema.tables[set]
	for _, r := range d.rows[set] {
		if text, _ := r[t.key].(string); t != nil && strings.EqualFold(text, id) {
			return r
		}
	}
	return nil
}

// Get returns a copy of a row, nil where there is none.
func (d *Database) Get(set, id string) Row {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.find(set, id))
}

// All returns copies of a table's rows, those where column has the value; of
// all where column is empty.
func (d *Database) All(set, column string, value any) (all []Row) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.rows[set] {
		if column == "" || r[column] == value {
			all = append(all, maps.Clone(r))
		}
	}
	return all
}

// Add adds a row and returns its key. Nobody is asked whether it may be.
func (d *Database) Add(set string, r Row) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.schema.tables[set]
	return wire.String(d.insert(t, r), t.key)
}

// Put changes columns of a row; a row that isn't there stays so. Nobody is
// asked whether it may be.
func (d *Database) Put(set, id string, changes Row) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r := d.find(set, id); r != nil {
		maps.Copy(r, changes)
		d.touch(r)
	}
}

// Remove deletes a row.
func (d *Database) Remove(set, id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.remove(set, id)
}

func (d *Database) remove(set, id string) {
	key := d.schema.tables[set].key
	d.rows[set] = slices.DeleteFunc(d.rows[set], func(r Row) bool { return r[key] == id })
}

// Linked returns the ids that a row is linked to, in the order of their linking.
func (d *Database) Linked(relationship, id string) (all []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.linked(relationship, id)
}

func (d *Database) linked(relationship, id string) (all []string) {
	for _, p := range d.pairs[relationship] {
		if p[0] == id {
			all = append(all, p[1])
		}
	}
	return all
}

// Bind has an action of a table, named without its namespace, done by f.
func (d *Database) Bind(set, action string, f Action) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.actions[set+"/"+action] = f
}

// Guard has f look at every change of a table's rows by clients.
func (d *Database) Guard(set string, f Guard) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.guards[set] = f
}

// caller returns the user that an application is, and refuses strangers.
func (d *Database) caller(r *http.Request) (Row, error) {
	c, err := d.Directory.Authenticate(r, d.URL)
	if err != nil {
		return nil, err
	}
	if !strings.EqualFold(c.Tenant, d.Tenant) {
		return nil, wire.Refuse(http.StatusUnauthorized, "", "The token's tenant is not the organisation's.")
	}
	if d.Disabled {
		return nil, wire.Refuse(http.StatusForbidden, "0x8004A104", "The organization is disabled.")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, u := range d.rows["systemusers"] {
		if id, _ := u["applicationid"].(string); !strings.EqualFold(id, c.Application) {
			continue
		}
		if u["isdisabled"] == true {
			return nil, wire.Refuse(http.StatusForbidden, "0x80040225", "The specified user(Id = "+wire.String(u, "systemuserid")+") is disabled.")
		}
		return maps.Clone(u), nil
	}
	return nil, wire.Refuse(http.StatusForbidden, "0x80072560", "The user is not a member of the organization.")
}

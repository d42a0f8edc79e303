package tables

import (
	"errors"
	"net/http"
	"strings"

	"handoff/infra/microsoft/simulation/odata"
	"handoff/infra/microsoft/simulation/tenants"
	"handoff/infra/microsoft/simulation/wire"
)

// Discovery returns the host globaldisco.crm.dynamics.com over organisations.
// It lists those in which the caller is a user, disabled organisations too; url
// returns where an organisation is reached, its ApiUrl. (Documented for tokens
// of people; that applications are answered likewise is not verified.)
func Discovery(d *tenants.Directory, all []*Database, url func(*Database) string) http.Handler {
	list := func(w http.ResponseWriter, r *http.Request) error {
		c, err := d.Authenticate(r, tenants.Discovery)
		if err != nil {
			return err
		}
		path, err := odata.ParsePath(r.PathValue("path"))
		if err != nil || len(path) != 1 || path[0].Name != "Instances" {
			return wire.Refuse(http.StatusNotFound, "", "No HTTP resource was found that matches the request URI.")
		}
		q, err := odata.ParseQuery(r.URL.RawQuery, false)
		if bad, ok := errors.AsType[*odata.Error](err); ok {
			return wire.Refuse(http.StatusBadRequest, "", bad.Detail)
		}
		var rows []Row
		for _, o := range all {
			row := o.instance(url(o))
			if o.has(c) && (!path[0].HasKey || matches(row, path[0])) {
				rows = append(rows, row)
			}
		}
		return instances(w, r, q, rows)
	}
	return wire.Routes{"GET /api/discovery/v2.0/{path...}": list}.Handler(Shape)
}

// matches looks a key up: a GUID is the Id, else the key is named.
func matches(r Row, key odata.Segment) bool {
	name := key.KeyName
	if name == "" {
		name = "Id"
	}
	return r[name] == key.Key
}

// instances answers with a list, which the service does for keys as well.
func instances(w http.ResponseWriter, r *http.Request, q odata.Query, rows []Row) error {
	value := []any{}
	for _, row := range q.Sorted(rows) {
		out := row
		if len(q.Select) > 0 {
			out = Row{}
		}
		for _, name := range q.Select {
			v, ok := row[name]
			if !ok {
				return wire.Refuse(http.StatusBadRequest, codeBadQuery, "Could not find a property named '"+name+"' on type 'Microsoft.Dynamics.CRM.Instance'.")
			}
			out[name] = v
		}
		value = append(value, out)
	}
	wire.JSON(w, http.StatusOK, wire.Object{"@odata.context": wire.Base(r) + "/api/discovery/v2.0/$metadata#Instances", "value": value})
	return nil
}

func (d *Database) instance(api string) Row {
	state := 0.0
	if d.Disabled {
		state = 1
	}
	return Row{
		"ApiUrl": api, "Url": d.URL, "UrlName": d.URLName, "UniqueName": "unq" + strings.ReplaceAll(d.ID, "-", "")[:29],
		"FriendlyName": d.Name, "Id": d.ID, "EnvironmentId": d.EnvironmentID, "Region": d.Region, "State": state,
		"TenantId": d.Tenant, "Version": "9.2.24042.00180", "OrganizationType": 0.0,
	}
}

// has reports whether an application is a user here.
func (d *Database) has(c tenants.Caller) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, u := range d.rows["systemusers"] {
		if id, _ := u["applicationid"].(string); strings.EqualFold(id, c.Application) && strings.EqualFold(c.Tenant, d.Tenant) {
			return true
		}
	}
	return false
}

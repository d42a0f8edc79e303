package tables

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"handoff/infra/microsoft/simulation/odata"
	"handoff/infra/microsoft/simulation/wire"
)

// root is where the Web API begins.
const root = "/api/data/v9.2/"

// Codes of errors.
const (
	codeNotFound   = "0x80040217"
	codeDuplicate  = "0x80040237"
	codePrivilege  = "0x80040220"
	codeBadQuery   = "0x80060888"
	codePayload    = "0x80048d19"
	codeTooLong    = "0x80044331"
	codeArgument   = "0x80040203"
	codeConcurrent = "0x80060882"
)

// asked is one request to the Web API.
type asked struct {
	http.ResponseWriter
	*http.Request
	user   Row
	path   []odata.Segment
	query  odata.Query
	prefer map[string]string
}

// Handler returns the host of this organisation.
func (d *Database) Handler() http.Handler {
	routes := wire.Routes{}
	for _, method := range []string{"GET", "POST", "PATCH", "DELETE"} {
		routes[method+" "+root+"{path...}"] = d.serve
	}
	return routes.Handler(Shape)
}

func (d *Database) serve(w http.ResponseWriter, r *http.Request) error {
	user, err := d.caller(r)
	if err != nil {
		return err
	}
	w.Header().Set("OData-Version", "4.0")
	w.Header().Set("x-ms-ratelimit-burst-remaining-xrm-requests", "5999")
	w.Header().Set("x-ms-ratelimit-time-remaining-xrm-requests", "1200.00")
	if r.Header.Get("OData-Version") != "4.0" || r.Header.Get("OData-MaxVersion") != "4.0" {
		return wire.Refuse(http.StatusBadRequest, "", "The headers OData-Version and OData-MaxVersion must be 4.0.")
	}
	if accept := r.Header.Get("Accept"); accept != "*/*" && !strings.Contains(accept, "application/json") {
		return wire.Refuse(http.StatusUnsupportedMediaType, "", "The header Accept must allow application/json.")
	}
	a := &asked{ResponseWriter: w, Request: r, user: user, prefer: preferences(r)}
	if a.path, err = odata.ParsePath(r.PathValue("path")); err == nil {
		a.query, err = odata.ParseQuery(r.URL.RawQuery, true)
	}
	if bad, ok := errors.AsType[*odata.Error](err); ok {
		return wire.Refuse(http.StatusBadRequest, codeBadQuery, bad.Detail)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.dispatch(a)
}

func preferences(r *http.Request) map[string]string {
	all := make(map[string]string)
	for _, h := range r.Header.Values("Prefer") {
		for part := range strings.SplitSeq(h, ",") {
			name, v, _ := strings.Cut(strings.TrimSpace(part), "=")
			all[name] = strings.Trim(v, `"`)
		}
	}
	return all
}

func (d *Database) dispatch(a *asked) error {
	head := a.path[0]
	if head.Name == "WhoAmI" && a.Method == http.MethodGet && len(a.path) == 1 {
		return d.whoAmI(a)
	}
	t := d.schema.tables[head.Name]
	if t == nil {
		return wire.Refuse(http.StatusNotFound, "0x8006088a", "Resource not found for the segment '"+head.Name+"'.")
	}
	if err := d.privileged(a, t); err != nil {
		return err
	}
	if head.KeyName != "" || head.HasKey && !odata.IsGUID(head.Key) {
		return wire.Refuse(http.StatusBadRequest, codeBadQuery, "The key of '"+head.Name+"' must be a GUID.")
	}
	if len(a.path) > 1 {
		return d.below(a, t)
	}
	f := map[string]func(*asked, *table) error{
		"GET": d.list, "POST": d.create,
		"GET key": d.retrieve, "PATCH key": d.update, "DELETE key": d.drop,
	}[a.Method+map[bool]string{true: " key"}[head.HasKey]]
	if f == nil {
		return wire.Refuse(http.StatusMethodNotAllowed, "", "The requested resource does not support http method '"+a.Method+"'.")
	}
	return f(a, t)
}

// below answers what stands under a row: links, and bound actions.
func (d *Database) below(a *asked, t *table) error {
	row := d.find(t.set, a.path[0].Key)
	if row == nil {
		return absent(t, a.path[0].Key)
	}
	name, isAction := strings.CutPrefix(a.path[1].Name, "Microsoft.Dynamics.CRM.")
	switch {
	case isAction && a.Method == http.MethodPost && len(a.path) == 2:
		return d.act(a, t, row, name)
	case d.schema.links[a.path[1].Name].from == t.set:
		return d.links(a, t, row)
	}
	return wire.Refuse(http.StatusNotFound, "0x8006088a", "Resource not found for the segment '"+a.path[1].Name+"'.")
}

func (d *Database) act(a *asked, t *table, row Row, name string) error {
	f := d.actions[t.set+"/"+name]
	if f == nil {
		return wire.Refuse(http.StatusNotFound, "0x8006088a", "Resource not found for the segment 'Microsoft.Dynamics.CRM."+name+"'.")
	}
	body, err := wire.Body(a.ResponseWriter, a.Request)
	if err != nil {
		return err
	}
	user, copied := a.user, maps.Clone(row)
	d.mu.Unlock() // an action takes the lock itself
	answer, err := f(user, copied, body)
	d.mu.Lock()
	if err != nil {
		return err
	}
	if answer == nil {
		a.WriteHeader(http.StatusNoContent)
		return nil
	}
	answer["@odata.context"] = a.context("Microsoft.Dynamics.CRM." + name + "Response")
	wire.JSON(a.ResponseWriter, http.StatusOK, answer)
	return nil
}

func (d *Database) whoAmI(a *asked) error {
	wire.JSON(a.ResponseWriter, http.StatusOK, wire.Object{
		"@odata.context": a.context("Microsoft.Dynamics.CRM.WhoAmIResponse"),
		"BusinessUnitId": a.user["_businessunitid_value"], "UserId": a.user["systemuserid"], "OrganizationId": d.ID,
	})
	return nil
}

func (a *asked) context(of string) string { return wire.Base(a.Request) + root + "$metadata#" + of }

// privileged refuses a user whose roles don't allow the request.
func (d *Database) privileged(a *asked, t *table) error {
	for _, id := range d.linked("systemuserroles_association", wire.String(a.user, "systemuserid")) {
		if may(wire.String(d.find("roles", id), "name"), a.Method, t.set) {
			return nil
		}
	}
	verb := map[string]string{"GET": "Read", "POST": "Create", "PATCH": "Write", "DELETE": "Delete"}[a.Method]
	return wire.Refuse(http.StatusForbidden, codePrivilege,
		"Principal user (Id="+wire.String(a.user, "systemuserid")+") is missing prv"+verb+t.logical+" privilege.")
}

// may reports whether a security role allows a method on a table.
func may(role, method, set string) bool {
	writes := map[string][]string{
		"System Administrator": nil,
		"Omnichannel administrator": {
			"systemusers", "queues", "msdyn_liveworkstreams", "msdyn_ocliveworkstreamcontextvariables", "msdyn_routingconfigurations",
			"msdyn_routingconfigurationsteps", "msdyn_decisionrulesets", "msdyn_livechatconfigs", "msdyn_ocliveworkitems",
		},
		"Omnichannel agent": {"msdyn_ocliveworkitems"},
	}
	sets, known := writes[role]
	return known && (method == http.MethodGet || sets == nil || slices.Contains(sets, set))
}

func absent(t *table, id string) error {
	return wire.Refuse(http.StatusNotFound, codeNotFound, t.logical+" With Id = "+id+" Does Not Exist")
}

// Shape writes a refusal as Dataverse does.
func Shape(w http.ResponseWriter, _ *http.Request, f *wire.Error) {
	code, text := f.Code, f.Message
	if code == "" {
		code = map[int]string{
			http.StatusUnauthorized: "0x80040220", http.StatusForbidden: codePrivilege, http.StatusNotFound: codeNotFound,
			http.StatusTooManyRequests: "0x80072322", http.StatusPreconditionFailed: codeDuplicate,
		}[f.Status]
	}
	if code == "" {
		code = "0x0"
	}
	if text == "" && f.Status == http.StatusTooManyRequests {
		text = "Number of requests exceeded the limit of 6000 over time window of 300 seconds."
	}
	if f.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer authorization_uri=https://login.microsoftonline.com/common/oauth2/authorize")
	}
	wire.JSON(w, f.Status, wire.Object{"error": wire.Object{"code": code, "message": text}})
}

// pageSize returns how many rows go on a page, 5,000 unless the client prefers
// fewer.
func (a *asked) pageSize() int {
	n, err := strconv.Atoi(a.prefer["odata.maxpagesize"])
	if err != nil || n <= 0 || n > 5000 {
		return 5000
	}
	a.ResponseWriter.Header().Set("Preference-Applied", "odata.maxpagesize="+strconv.Itoa(n))
	return n
}

package tenants

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"handoff/infra/microsoft/simulation/odata"
	"handoff/infra/microsoft/simulation/wire"
)

// pageSize is Graph's default page.
const pageSize = 100

// asked is one request to Graph.
type asked struct {
	http.ResponseWriter
	*http.Request
	Caller
	home  *tenant
	now   time.Time
	path  []odata.Segment
	query odata.Query
}

// Graph returns the host graph.microsoft.com.
func (d *Directory) Graph() http.Handler {
	return wire.Routes{
		"GET /v1.0/{path...}":    d.graph,
		"POST /v1.0/{path...}":   d.graph,
		"PATCH /v1.0/{path...}":  d.graph,
		"DELETE /v1.0/{path...}": d.graph,
	}.Handler(d.GraphShape)
}

func (d *Directory) graph(w http.ResponseWriter, r *http.Request) error {
	caller, err := d.Authenticate(r, Graph)
	if err != nil {
		return err
	}
	a := &asked{ResponseWriter: w, Request: r, Caller: caller, now: d.Clock.Now()}
	if a.path, err = odata.ParsePath(r.PathValue("path")); err == nil {
		a.query, err = odata.ParseQuery(r.URL.RawQuery, true)
	}
	if bad, ok := errors.AsType[*odata.Error](err); ok {
		return wire.Refuse(http.StatusBadRequest, "BadRequest", bad.Detail)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if a.home = d.find(caller.Tenant); a.home == nil {
		return wire.Refuse(http.StatusUnauthorized, "", "The tenant of the token does not exist.")
	}
	switch a.path[0].Name {
	case "applications":
		return d.applications(a)
	case "servicePrincipals":
		return d.principals(a)
	}
	return wire.Refuse(http.StatusBadRequest, "BadRequest", "Resource not found for the segment '"+a.path[0].Name+"'.")
}

func (d *Directory) applications(a *asked) error {
	if err := a.allowed(); err != nil {
		return err
	}
	head, steps := a.path[0], len(a.path)
	switch {
	case steps == 1 && !head.HasKey && a.Method == http.MethodGet:
		return a.list("applications", a.home.rows(a.now, (*application).row))
	case steps == 1 && !head.HasKey && a.Method == http.MethodPost:
		return d.register(a)
	case steps == 1 && head.HasKey && a.Method == http.MethodGet:
		return a.one("applications", a.home.rows(a.now, (*application).row), head)
	case steps == 2 && head.HasKey && a.Method == http.MethodPost && a.path[1].Name == "addPassword":
		return d.addPassword(a)
	case steps == 2 && head.HasKey && a.Method == http.MethodPost && a.path[1].Name == "removePassword":
		return d.removePassword(a)
	}
	return wire.Refuse(http.StatusMethodNotAllowed, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
}

// allowed refuses a caller that lacks every permission for what it asks.
func (a *asked) allowed() error {
	need := []string{ReadWriteAll, ReadWriteOwned}
	if a.Method == http.MethodGet {
		need = append(need, ReadAll)
	}
	if a.May(need...) {
		return nil
	}
	return wire.Refuse(http.StatusForbidden, "", "Insufficient privileges to complete the operation.")
}

// rows returns the objects of all applications that are seen by now.
func (t *tenant) rows(now time.Time, row func(*application, time.Time) odata.Row) (all []odata.Row) {
	for _, a := range t.applications {
		if r := row(a, now); r != nil && !a.seen.After(now) {
			all = append(all, r)
		}
	}
	return all
}

func (a *application) row(time.Time) odata.Row {
	passwords := []any{}
	for _, s := range a.secrets {
		p := s.object()
		p["secretText"] = nil
		passwords = append(passwords, p)
	}
	return odata.Row{
		"id": a.object, "appId": a.id, "displayName": a.name, "signInAudience": a.audience, "description": nonEmpty(a.description),
		"createdDateTime": stamp(a.created), "passwordCredentials": passwords, "deletedDateTime": nil,
	}
}

// principalRow is the object of an application's service principal, nil where
// there is none yet.
func (a *application) principalRow(now time.Time) odata.Row {
	if a.principal == nil || a.principal.seen.After(now) {
		return nil
	}
	return odata.Row{
		"id": a.principal.id, "appId": a.id, "displayName": a.name, "accountEnabled": true,
		"servicePrincipalType": "Application", "signInAudience": a.audience, "deletedDateTime": nil,
	}
}

func nonEmpty(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// list answers with those rows that the query asks for, a page at a time.
func (a *asked) list(collection string, rows []odata.Row) error {
	for _, c := range a.query.Filter.Columns() {
		if c != "appId" && c != "displayName" && c != "id" {
			return wire.Refuse(http.StatusBadRequest, "Request_UnsupportedQuery", "Property '"+c+"' can't be filtered on.")
		}
	}
	rows = a.query.Sorted(rows)
	size := pageSize
	if a.query.Top > 0 {
		size = min(size, a.query.Top)
	}
	body := wire.Object{"@odata.context": a.context(collection)}
	if end := a.query.Skip + size; end < len(rows) {
		u := *a.URL
		q := u.Query()
		q.Set("$skiptoken", strconv.Itoa(end))
		body["@odata.nextLink"] = wire.Base(a.Request) + u.Path + "?" + q.Encode()
		rows = rows[:end]
	}
	value := []any{}
	for _, r := range rows[min(a.query.Skip, len(rows)):] {
		s, err := a.selected(r)
		if err != nil {
			return err
		}
		value = append(value, s)
	}
	body["value"] = value
	wire.JSON(a.ResponseWriter, http.StatusOK, body)
	return nil
}

func (a *asked) context(of string) string { return wire.Base(a.Request) + "/v1.0/$metadata#" + of }

// selected leaves of a row what $select asks for.
func (a *asked) selected(r odata.Row) (odata.Row, error) {
	if len(a.query.Select) == 0 {
		return r, nil
	}
	s := odata.Row{}
	for _, name := range a.query.Select {
		v, ok := r[name]
		if !ok {
			return nil, wire.Refuse(http.StatusBadRequest, "BadRequest", "Could not find a property named '"+name+"'.")
		}
		s[name] = v
	}
	return s, nil
}

// one answers with the row under a key.
func (a *asked) one(collection string, rows []odata.Row, key odata.Segment) error {
	column := "id"
	if key.KeyName != "" {
		column = key.KeyName
	}
	for _, r := range rows {
		if v, _ := r[column].(string); v == "" || !strings.EqualFold(v, key.Key) {
			continue
		}
		s, err := a.selected(r)
		if err != nil {
			return err
		}
		s["@odata.context"] = a.context(collection + "/$entity")
		wire.JSON(a.ResponseWriter, http.StatusOK, s)
		return nil
	}
	return missing(key.Key)
}

func missing(key string) error {
	return wire.Refuse(http.StatusNotFound, "Request_ResourceNotFound",
		"Resource '"+key+"' does not exist or one of its queried reference-property objects are not present.")
}

// GraphShape writes a refusal as Graph does.
func (d *Directory) GraphShape(w http.ResponseWriter, r *http.Request, f *wire.Error) {
	code := f.Code
	if code == "" {
		code = map[int]string{
			http.StatusUnauthorized: "InvalidAuthenticationToken", http.StatusForbidden: "Authorization_RequestDenied",
			http.StatusNotFound: "Request_ResourceNotFound", http.StatusTooManyRequests: "TooManyRequests",
			http.StatusServiceUnavailable: "serviceNotAvailable", http.StatusInternalServerError: "InternalServerError",
		}[f.Status]
	}
	if code == "" {
		code = "Request_BadRequest"
	}
	if f.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize"`)
	}
	request := uuid.NewString()
	w.Header().Set("Request-Id", request)
	client := r.Header.Get("Client-Request-Id")
	if client == "" {
		client = request
	}
	wire.JSON(w, f.Status, wire.Object{"error": wire.Object{
		"code": code, "message": f.Message,
		"innerError": wire.Object{"date": d.Clock.Now().UTC().Format("2006-01-02T15:04:05"), "request-id": request, "client-request-id": client},
	}})
}

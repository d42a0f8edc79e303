package tenants

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"handoff/infra/microsoft/simulation/odata"
	"handoff/infra/microsoft/simulation/wire"
)

// applicationFields are the documented properties of an application that a
// registration may set.
func applicationFields() wire.Fields {
	return wire.Fields{
		"displayName": wire.Text, "signInAudience": wire.Text, "description": wire.Text, "notes": wire.Text,
		"tags": wire.List, "identifierUris": wire.List, "web": wire.Members, "api": wire.Members, "spa": wire.Members,
		"requiredResourceAccess": wire.List, "passwordCredentials": wire.List, "serviceManagementReference": wire.Text,
	}
}

// register creates an application.
func (d *Directory) register(a *asked) error {
	body, err := wire.Body(a.ResponseWriter, a.Request)
	if err != nil {
		return err
	}
	if err := applicationFields().Check(body, "displayName"); err != nil {
		return err
	}
	if given, _ := body["passwordCredentials"].([]any); len(given) > 0 {
		return wire.Refuse(http.StatusBadRequest, "Request_BadRequest", "Property passwordCredentials can't be set at creation; call addPassword.")
	}
	audience := wire.String(body, "signInAudience")
	if audience == "" {
		audience = "AzureADandPersonalMicrosoftAccount"
	}
	if !slices.Contains([]string{"AzureADMyOrg", MultiTenant, "AzureADandPersonalMicrosoftAccount", "PersonalMicrosoftAccount"}, audience) {
		return wire.Refuse(http.StatusBadRequest, "Request_BadRequest", "Invalid value specified for property 'signInAudience' of resource 'Application'.")
	}
	made := &application{
		id: uuid.NewString(), object: uuid.NewString(), name: wire.String(body, "displayName"), description: wire.String(body, "description"),
		audience: audience, owner: a.Application, created: a.now, seen: a.now.Add(d.Lag),
	}
	if len(made.name) > 256 {
		return wire.Refuse(http.StatusBadRequest, "Request_BadRequest", "Property 'displayName' has at most 256 characters.")
	}
	a.home.applications = append(a.home.applications, made)
	answer := made.row(a.now)
	answer["@odata.context"] = a.context("applications/$entity")
	wire.JSON(a.ResponseWriter, http.StatusCreated, answer)
	return nil
}

// managed returns the application under the key of the path, if it is seen by
// now and the caller may change it.
func (a *asked) managed() (*application, error) {
	key := a.path[0]
	for _, app := range a.home.applications {
		named := key.KeyName == "" && strings.EqualFold(app.object, key.Key) || key.KeyName == "appId" && strings.EqualFold(app.id, key.Key)
		if !named || app.seen.After(a.now) {
			continue
		}
		if !a.May(ReadWriteAll) && !strings.EqualFold(app.owner, a.Application) {
			return nil, wire.Refuse(http.StatusForbidden, "", "Insufficient privileges to complete the operation.")
		}
		return app, nil
	}
	return nil, missing(key.Key)
}

func (d *Directory) addPassword(a *asked) error {
	app, err := a.managed()
	if err != nil {
		return err
	}
	body, err := wire.Body(a.ResponseWriter, a.Request)
	if err != nil {
		return err
	}
	if err := (wire.Fields{"passwordCredential": wire.Members}).Check(body); err != nil {
		return err
	}
	given := wire.Child(body, "passwordCredential")
	if err := (wire.Fields{"displayName": wire.Text, "startDateTime": wire.Text, "endDateTime": wire.Text}).Check(given); err != nil {
		return err
	}
	made := &secret{uuid.NewString(), newSecret(), wire.String(given, "displayName"), a.now, a.now.AddDate(2, 0, 0), a.now.Add(d.Lag)}
	if end := wire.String(given, "endDateTime"); end != "" {
		if made.end, err = time.Parse(time.RFC3339Nano, end); err != nil || !made.end.After(a.now) {
			return wire.Refuse(http.StatusBadRequest, "Request_BadRequest", "Property 'endDateTime' is not a date in the future.")
		}
	}
	app.secrets = append(app.secrets, made)
	answer := made.object()
	answer["@odata.context"] = a.context("microsoft.graph.passwordCredential")
	wire.JSON(a.ResponseWriter, http.StatusOK, answer)
	return nil
}

func (s *secret) object() wire.Object {
	return wire.Object{
		"keyId": s.id, "secretText": s.text, "hint": s.text[:3], "displayName": nonEmpty(s.name),
		"startDateTime": stamp(s.start), "endDateTime": stamp(s.end), "customKeyIdentifier": nil,
	}
}

func (d *Directory) removePassword(a *asked) error {
	app, err := a.managed()
	if err != nil {
		return err
	}
	body, err := wire.Body(a.ResponseWriter, a.Request)
	if err != nil {
		return err
	}
	if err := (wire.Fields{"keyId": wire.Text}).Check(body, "keyId"); err != nil {
		return err
	}
	i := slices.IndexFunc(app.secrets, func(s *secret) bool { return s.id == wire.String(body, "keyId") })
	if i < 0 {
		return wire.Refuse(http.StatusBadRequest, "Request_BadRequest", "No password credential found with keyId.")
	}
	app.secrets = slices.Delete(app.secrets, i, i+1)
	a.WriteHeader(http.StatusNoContent)
	return nil
}

func (d *Directory) principals(a *asked) error {
	if err := a.allowed(); err != nil {
		return err
	}
	head := a.path[0]
	switch {
	case len(a.path) == 1 && !head.HasKey && a.Method == http.MethodGet:
		return a.list("servicePrincipals", a.home.rows(a.now, (*application).principalRow))
	case len(a.path) == 1 && head.HasKey && a.Method == http.MethodGet:
		return a.one("servicePrincipals", a.home.rows(a.now, (*application).principalRow), head)
	case len(a.path) == 1 && !head.HasKey && a.Method == http.MethodPost:
		return d.addPrincipal(a)
	}
	return wire.Refuse(http.StatusMethodNotAllowed, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
}

func (d *Directory) addPrincipal(a *asked) error {
	body, err := wire.Body(a.ResponseWriter, a.Request)
	if err != nil {
		return err
	}
	fields := wire.Fields{"appId": wire.Text, "displayName": wire.Text, "accountEnabled": wire.Boolean, "tags": wire.List, "appRoleAssignmentRequired": wire.Boolean}
	if err := fields.Check(body, "appId"); err != nil {
		return err
	}
	id := wire.String(body, "appId")
	app := a.home.application(id)
	switch {
	case app == nil || app.seen.After(a.now):
		return wire.Refuse(http.StatusBadRequest, "Request_BadRequest", "The appId '"+id+"' of the service principal does not reference a valid application object.")
	case app.principal != nil:
		return wire.Refuse(http.StatusConflict, "Request_MultipleObjectsWithSameKeyValue", "The service principal cannot be created, updated, or restored because the service principal name "+id+" is already in use.")
	case !a.May(ReadWriteAll) && !strings.EqualFold(app.owner, a.Application):
		return wire.Refuse(http.StatusForbidden, "", "Insufficient privileges to complete the operation.")
	}
	app.principal = &principal{uuid.NewString(), a.now.Add(d.Lag)}
	answer := odata.Row{
		"id": app.principal.id, "appId": app.id, "displayName": app.name, "accountEnabled": true,
		"servicePrincipalType": "Application", "signInAudience": app.audience, "@odata.context": a.context("servicePrincipals/$entity"),
	}
	wire.JSON(a.ResponseWriter, http.StatusCreated, answer)
	return nil
}

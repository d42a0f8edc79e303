package entra

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"handoff/domain/fault"
	"handoff/infra/microsoft/entra/controlplane"
	"handoff/infra/microsoft/entra/guid"
)

// GraphBase is Microsoft Graph of the public cloud, in the version used here.
const GraphBase = "https://graph.microsoft.com/v1.0"

// MaxName is the greatest length of an application's display name in characters
// (documented: application resource type).
const MaxName = 256

// Permissions returns what the operations of this package need.
func Permissions() []controlplane.Permission {
	return []controlplane.Permission{
		{API: "Microsoft Graph", Name: "Application.ReadWrite.OwnedBy", Reason: "Creates the application that the connection goes by, its service principal and its secret, and changes no application that it does not own."},
		{API: "Microsoft Graph", Name: "Application.Read.All", Reason: "Looks an application up by its id or name, so that one that is there is used again. Not needed where Handoff made it."},
	}
}

// Graph finds and creates applications. It is safe for concurrent use.
type Graph struct{ api *controlplane.Client }

// NewGraph returns a client of Microsoft Graph. Base is GraphBase, the tokens
// are for ScopeGraph.
func NewGraph(o controlplane.Options) (*Graph, error) {
	api, err := controlplane.New(controlplane.API{
		Name: "Microsoft Graph", Code: "graph",
		Deny: "Grant the application Application.ReadWrite.OwnedBy (API permissions, application permission, admin consent), or create the application by hand and give its id.",
	}, o)
	return &Graph{api: api}, err
}

// Application is an app registration.
type Application struct {
	ObjectID guid.ID // by which Graph changes it
	AppID    guid.ID // the Application (client) ID
	Name     string
	// MultiTenant says that other tenants may use it too.
	MultiTenant bool
}

// wire is an application as Graph writes it (documented: application resource
// type); the fields are matched without regard to case.
type wire struct{ ID, AppID, DisplayName, SignInAudience string }

func (w wire) application() Application {
	object, _ := guid.Parse(w.ID)
	app, _ := guid.Parse(w.AppID)
	return Application{ObjectID: object, AppID: app, Name: w.DisplayName, MultiTenant: w.SignInAudience != "" && w.SignInAudience != "AzureADMyOrg"}
}

// FindApplication returns the application with an Application (client) ID, and
// whether the tenant has one. Needs Application.Read.All, or ReadWrite.OwnedBy
// for one's own.
func (g *Graph) FindApplication(ctx context.Context, id guid.ID) (Application, bool, error) {
	found, err := g.find(ctx, "appId eq '"+string(id)+"'")
	if err != nil || len(found) == 0 {
		return Application{}, false, err
	}
	return found[0], true, nil
}

// FindByName returns the applications with a display name, of which there may
// be several. Needs what FindApplication does.
func (g *Graph) FindByName(ctx context.Context, name string) ([]Application, error) {
	return g.find(ctx, "displayName eq '"+strings.ReplaceAll(name, "'", "''")+"'")
}

// find lists applications (documented: GET /applications). An application that
// was made seconds ago may be missing still.
func (g *Graph) find(ctx context.Context, filter string) ([]Application, error) {
	q := url.Values{"$filter": {filter}, "$select": {"id,appId,displayName,signInAudience"}}
	a, err := g.api.Do(ctx, controlplane.Request{Method: http.MethodGet, Path: "/applications", Query: q})
	if err != nil {
		return nil, fmt.Errorf("find an application: %w", err)
	}
	var list struct{ Value []wire }
	if err := a.Decode(&list); err != nil {
		return nil, err
	}
	var found []Application
	for _, w := range list.Value {
		if app := w.application(); app.ObjectID != "" && app.AppID != "" {
			found = append(found, app)
		}
	}
	return found, nil
}

// Wish says which application is wanted: the one with the id, or else the one
// with the name.
type Wish struct {
	AppID guid.ID
	Name  string
}

// EnsureApplication returns the application that is wished for, with its service
// principal; created says that there was none of that name. An id that the
// tenant does not know is the fault entra-application-unknown, a name that
// several have entra-application-ambiguous. Needs Application.ReadWrite.OwnedBy.
//
// Called again right after a crash it may create a second one, for lists trail
// behind by some seconds.
func (g *Graph) EnsureApplication(ctx context.Context, w Wish) (app Application, created bool, err error) {
	if w.AppID != "" {
		app, err = g.mustFind(ctx, w.AppID)
	} else {
		app, created, err = g.ensureNamed(ctx, w.Name)
	}
	if err != nil {
		return Application{}, false, err
	}
	_, err = g.EnsureServicePrincipal(ctx, app.AppID)
	return app, created, err
}

func (g *Graph) mustFind(ctx context.Context, id guid.ID) (Application, error) {
	app, found, err := g.FindApplication(ctx, id)
	if err == nil && !found {
		err = fault.Newf(fault.NotFound, "entra-application-unknown",
			"This tenant has no application with the id %s. Is it of another tenant? It stands on the overview page of the app registration, as Application (client) ID.", id)
	}
	return app, err
}

func (g *Graph) ensureNamed(ctx context.Context, name string) (app Application, created bool, err error) {
	if name == "" || utf8.RuneCountInString(name) > MaxName {
		return app, false, fault.Newf(fault.Unprocessable, "entra-application-name-invalid", "The application's name must have 1 to %d characters.", MaxName)
	}
	found, err := g.FindByName(ctx, name)
	switch {
	case err != nil:
		return app, false, err
	case len(found) > 1:
		return app, false, fault.Newf(fault.Conflict, "entra-application-ambiguous",
			"The tenant has %d applications named %q. Give the Application (client) ID of the one that is meant.", len(found), name)
	case len(found) == 1:
		return found[0], false, nil
	}
	app, err = g.create(ctx, name)
	return app, err == nil, err
}

// create makes an application for this tenant only (documented: POST
// /applications). It has no secret yet: that can't be set here.
func (g *Graph) create(ctx context.Context, name string) (Application, error) {
	a, err := g.api.Do(ctx, controlplane.Request{Method: http.MethodPost, Path: "/applications", JSON: map[string]any{
		"displayName": name, "signInAudience": "AzureADMyOrg",
	}})
	if err != nil {
		return Application{}, fmt.Errorf("create application %q: %w", name, err)
	}
	var w wire
	if err := a.Decode(&w); err != nil {
		return Application{}, err
	}
	app := w.application()
	if app.ObjectID == "" || app.AppID == "" {
		return Application{}, fmt.Errorf("create application %q: the answer has no ids", name)
	}
	return app, nil
}

// EnsureServicePrincipal makes the application usable in its tenant; created
// says that it was not before. Needs Application.ReadWrite.OwnedBy.
func (g *Graph) EnsureServicePrincipal(ctx context.Context, id guid.ID) (created bool, err error) {
	_, err = g.replicated(ctx, controlplane.Request{
		Method: http.MethodPost, Path: "/servicePrincipals", JSON: map[string]any{"appId": string(id)}, Repeatable: true,
	})
	if controlplane.Refused(err).Status != http.StatusConflict {
		return err == nil, wrap("create the service principal of", id, err)
	}
	_, err = g.replicated(ctx, controlplane.Request{Method: http.MethodGet, Path: "/servicePrincipals(appId='" + string(id) + "')"})
	return false, wrap("find the service principal of", id, err)
}

func wrap(doing string, id guid.ID, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s application %s: %w", doing, id, err)
}

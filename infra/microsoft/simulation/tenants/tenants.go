// Package tenants is the fake's Microsoft Entra ID (Azure AD): tenants with
// their applications, service principals and secrets; the token endpoint; and
// the part of Microsoft Graph that application registrations need.
//
// What it answers is documented (Microsoft identity platform, "client
// credentials flow"; Graph v1.0 reference, application and servicePrincipal).
// Not verified against the real services: which status goes with which AADSTS
// number beyond wrong secrets and unknown scopes, and how long changes take to
// be seen everywhere (the lag). That a second service principal is refused with
// 409 Request_MultipleObjectsWithSameKeyValue is what people report; some have
// seen 400 Request_BadRequest for it.
package tenants

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"handoff/infra/microsoft/simulation/clock"
	"handoff/infra/microsoft/simulation/signing"
	"handoff/infra/microsoft/simulation/wire"
)

// The audiences of services that have one for everybody.
const (
	Graph        = "https://graph.microsoft.com"
	Azure        = "https://management.azure.com"
	BotFramework = "https://api.botframework.com"
	Discovery    = "https://globaldisco.crm.dynamics.com"
)

// BotFrameworkTenant is the tenant of tokens for multi-tenant bots.
const BotFrameworkTenant = "d6d49420-f39b-4df7-a1dc-d59a935871db"

// Permissions of Graph that the fake knows.
const (
	ReadAll        = "Application.Read.All"
	ReadWriteAll   = "Application.ReadWrite.All"
	ReadWriteOwned = "Application.ReadWrite.OwnedBy"
)

// MultiTenant is the signInAudience of an application for every organisation.
const MultiTenant = "AzureADMultipleOrgs"

// Tenant is an organisation's directory as it is at the start.
type Tenant struct {
	ID           string // GUID
	Domain       string
	Applications []Application
}

// Application is an application that is registered at the start, with its
// service principal.
type Application struct {
	ID          string // the client id, a GUID
	Name        string
	Secret      string    // empty: it has none
	SecretEnds  time.Time // zero: in two years
	Audience    string    // signInAudience; empty: AzureADMyOrg
	Permissions []string  // of Graph, consented
}

// Options are how a directory behaves.
type Options struct {
	Clock clock.Clock
	// Lag is how long what was created is not seen by everybody.
	Lag time.Duration
	// Lifetime is how long access tokens are valid; 0 means an hour.
	Lifetime time.Duration
	// Keys makes the private keys of tokens; nil means signing.Generate.
	Keys signing.Source
}

// Directory holds all tenants. It is safe for concurrent use; make it with New.
type Directory struct {
	Options
	keys *signing.Keys // of access tokens
	bots *signing.Keys // of the Bot Connector's tokens

	mu        sync.Mutex
	tenants   []*tenant
	audiences map[string]string // what a scope may name, to the token's audience
}

type tenant struct {
	id, domain   string
	applications []*application
}

type application struct {
	id, object, name, audience string
	description                string
	permissions                []string
	owner                      string // client id of who created it; empty: a person
	created, seen              time.Time
	secrets                    []*secret
	principal                  *principal
}

type secret struct {
	id, text, name   string
	start, end, seen time.Time
}

type principal struct {
	id   string
	seen time.Time
}

// New returns a directory with the given tenants.
func New(o Options, tenants ...Tenant) *Directory {
	if o.Lifetime == 0 {
		o.Lifetime = time.Hour
	}
	if o.Keys == nil {
		o.Keys = signing.Generate
	}
	d := &Directory{
		Options: o, keys: signing.From(o.Keys), bots: signing.From(o.Keys, "msteams", "directline", "webchat", "lcw"),
		audiences: make(map[string]string),
	}
	for _, a := range []string{Graph, Azure, BotFramework, Discovery} {
		d.Serve(a)
	}
	for _, t := range tenants {
		d.tenants = append(d.tenants, d.tenant(t))
	}
	return d
}

func (d *Directory) tenant(t Tenant) *tenant {
	all := &tenant{id: strings.ToLower(t.ID), domain: t.Domain}
	now := d.Clock.Now()
	for _, a := range t.Applications {
		made := &application{
			id: strings.ToLower(a.ID), object: uuid.NewString(), name: a.Name, audience: a.Audience,
			permissions: a.Permissions, created: now, seen: now, principal: &principal{uuid.NewString(), now},
		}
		if made.audience == "" {
			made.audience = "AzureADMyOrg"
		}
		if a.Secret != "" {
			made.secrets = []*secret{{uuid.NewString(), a.Secret, "", now, a.SecretEnds, now}}
			if a.SecretEnds.IsZero() {
				made.secrets[0].end = now.AddDate(2, 0, 0)
			}
		}
		all.applications = append(all.applications, made)
	}
	return all
}

// Serve has tokens issued for an audience, under its own name and under the
// URLs where the fake serves it.
func (d *Directory) Serve(audience string, urls ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, u := range append(urls, audience) {
		d.audiences[normal(u)] = normal(audience)
	}
}

func normal(audience string) string { return strings.ToLower(strings.TrimRight(audience, "/")) }

// Bots returns the keys with which the Bot Connector signs.
func (d *Directory) Bots() *signing.Keys { return d.bots }

// Caller is an application that a valid access token names.
type Caller struct {
	Application string // client id
	Tenant      string
	Principal   string // object id of its service principal
	Roles       []string
}

// May reports whether the token has one of the roles.
func (c Caller) May(roles ...string) bool {
	return slices.ContainsFunc(roles, func(r string) bool { return slices.Contains(c.Roles, r) })
}

// Authenticate returns who sends a request, by an access token of one of the
// tenants for the audience. It refuses with 401.
func (d *Directory) Authenticate(r *http.Request, audience string) (Caller, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return Caller{}, wire.Refuse(http.StatusUnauthorized, "", "Access token is empty.")
	}
	c, err := d.keys.Verify(token)
	if err != nil {
		return Caller{}, wire.Refuse(http.StatusUnauthorized, "", "Access token validation failure. The signature is invalid.")
	}
	now := float64(d.Clock.Now().Unix())
	exp, _ := c["exp"].(float64)
	nbf, _ := c["nbf"].(float64)
	switch {
	case now >= exp:
		return Caller{}, wire.Refuse(http.StatusUnauthorized, "", "Lifetime validation failed, the token is expired.")
	case now < nbf:
		return Caller{}, wire.Refuse(http.StatusUnauthorized, "", "Lifetime validation failed, the token is not yet valid.")
	case wire.String(c, "aud") != normal(audience):
		return Caller{}, wire.Refuse(http.StatusUnauthorized, "", "Access token validation failure. Invalid audience.")
	}
	caller := Caller{Application: wire.String(c, "appid"), Tenant: wire.String(c, "tid"), Principal: wire.String(c, "oid")}
	roles, _ := c["roles"].([]any)
	for _, role := range roles {
		if text, isText := role.(string); isText {
			caller.Roles = append(caller.Roles, text)
		}
	}
	return caller, nil
}

// Registered reports whether an application has a service principal in a
// tenant, and under which name.
func (d *Directory) Registered(tenantID, applicationID string) (name string, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.find(tenantID)
	if t == nil {
		return "", false
	}
	a := t.application(applicationID)
	if a == nil || a.principal == nil {
		return "", false
	}
	return a.name, true
}

// find returns a tenant by id or domain. The caller holds mu.
func (d *Directory) find(tenant string) *tenant {
	for _, t := range d.tenants {
		if strings.EqualFold(t.id, tenant) || t.domain != "" && strings.EqualFold(t.domain, tenant) {
			return t
		}
	}
	return nil
}

func (t *tenant) application(id string) *application {
	for _, a := range t.applications {
		if strings.EqualFold(a.id, id) {
			return a
		}
	}
	return nil
}

// newSecret returns a text of 40 characters, as Graph's are.
func newSecret() string {
	raw := make([]byte, 20)
	_, _ = rand.Read(raw) // it never fails
	return hex.EncodeToString(raw)
}

// Package entra gets tokens from Microsoft Entra ID (Azure AD until 2023) and
// registers applications there, through Microsoft Graph.
//
// A Source has the tokens of one application for one API, by the client
// credentials flow. A Graph finds or creates the application that a connection
// goes by, with its service principal and its secret. Every operation may be
// repeated; what must not be done twice is looked up first.
package entra

import (
	"context"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/entra/controlplane"
	"handoff/infra/microsoft/entra/guid"
)

// Authority is the login service of the public cloud.
const Authority = "https://login.microsoftonline.com"

// Scopes of the APIs that have one address for everybody. The scope of a
// Dataverse organisation is its own address and "/.default".
const (
	ScopeGraph        = "https://graph.microsoft.com/.default"
	ScopeAzure        = "https://management.azure.com/.default"
	ScopeBotFramework = "https://api.botframework.com/.default"
)

// TenantBotFramework is the tenant that tokens of multi-tenant bots come from
// (documented: Bot Connector authentication). Single-tenant bots ask their own.
const TenantBotFramework = "botframework.com"

// early is how long before its end a token is no longer used.
const early = 5 * time.Minute

// Secret is a client secret. It is printed, logged and marshalled as a word
// that says so; string(s) is the secret itself.
type Secret string

const hidden = "(secret)"

// String returns a word in place of the secret.
func (Secret) String() string { return hidden }

// GoString returns a word in place of the secret.
func (Secret) GoString() string { return hidden }

// LogValue returns a word in place of the secret.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText returns a word in place of the secret.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Credentials are an application's. All are required.
type Credentials struct {
	Tenant   string // a GUID, a domain of the tenant's, or TenantBotFramework
	ClientID string // the application's id, as pasted
	Secret   Secret // the secret's value, not its id
}

// Source has the tokens of one application for one API. It asks for one when
// there is none that is good for five minutes still, and only once however many
// callers wait. It is safe for concurrent use.
type Source struct {
	login       *controlplane.Client
	credentials Credentials
	scope       string
	now         func() time.Time

	mu     sync.Mutex
	token  string
	until  time.Time // when it is renewed
	flight *flight   // the request under way, or nil
}

type flight struct {
	done   chan struct{} // closed when the rest is set
	token  string
	err    error
	gaveUp bool // the caller who made the request
}

// NewSource returns a source of tokens for an API, by its scope. The options
// are for calling the login service, whose Base is Authority; Tokens is not
// used. Credentials that can't be right are refused before they are sent, with
// the code entra-tenant-invalid, entra-client-id-invalid or
// entra-secret-invalid; the error does not repeat them, for people paste secrets
// into wrong fields.
func NewSource(o controlplane.Options, c Credentials, scope string) (*Source, error) {
	c.Secret = Secret(strings.TrimSpace(string(c.Secret)))
	id, err := c.check()
	if err != nil {
		return nil, err
	}
	o.Tokens = nil
	login, err := controlplane.New(loginAPI(), o)
	if err != nil {
		return nil, err
	}
	c.Tenant, c.ClientID = tenant(c.Tenant), string(id)
	return &Source{login: login, credentials: c, scope: scope, now: o.Now}, nil
}

var domainName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$`)

// tenant returns a tenant as it stands in a path, or nothing.
func tenant(pasted string) string {
	if id, ok := guid.Parse(pasted); ok {
		return string(id)
	}
	name := normalDomain(pasted)
	if len(name) > 253 || !domainName.MatchString(name) {
		return ""
	}
	return name
}

func (c Credentials) check() (guid.ID, error) {
	id, ok := guid.Parse(c.ClientID)
	_, secretID := guid.Parse(string(c.Secret))
	switch {
	case tenant(c.Tenant) == "":
		return "", fault.New(fault.Unprocessable, "entra-tenant-invalid",
			"The tenant must be its id (a GUID) or one of its domains, such as contoso.onmicrosoft.com.")
	case !ok:
		return "", fault.New(fault.Unprocessable, "entra-client-id-invalid",
			"The application's id must be a GUID: the Application (client) ID on the overview page of the app registration.")
	case c.Secret == "":
		return "", fault.New(fault.Unprocessable, "entra-secret-invalid", "The application's secret is missing.")
	case secretID:
		return "", fault.New(fault.Unprocessable, "entra-secret-invalid",
			"What was given as the application's secret is a GUID, so it is the secret's id. Its value is needed; it is shown once, when the secret is made.")
	}
	return id, nil
}

// String names the application and the scope, and neither secret nor token.
func (s *Source) String() string {
	return "tokens of application " + s.credentials.ClientID + " for " + s.scope
}

// Token returns a token that is good for five minutes still. Where several
// callers wait for one, they share the outcome.
func (s *Source) Token(ctx context.Context) (string, error) { return s.get(ctx, "") }

// Renew returns another token than the one that was rejected. Callers who were
// all rejected with the same one share the next.
func (s *Source) Renew(ctx context.Context, rejected string) (string, error) {
	return s.get(ctx, rejected)
}

func (s *Source) get(ctx context.Context, rejected string) (string, error) {
	for {
		token, f, mine := s.join(rejected)
		switch {
		case token != "":
			return token, nil
		case mine:
			s.fly(ctx, f)
			return f.token, f.err
		}
		select {
		case <-f.done:
			if !f.gaveUp {
				return f.token, f.err
			}
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// join returns the token that is kept, or the request under way; mine says that
// the caller has to make it.
func (s *Source) join(rejected string) (token string, f *flight, mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token != "" && s.token != rejected && s.now().Before(s.until) {
		return s.token, nil, false
	}
	if s.flight != nil {
		return "", s.flight, false
	}
	s.flight = &flight{done: make(chan struct{})}
	return "", s.flight, true
}

func (s *Source) fly(ctx context.Context, f *flight) {
	asked := s.now()
	token, lifetime, err := s.request(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	f.token, f.err, f.gaveUp = token, err, err != nil && ctx.Err() != nil
	if err == nil {
		s.token, s.until = token, asked.Add(lifetime-early)
	}
	s.flight = nil
	close(f.done)
}

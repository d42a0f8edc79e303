package tenants

import (
	"fmt"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"handoff/infra/microsoft/simulation/signing"
	"handoff/infra/microsoft/simulation/wire"
)

// Login returns the hosts login.microsoftonline.com and login.botframework.com
// in one.
func (d *Directory) Login() http.Handler {
	return wire.Routes{
		"POST /{tenant}/oauth2/v2.0/token":                    d.token,
		"GET /{tenant}/v2.0/.well-known/openid-configuration": d.entraMetadata,
		"GET /{tenant}/discovery/v2.0/keys":                   published(d.keys),
		"GET /v1/.well-known/openidconfiguration":             botMetadata,
		"GET /v1/.well-known/keys":                            published(d.bots),
	}.Handler(d.LoginShape)
}

func botMetadata(w http.ResponseWriter, r *http.Request) error {
	wire.JSON(w, http.StatusOK, wire.Object{
		"issuer":                                "https://api.botframework.com",
		"authorization_endpoint":                "https://invalid.botframework.com",
		"jwks_uri":                              wire.Base(r) + "/v1/.well-known/keys",
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"token_endpoint_auth_methods_supported": []string{"private_key_jwt"},
	})
	return nil
}

func (d *Directory) entraMetadata(w http.ResponseWriter, r *http.Request) error {
	d.mu.Lock()
	t := d.find(r.PathValue("tenant"))
	d.mu.Unlock()
	if t == nil {
		return noTenant(r.PathValue("tenant"))
	}
	root := wire.Base(r) + "/" + t.id
	wire.JSON(w, http.StatusOK, wire.Object{
		"issuer":                                "https://login.microsoftonline.com/" + t.id + "/v2.0",
		"token_endpoint":                        root + "/oauth2/v2.0/token",
		"jwks_uri":                              root + "/discovery/v2.0/keys",
		"id_token_signing_alg_values_supported": []string{"RS256"},
	})
	return nil
}

func published(k *signing.Keys) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, _ *http.Request) error {
		set, err := k.Set()
		if err == nil {
			wire.JSON(w, http.StatusOK, set)
		}
		return err
	}
}

// token answers the client credentials grant.
func (d *Directory) token(w http.ResponseWriter, r *http.Request) error {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	if err := r.ParseForm(); err != nil || kind != "application/x-www-form-urlencoded" {
		return denied(http.StatusBadRequest, "invalid_request", 900144, "The request body must contain the following parameter: 'grant_type'.")
	}
	form := r.PostForm
	for _, name := range []string{"grant_type", "client_id", "scope"} {
		if form.Get(name) == "" {
			return denied(http.StatusBadRequest, "invalid_request", 900144, "The request body must contain the following parameter: '"+name+"'.")
		}
	}
	if form.Get("grant_type") != "client_credentials" {
		return denied(http.StatusBadRequest, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	claims, err := d.grant(r.PathValue("tenant"), form.Get("client_id"), form.Get("client_secret"), form.Get("scope"))
	if err != nil {
		return err
	}
	token, err := d.keys.Sign(claims)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store, no-cache")
	seconds := int(d.Lifetime / time.Second)
	wire.JSON(w, http.StatusOK, wire.Object{
		"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token,
	})
	return nil
}

// grant decides what a client gets. The caller holds mu.
func (d *Directory) grant(tenantName, client, secret, scope string) (signing.Claims, error) {
	audience, err := d.audience(scope)
	if err != nil {
		return nil, err
	}
	a, tid, err := d.client(tenantName, client)
	if err != nil {
		return nil, err
	}
	now := d.Clock.Now()
	if err := a.proves(secret, now); err != nil {
		return nil, err
	}
	if a.principal == nil || a.principal.seen.After(now) {
		return nil, denied(http.StatusUnauthorized, "invalid_client", 7000229, "The client application '"+a.id+"' is missing service principal in the tenant '"+tid+"'.")
	}
	claims := signing.Claims{
		"aud": audience, "iss": "https://sts.windows.net/" + tid + "/", "tid": tid, "ver": "1.0", "appid": a.id, "appidacr": "1",
		"oid": a.principal.id, "sub": a.principal.id, "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(d.Lifetime).Unix(),
	}
	if audience == Graph {
		claims["roles"] = a.permissions
	}
	return claims, nil
}

// audience returns what a scope of the form {resource}/.default names.
func (d *Directory) audience(scope string) (string, error) {
	resource, ok := strings.CutSuffix(scope, "/.default")
	if !ok || strings.Contains(scope, " ") {
		return "", denied(http.StatusBadRequest, "invalid_scope", 70011, "The provided value for the input parameter 'scope' is not valid. The scope "+scope+" is not valid.")
	}
	audience, ok := d.audiences[normal(resource)]
	if !ok {
		return "", denied(http.StatusBadRequest, "invalid_resource", 500011, "The resource principal named "+resource+" was not found in the tenant.")
	}
	return audience, nil
}

// client finds the application that asks. The tenant botframework.com knows
// the multi-tenant applications of every tenant.
func (d *Directory) client(tenantName, client string) (*application, string, error) {
	now := d.Clock.Now()
	if strings.EqualFold(tenantName, "botframework.com") {
		for _, t := range d.tenants {
			if a := t.application(client); a != nil && a.audience == MultiTenant && !a.seen.After(now) {
				return a, BotFrameworkTenant, nil
			}
		}
		return nil, "", noClient(client, tenantName)
	}
	t := d.find(tenantName)
	if t == nil {
		return nil, "", noTenant(tenantName)
	}
	a := t.application(client)
	if a == nil || a.seen.After(now) {
		return nil, "", noClient(client, tenantName)
	}
	return a, t.id, nil
}

func noTenant(name string) error {
	return denied(http.StatusBadRequest, "invalid_request", 90002, "Tenant '"+name+"' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud.")
}

func noClient(client, tenant string) error {
	return denied(http.StatusBadRequest, "unauthorized_client", 700016, "Application with identifier '"+client+"' was not found in the directory '"+tenant+"'.")
}

func (a *application) proves(text string, now time.Time) error {
	if text == "" {
		return denied(http.StatusUnauthorized, "invalid_client", 7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.")
	}
	for _, s := range a.secrets {
		if s.text != text || s.seen.After(now) {
			continue
		}
		if now.After(s.end) {
			return denied(http.StatusUnauthorized, "invalid_client", 7000222, "The provided client secret keys for app '"+a.id+"' are expired.")
		}
		return nil
	}
	return denied(http.StatusUnauthorized, "invalid_client", 7000215, "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '"+a.id+"'.")
}

func denied(status int, code string, number int, text string) error {
	return wire.Refuse(status, code, fmt.Sprintf("AADSTS%d: %s", number, text))
}

var aadsts = regexp.MustCompile(`^AADSTS(\d+):`)

// LoginShape writes a refusal as the token endpoint does.
func (d *Directory) LoginShape(w http.ResponseWriter, _ *http.Request, f *wire.Error) {
	code, text := f.Code, f.Message
	if code == "" {
		code = "temporarily_unavailable"
		if f.Status < http.StatusInternalServerError && f.Status != http.StatusTooManyRequests {
			code = "invalid_request"
		}
	}
	if text == "" {
		text = "AADSTS90033: A transient error has occurred. Please try again."
	}
	numbers := []int{}
	if m := aadsts.FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[1])
		numbers = append(numbers, n)
	}
	trace, correlation := uuid.NewString(), uuid.NewString()
	at := d.Clock.Now().UTC().Format("2006-01-02 15:04:05Z")
	wire.JSON(w, f.Status, wire.Object{
		"error": code, "error_codes": numbers, "timestamp": at, "trace_id": trace, "correlation_id": correlation,
		"error_description": text + " Trace ID: " + trace + " Correlation ID: " + correlation + " Timestamp: " + at,
		"error_uri":         "https://login.microsoftonline.com/error",
	})
}

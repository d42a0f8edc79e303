// Package bootstrap makes what a new stack lacks: a tenant and its first
// administrator's key. There is no other way in, and whoever may invoke this
// function could give itself any key, so that it asks for no proof of its own.
package bootstrap

import (
	"cmp"
	"context"
	"fmt"

	"handoff/domain/identity"
)

// keyName is what a key that replaces another is called, for people.
const keyName = "bootstrap"

// Tenants makes a tenant's secrets, durably, unless it has them.
type Tenants interface {
	EnsureTenant(ctx context.Context, name string) error
}

// Keys issues API keys. EnsureKey does so only where no key of that role is
// valid, and returns no token otherwise.
type Keys interface {
	EnsureKey(ctx context.Context, tenant, connection string, role identity.Role) (token string, err error)
	Issue(ctx context.Context, n identity.NewKey) (token string, p identity.Principal, err error)
}

// Handler makes tenants and their administrators' keys. It is safe for
// concurrent use.
type Handler struct {
	Tenants Tenants
	Keys    Keys
	// Tenant is the one to make where the request names none.
	Tenant string
}

// Request is what an administrator invokes the function with.
type Request struct {
	Tenant string `json:"tenant"`
	// Replace asks for another key although there is a valid one, because that
	// was lost. The one that was lost stays valid until it is revoked.
	Replace bool `json:"replace"`
}

// Answer tells an administrator's key, this once.
type Answer struct {
	Tenant  string `json:"tenant"`
	APIKey  string `json:"api_key,omitempty"` // empty where there is one already
	Message string `json:"message"`
}

// Handle makes the tenant and its first administrator's key. Called again it
// makes nothing, unless it is asked to replace a key; of several calls at once
// one gets the first key.
func (h *Handler) Handle(ctx context.Context, r Request) (Answer, error) {
	tenant := cmp.Or(r.Tenant, h.Tenant)
	if err := h.Tenants.EnsureTenant(ctx, tenant); err != nil {
		return Answer{}, fmt.Errorf("make tenant %q: %w", tenant, err)
	}
	token, err := h.key(ctx, tenant, r.Replace)
	if err != nil {
		return Answer{}, fmt.Errorf("make an administrator's key of tenant %q: %w", tenant, err)
	}
	return Answer{Tenant: tenant, APIKey: token, Message: message(token, r.Replace)}, nil
}

func (h *Handler) key(ctx context.Context, tenant string, replace bool) (token string, err error) {
	if !replace {
		return h.Keys.EnsureKey(ctx, tenant, "", identity.Admin)
	}
	token, _, err = h.Keys.Issue(ctx, identity.NewKey{Tenant: tenant, Role: identity.Admin, Name: keyName})
	return token, err
}

func message(token string, replaced bool) string {
	switch {
	case token == "":
		return `There is an administrator's key already, and it can't be shown again. If it is lost, invoke this function with {"replace": true}, then revoke the lost one.`
	case replaced:
		return "This is another administrator's key, shown this once. Revoke the one that is lost."
	default:
		return "This is the administrator's key, shown this once. Keep it where secrets are kept."
	}
}

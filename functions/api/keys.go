package api

import (
	"context"
	"slices"

	"handoff/domain/identity"
)

// KeyStore holds the keys by which callers prove who they are, each a principal.
type KeyStore interface {
	Issue(ctx context.Context, n identity.NewKey) (token string, p identity.Principal, err error)
	List(ctx context.Context, tenant string) ([]identity.APIKey, error)
	Revoke(ctx context.Context, tenant, id string) error
}

// Issued lists the keys of the principal's tenant but for those that were
// revoked.
func (h *Handler) Issued(ctx context.Context, by identity.Principal) ([]identity.APIKey, error) {
	all, err := h.APIKeys.List(ctx, by.Tenant)
	return slices.DeleteFunc(all, func(k identity.APIKey) bool { return !k.Revoked.IsZero() }), err
}

// IssueKey makes a key in the principal's tenant. The token is told this once.
func (h *Handler) IssueKey(ctx context.Context, by identity.Principal, n identity.NewKey) (identity.APIKey, string, error) {
	n.Tenant = by.Tenant
	if n.Connection != "" {
		if _, err := h.find(ctx, by, n.Connection); err != nil {
			return identity.APIKey{}, "", err
		}
	}
	token, p, err := h.APIKeys.Issue(ctx, n)
	if err != nil {
		return identity.APIKey{}, "", err
	}
	return identity.APIKey{Principal: p, Created: h.Now().UTC(), Expires: n.Expires}, token, nil
}

// RevokeKey makes a key of the principal's tenant invalid for ever.
func (h *Handler) RevokeKey(ctx context.Context, by identity.Principal, id string) error {
	return h.APIKeys.Revoke(ctx, by.Tenant, id)
}

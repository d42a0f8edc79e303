package system

import (
	"context"
	"net/http"
	"time"

	"handoff/domain/audit"
	"handoff/domain/identity"
	"handoff/infra/httpapi"
	"handoff/infra/keyring"
	"handoff/infra/standardwebhooks"
)

// httpHandler serves every operation.
func (s *System) httpHandler() http.Handler {
	b, l := s.bound, lists{s}
	return httpapi.New(httpapi.API{
		Raise: b.webhook.Raise,

		Connect: b.api.Connect, Connection: b.api.Connection, Connections: l.connections, Disconnect: b.api.Disconnect,
		SetEndpoint: b.api.SetEndpoint, RemoveEndpoint: b.api.RemoveEndpoint, RotateSecret: b.api.RotateSecret,
		Rules: b.api.Ruleset, AdoptRules: b.api.AdoptRules, CheckRules: b.api.CheckRules,

		Escalation: b.api.Escalation, Escalations: l.escalations, Context: b.api.Context, Why: b.api.Why,
		Report: b.api.Report, Erase: b.api.Erase,

		Deliveries: l.deliveries, Delivery: l.delivery, Resend: l.resend,
		Keys: s.keys, IssueKey: s.issueKey, RevokeKey: s.revokeKey,

		History: b.audit.History, StateAt: b.audit.StateAt, Facts: b.audit.Facts, Verify: s.verify,
		Healthy: s.healthy,
	}, httpapi.Config{
		Authenticate: s.Keyring.APIKeys().Authenticate, Now: s.cfg.Now, Log: s.cfg.Log, MaxBody: s.cfg.MaxBody,
		PublicURL: s.cfg.PublicURL, Version: s.cfg.Version,
		WebhookSecrets: func(ctx context.Context, tenant, connection string) ([]standardwebhooks.Secret, error) {
			return s.Vault.Secrets(ctx, tenant, connection, "")
		},
	})
}

func (s *System) verify(ctx context.Context, by identity.Principal, against string) (audit.Verified, error) {
	return s.bound.audit.Verify(ctx, by, against, nil)
}

func (s *System) healthy(ctx context.Context) error {
	_, err := s.Log.Last(ctx)
	return err
}

func (s *System) keys(ctx context.Context, by identity.Principal) ([]httpapi.Key, error) {
	all, err := s.Keyring.APIKeys().List(ctx, by.Tenant)
	if err != nil {
		return nil, err
	}
	keys := make([]httpapi.Key, 0, len(all))
	for _, k := range all {
		if k.Revoked.IsZero() {
			keys = append(keys, httpapi.Key{
				ID: k.ID, Role: string(k.Role), Connection: k.Connection, Name: k.Name, CreatedAt: k.Created, ExpiresAt: k.Expires,
			})
		}
	}
	return keys, nil
}

func (s *System) issueKey(ctx context.Context, by identity.Principal, n httpapi.NewKey) (httpapi.Key, string, error) {
	role, err := identity.ParseRole(n.Role)
	if err != nil {
		return httpapi.Key{}, "", err
	}
	var expires time.Time
	if n.ValidFor > 0 {
		expires = s.cfg.Now().Add(n.ValidFor).UTC()
	}
	if n.Connection != "" {
		if _, err := s.bound.api.Connection(ctx, by, n.Connection); err != nil {
			return httpapi.Key{}, "", err
		}
	}
	token, p, err := s.Keyring.APIKeys().Issue(ctx, keyring.NewKey{
		Tenant: by.Tenant, Role: role, Connection: n.Connection, Name: n.Name, Expires: expires,
	})
	if err != nil {
		return httpapi.Key{}, "", err
	}
	return httpapi.Key{
		ID: p.ID, Role: n.Role, Connection: p.Connection, Name: p.Name, CreatedAt: s.cfg.Now().UTC(), ExpiresAt: expires,
	}, token, nil
}

func (s *System) revokeKey(ctx context.Context, by identity.Principal, id string) error {
	return s.Keyring.APIKeys().Revoke(ctx, by.Tenant, id)
}

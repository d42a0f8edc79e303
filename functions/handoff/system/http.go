package system

import (
	"context"
	"net/http"

	"handoff/domain/audit"
	"handoff/domain/identity"
	"handoff/infra/httpapi"
	"handoff/infra/standardwebhooks"
)

// httpHandler serves every operation.
func (s *System) httpHandler() http.Handler {
	b := s.bound
	return httpapi.New(httpapi.API{
		Raise: b.webhook.Raise,

		Connect: b.api.Connect, Connection: b.api.Connection, Connections: b.api.Connections, Disconnect: b.api.Disconnect,
		CheckConnection: b.api.Check, RotateApplicationSecret: b.api.RotateApplicationSecret, BeginCheck: b.api.BeginCheck, LookCheck: b.api.LookCheck, EndCheck: b.api.EndCheck,
		SetEndpoint: b.api.SetEndpoint, RemoveEndpoint: b.api.RemoveEndpoint, RotateSecret: b.api.RotateSecret,
		Rules: b.api.Ruleset, AdoptRules: b.api.AdoptRules, CheckRules: b.api.CheckRules,

		Escalation: b.api.Escalation, Escalations: b.api.Escalations, Context: b.api.Context, ContextByLink: b.api.ContextByLink, Why: b.api.Why,
		Report: b.api.Report, Erase: b.api.Erase,

		Deliveries: b.api.Deliveries, Delivery: b.api.Delivery, Resend: b.api.Resend,
		Keys: b.api.Issued, IssueKey: b.api.IssueKey, RevokeKey: b.api.RevokeKey,

		History: b.audit.History, StateAt: b.audit.StateAt, Facts: b.audit.Facts, Verify: s.verify,
		Messages: s.messages(b.relay),
		Healthy:  s.healthy,
	}, httpapi.Config{
		Authenticate: s.Keyring.APIKeys().Authenticate, Now: s.cfg.Now, Log: s.cfg.Log, MaxBody: s.cfg.MaxBody, MaxConcurrent: s.cfg.MaxConcurrent,
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

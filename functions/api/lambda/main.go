// The Lambda function api, called through an HTTP API by administrators, hubs
// and auditors. What they ask of the past is answered by auditreplay.
package main

import (
	"context"
	"os"
	"time"

	"handoff/functions/api"
	"handoff/infra/cloud"
	"handoff/infra/httpapi"
)

func main() {
	cloud.Start(os.Getenv, time.Now, func(ctx context.Context, c *cloud.Cloud) (cloud.Handler, error) {
		h, keys, err := bind(ctx, c)
		if err != nil {
			return nil, err
		}
		return cloud.OnHTTP(c.API(operations(h), keys, h.Ledger.Log())), nil
	})
}

// operations are those that neither webhook nor auditreplay serves.
func operations(h *api.Handler) httpapi.API {
	return httpapi.API{
		Connect: h.Connect, Connection: h.Connection, Connections: h.Connections, Disconnect: h.Disconnect,
		CheckConnection:         h.Check,
		RotateApplicationSecret: h.RotateApplicationSecret, BeginCheck: h.BeginCheck, LookCheck: h.LookCheck, EndCheck: h.EndCheck,
		SetEndpoint: h.SetEndpoint, RemoveEndpoint: h.RemoveEndpoint, RotateSecret: h.RotateSecret,
		Rules: h.Ruleset, AdoptRules: h.AdoptRules, CheckRules: h.CheckRules,
		Escalation: h.Escalation, Escalations: h.Escalations, Context: h.Context, ContextByLink: h.ContextByLink, Why: h.Why, Report: h.Report, Erase: h.Erase,
		Deliveries: h.Deliveries, Delivery: h.Delivery, Resend: h.Resend,
		Keys: h.Issued, IssueKey: h.IssueKey, RevokeKey: h.RevokeKey,
	}
}

package api

import (
	"context"
	"fmt"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/domain/geography"
	"handoff/domain/identity"
	"handoff/events"
	"handoff/infra/eventlog"
)

// request returns the command for a plan, without endpoints and rules, in the
// form that its hub is compared in.
func (h *Handler) request(ctx context.Context, p connection.Plan) (connection.Request, error) {
	r := p.Request(h.Now())
	if p.HealthURL != "" {
		if err := h.CheckURL(ctx, p.HealthURL); err != nil {
			return r, at(err, "/health_url")
		}
	}
	if r.Omnichannel != nil {
		regions, err := h.regions(r.Fact.Regions)
		if err != nil {
			return r, err
		}
		r.Fact.Regions = regions
	}
	if h.Hubs == nil {
		return r, nil
	}
	return h.Hubs.Normal(r)
}

// regions completes where Handoff's own log is. Nobody may say otherwise.
func (h *Handler) regions(given *events.Regions) (*events.Regions, error) {
	var r events.Regions
	if given != nil {
		r = *given
	}
	if h.Geography == geography.Unknown {
		return &r, nil
	}
	if r.Log != "" && geography.Parse(r.Log) != h.Geography {
		return nil, fault.Newf(fault.Unprocessable, "region-contradicts-server", "This server keeps its log in %s, not in %s.", h.Geography, r.Log).At("/regions/log")
	}
	r.Log = string(h.Geography)
	return &r, nil
}

// keepSecrets puts the secrets of a plan into the secret store. They replace the
// ones that are there, also where nothing else of the plan is new: so a secret is
// renewed.
func (h *Handler) keepSecrets(ctx context.Context, tenant string, p connection.Plan) error {
	for which, secret := range map[string]connection.Secret{
		connection.SecretClient: p.ClientSecret, connection.SecretApplication: p.ApplicationSecret, connection.SecretDirectLine: p.DirectLineSecret,
	} {
		if secret == "" {
			continue
		}
		if p.Omnichannel == nil || h.HubSecrets == nil {
			return fault.New(fault.Unprocessable, "hub-secret-unexpected", "This hub takes no secret.").At("/" + which + "_secret")
		}
		if err := h.HubSecrets.PutSecret(ctx, tenant, connection.SecretName(p.Name, which), []byte(secret)); err != nil {
			return fmt.Errorf("keep the %s secret of connection %s: %w", which, p.Name, err)
		}
	}
	return nil
}

// Check looks at a connection's hub and bot as they are now. It changes nothing
// but what is known of the bot's being published. Hubs at which there is nothing
// to look at have no findings.
func (h *Handler) Check(ctx context.Context, by identity.Principal, id string) (connection.Checked, error) {
	c, err := h.find(ctx, by, id)
	if err != nil {
		return connection.Checked{}, err
	}
	if !c.Active() {
		return connection.Checked{}, connection.Refusal(c.State)
	}
	c.Tenant = by.Tenant
	checked := connection.Checked{Connection: c.State, Seen: []events.Finding{}}
	if h.Hubs == nil {
		return checked, nil
	}
	seen, err := h.Hubs.Inspect(ctx, c.State)
	if err != nil || seen == nil {
		return checked, err
	}
	checked.Seen, checked.HubRules = append(checked.Seen, seen.Findings...), seen.HubRules
	done, err := eventlog.Execute(ctx, h.Ledger, connection.Decider, c.stream, origin(by), func(connection.State) (eh.Command, error) {
		return connection.ObserveBot{To: connection.To(c.stream.ID), Session: c.Session, Found: seen.Bot}, nil
	})
	checked.Connection = done.State
	if err != nil {
		return checked, fmt.Errorf("check %s: %w", id, err)
	}
	return checked, nil
}

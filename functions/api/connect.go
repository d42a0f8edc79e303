package api

import (
	"cmp"
	"context"
	"fmt"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/domain/routing"
	"handoff/events"
	"handoff/infra/eventlog"
)

// defaultRules sends everything to one queue, for connections that begin
// without rules of their own.
const defaultRules = `version: 1
name: everything to one queue
fallback: general
queues:
  - {id: general, name: General}
`

// Connect asks for a connection, its endpoints and its rules in one commit; the
// steps that follow are taken by functions. For a connection that is there it
// applies what changed. Credentials are in the answer if they were made.
func (h *Handler) Connect(ctx context.Context, by identity.Principal, p connection.Plan) (connection.Connected, error) {
	cmd, err := h.plan(ctx, p)
	if err != nil {
		return connection.Connected{}, err
	}
	c, err := h.load(ctx, by.Tenant, p.Name)
	if err != nil {
		return connection.Connected{}, err
	}
	cmd.To = connection.To(c.stream.ID)
	if c.Rules.Set != "" && p.Rules == "" {
		cmd.Rules, cmd.Queues = nil, nil
	}
	if _, err := connection.Decider.Decide(c.State, cmd); err != nil {
		return connection.Connected{}, err
	}
	if err := h.keepSecrets(ctx, by.Tenant, p); err != nil {
		return connection.Connected{}, err
	}
	made, err := h.credentials(ctx, by.Tenant, p.Name, cmd.Endpoints)
	if err != nil {
		return connection.Connected{}, err
	}
	done, err := eventlog.Execute(ctx, h.Ledger, connection.Decider, c.stream, origin(by),
		func(connection.State) (eh.Command, error) { return cmd, nil })
	if err != nil {
		return connection.Connected{}, fmt.Errorf("connect %s: %w", p.Name, err)
	}
	c.State = done.State
	state, err := h.carryOut(ctx, by, c, p)
	return connection.Connected{State: state, Credentials: made}, err
}

// plan checks a plan and returns the command for it.
func (h *Handler) plan(ctx context.Context, p connection.Plan) (connection.Request, error) {
	cmd, err := h.request(ctx, p)
	if err != nil {
		return cmd, err
	}
	// The decider decides last; asking it first keeps a plan that it will
	// refuse from leaving keys behind.
	if _, err := connection.Decider.Decide(connection.State{}, cmd); err != nil {
		return cmd, err
	}
	for i, e := range p.Endpoints {
		f, err := h.endpoint(ctx, e)
		if err != nil {
			return cmd, at(err, fmt.Sprintf("/endpoints/%d", i))
		}
		cmd.Endpoints = append(cmd.Endpoints, f)
	}
	rules, err := adoption([]byte(cmp.Or(p.Rules, defaultRules)))
	if err != nil {
		return cmd, at(err, "/rules")
	}
	cmd.Rules, cmd.Queues = &rules.Fact, rules.Queues
	_, err = connection.Decider.Decide(connection.State{}, cmd)
	return cmd, err
}

// credentials makes what the connection lacks.
func (h *Handler) credentials(ctx context.Context, tenant, name string, endpoints []events.EndpointSet) (*connection.Credentials, error) {
	var c connection.Credentials
	var err error
	if c.BotKey, err = h.Issuer.EnsureKey(ctx, tenant, name, identity.Bot); err != nil {
		return nil, fmt.Errorf("make bot key: %w", err)
	}
	if c.HubKey, err = h.Issuer.EnsureKey(ctx, tenant, name, identity.Hub); err != nil {
		return nil, fmt.Errorf("make hub key: %w", err)
	}
	if c.WebhookSecret, err = h.Secrets.Ensure(ctx, tenant, name, ""); err != nil {
		return nil, fmt.Errorf("make webhook secret: %w", err)
	}
	for _, e := range endpoints {
		secret, err := h.Secrets.Ensure(ctx, tenant, name, e.Endpoint)
		if err != nil {
			return nil, fmt.Errorf("make secret of endpoint %s: %w", e.Endpoint, err)
		}
		if secret != "" {
			if c.EndpointSecrets == nil {
				c.EndpointSecrets = make(map[string]string)
			}
			c.EndpointSecrets[e.Endpoint] = secret
		}
	}
	if c.BotKey == "" && c.HubKey == "" && c.WebhookSecret == "" && c.EndpointSecrets == nil {
		return nil, nil
	}
	return &c, nil
}

// Connection returns a connection.
func (h *Handler) Connection(ctx context.Context, by identity.Principal, id string) (connection.State, error) {
	c, err := h.find(ctx, by, id)
	return c.State, err
}

// Disconnect closes a connection. Open escalations drain or move; functions see
// to it. Disconnecting twice is one fact.
func (h *Handler) Disconnect(ctx context.Context, by identity.Principal, id string, p connection.DisconnectPlan) (connection.State, error) {
	c, err := h.find(ctx, by, id)
	if err != nil {
		return connection.State{}, err
	}
	f := events.Disconnected{Reason: p.Reason, Policy: events.PolicyMove, Target: p.To}
	if p.To == "" {
		f.Policy, f.Deadline = events.PolicyDrain, connection.DrainDeadline(h.Now(), cmp.Or(p.DrainFor, h.Drain, DefaultDrain))
	} else if err := h.checkTarget(ctx, by, id, p.To); err != nil {
		return connection.State{}, err
	}
	done, err := eventlog.Execute(ctx, h.Ledger, connection.Decider, c.stream, origin(by),
		func(connection.State) (eh.Command, error) {
			return connection.Disconnect{To: connection.To(c.stream.ID), Fact: f}, nil
		})
	if err != nil {
		return connection.State{}, fmt.Errorf("disconnect %s: %w", id, err)
	}
	return done.State, nil
}

func (h *Handler) checkTarget(ctx context.Context, by identity.Principal, id, target string) error {
	c, err := h.load(ctx, by.Tenant, target)
	if err != nil {
		return err
	}
	if target == id || c.Status != connection.Ready {
		return fault.Newf(fault.Unprocessable, "move-target-not-ready",
			"Open escalations can't move to %q: it must be another connection, and ready.", target).At("/to")
	}
	return nil
}

// adoption validates a rules file. The command is addressed to nobody.
func adoption(source []byte) (connection.AdoptRules, error) {
	set, err := routing.Parse(source)
	if err != nil {
		return connection.AdoptRules{}, err
	}
	cmd := connection.AdoptRules{Fact: events.RulesAdopted{RuleSet: set.Hash(), Name: set.Name(), Source: string(source)}}
	for _, q := range set.Queues() {
		cmd.Queues = append(cmd.Queues, events.Queue{ID: q.ID, Name: q.Name, HubQueue: q.HubQueue})
	}
	return cmd, nil
}

// at prefixes the pointer of a fault, which speaks of a part of the input.
func at(err error, pointer string) error {
	if f := fault.Of(err); f != nil {
		return f.At(pointer + f.Pointer)
	}
	return err
}

package api

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/connection"
	"handoff/domain/emission"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/events"
	"handoff/infra/eventlog"
)

// defaultEndpoint is what an endpoint is called that nobody named.
const defaultEndpoint = "desk"

func (h *Handler) endpoint(ctx context.Context, p connection.EndpointPlan) (events.EndpointSet, error) {
	if err := h.CheckURL(ctx, p.URL); err != nil {
		return events.EndpointSet{}, at(err, "/url")
	}
	for i, typ := range p.Events {
		if !slices.Contains(emission.Types(), typ) {
			return events.EndpointSet{}, fault.Newf(fault.Unprocessable, "event-type-unknown",
				"There are no events of type %q; there are %s.", typ, strings.Join(emission.Types(), ", ")).At(fmt.Sprintf("/events/%d", i))
		}
	}
	return events.EndpointSet{
		Endpoint: cmp.Or(p.ID, defaultEndpoint), URL: p.URL, Mode: cmp.Or(p.Mode, connection.ModeThin), Events: p.Events,
	}, nil
}

// SetEndpoint adds or changes an endpoint, and enables one that was disabled.
// The secret is returned only if it was made.
func (h *Handler) SetEndpoint(ctx context.Context, by identity.Principal, id string, p connection.EndpointPlan) (connection.Endpoint, string, error) {
	c, err := h.find(ctx, by, id)
	if err != nil {
		return connection.Endpoint{}, "", err
	}
	f, err := h.endpoint(ctx, p)
	if err != nil {
		return connection.Endpoint{}, "", err
	}
	cmd := connection.SetEndpoint{To: connection.To(c.stream.ID), Fact: f}
	if _, err := connection.Decider.Decide(c.State, cmd); err != nil {
		return connection.Endpoint{}, "", err
	}
	secret, err := h.Secrets.Ensure(ctx, by.Tenant, id, f.Endpoint)
	if err != nil {
		return connection.Endpoint{}, "", fmt.Errorf("make secret of endpoint %s: %w", f.Endpoint, err)
	}
	done, err := h.change(ctx, by, c, cmd)
	e, _ := done.Endpoint(f.Endpoint)
	return e, secret, err
}

// RemoveEndpoint ends deliveries to an endpoint.
func (h *Handler) RemoveEndpoint(ctx context.Context, by identity.Principal, id, endpoint string) error {
	return h.DisableEndpoint(ctx, by, id, endpoint, "removed")
}

// DisableEndpoint ends deliveries to an endpoint and says why by a code.
func (h *Handler) DisableEndpoint(ctx context.Context, by identity.Principal, id, endpoint, code string) error {
	c, err := h.find(ctx, by, id)
	if err != nil {
		return err
	}
	_, err = h.change(ctx, by, c, connection.DisableEndpoint{
		To: connection.To(c.stream.ID), Fact: events.EndpointDisabled{Endpoint: endpoint, Code: code},
	})
	return err
}

// RotateSecret makes a new signing secret for an endpoint, or with an empty one
// for the bot's webhooks. The one before stays valid beside it.
func (h *Handler) RotateSecret(ctx context.Context, by identity.Principal, id, endpoint string) (string, error) {
	c, err := h.find(ctx, by, id)
	if err != nil {
		return "", err
	}
	if _, ok := c.Endpoint(endpoint); !ok && endpoint != "" {
		return "", fault.Newf(fault.NotFound, "endpoint-not-found", "The connection has no endpoint %q.", endpoint)
	}
	return h.Secrets.Rotate(ctx, by.Tenant, id, endpoint)
}

// Ruleset returns the source of the rules in force, and their hash.
func (h *Handler) Ruleset(ctx context.Context, by identity.Principal, id string) (source []byte, hash string, err error) {
	c, err := h.find(ctx, by, id)
	if err != nil {
		return nil, "", err
	}
	set, err := h.Rules.RuleSet(ctx, c.stream.ID, c.Rules)
	if err != nil {
		return nil, "", fmt.Errorf("read rules of %s: %w", id, err)
	}
	return set.Source(), set.Hash(), nil
}

// AdoptRules validates a rules file and puts it into force. Where ifMatch is
// given, the rules in force must be those with that hash.
func (h *Handler) AdoptRules(ctx context.Context, by identity.Principal, id string, source []byte, ifMatch string) (hash string, err error) {
	c, err := h.find(ctx, by, id)
	if err != nil {
		return "", err
	}
	cmd, err := adoption(source)
	if err != nil {
		return "", err
	}
	cmd.To = connection.To(c.stream.ID)
	_, err = eventlog.Execute(ctx, h.Ledger, connection.Decider, c.stream, origin(by), func(s connection.State) (eh.Command, error) {
		if ifMatch != "" && ifMatch != s.Rules.Set {
			return nil, fault.New(fault.Conflict, "rules-changed", "Somebody else changed the rules. Look at them again, then adopt yours.")
		}
		return cmd, nil
	})
	if err != nil {
		return "", fmt.Errorf("adopt rules for %s: %w", id, err)
	}
	return cmd.Fact.RuleSet, nil
}

// CheckRules validates a rules file and adopts nothing.
func (h *Handler) CheckRules(_ context.Context, source []byte) (hash string, err error) {
	cmd, err := adoption(source)
	if err != nil {
		return "", err
	}
	return cmd.Fact.RuleSet, nil
}

func (h *Handler) change(ctx context.Context, by identity.Principal, c connected, cmd eh.Command) (connection.State, error) {
	done, err := eventlog.Execute(ctx, h.Ledger, connection.Decider, c.stream, origin(by),
		func(connection.State) (eh.Command, error) { return cmd, nil })
	if err != nil {
		return connection.State{}, fmt.Errorf("change connection %s: %w", c.ID, err)
	}
	return done.State, nil
}

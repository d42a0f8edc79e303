package dataverse

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"

	"handoff/infra/microsoft/entra/controlplane"
	"handoff/infra/microsoft/entra/guid"
)

// StepKind is what a step of routing does.
type StepKind int

// The kinds of steps (community: metadata of live organisations).
const (
	Classify    StepKind = 192350000
	FindSkills  StepKind = 192350001
	ChooseQueue StepKind = 192350002
	ChooseGroup StepKind = 192350003
)

// Step is one ruleset of a workstream's routing.
type Step struct {
	Kind    StepKind
	Ruleset Ruleset
}

// Ruleset is a set of rules as the hub stores it.
type Ruleset struct {
	ID         guid.ID
	Name       string
	Definition string // XML
	Disabled   string // ids of rules that are skipped, as JSON or with commas
	Version    string // of the row; see SetDefinition
}

// Routing returns the steps of a workstream's active routing in their order.
// Without an active configuration there are none; then the hub goes by older
// rules, which are not read here. Needs prvReadmsdyn_routingconfiguration,
// prvReadmsdyn_routingconfigurationstep and prvReadmsdyn_decisionruleset.
func (c *Client) Routing(ctx context.Context, workstream guid.ID) ([]Step, error) {
	configurations, err := c.list(ctx, query{
		path: "/msdyn_routingconfigurations", columns: []string{"msdyn_routingconfigurationid"},
		filter: "_msdyn_liveworkstreamid_value eq " + string(workstream) + " and msdyn_isactiveconfiguration eq true",
	})
	if err != nil || len(configurations) == 0 {
		return nil, wrap(err, "routing of workstream %s", workstream)
	}
	rows, err := c.list(ctx, query{
		path: "/msdyn_routingconfigurationsteps", columns: []string{"msdyn_steporder", "msdyn_type", "_msdyn_rulesetid_value"},
		filter: "_msdyn_routingconfigurationid_value eq " + string(configurations[0].id("msdyn_routingconfigurationid")),
	})
	if err != nil {
		return nil, wrap(err, "routing steps of workstream %s", workstream)
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(a.number("msdyn_steporder"), b.number("msdyn_steporder")) })
	rulesets, err := c.rulesets(ctx, rows)
	if err != nil {
		return nil, wrap(err, "rulesets of workstream %s", workstream)
	}
	var steps []Step
	for _, r := range rows {
		if set, ok := rulesets[r.id("_msdyn_rulesetid_value")]; ok {
			steps = append(steps, Step{Kind: StepKind(r.number("msdyn_type")), Ruleset: set})
		}
	}
	return steps, nil
}

// rulesets returns those that steps refer to.
func (c *Client) rulesets(ctx context.Context, steps []row) (map[guid.ID]Ruleset, error) {
	var parts []string
	for _, s := range steps {
		if id := s.id("_msdyn_rulesetid_value"); id != "" {
			parts = append(parts, "msdyn_decisionrulesetid eq "+string(id))
		}
	}
	if len(parts) == 0 {
		return nil, nil
	}
	rows, err := c.list(ctx, query{
		path: "/msdyn_decisionrulesets", columns: []string{"msdyn_decisionrulesetid", "msdyn_name", "msdyn_rulesetdefinition", "msdyn_disabledrules"},
		filter: strings.Join(parts, " or "),
	})
	all := make(map[guid.ID]Ruleset, len(rows))
	for _, r := range rows {
		s := Ruleset{ID: r.id("msdyn_decisionrulesetid"), Name: r.text("msdyn_name"), Definition: r.text("msdyn_rulesetdefinition"), Disabled: r.text("msdyn_disabledrules"), Version: r.text("@odata.etag")}
		all[s.ID] = s
	}
	return all, err
}

// SetDefinition changes the rules of a ruleset, as long as nobody else did since
// it was read: that is dataverse-conflict. That the hub goes by a definition
// which was written like this is not documented. Needs
// prvWritemsdyn_decisionruleset.
func (c *Client) SetDefinition(ctx context.Context, s Ruleset, definition string) error {
	_, err := c.do(ctx, controlplane.Request{
		Method: http.MethodPatch, Path: at("msdyn_decisionrulesets", s.ID), JSON: map[string]any{"msdyn_rulesetdefinition": definition},
		Header: http.Header{"If-Match": {s.Version}},
	})
	return wrap(err, "rules of ruleset %s", s.ID)
}

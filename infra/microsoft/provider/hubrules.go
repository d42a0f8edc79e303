package provider

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/microsoft/dataverse"
	"handoff/infra/microsoft/entra/controlplane"
	"handoff/infra/microsoft/entra/guid"
	"handoff/infra/microsoft/omnichannel"
)

// obedience is what a hub needs so that it obeys Handoff, and what it has.
type obedience struct {
	want      []omnichannel.QueueRule
	plan      omnichannel.RulesPlan
	ruleset   dataverse.Ruleset
	variables []string // that the workstream does not define
}

// wanted reports whether the hub of a connection is to obey Handoff's rules, as
// far as it is known which queues those name.
func wanted(c connection.State) bool {
	o := c.Omnichannel
	return o != nil && o.Routing == events.RoutingHandoff && o.Workstream != "" && len(c.HubQueues) > 0
}

// obedience compares the rules of a workstream with those that Handoff needs. It
// changes nothing.
func (p *Provider) obedience(ctx context.Context, hub *dataverse.Client, c connection.State) (o obedience, err error) {
	if o.want, err = queueRules(ctx, hub, c.HubQueues); err != nil {
		return o, err
	}
	workstream := guid.ID(c.Omnichannel.Workstream)
	if o.ruleset, err = routeToQueue(ctx, hub, workstream); err != nil {
		return o, err
	}
	if o.plan, err = omnichannel.PlanRules(o.ruleset.Definition, o.ruleset.Disabled, o.want); err != nil {
		return o, err
	}
	defined, err := hub.Variables(ctx, workstream)
	for _, name := range []string{omnichannel.VariableQueue, omnichannel.VariableEscalation, omnichannel.VariableURL} {
		if !slices.ContainsFunc(defined, func(v dataverse.Variable) bool { return v.Name == name }) {
			o.variables = append(o.variables, name)
		}
	}
	return o, err
}

// queueRules returns a rule for each queue that names one of the hub, by its id
// or its name.
func queueRules(ctx context.Context, hub *dataverse.Client, queues []events.Queue) (all []omnichannel.QueueRule, err error) {
	known, err := hub.FindQueues(ctx, "")
	if err != nil {
		return nil, err
	}
	for _, q := range queues {
		id, isID := guid.Parse(q.HubQueue)
		there := slices.DeleteFunc(slices.Clone(known), func(k dataverse.Queue) bool {
			return isID && k.ID != id || !isID && !strings.EqualFold(k.Name, strings.TrimSpace(q.HubQueue))
		})
		if len(there) != 1 {
			return nil, fault.Newf(fault.Unprocessable, "hub-queue-unknown",
				"The queue %s of the rules names %q as its queue in the hub (hub_queue), and the hub has %d of it. Give the id of one that is there.", q.ID, q.HubQueue, len(there))
		}
		all = append(all, omnichannel.QueueRule{Queue: q.ID, Hub: there[0].ID, Name: there[0].Name})
	}
	return all, nil
}

// routeToQueue returns the one ruleset by which a workstream chooses queues.
func routeToQueue(ctx context.Context, hub *dataverse.Client, workstream guid.ID) (dataverse.Ruleset, error) {
	steps, err := hub.Routing(ctx, workstream)
	if err != nil {
		return dataverse.Ruleset{}, err
	}
	steps = slices.DeleteFunc(steps, func(s dataverse.Step) bool { return s.Kind != dataverse.ChooseQueue })
	if len(steps) != 1 {
		return dataverse.Ruleset{}, fault.Newf(fault.Unprocessable, "hub-rules-unreadable",
			"The workstream has %d route-to-queue rulesets in force where Handoff knows how to deal with one, so nothing is changed there. Set up routing rules in the workstream, and connect again.", len(steps))
	}
	return steps[0].Ruleset, nil
}

// shown is what people are shown of it.
func (o obedience) shown() *connection.HubRules {
	shown := &connection.HubRules{Source: strings.TrimSpace(omnichannel.RulesSource(o.want))}
	for _, r := range o.want {
		shown.Rules = append(shown.Rules, hubRule(r))
		shown.Words = append(shown.Words, r.Words())
	}
	for _, r := range o.plan.Missing {
		shown.Missing = append(shown.Missing, r.Queue)
	}
	return shown
}

func hubRule(r omnichannel.QueueRule) events.HubRule {
	return events.HubRule{Queue: r.Queue, HubQueue: events.HubQueue{ID: string(r.Hub), Name: r.Name}}
}

// AddRules gives the hub the rules by which it obeys Handoff, and the variables
// that they look at, where somebody allowed it. It adds what is missing before
// the rules that are there, which stay. The fact is nil where nothing is new. A
// crash before it is recorded is made good for rules by the next call.
func (p *Provider) AddRules(ctx context.Context, c connection.State) (*events.HubRulesSet, error) {
	if !wanted(c) || !c.Allows(func(a events.HubChangesAllowed) bool { return a.AddRules }) {
		return nil, nil
	}
	hub, err := p.hub(ctx, c)
	if err != nil {
		return nil, err
	}
	o, err := p.obedience(ctx, hub, c)
	if err != nil {
		return nil, err
	}
	workstream := guid.ID(c.Omnichannel.Workstream)
	for _, name := range o.variables {
		if err := hub.AddVariable(ctx, workstream, name); err != nil {
			return nil, err
		}
	}
	if len(o.plan.Missing) > 0 {
		if err := setDefinition(ctx, hub, o); err != nil {
			return nil, err
		}
	}
	f := &events.HubRulesSet{Workstream: string(workstream), Variables: o.variables}
	for _, r := range slices.Concat(o.plan.Own, o.plan.Missing) {
		if rule := hubRule(r); !slices.Contains(c.HubRules, rule) {
			f.Ruleset, f.Rules = string(o.ruleset.ID), append(f.Rules, rule)
		}
	}
	if len(f.Rules) == 0 && len(f.Variables) == 0 {
		return nil, nil
	}
	return f, nil
}

// setDefinition writes the rules. That somebody else did so meanwhile is worth
// another try, with their rules.
func setDefinition(ctx context.Context, hub *dataverse.Client, o obedience) error {
	err := hub.SetDefinition(ctx, o.ruleset, o.plan.Definition)
	if controlplane.Refused(err).Status == http.StatusPreconditionFailed {
		return fault.New(fault.Unavailable, "hub-rules-busy", "Somebody changed the hub's rules at the same time; it is tried again.").Because(err)
	}
	return err
}

// obeys looks whether the hub's rules do what Handoff says. Where Handoff may add
// them it is about to; what keeps it from that stops the connection before
// anything is changed.
func (l *look) obeys(ctx context.Context) error {
	if !wanted(l.c) {
		return l.mentions(ctx)
	}
	allowed := l.c.Allows(func(a events.HubChangesAllowed) bool { return a.AddRules })
	o, err := l.obedience(ctx, l.hub, l.c)
	if f := fault.Of(err); f != nil && f.Kind.Permanent() {
		l.find(f.Code, allowed, f.Detail)
		return nil
	}
	if err != nil {
		return err
	}
	l.seen.HubRules = o.shown()
	if len(o.plan.Missing) == 0 || allowed && l.c.Status != connection.Ready {
		return nil
	}
	code, says := "hub-rules-miss-queue", "The hub's rules obey Handoff for some queues only. These are missing, before the other route-to-queue rules of the workstream: "
	if len(o.plan.Missing) == len(o.want) {
		code, says = "hub-rules-ignore-handoff", "No route-to-queue rule of the workstream obeys Handoff, so the hub chooses by itself. Add these before the others: "
	}
	for _, r := range o.plan.Missing {
		says += r.Words() + " "
	}
	l.find(code, false, says+"Or let Handoff add them: connect with omnichannel.add_hub_rules: true.")
	return nil
}

// mentions looks, where the rules name no queues of the hub, whether the hub's
// rules look at what Handoff says at all.
func (l *look) mentions(ctx context.Context) error {
	o := l.c.Omnichannel
	if o.Routing != events.RoutingHandoff {
		return nil
	}
	steps, err := l.hub.Routing(ctx, guid.ID(o.Workstream))
	obeys := func(s dataverse.Step) bool {
		return s.Kind == dataverse.ChooseQueue && strings.Contains(s.Ruleset.Definition, omnichannel.VariableQueue)
	}
	if err == nil && !slices.ContainsFunc(steps, obeys) {
		l.find("hub-rules-ignore-handoff", false, "No route-to-queue rule of the workstream looks at the context variable "+omnichannel.VariableQueue+
			", so the hub chooses by itself. Name the hub's queues in the rules here (hub_queue), and handoff check shows the rules that the hub needs.")
	}
	return err
}

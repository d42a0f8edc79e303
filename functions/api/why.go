package api

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"handoff/domain/audit"
	"handoff/domain/escid"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/infra/rulebook"
)

// Why explains where an escalation went, for a person who reads no code: the
// decision in force first, earlier ones behind it. A caller who may not read
// the customer's context gets the explanation without the customer's values.
func (h *Handler) Why(ctx context.Context, by identity.Principal, id string) (audit.Why, error) {
	e, err := h.escalation(ctx, by, id, by.Role.May(identity.ActReadContext))
	if err != nil {
		return audit.Why{}, err
	}
	if len(e.Routes) == 0 {
		return audit.Why{}, fault.New(fault.Conflict, "not-routed-yet", "The escalation is not routed yet. Ask again in a moment.")
	}
	var all []audit.Why
	for i := range slices.Backward(e.Routes) {
		w, err := h.explain(ctx, e, i)
		if err != nil {
			return audit.Why{}, fmt.Errorf("explain escalation %s: %w", id, err)
		}
		all = append(all, w)
	}
	all[0].Earlier = all[1:]
	return all[0], nil
}

func (h *Handler) explain(ctx context.Context, e found, i int) (audit.Why, error) {
	d := e.Routes[i]
	f := d.Fact
	w := audit.Why{
		EscalationID: escid.Of(e.stream.ID, e.Number), Queue: f.Queue, Rule: f.Route.Rule, Fallback: f.Route.Fallback,
		RuleSet: f.Route.RuleSet, Connection: f.Connection, Version: f.ConnectionVersion, DecidedAt: f.DecidedAt,
		Evaluator: f.Route.Evaluator, TimeZones: f.Route.TimeZones, Erased: d.Erased, Moved: f.Moved,
	}
	c, err := h.load(ctx, e.stream.Tenant, f.Connection)
	if err != nil {
		return w, err
	}
	set, err := h.Rules.Find(ctx, c.stream.ID, f.Route.RuleSet)
	if err != nil {
		return w, err
	}
	decision, err := rulebook.Decision(&f)
	if err != nil {
		return w, err
	}
	lines, err := set.Explain(decision)
	if err != nil {
		return w, err
	}
	queue := f.Queue.ID
	if f.Queue.Name != "" {
		queue = fmt.Sprintf("%s (%s)", f.Queue.Name, f.Queue.ID)
	}
	w.Sentence = fmt.Sprintf("It went to %s, the fallback queue, because no rule matched.", queue)
	for _, l := range lines {
		w.Lines = append(w.Lines, l.String())
		if l.Index >= 0 && l.Index == f.Route.RuleIndex {
			w.Sentence = fmt.Sprintf("It went to %s because rule %q matched: %s.", queue, l.Rule, strings.TrimPrefix(l.Text, "yes: "))
		}
	}
	return w, nil
}

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
	"handoff/domain/routing"
	"handoff/events"
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
		Evaluator: f.Route.Evaluator, TimeZones: f.Route.TimeZones, Erased: d.Erased, Moved: f.Moved, Hub: d.Hub,
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
	went := "went"
	if e.Check != nil {
		decision.Queue, went = byRules(set, f.Route), "would have gone"
	}
	lines, err := set.Explain(decision)
	if err != nil {
		return w, err
	}
	queue := called(decision.Queue.ID, decision.Queue.Name)
	w.Sentence = fmt.Sprintf("It %s to %s, the fallback queue, because no rule matched.", went, queue)
	for _, l := range lines {
		w.Lines = append(w.Lines, l.String())
		if l.Index >= 0 && l.Index == f.Route.RuleIndex {
			w.Sentence = fmt.Sprintf("It %s to %s because rule %q matched: %s.", went, queue, l.Rule, strings.TrimPrefix(l.Text, "yes: "))
		}
	}
	if e.Check != nil {
		w.Sentence = fmt.Sprintf("It went to %s, for a check raised it and no customer. By the rules: %s", called(f.Queue.ID, f.Queue.Name), w.Sentence)
	}
	return w, nil
}

// byRules returns the queue that the rules chose for what a check raised.
func byRules(set *routing.RuleSet, r events.Route) routing.Queue {
	if all := set.Rules(); r.RuleIndex >= 0 && r.RuleIndex < len(all) {
		return all[r.RuleIndex].Queue
	}
	return set.Fallback()
}

func called(id, name string) string {
	if name == "" {
		return id
	}
	return fmt.Sprintf("%s (%s)", name, id)
}

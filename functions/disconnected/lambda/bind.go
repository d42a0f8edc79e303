package main

import (
	"context"

	"handoff/functions/connectionrequested"
	"handoff/functions/disconnected"
	"handoff/functions/escalationraised"
	"handoff/infra/cloud"
	"handoff/infra/feedindex"
	"handoff/infra/feedindex/lists"
	"handoff/infra/rulebook"
)

// bind binds the function to the adapters of AWS.
func bind(ctx context.Context, c *cloud.Cloud) (cloud.Handler, error) {
	index := feedindex.New(c.DB(), c.Need(cloud.IndexTable), c.Now)
	ledger, keys, err := c.Ledger(ctx, c.EventLog())
	if err != nil {
		return nil, err
	}
	hubs, err := c.Hubs(ctx, keys)
	h := &disconnected.Handler{
		Ledger:       ledger,
		Escalations:  &lists.Lists{Index: index, Ledger: ledger, Now: c.Now},
		Settler:      &escalationraised.Handler{Ledger: ledger, Streams: keys, Router: rulebook.New(ledger), Now: c.Now, Drain: c.Settings.Drain},
		Applications: &connectionrequested.Handler{Ledger: ledger, Applications: hubs, Streams: keys},
		Users:        hubs,
	}
	return c.OnFactSoon(h.Handle), err
}

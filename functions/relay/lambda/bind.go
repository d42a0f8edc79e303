package main

import (
	"context"
	"errors"

	"handoff/events"
	"handoff/functions/relay"
	"handoff/functions/webhook"
	"handoff/infra/cloud"
	"handoff/infra/contextlink"
	"handoff/infra/feedindex"
	"handoff/infra/httpapi"
	"handoff/infra/rulebook"
)

// bind binds the function to the adapters of AWS. It listens to bots as the zero
// Timing says: see tests/costs for what a second of that costs.
func bind(ctx context.Context, c *cloud.Cloud) (cloud.Handler, error) {
	index, public := feedindex.New(c.DB(), c.Need(cloud.IndexTable), c.Now), c.PublicURL()
	ledger, keys, err := c.Ledger(ctx, feedindex.WithRefs(c.EventLog(), index, events.Register()))
	if err != nil {
		return nil, err
	}
	speaks, err := c.Relaying(ctx, ledger, keys)
	h := &relay.Handler{
		Ledger: ledger, Keys: keys, Opener: speaks, Bot: speaks, Customer: speaks, Hub: speaks, Linker: contextlink.New(keys, public),
		Now: c.Now, Log: c.Log, Notice: c.Settings.RelayNotice,
		Raiser: &webhook.Handler{
			Ledger: ledger, Keys: keys, Fingerprints: keys, Router: rulebook.New(ledger), Now: c.Now, Log: c.Log, Lifetime: c.Settings.Lifetime,
		},
	}
	messages, wrong := c.Messages(ctx, h, ledger, keys)
	front := c.API(httpapi.API{Messages: messages}, keys, ledger.Log())
	return c.OnRelay(h, front, c.RelayKeeper(ledger)), errors.Join(err, wrong)
}

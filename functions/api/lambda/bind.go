package main

import (
	"context"
	"errors"

	"handoff/domain/delivery"
	"handoff/functions/api"
	"handoff/functions/deliver"
	"handoff/infra/cloud"
	"handoff/infra/contextlink"
	"handoff/infra/dynamolanes"
	"handoff/infra/feedindex"
	"handoff/infra/feedindex/lists"
	"handoff/infra/keyring"
	"handoff/infra/rulebook"
	"handoff/infra/safehttp"
	"handoff/infra/vault"
)

// bind binds the operations to the adapters of AWS.
func bind(ctx context.Context, c *cloud.Cloud) (*api.Handler, *keyring.Keyring, error) {
	ledger, keys, err := c.Ledger(ctx, c.EventLog())
	if err != nil {
		return nil, nil, err
	}
	index := feedindex.New(c.DB(), c.Need(cloud.IndexTable), c.Now)
	rows := &lists.Lists{
		Index: index, Ledger: ledger, Names: keys, Now: c.Now, Lifetime: c.Settings.Lifetime,
		Lanes: dynamolanes.New(dynamolanes.NewTable(c.DB(), c.Need(cloud.WorkTable)), nil, c.Now, dynamolanes.Options{}), // to read only
	}
	hubs, wrong := c.Hubs(ctx, keys)
	chats, err := c.Relaying(ctx, ledger, keys)
	out := safehttp.Options{Allow: c.Settings.Allow, Timeout: c.Settings.DeliveryTimeout}
	return &api.Handler{
		Ledger: ledger, Keys: keys, Destroyer: keys, Secrets: vault.New(keys), Issuer: keys.APIKeys(), APIKeys: keys.APIKeys(),
		Rules: rulebook.New(ledger), Lists: rows, Resender: &deliver.Handler{Ledger: ledger, Queue: elsewhere{}}, NextTry: rows.NextTry,
		CheckURL: func(ctx context.Context, url string) error { return safehttp.CheckURL(ctx, url, out) }, Now: c.Now, Drain: c.Settings.Drain,
		Hubs: hubs, HubSecrets: keys, Geography: c.Settings.Geography, Links: contextlink.New(keys, c.Settings.PublicURL),
		Opener: chats, Chats: chats, Positions: index,
	}, keys, errors.Join(wrong, err)
}

// elsewhere is the queue of a function that sends nothing. What is to be sent
// once more is a fact, which deliver is told of; what is pending waits in its
// lane, or is found by unconfirmed, so nothing has to be put in.
type elsewhere struct{}

// Put implements deliver.Queue.
func (elsewhere) Put(context.Context, ...delivery.Item) error { return nil }

// Hurry implements deliver.Queue.
func (elsewhere) Hurry(context.Context, ...delivery.Item) error { return nil }

package main

import (
	"context"

	"handoff/functions/connectionrequested"
	"handoff/functions/hubwatch"
	"handoff/infra/cloud"
	"handoff/infra/dynamomarks"
	"handoff/infra/feedindex"
	"handoff/infra/feedindex/lists"
)

// bind binds the function to the adapters of AWS.
func bind(ctx context.Context, c *cloud.Cloud) (cloud.Handler, error) {
	index, marks := feedindex.New(c.DB(), c.Need(cloud.IndexTable), c.Now), dynamomarks.New(c.DB(), c.Need(cloud.WorkTable))
	ledger, keys, err := c.Ledger(ctx, c.SmallLog())
	if err != nil {
		return nil, err
	}
	records, err := c.Relaying(ctx, ledger, keys)
	if err != nil {
		return nil, err
	}
	hubs, err := c.Hubs(ctx, keys)
	rounds := &hubwatch.Rounds{
		Handler:     &hubwatch.Handler{Ledger: ledger, Records: records, Refs: keys, Log: c.Log},
		Connections: lists.Everywhere{Index: index}, Marks: marks, Now: c.Now,
		Secrets: &connectionrequested.Handler{Ledger: ledger, Applications: hubs, Streams: keys},
	}
	return cloud.OnSchedule(rounds.Round), err
}

// The Lambda function publishcheck, started by a schedule every minute.
package main

import (
	"context"
	"os"
	"time"

	"handoff/functions/publishcheck"
	"handoff/infra/cloud"
	"handoff/infra/dynamomarks"
	"handoff/infra/feedindex"
	"handoff/infra/feedindex/lists"
)

func main() {
	cloud.Start(os.Getenv, time.Now, func(ctx context.Context, c *cloud.Cloud) (cloud.Handler, error) {
		index, marks := feedindex.New(c.DB(), c.Need(cloud.IndexTable), c.Now), dynamomarks.New(c.DB(), c.Need(cloud.WorkTable))
		ledger, keys, err := c.Ledger(ctx, c.SmallLog())
		if err != nil {
			return nil, err
		}
		hubs, err := c.Hubs(ctx, keys)
		h := &publishcheck.Handler{Ledger: ledger, Connections: lists.Everywhere{Index: index}, Bots: hubs, Marks: marks, Now: c.Now, Log: c.Log}
		return cloud.OnSchedule(h.Round), err
	})
}

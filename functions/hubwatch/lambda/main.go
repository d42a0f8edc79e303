// The Lambda function hubwatch, started by a schedule every minute.
package main

import (
	"context"
	"os"
	"time"

	"handoff/functions/hubwatch"
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
		records, err := c.Relaying(ctx, ledger, keys)
		h := &hubwatch.Handler{Ledger: ledger, Records: records, Refs: keys, Log: c.Log}
		rounds := &hubwatch.Rounds{Handler: h, Connections: lists.Everywhere{Index: index}, Marks: marks, Now: c.Now}
		return cloud.OnSchedule(rounds.Round), err
	})
}

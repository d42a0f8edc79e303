// The Lambda function deadline, started by a schedule every minute.
package main

import (
	"context"
	"os"
	"time"

	"handoff/functions/deadline"
	"handoff/infra/cloud"
	"handoff/infra/feedindex"
)

func main() {
	cloud.Start(os.Getenv, time.Now, func(ctx context.Context, c *cloud.Cloud) (cloud.Handler, error) {
		index := feedindex.New(c.DB(), c.Need(cloud.IndexTable), c.Now)
		ledger, _, err := c.Ledger(ctx, c.SmallLog())
		h := &deadline.Handler{Ledger: ledger, Now: c.Now}
		return cloud.OnSchedule(func(ctx context.Context) error { return index.Sweep(ctx, h.Handle) }), err
	})
}

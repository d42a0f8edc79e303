// The Lambda function unconfirmed, started by a schedule.
package main

import (
	"context"
	"os"
	"time"

	"handoff/functions/deliver"
	"handoff/functions/relay"
	"handoff/functions/unconfirmed"
	"handoff/infra/cloud"
	"handoff/infra/dynamolanes"
	"handoff/infra/feedindex"
)

func main() {
	cloud.Start(os.Getenv, time.Now, func(ctx context.Context, c *cloud.Cloud) (cloud.Handler, error) {
		log, work := c.SmallLog(), dynamolanes.NewTable(c.DB(), c.Need(cloud.WorkTable))
		feed := feedindex.New(c.DB(), c.Need(cloud.IndexTable), c.Now).Feed(log)
		bus, deliveries, relayed := c.Bus(), c.Deliveries(), c.Relay()
		ledger, keys, err := c.Ledger(ctx, log)
		h := &unconfirmed.Handler{
			Feed: feed, Ledger: ledger, Streams: keys, Planner: &deliver.Handler{Ledger: ledger, Streams: keys}, Lanes: dynamolanes.New(work, nil, c.Now, dynamolanes.Options{}),
			Parking: c.Parking(), Types: deliver.Types(), Deliveries: deliveries, Bus: bus, Checkpoint: dynamolanes.NewCheckpoint(work, "unconfirmed", c.Now), Now: c.Now,
			Relay: relayed, RelayTypes: relay.Types(),
		}
		return cloud.OnSchedule(h.Run), err
	})
}

// The Lambda function escalationraised, told of EscalationRaised by the bus.
package main

import (
	"context"
	"os"
	"time"

	"handoff/functions/escalationraised"
	"handoff/infra/cloud"
	"handoff/infra/rulebook"
)

func main() {
	cloud.Start(os.Getenv, time.Now, func(ctx context.Context, c *cloud.Cloud) (cloud.Handler, error) {
		ledger, keys, err := c.Ledger(ctx, c.EventLog())
		h := &escalationraised.Handler{
			Ledger: ledger, Streams: keys, Router: rulebook.New(ledger), Now: c.Now, Drain: c.Settings.Drain,
		}
		return cloud.OnFact(h.Handle), err
	})
}

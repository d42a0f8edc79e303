// The Lambda function connectionrequested, told of ConnectionRequested by the bus.
package main

import (
	"context"
	"os"
	"time"

	"handoff/functions/connectionrequested"
	"handoff/infra/cloud"
)

func main() {
	cloud.Start(os.Getenv, time.Now, func(ctx context.Context, c *cloud.Cloud) (cloud.Handler, error) {
		ledger, keys, err := c.Ledger(ctx, c.SmallLog())
		if err != nil {
			return nil, err
		}
		hubs, err := c.Hubs(ctx, keys)
		h := &connectionrequested.Handler{Ledger: ledger, Applications: hubs, Inspector: hubs, Streams: keys}
		return c.OnFactSoon(h.Handle), err
	})
}

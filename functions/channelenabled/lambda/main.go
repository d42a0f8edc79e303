// The Lambda function channelenabled, told of ChannelEnabled by the bus.
package main

import (
	"context"
	"os"
	"time"

	"handoff/functions/channelenabled"
	"handoff/infra/cloud"
)

func main() {
	cloud.Start(os.Getenv, time.Now, func(ctx context.Context, c *cloud.Cloud) (cloud.Handler, error) {
		ledger, keys, err := c.Ledger(ctx, c.SmallLog())
		if err != nil {
			return nil, err
		}
		hubs, err := c.Hubs(ctx, keys)
		return c.OnFactSoon((&channelenabled.Handler{Ledger: ledger, Hub: hubs, Users: hubs}).Handle), err
	})
}

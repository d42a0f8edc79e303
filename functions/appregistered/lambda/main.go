// The Lambda function appregistered, told of AppRegistered by the bus.
package main

import (
	"context"
	"os"
	"time"

	"handoff/functions/appregistered"
	"handoff/infra/cloud"
)

func main() {
	cloud.Start(os.Getenv, time.Now, func(ctx context.Context, c *cloud.Cloud) (cloud.Handler, error) {
		ledger, keys, err := c.Ledger(ctx, c.SmallLog())
		if err != nil {
			return nil, err
		}
		hubs, err := c.Hubs(ctx, keys)
		return c.OnFactSoon((&appregistered.Handler{Ledger: ledger, Channels: hubs}).Handle), err
	})
}

// The Lambda function appregistered, told of AppRegistered by the bus.
package main

import (
	"context"
	"os"
	"time"

	"handoff/functions/appregistered"
	"handoff/infra/cloud"
	"handoff/infra/genericdesk"
)

func main() {
	cloud.Start(os.Getenv, time.Now, func(ctx context.Context, c *cloud.Cloud) (cloud.Handler, error) {
		ledger, _, err := c.Ledger(ctx, c.SmallLog())
		h := &appregistered.Handler{Ledger: ledger, Channels: genericdesk.Provider{}}
		return cloud.OnFact(h.Handle), err
	})
}

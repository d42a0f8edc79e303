// The Lambda function channelenabled, told of ChannelEnabled by the bus.
package main

import (
	"context"
	"os"
	"time"

	"handoff/functions/channelenabled"
	"handoff/infra/cloud"
	"handoff/infra/genericdesk"
)

func main() {
	cloud.Start(os.Getenv, time.Now, func(ctx context.Context, c *cloud.Cloud) (cloud.Handler, error) {
		ledger, _, err := c.Ledger(ctx, c.SmallLog())
		h := &channelenabled.Handler{Ledger: ledger, Hub: genericdesk.Provider{}}
		return cloud.OnFact(h.Handle), err
	})
}

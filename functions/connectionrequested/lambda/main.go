// The Lambda function connectionrequested, told of ConnectionRequested by the bus.
package main

import (
	"context"
	"os"
	"time"

	"handoff/functions/connectionrequested"
	"handoff/infra/cloud"
	"handoff/infra/genericdesk"
)

func main() {
	cloud.Start(os.Getenv, time.Now, func(ctx context.Context, c *cloud.Cloud) (cloud.Handler, error) {
		ledger, keys, err := c.Ledger(ctx, c.SmallLog())
		h := &connectionrequested.Handler{Ledger: ledger, Applications: genericdesk.Provider{}, Streams: keys}
		return cloud.OnFact(h.Handle), err
	})
}

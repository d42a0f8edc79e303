// The Lambda function contexterased, told of ContextErased by the bus.
package main

import (
	"context"
	"os"
	"time"

	"handoff/functions/contexterased"
	"handoff/infra/cloud"
)

func main() {
	cloud.Start(os.Getenv, time.Now, func(ctx context.Context, c *cloud.Cloud) (cloud.Handler, error) {
		ledger, keys, err := c.Ledger(ctx, c.SmallLog())
		return cloud.OnFact((&contexterased.Handler{Ledger: ledger, Destroyer: keys}).Handle), err
	})
}

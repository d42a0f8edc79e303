// The Lambda function indexer, told of every commit by the stream of the log.
package main

import (
	"context"
	"os"
	"time"

	"handoff/events"
	"handoff/functions/indexer"
	"handoff/infra/cloud"
	"handoff/infra/feedindex"
)

func main() {
	cloud.Start(os.Getenv, time.Now, func(_ context.Context, c *cloud.Cloud) (cloud.Handler, error) {
		index := feedindex.New(c.DB(), c.Need(cloud.IndexTable), c.Now)
		h := &indexer.Handler{Index: index.Writer(c.SmallLog(), events.Register())}
		return cloud.OnStream(h.Handle), nil
	})
}

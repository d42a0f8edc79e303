// The Lambda function auditreplay, called by auditors through an HTTP API.
package main

import (
	"context"
	"os"
	"time"

	"handoff/domain/audit"
	"handoff/domain/identity"
	"handoff/functions/auditreplay"
	"handoff/infra/cloud"
	"handoff/infra/eventlog/dynamolog"
	"handoff/infra/feedindex"
	"handoff/infra/httpapi"
)

func main() {
	cloud.Start(os.Getenv, time.Now, func(ctx context.Context, c *cloud.Cloud) (cloud.Handler, error) {
		log, index := c.EventLog(), feedindex.New(c.DB(), c.Need(cloud.IndexTable), c.Now)
		ledger, keys, err := c.Ledger(ctx, log)
		if err != nil {
			return nil, err
		}
		h := &auditreplay.Handler{Ledger: ledger, Feed: index.Feed(log), Walker: walker{log, index}, Streams: keys}
		verify := func(ctx context.Context, by identity.Principal, against string) (audit.Verified, error) {
			return h.Verify(ctx, by, against, nil)
		}
		return cloud.OnHTTP(c.API(httpapi.API{History: h.History, StateAt: h.StateAt, Facts: h.Facts, Verify: verify}, keys, log)), nil
	})
}

// walker reads all facts from the log, and their order from the index.
type walker struct {
	*dynamolog.Log
	*feedindex.Index
}

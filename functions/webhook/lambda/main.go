// The Lambda function webhook, called by bots through an HTTP API.
package main

import (
	"context"
	"os"
	"time"

	"handoff/events"
	"handoff/functions/webhook"
	"handoff/infra/cloud"
	"handoff/infra/feedindex"
	"handoff/infra/httpapi"
	"handoff/infra/rulebook"
)

func main() {
	cloud.Start(os.Getenv, time.Now, func(ctx context.Context, c *cloud.Cloud) (cloud.Handler, error) {
		index := feedindex.New(c.DB(), c.Need(cloud.IndexTable), c.Now)
		ledger, keys, err := c.Ledger(ctx, feedindex.WithRefs(c.EventLog(), index, events.Register()))
		if err != nil {
			return nil, err
		}
		h := &webhook.Handler{
			Ledger: ledger, Keys: keys, Fingerprints: keys, Router: rulebook.New(ledger), Now: c.Now, Log: c.Log, Lifetime: c.Settings.Lifetime,
		}
		return cloud.OnHTTP(c.API(httpapi.API{Raise: h.Raise}, keys, ledger.Log())), nil
	})
}

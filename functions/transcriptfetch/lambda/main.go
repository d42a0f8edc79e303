// The Lambda function transcriptfetch, told of EscalationRaised by the bus.
package main

import (
	"context"
	"os"
	"time"

	"handoff/functions/transcriptfetch"
	"handoff/infra/cloud"
	"handoff/infra/safehttp"
	"handoff/infra/transcripthttp"
)

func main() {
	cloud.Start(os.Getenv, time.Now, func(ctx context.Context, c *cloud.Cloud) (cloud.Handler, error) {
		ledger, _, err := c.Ledger(ctx, c.EventLog())
		o := safehttp.Options{Allow: c.Settings.Allow, MaxBody: transcripthttp.MaxBytes + 1, Timeout: c.Settings.DeliveryTimeout}
		fetcher := transcripthttp.Fetcher{Client: safehttp.NewClient(o)}
		h := &transcriptfetch.Handler{Ledger: ledger, Now: c.Now, Fetcher: fetcher}
		return cloud.OnFact(h.Handle), err
	})
}

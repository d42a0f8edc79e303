// The Lambda function deliver, told of facts by a FIFO queue, and woken for what
// waits by another queue and by a schedule.
package main

import (
	"context"
	"errors"
	"os"
	"time"

	"handoff/domain/emission"
	"handoff/functions/deliver"
	"handoff/infra/cloud"
)

func main() {
	cloud.Start(os.Getenv, time.Now, func(ctx context.Context, c *cloud.Cloud) (cloud.Handler, error) {
		lanes := c.Lanes()
		bus, mode, wrong := c.Outgoing()
		ledger, keys, err := c.Ledger(ctx, c.EventLog())
		if err = errors.Join(wrong, err); err != nil {
			return nil, err
		}
		h := &deliver.Handler{
			Ledger: ledger, Streams: keys, Queue: lanes, Sender: c.Sender(keys), Builder: emission.Builder{Base: c.Settings.PublicURL}, Now: c.Now,
		}
		lanes.Worker, lanes.Meter = h, c.Meter
		if bus != nil {
			h.Bus, h.BusMode = bus, mode
		}
		return cloud.OnDeliver(h.Handle, lanes), nil
	})
}

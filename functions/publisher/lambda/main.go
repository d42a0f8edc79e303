// The Lambda function publisher, told of every commit by the stream of the log,
// and invoked by whoever wants a parked stream taken up again.
package main

import (
	"context"
	"os"
	"time"

	"handoff/events"
	"handoff/functions/deliver"
	"handoff/functions/publisher"
	"handoff/infra/cloud"
)

func main() {
	cloud.Start(os.Getenv, time.Now, func(_ context.Context, c *cloud.Cloud) (cloud.Handler, error) {
		lot := c.Parking()
		h := &publisher.Handler{
			Log: c.SmallLog(), Codec: events.Register(), Bus: c.Bus(), Queue: c.Deliveries(), Types: deliver.Types(),
			Parker: lot, Teller: c.Poison(), Meter: c.Meter, Now: c.Now,
		}
		return cloud.Choose(cloud.OnStream(h.Handle), cloud.OnInvoke(publisher.Resumer{Handler: h, Parking: lot}.Resume)), nil
	})
}

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
	"handoff/functions/relay"
	"handoff/infra/cloud"
	"handoff/infra/looks"
)

func main() {
	cloud.Start(os.Getenv, time.Now, func(_ context.Context, c *cloud.Cloud) (cloud.Handler, error) {
		lot := c.Parking()
		h := &publisher.Handler{Log: c.SmallLog(), Codec: events.Register(), Parker: lot, Teller: c.Poison(), Meter: c.Meter, Now: c.Now}
		h.Routes = []publisher.Route{
			{To: c.Deliveries(), Types: deliver.Types()},
			{To: c.Relay(), Types: relay.Types(), Wants: looks.Relayed},
			{To: c.Bus(), Types: publisher.BusTypes()},
			{To: c.RelayTimers(), Types: looks.Types()},
		}
		return cloud.Choose(cloud.OnStream(h.Handle), cloud.OnInvoke(publisher.Resumer{Handler: h, Parking: lot}.Resume)), nil
	})
}

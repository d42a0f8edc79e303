package cloud

import (
	"handoff/infra/eventbus"
	"handoff/infra/fifo"
	"handoff/infra/parking"
)

// Bus returns the bus that functions are told by.
func (c *Cloud) Bus() *eventbus.Bus { return eventbus.New(c.EventBridge(), c.Need(Bus)) }

// Deliveries returns the queue of facts that lead to deliveries.
func (c *Cloud) Deliveries() *fifo.Queue { return fifo.New(c.SQS(), c.Need(DeliveriesQueue)) }

// Parking returns the streams of which nothing is published.
func (c *Cloud) Parking() *parking.Lot { return parking.New(c.DB(), c.Need(WorkTable), c.Now) }

// Poison returns the queue that is told of poison.
func (c *Cloud) Poison() *parking.Teller { return parking.NewTeller(c.SQS(), c.Need(PoisonQueue)) }

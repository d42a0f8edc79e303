package cloud

import (
	"context"
	"net/http"

	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/fifo"
	"handoff/infra/looks"
	"handoff/infra/microsoft/botauth"
	"handoff/infra/microsoft/relaying"
	"handoff/infra/telemetry"
)

// Relay returns the FIFO queue of facts of relayed conversations.
func (c *Cloud) Relay() *fifo.Queue { return fifo.New(c.SQS(), c.Need(RelayQueue)) }

// RelayTimers returns the queue that has relayed conversations looked at.
func (c *Cloud) RelayTimers() *looks.Timers {
	return looks.New(c.SQS(), c.Need(RelayTimersQueue), c.Now)
}

// RelayKeeper takes messages out of that queue.
func (c *Cloud) RelayKeeper(ledger *eventlog.Ledger) *looks.Keeper {
	return &looks.Keeper{Timers: c.RelayTimers(), Queue: c.Relay(), Ledger: ledger}
}

// Relayer relays; functions/relay does.
type Relayer interface {
	Handle(ctx context.Context, n events.Notification) error
	Look(ctx context.Context, stream events.StreamID) error
}

// OnRelay answers what the relay comes from: an HTTP API, which front serves, the
// FIFO queue of facts and looks, and the queue of timers.
func (c *Cloud) OnRelay(r Relayer, front http.Handler, timers *looks.Keeper) Handler {
	line := onMessages(c.soon(func(ctx context.Context, m Message) error {
		stream, is := looks.Of(m.Body)
		if !is {
			return onFact(ctx, []byte(m.Body), r.Handle)
		}
		ctx, s := span(ctx, telemetry.Consumer, "", telemetry.Attr{Key: "messaging.message.id", Value: m.ID})
		err := r.Look(ctx, stream)
		s.End(err)
		return err
	}))
	wakeUps := OnQueue(func(ctx context.Context, m Message) error { return timers.Take(ctx, m.Body) })
	batch := func(ctx context.Context, payload []byte) ([]byte, error) {
		if ordered(payload) {
			return line(ctx, payload)
		}
		return wakeUps(ctx, payload)
	}
	return Choose(batch, OnHTTP(front))
}

// Messages serves the addresses at which Azure Bots post what hubs say.
func (c *Cloud) Messages(ctx context.Context, r relaying.Receiver, ledger *eventlog.Ledger, keys Keys) (*relaying.Endpoint, error) {
	at, err := c.Microsoft(ctx)
	return &relaying.Endpoint{
		Verifier: botauth.New(at.Inbound, &http.Client{}, c.Now), Receiver: r, Log: c.Log,
		Link: relaying.Connections{Ledger: ledger, Names: keys}.Link,
	}, err
}

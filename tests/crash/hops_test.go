package crash_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"handoff/infra/microsoft/simulation"
	"handoff/tests/harness"
)

// hop is a place on the way of a conversation at which the program is killed:
// while it waits for an answer to what it asked a service, or just after it took
// what the hub said.
type hop struct {
	what        string
	host, route string // of the request; none: the hub's own to the program
	lose        bool   // the request is carried out, and only its answer is lost
	count       int    // which of them it is, is drawn of so many
}

// hops are all there are. One whose requests differ by their bodies only stands
// there more than once.
func hops() (all []hop) {
	for _, h := range []hop{
		{what: "the bot's token is asked for", host: simulation.PowerPlatform, count: 1},
		{what: "a conversation with the bot begins", host: simulation.DirectLineEurope, route: "POST /v3/directline/conversations", count: 1},
		{what: "the bot is greeted or told something", host: simulation.DirectLineEurope, route: "POST */activities", count: 6},
		{what: "the customer or the hub is told something", host: simulation.Connector, route: "POST *", count: 6},
	} {
		for range (h.count + 2) / 3 {
			h.lose = false
			all = append(all, h)
			h.lose = true
			all = append(all, h)
		}
	}
	return append(all, []hop{
		{what: "a stream of the bot's words is opened", host: simulation.DirectLineEurope, route: "GET */stream", count: 1},
		{what: "the bot's words are read", host: simulation.DirectLineEurope, route: "GET */activities", count: 1},
		{what: "a token for the hub is asked for", host: simulation.Login, route: "POST *", count: 1},
		{what: "the hub's records are read", host: simulation.Dataverse, route: "GET *", count: 2},
		{what: "a customer's words were taken", count: 1},
		{what: "a customer's words were taken", count: 4},
		{what: "a customer's words were taken", count: 4},
	}...)
}

// reached is how long it takes at most until somebody comes by a hop.
const reached = 40 * time.Second

// killAt waits until the program is at a hop, kills it there and starts it again.
func (b *between) killAt(ctx context.Context, h hop, r *rand.Rand) error {
	met, err := b.watch(h, r)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, reached)
	defer cancel()
	if err := harness.Poll(limited, func() (bool, error) { return met(), nil }); err != nil {
		return fmt.Errorf("nobody comes by: %w", err)
	}
	return b.kill(ctx)
}

// kill kills the program and starts it again.
func (b *between) kill(ctx context.Context) (err error) {
	now := kill{from: time.Now()}
	b.running.Kill()
	b.ClearFaults()
	if b.running, err = b.site.Launch(); err != nil {
		return err
	}
	now.to = time.Now()
	b.mu.Lock()
	b.kills = append(b.kills, now)
	b.mu.Unlock()
	return b.running.Ready(ctx)
}

// watch returns what tells that the program is at a hop. It gets no further
// there: after the request that is broken off no other one gets through.
func (b *between) watch(h hop, r *rand.Rand) (met func() bool, err error) {
	if h.host == "" {
		before := b.acknowledged() + r.IntN(h.count)
		return func() bool { return b.acknowledged() > before }, nil
	}
	before, after := b.broken(h), r.IntN(h.count)
	first := simulation.Fault{Host: h.host, Route: h.route, After: after, Cut: !h.lose, Lose: h.lose}
	others := simulation.Fault{Host: h.host, Route: h.route, After: after, Cut: true, Times: -1}
	return func() bool { return b.broken(h) > before }, errors.Join(b.Inject(first), b.Inject(others))
}

// broken counts the requests of a hop that were broken off, and streams that
// ended.
func (b *between) broken(h hop) (n int) {
	for _, c := range b.Calls(h.host) {
		if c.Status == 0 && strings.HasSuffix(c.Path, "/stream") == strings.HasSuffix(h.route, "/stream") {
			n++
		}
	}
	return n
}

// acknowledged counts what the program took of the hub.
func (b *between) acknowledged() (n int) {
	for _, c := range b.Hub().Conversations() {
		for _, d := range c.Deliveries {
			if d.Status/100 == 2 {
				n++
			}
		}
	}
	return n
}

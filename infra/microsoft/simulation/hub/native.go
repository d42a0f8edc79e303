package hub

import (
	"context"

	"handoff/infra/microsoft/simulation/wire"
)

// Native is a conversation with a bot of Power Virtual Agents (Copilot Studio)
// that is connected to the hub natively: see virtualbot.Native.
type Native interface {
	Hear(activity wire.Object)
	// Next waits for what the bot sends. It fails when ctx ends.
	Next(ctx context.Context) (wire.Object, error)
}

// connectNative listens to a bot that is connected natively, for as long as the
// hub runs. What it says counts as what other bots send by the Connector does.
func (c *conversation) connectNative() {
	h := c.hub
	if h.Native == nil {
		return
	}
	if c.native = h.Native(c.bot.application, c.thread); c.native == nil {
		return
	}
	native, ctx := c.native, h.ctx
	h.wg.Go(func() {
		for {
			a, err := native.Next(ctx)
			if err != nil {
				return
			}
			h.mu.Lock()
			if !c.left() {
				c.heard(a)
			}
			h.mu.Unlock()
		}
	})
}

// left reports whether the bot is no part of the conversation any more.
func (c *conversation) left() bool {
	return c.status == Closed || c.status != Open && c.agent != c.bot.user
}

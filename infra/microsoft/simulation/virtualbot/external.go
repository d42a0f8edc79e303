package virtualbot

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"time"

	"handoff/infra/microsoft/simulation/signing"
	"handoff/infra/microsoft/simulation/tenants"
	"handoff/infra/microsoft/simulation/wire"
)

// External is a bot that is a program of its own, written with the vendor's SDK.
// Direct Line posts to it what its users say, as the Bot Connector does, and is
// the service URL to which it answers. A user's request is answered after the
// bot's own (documented); 15 seconds without an answer are a failure of the
// bot's (documented for the Bot Connector).
type External struct {
	Endpoint      string // where it takes activities
	ApplicationID string // it runs as
}

// Connect has a bot be a program of its own from here on.
func (s *Service) Connect(botID string, e External) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.bot(func(b *Bot) bool { return b.ID == botID }); b != nil {
		b.External = &e
	}
}

// patience is how long an external bot has to answer.
const patience = 15 * time.Second

// delivery is an activity for an external bot.
type delivery struct {
	to       External
	activity wire.Object
}

// told returns what an external bot is told of an activity; nothing of no
// activity, and for other bots. The caller holds mu.
func (c *conversation) told(a wire.Object) *delivery {
	if c.bot.External == nil {
		return nil
	}
	sent := maps.Clone(a)
	sent["serviceUrl"] = c.service.URL(c.bot.Region) + "/"
	sent["recipient"] = c.self()
	return &delivery{*c.bot.External, sent}
}

// joined returns what an external bot is told at the beginning: that it is a
// member now.
func (c *conversation) joined() *delivery {
	return c.told(wire.Object{
		"type": "conversationUpdate", "id": c.id + "|start", "timestamp": stamp(c.service.Clock.Now()), "channelId": "directline",
		"conversation": wire.Object{"id": c.id}, "from": c.self(), "membersAdded": []any{c.self()},
	})
}

// deliver posts an activity to the program that a bot is. What the bot refuses,
// or does not take, is a bad gateway.
func (s *Service) deliver(ctx context.Context, d *delivery) error {
	if d == nil {
		return nil
	}
	status, err := s.Directory.Post(ctx, &http.Client{Timeout: patience}, tenants.Endpoint{Application: d.to.ApplicationID, URL: d.to.Endpoint}, d.activity, signing.Genuine)
	switch {
	case err != nil:
		return wire.Refuse(http.StatusBadGateway, "BotError", "Failed to send activity: the bot is not available.")
	case status >= http.StatusMultipleChoices:
		return wire.Refuse(http.StatusBadGateway, "BotRejectedActivity", "Failed to send activity: bot returned an error")
	}
	return nil
}

// answer takes what an external bot says, as the Connector API does: sent to a
// conversation or in reply to one of its activities.
func (d *directLine) answer(w http.ResponseWriter, r *http.Request) error {
	caller, err := d.Directory.Authenticate(r, tenants.BotFramework)
	if err != nil {
		return err
	}
	a, err := wire.Body(w, r)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.conversations[r.PathValue("id")]
	switch {
	case c == nil || !c.started || c.bot.Region != d.region:
		return wire.Refuse(http.StatusNotFound, "ConversationNotFound", "Conversation not found")
	case c.bot.External == nil || !strings.EqualFold(c.bot.External.ApplicationID, caller.Application):
		return wire.Refuse(http.StatusForbidden, "Forbidden", "The bot is not authorized for this conversation.")
	case wire.String(a, "type") == "":
		return wire.Refuse(http.StatusBadRequest, "MissingProperty", "The activity has no 'type'.")
	}
	if id := r.PathValue("aid"); id != "" {
		a["replyToId"] = id
	}
	wire.JSON(w, http.StatusOK, wire.Object{"id": c.spoken(a)})
	return nil
}

// spoken adds what an external bot says. Addresses of the bot's own side do not
// reach the client (recorded payloads have none).
func (c *conversation) spoken(a wire.Object) string {
	delete(a, "serviceUrl")
	delete(a, "recipient")
	a["from"] = c.self()
	switch {
	case a["type"] == "event" && a["name"] == "handoff.initiate":
		c.transferred = true
	case a["type"] == "endOfConversation":
		c.ended = true
	}
	return c.add(a)
}

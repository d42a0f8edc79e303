package relay

import (
	"context"
	"fmt"
	"slices"

	"handoff/domain/conversation"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/domain/intake"
	"handoff/domain/relay"
	"handoff/events"
)

// handOver raises the bot's hand-off in this conversation. One that can't be
// read or is over a limit is raised with what was relayed instead: the customer
// did not write the bot.
func (t *turn) handOver(ctx context.Context, p relay.Spoken) error {
	at, err := t.address(ctx)
	if err != nil {
		return err
	}
	err = p.Unreadable
	if p.HandOff != nil {
		h := *p.HandOff
		h.Context = fitted(h.Context)
		h.Context.ConversationID, h.Context.Customer = at.ConversationID, customerOf(at, h.Context.Customer)
		h.RaisedAt, h.Channel = t.Now(), t.state.Channel
		err = t.raise(ctx, h, p.ID)
	}
	if err == nil || !fault.KindOf(err).Permanent() {
		return err
	}
	if t.state.Check == nil && !refusedByConnection(err) {
		t.Log.WarnContext(ctx, "hand-off of the bot is raised without what it said", "connection_id", t.link.Connection, "stream", t.home.ID.String(), "error", err)
		return t.raiseRelayed(ctx, "other", fault.CodeOf(err), p.ID)
	}
	return t.leave(ctx, fault.CodeOf(err))
}

// giveUp asks human agents for a customer whom the bot leaves alone.
func (t *turn) giveUp(ctx context.Context, code string) error {
	if t.state.Check != nil {
		return t.leave(ctx, code) // whose hand-off is what the check is about
	}
	if err := t.notify(ctx); err != nil {
		return err
	}
	return t.raiseRelayed(ctx, "bot_failed", code, fmt.Sprintf("relay-%d-%s", t.state.Session, t.home.ID))
}

// raiseRelayed raises an escalation with what was said so far, or leaves the
// conversation to the hub where none can be raised.
func (t *turn) raiseRelayed(ctx context.Context, reason, code, key string) error {
	at, err := t.address(ctx)
	if err != nil {
		return err
	}
	said, err := t.transcript(ctx)
	if err != nil {
		return err
	}
	err = t.raise(ctx, intake.HandOff{
		Reason: reason, Channel: t.state.Channel, Format: intake.FormatBotFramework, RequestID: key,
		Context: events.Context{
			ConversationID: at.ConversationID, Customer: customerOf(at, nil), Transcript: said,
			Summary: "Handed over by Handoff, for the bot could not go on (" + code + ").",
		},
	}, key)
	if err != nil && fault.KindOf(err).Permanent() {
		return t.leave(ctx, fault.CodeOf(err))
	}
	return err
}

// raise hands the conversation over as every other hand-off is.
func (t *turn) raise(ctx context.Context, h intake.HandOff, key string) error {
	by := identity.Principal{ID: "function:" + function, Tenant: t.link.Tenant, Role: identity.Bot, Connection: t.link.Connection}
	if _, err := t.Raiser.Raise(ctx, by, t.link.Connection, h, conversation.Sending{Key: key, Trace: t.by.Trace}); err != nil {
		return fmt.Errorf("raise: %w", err)
	}
	return t.load(ctx)
}

func refusedByConnection(err error) bool {
	return fault.Is(err, "connection-not-found") || fault.Is(err, "connection-not-ready") || fault.Is(err, "connection-disconnected")
}

// leave takes the voice from the bot without an escalation.
func (t *turn) leave(ctx context.Context, code string) error {
	return t.decide(ctx, relay.Leave{To: t.to, Fact: events.BotLeft{Session: t.state.Session, At: t.Now().UTC(), Code: code}})
}

// notify tells the customer that somebody else goes on.
func (t *turn) notify(ctx context.Context) error {
	if t.Notice == "" {
		return nil
	}
	ref, err := t.ref(t.link, events.SideHandoff, t.home.ID.String(), fmt.Sprint(t.state.Session))
	if err != nil {
		return err
	}
	now := t.Now().UTC()
	return t.decide(ctx, relay.Notify{To: t.to, Ref: ref, At: now, LookAt: t.soon(), Message: events.Message{
		At: &now, From: events.FromSystem, Text: t.Notice,
	}})
}

// customerOf returns who the hub says the customer is: to the bot, that is a
// pseudonym of ours.
func customerOf(at events.HubAddress, bots *events.Customer) *events.Customer {
	if at.CustomerID == "" && at.CustomerName == "" {
		return bots
	}
	c := events.Customer{}
	if bots != nil {
		c = *bots
	}
	c.ID, c.Name = at.CustomerID, shorten(at.CustomerName, intake.MaxCustomerName)
	return &c
}

// fitted returns what a bot knew with what the customer said, and it about him,
// no longer than a hand-off takes: nobody writes himself out of a queue.
func fitted(c events.Context) events.Context {
	c.LastPhrase, c.Phrases = shorten(c.LastPhrase, intake.MaxPhrase), slices.Clone(c.Phrases)
	for i, phrase := range c.Phrases {
		c.Phrases[i] = shorten(phrase, intake.MaxPhrase)
	}
	c.MessageToAgent, c.Summary = shorten(c.MessageToAgent, intake.MaxNote), shorten(c.Summary, intake.MaxNote)
	if c.Transcript != nil {
		t := *c.Transcript
		t.Messages = slices.Clone(t.Messages)
		for i, m := range t.Messages {
			t.Messages[i] = fittedMessage(m)
		}
		c.Transcript = &t
	}
	return c
}

func fittedMessage(m events.Message) events.Message {
	m.Name, m.Text = shorten(m.Name, intake.MaxMessageName), shorten(m.Text, intake.MaxMessageText)
	return m
}

// shorten returns a text with no more characters than a hand-off takes; dots say
// that it was longer.
func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	if all := []rune(s); len(all) > limit {
		return string(all[:limit-1]) + "…"
	}
	return s
}

// transcript returns what was relayed in this session.
func (t *turn) transcript(ctx context.Context) (*events.Transcript, error) {
	var said events.Transcript
	for o, err := range t.Ledger.ReadOpen(ctx, t.home.ID) {
		if err != nil {
			return nil, err
		}
		f, ok := o.Fact.(*events.MessagesTaken)
		if !ok || f.Session != t.state.Session || f.Said == nil {
			continue
		}
		for _, m := range f.Said.Messages {
			m.Extensions = nil
			said.Messages = append(said.Messages, fittedMessage(m))
		}
	}
	if len(said.Messages) == 0 {
		return nil, nil
	}
	said.Messages = said.Messages[max(0, len(said.Messages)-intake.MaxMessages):]
	return &said, nil
}

// Package relay stands between a bot and the customer channel of an agent hub
// ("bot as agent"): the hub gives a customer to Handoff as if it were the bot,
// Handoff talks to the bot in the customer's place, and when the bot gives up,
// asks the hub for a human agent in the same conversation.
//
// Receive puts what the hub says on disk and does nothing else, so it answers at
// once. Handle, told of that fact, and Look, called when the time of a relay has
// come, do the rest, and both in the same way: they rebuild the conversation, do
// what is owed next (package domain/relay says what), append that it is done,
// and so on until nothing is owed. Whoever is killed between two of these steps
// is continued by the next call.
//
// The bot gets a message once: before one is posted whose post may have been
// cut off, the bot's conversation is looked at for it. The customer gets a
// message at least once, in order: hubs have no key by which they would
// recognise a repeat, so a crash between sending and appending sends one
// message twice.
//
// Nobody is left waiting: a bot that can't be reached or does not answer loses
// the voice after Timing.BotPatience, and human agents are asked.
package relay

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/connection"
	"handoff/domain/conversation"
	"handoff/domain/customer"
	"handoff/domain/identity"
	"handoff/domain/intake"
	"handoff/domain/relay"
	"handoff/events"
	"handoff/infra/eventlog"
)

const function = "relay"

// Keys derives what identifies without telling.
type Keys interface {
	StreamID(tenant string, kind events.Kind, parts ...string) (events.StreamID, error)
	Ref(tenant, label, value string) (string, error)
}

// Raiser hands conversations over; functions/webhook does.
type Raiser interface {
	Raise(ctx context.Context, by identity.Principal, connection string, hand intake.HandOff, s conversation.Sending) (conversation.Answer, error)
}

// Opener begins conversations with a connection's bot. A permanent fault means
// that there is no talking to this bot now.
type Opener interface {
	Open(ctx context.Context, l relay.Link, o relay.Opening) (relay.BotConversation, error)
	// Renew returns the same conversation with another token.
	Renew(ctx context.Context, l relay.Link, s events.BotSession) (relay.BotConversation, error)
}

// Bot is one side. A fault of kind Gone or NotFound means that the conversation
// can't be gone on with, but another may be begun.
type Bot interface {
	Post(ctx context.Context, l relay.Link, s events.BotSession, what relay.ToBot) error
	// Listen returns what is there after a watermark as soon as there is
	// something, and nothing when wait is over. One that hears of the bot by
	// itself does not wait: it says that the conversation is followed, and has
	// Wake called.
	Listen(ctx context.Context, l relay.Link, s events.BotSession, watermark string, wait time.Duration) (relay.Heard, error)
}

// Customer is the other side, reached through the hub. A fault of kind Gone or
// NotFound means that the conversation is over there; one of kind TooLarge,
// Unprocessable or Invalid, that this message is not taken. Whatever else goes
// wrong is worth another try.
type Customer interface {
	Say(ctx context.Context, l relay.Link, to events.HubAddress, m events.Message) error
}

// Hub is who finds human agents. Its faults are as Customer's.
type Hub interface {
	// Escalate returns what of the context the hub can't take as it is.
	Escalate(ctx context.Context, l relay.Link, at events.HubAddress, e relay.Escalation) ([]events.Omission, error)
	End(ctx context.Context, l relay.Link, at events.HubAddress) error
}

// Linker makes links to an escalation's context that can be followed without a
// key of ours, for a while. Each use of one is a fact.
type Linker interface {
	ContextURL(ctx context.Context, tenant, escalation string, until time.Time) (string, error)
}

// Handler relays. Every field but Notice and Timing is needed. It is safe for
// concurrent use; calls for one conversation wait for each other within the
// process. Across processes they must come one at a time (a FIFO queue grouped
// by stream): two at once harm no fact, but may say something twice.
type Handler struct {
	Ledger   *eventlog.Ledger
	Keys     Keys
	Raiser   Raiser
	Opener   Opener
	Bot      Bot
	Customer Customer
	Hub      Hub
	Linker   Linker
	Now      func() time.Time
	Log      *slog.Logger
	// Notice is what the customer is told when the bot can't go on; empty:
	// nothing.
	Notice string
	Timing Timing

	busy busy
}

// Types are the facts that Handle is told of.
func Types() []string {
	return []string{
		"RelayStarted", "MessagesTaken", "RelayEnded", "BotLeft",
		"EscalationAccepted", "EscalationCompleted", "EscalationFailed", "EscalationExpired",
	}
}

// Receive takes what the hub says. When it returns nil, that is on disk. A
// repeat is nothing new. Its faults: connection-not-found; relay-handed-off for
// a conversation that is with human agents, which is no reason for the hub to
// try again; relay-backlog, which is one.
func (h *Handler) Receive(ctx context.Context, l relay.Link, in relay.Inbound) error {
	if err := h.known(ctx, l); err != nil {
		return err
	}
	stream, err := h.Keys.StreamID(l.Tenant, events.KindConversation, l.Connection, in.Address.ConversationID)
	if err != nil {
		return fmt.Errorf("receive on connection %s: %w", l.Connection, err)
	}
	ref, err := h.ref(l, events.SideHub, in.Address.ConversationID, in.ID)
	if err != nil {
		return err
	}
	refs, err := customer.Refs(h.Keys.Ref, l.Tenant, in.Customer)
	if err != nil {
		return err
	}
	if in, err = h.checked(l, in); err != nil {
		return err
	}
	at := eventlog.Stream{ID: stream, Tenant: l.Tenant, Connection: l.Connection}
	_, err = eventlog.Execute(ctx, h.Ledger, conversation.Decider, at, eventlog.Origin{Actor: "hub:" + l.Connection, Correlation: ref},
		func(s conversation.State) (eh.Command, error) { return h.command(stream, s, in, ref, refs), nil })
	if err != nil {
		return fmt.Errorf("receive on connection %s: %w", l.Connection, err)
	}
	return nil
}

func (h *Handler) command(stream events.StreamID, s conversation.State, in relay.Inbound, ref string, refs []string) eh.Command {
	now := h.Now().UTC()
	if in.Kind == relay.Leaves {
		session := 0
		if s.Relay != nil {
			session = s.Relay.Session
		}
		return relay.Finish{To: relay.To(stream), Fact: events.RelayEnded{Session: session, By: events.SideHub, Code: "hub-ended"}}
	}
	return relay.Take{
		To: relay.To(stream), Ref: ref, At: now, LookAt: now.Add(h.timing().Late), Channel: in.Channel, Message: in.Message,
		Opening: events.RelayOpening{Address: in.Address, Variables: in.Variables}, CustomerRefs: refs, Check: in.Check,
	}
}

// known refuses connections that nobody asked for, and those whose bot speaks
// with its hub itself. One that takes nothing now is no reason to leave the
// customer standing: Handle then leaves it to the hub.
func (h *Handler) known(ctx context.Context, l relay.Link) error {
	s, err := h.connection(ctx, l)
	if err == nil && (s.Status == connection.None || s.Omnichannel != nil && s.Omnichannel.Path == events.PathAdvise) {
		err = connection.Refusal(connection.State{})
	}
	return err
}

func (h *Handler) connection(ctx context.Context, l relay.Link) (connection.State, error) {
	stream, err := h.Keys.StreamID(l.Tenant, events.KindConnection, l.Connection)
	if err != nil {
		return connection.State{}, fmt.Errorf("find connection %s: %w", l.Connection, err)
	}
	c, err := eventlog.State(ctx, h.Ledger, connection.Decider, stream)
	if err != nil {
		return connection.State{}, fmt.Errorf("find connection %s: %w", l.Connection, err)
	}
	return c.State, nil
}

// refLength is enough of a keyed hash to tell the messages of one conversation
// apart. They are carried with each state.
const refLength = 16

// ref returns what stands for the id of an activity of a side's conversation.
func (h *Handler) ref(l relay.Link, side, conversation, id string) (string, error) {
	if id == "" {
		return "", nil
	}
	ref, err := h.Keys.Ref(l.Tenant, "relay-"+side, l.Connection+"\x00"+conversation+"\x00"+id)
	if err != nil {
		return "", fmt.Errorf("hash the id of an activity: %w", err)
	}
	return ref[:min(len(ref), refLength)], nil
}

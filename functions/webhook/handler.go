// Package webhook takes a bot's hand-offs. What it answers is on disk: the
// escalation, and in the same commit the decision which queue it goes to, made
// with the same pure function that functions/escalationraised uses where this
// one could not decide.
package webhook

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/connection"
	"handoff/domain/conversation"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/domain/intake"
	"handoff/domain/publication"
	"handoff/events"
	"handoff/infra/eventlog"
)

// DefaultLifetime is how long an escalation stays open if nobody ends it.
const DefaultLifetime = 24 * time.Hour

// Keys derives what identifies without telling.
type Keys interface {
	StreamID(tenant string, kind events.Kind, parts ...string) (events.StreamID, error)
	Ref(tenant, label, value string) (string, error)
}

// Fingerprinter hashes under the key of a conversation.
type Fingerprinter interface {
	Fingerprint(ctx context.Context, tenant string, key events.KeyID, data []byte) (string, error)
}

// Router decides which queue an escalation goes to.
type Router interface {
	Decide(ctx context.Context, stream events.StreamID, c connection.State, raised *events.EscalationRaised, at time.Time) (*events.EscalationRouted, error)
}

// Handler takes hand-offs. Every field but Lifetime is needed. It is safe for
// concurrent use.
type Handler struct {
	Ledger       *eventlog.Ledger
	Keys         Keys
	Fingerprints Fingerprinter
	Router       Router
	Now          func() time.Time
	Log          *slog.Logger
	Lifetime     time.Duration // 0 means DefaultLifetime
}

// Raise hands a conversation over. The answer is durable, and the same for
// every repeat. It fails with a fault: connection-not-found,
// connection-not-ready, connection-disconnected, conversation-id-missing,
// idempotency-key-reused, or what h.Check finds.
func (h *Handler) Raise(ctx context.Context, by identity.Principal, conn string, hand intake.HandOff, r conversation.Sending) (conversation.Answer, error) {
	if hand.Context.ConversationID == "" && r.Strict { // other ids are new for each sending
		hand.Context.ConversationID = r.Key
	}
	if hand.Context.ConversationID == "" {
		return conversation.Answer{}, fault.New(fault.Invalid, "conversation-id-missing",
			"Say which conversation this is: conversation_id is missing, and there is no Idempotency-Key to stand for it.").At("/conversation_id")
	}
	if err := hand.Check(); err != nil {
		return conversation.Answer{}, err
	}
	c, err := h.connection(ctx, by.Tenant, conn)
	if err != nil {
		return conversation.Answer{}, err
	}
	stream, err := h.Keys.StreamID(by.Tenant, events.KindConversation, conn, hand.Context.ConversationID)
	if err != nil {
		return conversation.Answer{}, fmt.Errorf("raise on connection %s: %w", conn, err)
	}
	raise := raising{Handler: h, tenant: by.Tenant, conn: c, stream: stream, hand: hand, request: r}
	if err := raise.refs(); err != nil {
		return conversation.Answer{}, err
	}
	origin := eventlog.Origin{Actor: by.ID, Correlation: raise.requestRef, Trace: r.Trace}
	at := eventlog.Stream{ID: stream, Tenant: by.Tenant, Connection: conn}
	done, err := eventlog.Execute(ctx, h.Ledger, conversation.Decider, at, origin,
		func(s conversation.State) (eh.Command, error) { return raise.command(ctx, s) })
	if err != nil {
		return conversation.Answer{}, fmt.Errorf("raise on connection %s: %w", conn, err)
	}
	h.wonder(ctx, c, done.Facts)
	return h.answer(ctx, stream, done, raise.requestRef)
}

// wonder tells operators of an escalation by a bot that should not have talked
// to anybody. It is routed like every other: there is a customer.
func (h *Handler) wonder(ctx context.Context, c connected, facts []events.Fact) {
	state := c.Publication.State
	if len(facts) > 0 && (state == publication.Unpublished || state == publication.Deleted) {
		h.Log.WarnContext(ctx, "escalation of a bot that is not published", "connection_id", c.ID, "state", string(state), "code", c.Publication.Code)
	}
}

// connected is a connection with its stream.
type connected struct {
	connection.State
	stream events.StreamID
}

func (h *Handler) connection(ctx context.Context, tenant, id string) (connected, error) {
	stream, err := h.Keys.StreamID(tenant, events.KindConnection, id)
	if err != nil {
		return connected{}, fmt.Errorf("find connection %s: %w", id, err)
	}
	r, err := eventlog.State(ctx, h.Ledger, connection.Decider, stream)
	if err != nil {
		return connected{}, fmt.Errorf("find connection %s: %w", id, err)
	}
	if r.State.Status == connection.None {
		return connected{}, connection.Refusal(r.State)
	}
	return connected{State: r.State, stream: stream}, nil
}

// answer tells what the request came to: the escalation that it made, or the
// one that it repeats.
func (h *Handler) answer(ctx context.Context, stream events.StreamID, done eventlog.Result[conversation.State], request string) (conversation.Answer, error) {
	if len(done.Facts) > 0 {
		if _, made := done.Facts[0].(*events.EscalationRaised); made {
			return conversation.AnswerOf(stream, done.State.Last, false), nil
		}
	}
	number := done.State.Repeats(request)
	if e, ok := done.State.Escalation(number); ok {
		return conversation.AnswerOf(stream, e, true), nil
	}
	return h.older(ctx, stream, number)
}

// older finds an escalation that the state has dropped: the conversation was
// handed over many times since.
func (h *Handler) older(ctx context.Context, stream events.StreamID, number int) (conversation.Answer, error) {
	var v conversation.Viewer
	for r, err := range h.Ledger.Log().Read(ctx, stream, 1) {
		if err != nil {
			return conversation.Answer{}, fmt.Errorf("find escalation %d of %s: %w", number, stream, err)
		}
		f, err := h.Ledger.Decode(r)
		if err != nil {
			return conversation.Answer{}, fmt.Errorf("find escalation %d of %s: %w", number, stream, err)
		}
		v.Observe(r.Header, f, false)
	}
	e, ok := v.Escalation(number)
	if !ok {
		return conversation.Answer{}, fmt.Errorf("find escalation %d of %s: the stream does not have it", number, stream)
	}
	return conversation.AnswerOf(stream, e.Escalation, true), nil
}

// Package escalationraised answers EscalationRaised. It is the guarantee behind
// the webhook, which routes at once where it can: whatever was raised is
// routed, and what was raised or moved while its connection was being
// disconnected gets the policy of that disconnect.
//
// Like every function it makes three moves: rebuild the aggregates from the
// log, decide, append. It may be told of the same fact any number of times.
package escalationraised

import (
	"cmp"
	"context"
	"fmt"
	"time"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/connection"
	"handoff/domain/conversation"
	"handoff/domain/escid"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/eventlog"
)

const function = "escalationraised"

// maxMoves bounds how many disconnected connections are followed to the one
// that takes over, and how often a connection may change while an escalation is
// settled. With more, two of them point at each other.
const maxMoves = 8

// The codes with which an escalation fails at its new deadline.
const (
	CodeDisconnected = "connection-disconnected"
	CodeNoTarget     = "move-target-unavailable"
)

// Streams names the streams of connections.
type Streams interface {
	StreamID(tenant string, kind events.Kind, parts ...string) (events.StreamID, error)
}

// Router decides which queue an escalation goes to.
type Router interface {
	Decide(ctx context.Context, stream events.StreamID, c connection.State, raised *events.EscalationRaised, at time.Time) (*events.EscalationRouted, error)
}

// Handler answers EscalationRaised. It is safe for concurrent use.
type Handler struct {
	Ledger  *eventlog.Ledger
	Streams Streams
	Router  Router
	Now     func() time.Time
	// Drain is how long an escalation may still finish that was to be moved to
	// a connection which takes none.
	Drain time.Duration
}

// Handle routes the escalation if it is not routed yet, and settles it.
func (h *Handler) Handle(ctx context.Context, n events.Notification) error {
	return h.Settle(ctx, n, n.Stream)
}

// Settle brings the open escalation of a conversation to where its connection
// wants it: routed, and if the connection is disconnected, drained or moved. n
// is the fact because of which that is done: of the conversation, or of a
// connection that was disconnected.
func (h *Handler) Settle(ctx context.Context, n events.Notification, stream events.StreamID) error {
	for range maxMoves {
		again, err := h.settle(ctx, n, stream)
		if err != nil {
			return fmt.Errorf("settle conversation %s: %w", stream, err)
		}
		if !again {
			return nil
		}
	}
	return h.endBy(ctx, n, stream, h.Now().Add(h.Drain), CodeNoTarget)
}

// settle makes one move. It reports whether the state is to be looked at once
// more, because a connection may have changed meanwhile.
func (h *Handler) settle(ctx context.Context, n events.Notification, stream events.StreamID) (again bool, err error) {
	s, err := eventlog.State(ctx, h.Ledger, conversation.Decider, stream)
	if err != nil {
		return false, err
	}
	e, open := s.State.Open()
	if !open {
		return false, nil
	}
	c, err := h.connection(ctx, n.Tenant, cmp.Or(e.Connection, s.Home.Connection))
	if err != nil {
		return false, err
	}
	if e.Status == conversation.Raised {
		return true, h.route(ctx, n, stream, e, c)
	}
	if c.Status != connection.Disconnected {
		return false, nil
	}
	if c.End.Policy == events.PolicyMove {
		return h.move(ctx, n, stream, e, c.End.Target)
	}
	return false, h.endBy(ctx, n, stream, *c.End.Deadline, CodeDisconnected)
}

type connected struct {
	connection.State
	stream events.StreamID
}

func (h *Handler) connection(ctx context.Context, tenant, id string) (connected, error) {
	stream, err := h.Streams.StreamID(tenant, events.KindConnection, id)
	if err != nil {
		return connected{}, err
	}
	c, err := eventlog.State(ctx, h.Ledger, connection.Decider, stream)
	if err != nil {
		return connected{}, fmt.Errorf("read connection %s: %w", id, err)
	}
	return connected{State: c.State, stream: stream}, nil
}

func (h *Handler) route(ctx context.Context, n events.Notification, stream events.StreamID, e conversation.Escalation, c connected) error {
	routed, err := h.decide(ctx, stream, e, c)
	if err != nil {
		return err
	}
	return h.execute(ctx, n, stream, conversation.Route{To: conversation.To(stream), Fact: *routed})
}

// move routes the escalation by the rules of the connection that takes over.
func (h *Handler) move(ctx context.Context, n events.Notification, stream events.StreamID, e conversation.Escalation, target string) (again bool, err error) {
	c, err := h.successor(ctx, n.Tenant, target)
	if err != nil {
		return false, err
	}
	if c.Status != connection.Ready {
		return false, h.endBy(ctx, n, stream, h.Now().Add(h.Drain), CodeNoTarget)
	}
	routed, err := h.decide(ctx, stream, e, c)
	if err != nil {
		return false, err
	}
	return true, h.execute(ctx, n, stream, conversation.Move{To: conversation.To(stream), Fact: *routed})
}

// successor follows connections that moved their escalations on, up to one that
// did not.
func (h *Handler) successor(ctx context.Context, tenant, target string) (c connected, err error) {
	for range maxMoves {
		c, err = h.connection(ctx, tenant, target)
		if err != nil || c.Status != connection.Disconnected || c.End.Policy != events.PolicyMove {
			break
		}
		target = c.End.Target
	}
	return c, err
}

// decide routes by the rules of c with everything that is known by now.
func (h *Handler) decide(ctx context.Context, stream events.StreamID, e conversation.Escalation, c connected) (*events.EscalationRouted, error) {
	var v conversation.Viewer
	for o, err := range h.Ledger.ReadOpen(ctx, stream) {
		if err != nil {
			return nil, err
		}
		v.Observe(o.Header, o.Fact, o.Erased)
	}
	view, ok := v.Escalation(e.Number)
	if !ok {
		return nil, fault.Newf(fault.NotFound, "escalation-not-found", "There is no escalation %s.", escid.Of(stream, e.Number))
	}
	raised := view.Raised
	raised.Context = view.Context
	return h.Router.Decide(ctx, c.stream, c.State, &raised, h.Now())
}

// endBy lets the open escalation finish until a deadline, at which it fails.
func (h *Handler) endBy(ctx context.Context, n events.Notification, stream events.StreamID, deadline time.Time, code string) error {
	s, err := eventlog.State(ctx, h.Ledger, conversation.Decider, stream)
	if err != nil {
		return err
	}
	e, open := s.State.Open()
	if !open {
		return nil
	}
	return h.execute(ctx, n, stream, conversation.SetDeadline{
		To: conversation.To(stream), Fact: events.EscalationDeadlineSet{Number: e.Number, Deadline: deadline.UTC(), Code: code},
	})
}

func (h *Handler) execute(ctx context.Context, n events.Notification, stream events.StreamID, cmd eh.Command) error {
	s, err := eventlog.State(ctx, h.Ledger, conversation.Decider, stream)
	if err != nil {
		return err
	}
	_, err = eventlog.Execute(ctx, h.Ledger, conversation.Decider, s.Home, eventlog.Because(n, function),
		func(conversation.State) (eh.Command, error) { return cmd, nil })
	return err
}

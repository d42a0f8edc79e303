package api

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"handoff/domain/check"
	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/events"
)

// ChatOpener opens chats in hubs, as customers do.
type ChatOpener interface {
	// OpenChat opens one that carries the mark of a check, if there is one, and
	// returns how to go on with it.
	OpenChat(ctx context.Context, c connection.State, mark string) (chat string, err error)
}

// Chats goes on with chats that were opened.
type Chats interface {
	LookChat(ctx context.Context, c connection.State, chat string) (check.Seen, error)
	// CloseChat ends one as a customer does. One that is over is no error.
	CloseChat(ctx context.Context, c connection.State, chat string) error
}

// Positions knows the end of the log.
type Positions interface {
	Last(ctx context.Context) (int64, error)
}

// BeginCheck opens a chat in a connection's hub as if a customer had, so that it
// can be followed to its end: on the path relay to the bot and, by the bot's own
// hand-off, into the queue for checks; on the path advise to the bot. Whoever
// began it closes it with EndCheck; what is left of it ends after check.Lifetime.
// Its faults: those of a connection that is not ready, check-not-possible,
// check-queue-missing, check-queue-of-people, check-hub-chooses,
// check-says-nothing, limit-exceeded, and the hub's.
func (h *Handler) BeginCheck(ctx context.Context, by identity.Principal, id string, p check.Plan) (check.Begun, error) {
	c, err := h.checkable(ctx, by, id)
	if err != nil {
		return check.Begun{}, err
	}
	began := check.Begun{ID: "chk_" + strings.ToLower(rand.Text()), Path: c.Omnichannel.Path, Until: h.Now().UTC().Add(check.Lifetime)}
	mark := ""
	if c.Omnichannel.Path == events.PathRelay {
		if began.Say, began.Queue, err = h.arranged(ctx, c, p); err == nil {
			mark, err = check.Mark{
				ID: began.ID, Connection: c.ID, By: by.ID, Say: began.Say, Queue: began.Queue, Until: began.Until,
			}.Sign(by.Tenant, h.Keys.Ref)
		}
	} else if p != (check.Plan{}) {
		err = fault.New(fault.Unprocessable, "check-says-nothing",
			"This bot is connected to its hub without Handoff in between: nothing can be said to it, and it does not ask for a queue. Leave phrase and queue out.")
	}
	if err != nil {
		return check.Begun{}, err
	}
	if h.Positions != nil {
		if began.After, err = h.Positions.Last(ctx); err != nil {
			return check.Begun{}, fmt.Errorf("check %s: %w", id, err)
		}
	}
	if began.Chat, err = h.Opener.OpenChat(ctx, c.State, mark); err != nil {
		return check.Begun{}, fmt.Errorf("check %s: %w", id, err)
	}
	began.OpenedAt = h.Now().UTC()
	return began, nil
}

// LookCheck returns how the hub has the chat of a check.
func (h *Handler) LookCheck(ctx context.Context, by identity.Principal, id, chat string) (check.Seen, error) {
	c, err := h.checkable(ctx, by, id)
	if err != nil {
		return check.Seen{}, err
	}
	return h.Chats.LookChat(ctx, c.State, chat)
}

// EndCheck closes the chat of a check, as its customer would. Closing it twice is
// no error.
func (h *Handler) EndCheck(ctx context.Context, by identity.Principal, id, chat string) error {
	c, err := h.checkable(ctx, by, id)
	if err != nil {
		return err
	}
	return h.Chats.CloseChat(ctx, c.State, chat)
}

// checkable returns a connection in whose hub chats can be opened.
func (h *Handler) checkable(ctx context.Context, by identity.Principal, id string) (connected, error) {
	c, err := h.find(ctx, by, id)
	if err != nil {
		return c, err
	}
	if refusal := connection.Refusal(c.State); refusal != nil {
		return c, refusal
	}
	if c.Omnichannel == nil || h.Opener == nil || h.Chats == nil {
		return c, fault.New(fault.Unprocessable, "check-not-possible",
			"In this connection's hub Handoff can't open a chat by itself. Write to the bot as a customer, or hand a conversation over: handoff raise.")
	}
	c.Tenant = by.Tenant
	return c, nil
}

// arranged returns what a check says, and the queue that it goes to: one that is
// for checks, unless its caller insists.
func (h *Handler) arranged(ctx context.Context, c connected, p check.Plan) (say string, queue events.Queue, err error) {
	set, err := h.Rules.RuleSet(ctx, c.stream.ID, c.Rules)
	if err != nil {
		return "", queue, fmt.Errorf("check %s: %w", c.ID, err)
	}
	forChecks := cmp.Or(set.Check().Queue, check.DefaultQueue)
	q, ok := set.Queue(cmp.Or(p.Queue, forChecks))
	say = cmp.Or(p.Say, set.Check().Phrase, check.DefaultSay)
	switch {
	case len(say) > check.MaxSay:
		err = fault.Newf(fault.Unprocessable, "limit-exceeded", "A check says at most %d bytes.", check.MaxSay).At("/phrase")
	case !ok:
		err = noQueue(cmp.Or(p.Queue, forChecks), p.Queue != "")
	case q.ID != forChecks && !p.ToPeople:
		err = fault.Newf(fault.Unprocessable, "check-queue-of-people",
			"The queue %q is not the one for checks: human agents would get a customer who is none. Allow it if that is meant.", q.ID).At("/queue")
	case c.Omnichannel.Routing == events.RoutingHub && !p.ToPeople:
		err = fault.New(fault.Unprocessable, "check-hub-chooses",
			"This hub chooses the queue without asking Handoff, so the check may reach human agents. Add a rule to the hub that sends conversations with the "+
				"context variable HandoffQueue = "+q.ID+" to a queue for checks, and then allow it.").At("/to_people")
	}
	return say, events.Queue{ID: q.ID, Name: q.Name, HubQueue: q.HubQueue}, err
}

func noQueue(id string, asked bool) error {
	if asked {
		return fault.Newf(fault.Unprocessable, "check-queue-missing", "The rules have no queue %q.", id).At("/queue")
	}
	return fault.Newf(fault.Unprocessable, "check-queue-missing",
		"There is no queue for checks, and none of the customers' may be used. Make a queue in the hub that nobody waits in, declare it in the rules "+
			"as queue %q (or name it there: check: {queue: …}), and have the hub send HandoffQueue = %[1]s to it.", id)
}

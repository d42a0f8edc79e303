package api

import (
	"context"
	"fmt"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/conversation"
	"handoff/domain/customer"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/events"
	"handoff/infra/eventlog"
)

const maxReason = 1000

// Erase makes everything private of one escalation's conversation, or of all
// conversations with one customer, unreadable for ever. The facts stay, and the
// chain over them. It can be repeated: what was interrupted is finished.
func (h *Handler) Erase(ctx context.Context, by identity.Principal, e conversation.Erasure) (conversation.Erased, error) {
	if len(e.Reason) > maxReason {
		return conversation.Erased{}, fault.Newf(fault.Unprocessable, "limit-exceeded", "A reason has at most %d bytes.", maxReason).At("/reason")
	}
	streams, err := h.conversations(ctx, by, e)
	if err != nil {
		return conversation.Erased{}, err
	}
	var done conversation.Erased
	for _, s := range streams {
		facts, err := h.erase(ctx, by, s, e.Reason)
		if err != nil {
			return done, fmt.Errorf("erase conversation %s: %w", s.ID, err)
		}
		done.Conversations++
		done.Facts += facts
	}
	return done, nil
}

// conversations finds what is to be erased.
func (h *Handler) conversations(ctx context.Context, by identity.Principal, e conversation.Erasure) ([]eventlog.Stream, error) {
	who := events.Customer{ID: e.CustomerID, Email: e.CustomerEmail, Phone: e.CustomerPhone}
	refs, err := customer.Refs(h.Keys.Ref, by.Tenant, &who)
	if err != nil {
		return nil, err
	}
	if (e.Escalation != "") == (len(refs) > 0) || len(refs) > 1 {
		return nil, fault.New(fault.Unprocessable, "erasure-unclear",
			"Say one thing that is to be erased: an escalation_id, or one of customer_id, customer_email and customer_phone.")
	}
	if e.Escalation != "" {
		f, err := h.escalation(ctx, by, e.Escalation, false)
		return []eventlog.Stream{f.stream}, err
	}
	ids, err := h.Lists.ByCustomer(ctx, by.Tenant, refs[0])
	if err != nil {
		return nil, fmt.Errorf("find the customer's conversations: %w", err)
	}
	if len(ids) == 0 {
		return nil, fault.New(fault.NotFound, "customer-not-found", "No conversation with this customer is known.")
	}
	return h.reachable(ctx, by, ids)
}

func (h *Handler) reachable(ctx context.Context, by identity.Principal, ids []events.StreamID) ([]eventlog.Stream, error) {
	var out []eventlog.Stream
	for _, id := range ids {
		snap, err := h.Ledger.Log().Load(ctx, id)
		if err != nil {
			return nil, err
		}
		if snap.Tenant == by.Tenant && (by.Connection == "" || by.Connection == snap.Connection) {
			out = append(out, eventlog.Stream{ID: id, Tenant: snap.Tenant, Connection: snap.Connection})
		}
	}
	return out, nil
}

// erase records the erasure, then destroys the keys. A crash between the two
// is mended by functions/contexterased, which is told of the fact.
func (h *Handler) erase(ctx context.Context, by identity.Principal, s eventlog.Stream, reason string) (facts int, err error) {
	done, err := eventlog.Execute(ctx, h.Ledger, conversation.Decider, s, origin(by), func(conversation.State) (eh.Command, error) {
		return conversation.Erase{To: conversation.To(s.ID), Reason: reason}, nil
	})
	if err != nil {
		return 0, err
	}
	if err := h.destroy(ctx, s, done.State.Erasures); err != nil {
		return 0, err
	}
	for r, err := range h.Ledger.Log().Read(ctx, s.ID, 1) {
		if err != nil {
			return 0, err
		}
		if r.HasSealed() && r.Version <= done.Version {
			facts++
		}
	}
	return facts, nil
}

func (h *Handler) destroy(ctx context.Context, s eventlog.Stream, erasures int) error {
	for generation := range erasures {
		if err := h.Destroyer.Destroy(ctx, s.Tenant, events.NewKeyID(s.ID, generation)); err != nil {
			return fmt.Errorf("destroy key %d of conversation %s: %w", generation, s.ID, err)
		}
	}
	return nil
}

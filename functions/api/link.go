package api

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/conversation"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/events"
	"handoff/infra/eventlog"
)

// Links opens links to contexts.
type Links interface {
	// Open returns what a link leads to and when it ends. Its faults are
	// link-invalid and link-expired.
	Open(token string, now time.Time) (tenant, escalation string, until time.Time, err error)
}

// byLink is who reads by a link: whoever has it.
const byLink = "link"

// ContextByLink returns an escalation with everything that the bot knew, to
// whoever has a link to it. That it was read is on disk before it returns.
func (h *Handler) ContextByLink(ctx context.Context, token string) (conversation.View, error) {
	tenant, id, until, err := h.Links.Open(token, h.Now())
	if err != nil {
		return conversation.View{}, err
	}
	e, err := h.escalation(ctx, identity.Principal{ID: byLink, Tenant: tenant}, id, true)
	if err != nil {
		return conversation.View{}, err
	}
	if e.Context == nil {
		return conversation.View{}, fault.New(fault.Gone, "context-erased", "The context of this escalation was erased.")
	}
	fact := events.ContextRead{Number: e.Number, Until: until, Ref: rand.Text()}
	_, err = eventlog.Execute(ctx, h.Ledger, conversation.Decider, e.stream, eventlog.Origin{Actor: byLink},
		func(conversation.State) (eh.Command, error) {
			return conversation.Read{To: conversation.To(e.stream.ID), Fact: fact}, nil
		})
	if err != nil {
		return conversation.View{}, fmt.Errorf("read escalation %s by a link: %w", id, err)
	}
	return e.View, nil
}

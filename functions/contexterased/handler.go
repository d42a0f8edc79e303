// Package contexterased answers ContextErased: it destroys the keys of what the
// fact says is erased. Whoever erases does so at once; this is the guarantee
// behind it, for the crash between the fact and the key.
package contexterased

import (
	"context"
	"fmt"

	"handoff/domain/conversation"
	"handoff/events"
	"handoff/infra/eventlog"
)

// Destroyer makes what was sealed with a key unreadable for ever. Destroying
// twice, or what never was, is no error.
type Destroyer interface {
	Destroy(ctx context.Context, tenant string, key events.KeyID) error
}

// Handler answers ContextErased. It may be called any number of times with the
// same fact, and is safe for concurrent use.
type Handler struct {
	Ledger    *eventlog.Ledger
	Destroyer Destroyer
}

// Handle destroys the keys of all generations that the conversation left behind.
func (h *Handler) Handle(ctx context.Context, n events.Notification) error {
	s, err := eventlog.State(ctx, h.Ledger, conversation.Decider, n.Stream)
	if err != nil {
		return err
	}
	for generation := range s.State.Erasures {
		if err := h.Destroyer.Destroy(ctx, n.Tenant, events.NewKeyID(n.Stream, generation)); err != nil {
			return fmt.Errorf("destroy key %d of conversation %s: %w", generation, n.Stream, err)
		}
	}
	return nil
}

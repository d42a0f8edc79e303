// Package transcriptfetch reads the transcript that a bot left at a URL. It is
// a function of its own, because an escalation is stored and routed at once and
// must not wait for somebody's file server.
package transcriptfetch

import (
	"context"
	"fmt"
	"time"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/conversation"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/eventlog"
)

const function = "transcriptfetch"

// MaxAge is how long after the hand-off a transcript is tried to be read.
const MaxAge = time.Hour

// Fetcher reads transcripts.
type Fetcher interface {
	// Fetch reads and parses what is at a URL. Whether it is worth another
	// try tells the kind of its fault.
	Fetch(ctx context.Context, url string) (*events.Transcript, error)
}

// Handler answers EscalationRaised. It may be called any number of times with
// the same fact, and is safe for concurrent use.
type Handler struct {
	Ledger  *eventlog.Ledger
	Fetcher Fetcher
	Now     func() time.Time
}

// Handle reads the transcript, if the escalation waits for one, and stores it.
// Where it can't be read, that is recorded after MaxAge, or at once if no
// further try can help; until then an error asks to be called again.
func (h *Handler) Handle(ctx context.Context, n events.Notification) error {
	waits, err := h.waits(n)
	if err != nil || !waits {
		return err
	}
	raised, err := h.raised(ctx, n)
	if err != nil || raised == nil {
		return err
	}
	s, err := eventlog.State(ctx, h.Ledger, conversation.Decider, n.Stream)
	if err != nil {
		return err
	}
	if e, _ := s.State.Escalation(raised.Number); !e.Pending {
		return nil
	}
	to := conversation.To(n.Stream)
	t, err := h.Fetcher.Fetch(ctx, raised.Context.Transcript.URL)
	switch {
	case err == nil:
		return h.execute(ctx, n, conversation.StoreTranscript{To: to, Fact: events.TranscriptStored{
			Number: raised.Number, Messages: len(t.Messages), Transcript: t,
		}})
	case fault.KindOf(err).Permanent() || h.Now().Sub(n.Time) > MaxAge:
		return h.execute(ctx, n, conversation.MissTranscript{To: to, Fact: events.TranscriptMissing{
			Number: raised.Number, Code: fault.CodeOf(err),
		}})
	}
	return fmt.Errorf("read the transcript of %s: %w", n.ID, err)
}

// waits reports whether the escalation waited for a transcript when it was
// raised. Few do, and the clear part says so: nothing need be read or opened.
func (h *Handler) waits(n events.Notification) (bool, error) {
	f, err := h.Ledger.Decode(events.Record{Header: events.Header{Type: n.Type, Schema: n.Schema}, Clear: n.Clear})
	if err != nil {
		return false, err
	}
	raised, ok := f.(*events.EscalationRaised)
	return ok && raised.TranscriptPending, nil
}

// raised returns the fact with its context, nil if it waits for no transcript
// or was erased.
func (h *Handler) raised(ctx context.Context, n events.Notification) (*events.EscalationRaised, error) {
	for r, err := range h.Ledger.Log().Read(ctx, n.Stream, n.Version) {
		if err != nil {
			return nil, err
		}
		f, erased, err := h.Ledger.Open(ctx, r)
		if err != nil {
			return nil, err
		}
		raised, ok := f.(*events.EscalationRaised)
		if !ok || erased || !raised.TranscriptPending || raised.Context == nil || raised.Context.Transcript == nil {
			return nil, nil
		}
		return raised, nil
	}
	return nil, nil
}

func (h *Handler) execute(ctx context.Context, n events.Notification, cmd eh.Command) error {
	_, err := eventlog.Execute(ctx, h.Ledger, conversation.Decider, eventlog.Home(n), eventlog.Because(n, function),
		func(conversation.State) (eh.Command, error) { return cmd, nil })
	return err
}

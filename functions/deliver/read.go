package deliver

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"handoff/domain/conversation"
	"handoff/domain/delivery"
	"handoff/domain/emission"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/eventlog"
)

// reading is a conversation while it is read for one of its facts.
type reading struct {
	item   delivery.Item
	viewer conversation.Viewer
	in     emission.Input
	number int // of the escalation that the fact belongs to
	// transcript is what was said of it after the fact, and settled that
	// nothing more will come.
	transcript *events.Transcript
	settled    bool
	erased     bool
}

// read rebuilds the escalation as it was at the fact that the item is about:
// the same each time it is asked, except for what was erased and for a
// transcript that came later.
func (h *Handler) read(ctx context.Context, item delivery.Item) (*reading, error) {
	stream, err := uuid.Parse(item.Subject.Stream)
	if err != nil {
		return nil, fmt.Errorf("read the fact of %s: %w", item.Subject.Event, err)
	}
	r := &reading{item: item, in: emission.Input{Stream: stream, Version: item.Subject.Version, Connection: item.Subject.Connection}}
	for o, err := range h.Ledger.ReadOpen(ctx, stream) {
		if err != nil {
			return nil, fmt.Errorf("read conversation %s: %w", stream, err)
		}
		r.observe(o)
	}
	if r.in.Fact == nil {
		return nil, fault.Newf(fault.NotFound, "fact-not-found", "There is no fact %s@%d.", stream, item.Subject.Version)
	}
	view, ok := r.viewer.Escalation(r.number)
	if !ok {
		return nil, fault.Newf(fault.NotFound, "escalation-not-found", "Fact %s@%d belongs to no escalation.", stream, item.Subject.Version)
	}
	r.in.View = r.finish(view)
	return r, nil
}

func (r *reading) observe(o eventlog.Opened) {
	if o.Version <= r.in.Version {
		r.viewer.Observe(o.Header, o.Fact, o.Erased)
		r.number = r.viewer.State().Last.Number
	}
	if o.Version == r.in.Version {
		r.in.At, r.in.Trace, r.in.Fact, r.in.Home = o.At(), o.Trace, o.Fact, o.Connection
	}
	switch f := o.Fact.(type) {
	case *events.EscalationRaised:
		if o.Version <= r.in.Version {
			r.erased = false // an erasure before it was of others
		}
	case *events.ContextErased:
		r.erased = true // from the fact on, though the key may live a moment longer
	case *events.TranscriptStored:
		if o.Version > r.in.Version && f.Number == r.number {
			r.transcript, r.settled = f.Transcript, true
		}
	case *events.TranscriptMissing:
		r.settled = r.settled || f.Number == r.number
	}
}

func (r *reading) finish(v conversation.View) conversation.View {
	v.Erased = v.Erased || r.erased
	if v.Erased {
		v.Context = nil
		return v
	}
	if r.transcript != nil {
		v.Context = conversation.Merge(v.Context, &events.Context{Transcript: r.transcript})
	}
	if r.settled {
		v.Pending = false
	}
	return v
}

// waits reports whether the transcript of a routed escalation is still to come.
func (r *reading) waits() bool {
	_, routed := r.in.Fact.(*events.EscalationRouted)
	return routed && r.in.View.Pending && !r.in.View.Erased
}

package webhook

import (
	"context"
	"fmt"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/connection"
	"handoff/domain/conversation"
	"handoff/domain/customer"
	"handoff/domain/intake"
	"handoff/events"
)

// labelRequest keeps the hashes of request ids apart from others.
const labelRequest = "request"

// raising is one hand-off on its way into the log.
type raising struct {
	*Handler
	tenant  string
	conn    connected
	stream  events.StreamID
	hand    intake.HandOff
	request conversation.Sending

	requestRef   string
	customerRefs []string
}

// refs derives what does not depend on the conversation's state.
func (r *raising) refs() (err error) {
	if r.request.Key != "" {
		if r.requestRef, err = r.Keys.Ref(r.tenant, labelRequest, r.conn.ID+"\x00"+r.request.Key); err != nil {
			return fmt.Errorf("hash request id: %w", err)
		}
	}
	r.customerRefs, err = customer.Refs(r.Keys.Ref, r.tenant, r.hand.Context.Customer)
	return err
}

// command prepares the hand-off for the state that it is decided upon.
func (r *raising) command(ctx context.Context, s conversation.State) (eh.Command, error) {
	refusal := connection.Refusal(r.conn.State)
	isNew := s.Repeats(r.requestRef) == 0
	if isNew && refusal != nil {
		return nil, refusal // before a key is made for what will not be stored
	}
	key := events.NewKeyID(r.stream, s.KeyGeneration())
	print, err := r.Fingerprints.Fingerprint(ctx, r.tenant, key, r.hand.Canonical())
	if err != nil {
		return nil, fmt.Errorf("fingerprint hand-off: %w", err)
	}
	cmd := conversation.Raise{
		To: conversation.To(r.stream), Fact: r.fact(print), Refusal: refusal, Strict: r.request.Strict,
	}
	if isNew {
		cmd.Fact.Number = s.Last.Number + 1
		cmd.Route = r.route(ctx, &cmd.Fact)
	}
	return cmd, nil
}

func (r *raising) fact(fingerprint string) events.EscalationRaised {
	now := r.Now().UTC()
	at := r.hand.RaisedAt.UTC()
	if r.hand.RaisedAt.IsZero() {
		at = now
	}
	lifetime := r.Lifetime
	if lifetime == 0 {
		lifetime = DefaultLifetime
	}
	t := r.hand.Context.Transcript
	return events.EscalationRaised{
		RaisedAt: at, ExpiresAt: now.Add(lifetime), Reason: r.hand.Reason, Topic: r.hand.Topic, Language: r.hand.Language,
		Channel: r.hand.Channel, Bot: r.hand.Bot, Counts: r.hand.Counts(), CustomerRefs: r.customerRefs,
		Request:           events.Request{ID: r.requestRef, Fingerprint: fingerprint, Format: r.hand.Format},
		TranscriptPending: t != nil && t.URL != "" && len(t.Messages) == 0,
		Context:           &r.hand.Context,
	}
}

// route decides at once. Where it can't, the escalation is stored all the same
// and functions/escalationraised decides.
func (r *raising) route(ctx context.Context, raised *events.EscalationRaised) *events.EscalationRouted {
	routed, err := r.Router.Decide(ctx, r.conn.stream, r.conn.State, raised, r.Now())
	if err != nil {
		r.Log.WarnContext(ctx, "escalation stored without a route", "connection_id", r.conn.ID, "error", err)
		return nil
	}
	return routed
}

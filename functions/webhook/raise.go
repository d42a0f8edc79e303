package webhook

import (
	"context"
	"fmt"
	"strings"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/connection"
	"handoff/domain/conversation"
	"handoff/domain/intake"
	"handoff/events"
)

// Labels keep keyed hashes of different things apart.
const (
	labelRequest = "request"
	labelCustomer = "customer-"
)

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
	r.customerRefs, err = CustomerRefs(r.Keys, r.tenant, r.hand.Context.Customer)
	return err
}

// CustomerRefs returns the keyed hashes by which the conversations of one
// customer are found: of the id, the e-mail address and the phone number.
func CustomerRefs(keys Keys, tenant string, c *events.Customer) ([]string, error) {
	if c == nil {
		return nil, nil
	}
	var refs []string
	for _, p := range [...]struct{ label, value string }{
		{"id", c.ID}, {"email", strings.ToLower(c.Email)}, {"phone", digits(c.Phone)},
	} {
		if p.value == "" {
			continue
		}
		ref, err := keys.Ref(tenant, labelCustomer+p.label, p.value)
		if err != nil {
			return nil, fmt.Errorf("hash customer %s: %w", p.label, err)
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

// digits keeps what distinguishes a phone number, however it is written.
func digits(phone string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, phone)
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

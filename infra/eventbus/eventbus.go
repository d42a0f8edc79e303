// Package eventbus puts events on an EventBridge bus: facts for the functions
// that select them, and outgoing events for whoever consumes them.
package eventbus

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/awsbatch"
	"handoff/infra/awsfault"
)

// Source is that of all events that Handoff puts on a bus.
const Source = "handoff"

// timeBytes is what the time of an event counts (EventBridge user guide,
// "Calculating PutEvents event entry size").
const timeBytes = 14

// Event is what goes on a bus.
type Event struct {
	Type   string // detail-type: a fact's, or an outgoing event's
	Time   time.Time
	Detail []byte // JSON
}

// Bus is safe for concurrent use and has nothing to close.
type Bus struct {
	client *eventbridge.Client
	name   string
}

// New returns the bus of a name, or ARN.
func New(client *eventbridge.Client, name string) *Bus { return &Bus{client: client, name: name} }

// Send puts facts on the bus and returns an error for each, nil for one that was
// taken. A bus keeps no order.
func (b *Bus) Send(ctx context.Context, facts []events.Notification) []error {
	all := make([]Event, len(facts))
	for i, n := range facts {
		detail, err := json.Marshal(n)
		if err != nil {
			return slices.Repeat([]error{fmt.Errorf("encode %s: %w", n.ID, err)}, len(facts))
		}
		all[i] = Event{Type: n.Type, Time: n.Time, Detail: detail}
	}
	return b.Put(ctx, all...)
}

// Put puts events on the bus and returns an error for each, nil for one that was
// taken: a permanent fault for one that never will be.
func (b *Bus) Put(ctx context.Context, all ...Event) []error {
	entries := make([]awsbatch.Entry, len(all))
	for i, e := range all {
		entries[i].Bytes = timeBytes + len(Source) + len(e.Type) + len(e.Detail)
	}
	return awsbatch.Send(ctx, entries, func(ctx context.Context, batch []int) ([]error, error) {
		in := &eventbridge.PutEventsInput{}
		for _, i := range batch {
			in.Entries = append(in.Entries, b.entry(all[i]))
		}
		return b.put(ctx, in)
	})
}

func (b *Bus) entry(e Event) types.PutEventsRequestEntry {
	return types.PutEventsRequestEntry{
		EventBusName: &b.name, Source: aws.String(Source), DetailType: &e.Type, Time: &e.Time, Detail: aws.String(string(e.Detail)),
	}
}

func (b *Bus) put(ctx context.Context, in *eventbridge.PutEventsInput) ([]error, error) {
	out, err := b.client.PutEvents(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("put %d events on bus %s: %w", len(in.Entries), b.name, awsfault.Classify(err))
	}
	if len(out.Entries) != len(in.Entries) {
		return nil, fmt.Errorf("put events on bus %s: %d answers for %d events", b.name, len(out.Entries), len(in.Entries))
	}
	errs := make([]error, len(out.Entries))
	for i, e := range out.Entries {
		if e.ErrorCode != nil {
			errs[i] = refused(*e.ErrorCode)
		}
	}
	return errs, nil
}

// codeMalformed is EventBridge's for a detail that is no JSON object.
const codeMalformed = "MalformedDetail"

func refused(code string) error {
	if code == codeMalformed {
		return fault.New(fault.Invalid, "event-malformed", "The bus does not take it.")
	}
	return fault.New(fault.Unavailable, "event-refused", "The bus does not take it for now: "+code+".")
}

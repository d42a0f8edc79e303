package cloud

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	lambdaevents "github.com/aws/aws-lambda-go/events"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/telemetry"
)

// OnFact answers a rule of the bus, and a queue that a rule or the publisher
// fills. Of a queue's batch, those that failed come back, and in a FIFO queue
// everything behind them in their group.
func OnFact(handle func(context.Context, events.Notification) error) Handler {
	queue := onMessages(func(ctx context.Context, m Message) error {
		return onFact(ctx, []byte(m.Body), handle)
	})
	rule := func(ctx context.Context, payload []byte) ([]byte, error) {
		return nil, onFact(ctx, payload, handle)
	}
	return Choose(queue, rule)
}

func onFact(ctx context.Context, body []byte, handle func(context.Context, events.Notification) error) error {
	n, err := Notification(body)
	if err != nil {
		return err
	}
	ctx, n, s := spanOf(ctx, n)
	err = handle(ctx, n)
	s.End(err)
	if err != nil {
		return fmt.Errorf("%s %s: %w", n.Type, n.ID, err)
	}
	return nil
}

// Notification reads what a function is told of a fact: as the bus wraps it, or
// bare.
func Notification(body []byte) (n events.Notification, err error) {
	var e lambdaevents.EventBridgeEvent
	if err := json.Unmarshal(body, &e); err == nil && len(e.Detail) > 0 {
		body = e.Detail
	}
	if err := json.Unmarshal(body, &n); err != nil {
		return n, fmt.Errorf("read notification: %w", err)
	}
	if n.Type == "" || n.Version < 1 || n.ID != (events.Header{Stream: n.Stream, Version: n.Version}).ID() {
		return n, errors.New("read notification: it is of no fact")
	}
	return n, nil
}

// Choose hands the batches of queues and streams to batch, and everything else,
// such as a schedule's input, to other.
func Choose(batch, other Handler) Handler {
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		var shape struct{ Records []json.RawMessage }
		if err := json.Unmarshal(payload, &shape); err == nil && shape.Records != nil {
			return batch(ctx, payload)
		}
		return other(ctx, payload)
	}
}

// OnSchedule answers a schedule, whatever its input.
func OnSchedule(handle func(context.Context) error) Handler {
	return func(ctx context.Context, _ []byte) ([]byte, error) {
		ctx, s := span(ctx, telemetry.Internal, "")
		err := handle(ctx)
		s.End(err)
		return nil, err
	}
}

// OnInvoke answers whoever invokes the function directly. Input with members
// that it does not know is refused.
func OnInvoke[In, Out any](handle func(context.Context, In) (Out, error)) Handler {
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		var in In
		dec := json.NewDecoder(bytes.NewReader(payload))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&in); err != nil {
			return nil, fault.New(fault.Invalid, "input-unreadable", err.Error())
		}
		ctx, s := span(ctx, telemetry.Internal, "")
		out, err := handle(ctx, in)
		if s.End(err); err != nil {
			return nil, err
		}
		return json.Marshal(out)
	}
}

package cloud

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"strconv"
	"sync"

	lambdaevents "github.com/aws/aws-lambda-go/events"

	"handoff/infra/telemetry"
)

// Message is what a queue holds.
type Message struct {
	ID    string
	Queue string // ARN
	Group string // empty in a queue that is not FIFO
	Body  string
	// Receipt is by what the queue knows this handing out.
	Receipt string
	// Received says how often it was handed out, this time included.
	Received int
}

// OnQueue answers a queue. Messages of one group are handled in order, one after
// the other; groups, and messages without one, at the same time. Those that
// failed come back, and with them everything behind them in their group. A
// panic counts as a failure of its message.
func OnQueue(handle func(context.Context, Message) error) Handler {
	return onMessages(func(ctx context.Context, m Message) error {
		var about struct{ Trace string }           // as a notification has it
		_ = json.Unmarshal([]byte(m.Body), &about) // what is none has no trace
		ctx, s := span(ctx, telemetry.Consumer, about.Trace, telemetry.Attr{Key: "messaging.message.id", Value: m.ID})
		err := handle(ctx, m)
		s.End(err)
		return err
	})
}

// onMessages is OnQueue without spans.
func onMessages(handle func(context.Context, Message) error) Handler {
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		var e lambdaevents.SQSEvent
		if err := json.Unmarshal(payload, &e); err != nil {
			return nil, fmt.Errorf("read messages: %w", err)
		}
		b := batch{handle: handle, failed: make([]bool, len(e.Records))}
		b.run(ctx, e.Records)
		out := lambdaevents.SQSEventResponse{BatchItemFailures: []lambdaevents.SQSBatchItemFailure{}}
		for i, r := range e.Records {
			if b.failed[i] {
				out.BatchItemFailures = append(out.BatchItemFailures, lambdaevents.SQSBatchItemFailure{ItemIdentifier: r.MessageId})
			}
		}
		return json.Marshal(out)
	}
}

type batch struct {
	handle func(context.Context, Message) error
	failed []bool
}

func (b *batch) run(ctx context.Context, records []lambdaevents.SQSMessage) {
	groups := make(map[string][]int)
	for i, r := range records {
		group := r.Attributes["MessageGroupId"]
		if group == "" {
			group = "\x00" + strconv.Itoa(i) // one of its own
		}
		groups[group] = append(groups[group], i)
	}
	var wg sync.WaitGroup
	for _, group := range groups {
		wg.Go(func() {
			for at, i := range group {
				if err := b.one(ctx, records[i]); err != nil {
					failed(ctx, "message "+records[i].MessageId, err)
					for _, behind := range group[at:] {
						b.failed[behind] = true
					}
					return
				}
			}
		})
	}
	wg.Wait()
}

func (b *batch) one(ctx context.Context, r lambdaevents.SQSMessage) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	if err := ctx.Err(); err != nil {
		return err
	}
	received, _ := strconv.Atoi(r.Attributes["ApproximateReceiveCount"]) // 0 where it is not told
	return b.handle(ctx, Message{
		ID: r.MessageId, Queue: r.EventSourceARN, Group: r.Attributes["MessageGroupId"], Body: r.Body, Receipt: r.ReceiptHandle, Received: received,
	})
}

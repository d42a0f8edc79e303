package dynamolanes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"handoff/domain/fault"
	"handoff/infra/awsfault"
)

// wakeUp is the body of a wake-up.
type wakeUp struct {
	Lane string `json:"lane"`
}

// ParseWakeUp returns the lane that a message of the queue of wake-ups names.
func ParseWakeUp(body string) (lane string, err error) {
	var w wakeUp
	if err := json.Unmarshal([]byte(body), &w); err != nil || w.Lane == "" {
		return "", fault.New(fault.Invalid, "wake-up-unreadable", "The message names no lane.").Because(err)
	}
	return w.Lane, nil
}

// SQSTimers sends wake-ups through a standard queue of SQS. It is safe for
// concurrent use.
type SQSTimers struct {
	sqs *sqs.Client
	url string
}

// NewSQSTimers returns the timers of a queue.
func NewSQSTimers(c *sqs.Client, url string) *SQSTimers { return &SQSTimers{sqs: c, url: url} }

// perRequest is how many messages one request sends (Amazon SQS API Reference,
// SendMessageBatch).
const perRequest = 10

// Wake implements Timers. The delay is rounded up to whole seconds.
func (t *SQSTimers) Wake(ctx context.Context, delay time.Duration, lanes ...string) error {
	seconds := int32((min(delay, MaxDelay) + time.Second - 1) / time.Second)
	for some := range slices.Chunk(lanes, perRequest) {
		in := &sqs.SendMessageBatchInput{QueueUrl: &t.url}
		for i, lane := range some {
			id, body := strconv.Itoa(i), string(encode(wakeUp{lane}))
			in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{Id: &id, MessageBody: &body, DelaySeconds: seconds})
		}
		out, err := t.sqs.SendMessageBatch(ctx, in)
		if err == nil && len(out.Failed) > 0 {
			err = errors.New("SQS refused some")
		}
		if err != nil {
			return fmt.Errorf("send %d wake-ups: %w", len(some), awsfault.Classify(err))
		}
	}
	return nil
}

// Package fifo hands facts, and what belongs between them, to a FIFO queue of
// SQS: in the order of their streams, and each once in five minutes however
// often it is sent.
package fifo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/awsbatch"
	"handoff/infra/awsfault"
)

// Queue is safe for concurrent use and has nothing to close.
type Queue struct {
	client *sqs.Client
	url    string
}

// New returns the queue with a URL.
func New(client *sqs.Client, url string) *Queue { return &Queue{client: client, url: url} }

// Message is what the queue takes. Those of a group are handed out one after the
// other, and those of an ID once in five minutes.
type Message struct{ Group, ID, Body string }

// Send hands facts over and returns an error for each, nil for one that was
// taken. The facts of a stream are one group of messages, and none of them is
// taken behind one that failed. A fact's id is what the queue drops repeats by.
func (q *Queue) Send(ctx context.Context, facts []events.Notification) []error {
	all := make([]Message, len(facts))
	for i, n := range facts {
		body, err := json.Marshal(n)
		if err != nil {
			return slices.Repeat([]error{fmt.Errorf("encode %s: %w", n.ID, err)}, len(facts))
		}
		all[i] = Message{Group: n.Stream.String(), ID: n.ID, Body: string(body)}
	}
	return q.Put(ctx, all...)
}

// Put hands messages over as Send does facts.
func (q *Queue) Put(ctx context.Context, all ...Message) []error {
	entries := make([]awsbatch.Entry, len(all))
	for i, m := range all {
		entries[i] = awsbatch.Entry{Group: m.Group, Bytes: len(m.Body)}
	}
	return awsbatch.Send(ctx, entries, func(ctx context.Context, batch []int) ([]error, error) {
		in := &sqs.SendMessageBatchInput{QueueUrl: &q.url}
		for at, i := range batch {
			in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{
				Id: aws.String(strconv.Itoa(at)), MessageBody: &all[i].Body, MessageGroupId: &all[i].Group, MessageDeduplicationId: &all[i].ID,
			})
		}
		return q.send(ctx, in)
	})
}

func (q *Queue) send(ctx context.Context, in *sqs.SendMessageBatchInput) ([]error, error) {
	out, err := q.client.SendMessageBatch(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("send %d messages to %s: %w", len(in.Entries), q.url, awsfault.Classify(err))
	}
	errs := slices.Repeat([]error{errUnanswered}, len(in.Entries))
	for _, e := range out.Successful {
		if at, err := strconv.Atoi(aws.ToString(e.Id)); err == nil && at < len(errs) {
			errs[at] = nil
		}
	}
	for _, e := range out.Failed {
		if at, err := strconv.Atoi(aws.ToString(e.Id)); err == nil && at < len(errs) {
			errs[at] = refused(e)
		}
	}
	return errs, nil
}

var errUnanswered = errors.New("fifo: the queue did not say whether it took the message")

// refused says why a message was not taken. Other than with an event bus,
// nothing of a message but its size could be wrong for good, and that was
// checked.
func refused(e types.BatchResultErrorEntry) error {
	return fault.New(fault.Unavailable, "message-refused", "The queue does not take it for now: "+aws.ToString(e.Code)+".")
}

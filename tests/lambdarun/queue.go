package lambdarun

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"time"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Queue hands the messages of an SQS queue to a function, as an event source
// mapping of Lambda does: what the function did is deleted, and what it says it
// could not do comes back (AWS Lambda Developer Guide, "Using Lambda with Amazon
// SQS"). On AWS that takes as long as the queue's visibility timeout; here it
// takes Retry.
type Queue struct {
	Function *Function
	Client   *sqs.Client
	URL, ARN string
	Batch    int           // at most 10
	Workers  int           // batches at once; 0: 1
	Retry    time.Duration // 0: 100 ms; SQS knows whole seconds, less is handed out at once
	// Own says that the function tells the queue when what it could not do comes
	// back.
	Own bool

	tally
}

// Run works until ctx ends, or the queue can't be read any more.
func (q *Queue) Run(ctx context.Context) error {
	err := q.run(ctx)
	if ctx.Err() != nil {
		return nil //nolint:nilerr // it was told to end
	}
	return fmt.Errorf("queue to %s: %w", q.Function.Name(), err)
}

// run receives batches, one after the other, while there is a worker for them.
func (q *Queue) run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var workers sync.WaitGroup
	defer workers.Wait()
	free := make(chan struct{}, max(1, q.Workers))
	for {
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		batch, err := q.receive(ctx)
		if err != nil {
			return err
		}
		workers.Go(func() {
			defer func() { <-free }()
			defer q.done(len(batch))
			if err := q.process(ctx, batch); err != nil {
				stop(err)
			}
		})
	}
}

// receive waits for messages. It may be that there are none.
func (q *Queue) receive(ctx context.Context) ([]types.Message, error) {
	got, err := q.Client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &q.URL, MaxNumberOfMessages: int32(max(1, q.Batch)), WaitTimeSeconds: 10,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
		MessageAttributeNames:       []string{"All"},
	})
	if err != nil {
		return nil, err
	}
	q.begun(len(got.Messages))
	return got.Messages, nil
}

func (q *Queue) process(ctx context.Context, batch []types.Message) error {
	if len(batch) == 0 {
		return nil
	}
	failed, reported := q.invoke(ctx, batch)
	own := reported && q.Own
	if len(failed) > 0 && !own {
		pause(ctx, q.Retry%time.Second)
	}
	for _, m := range batch {
		var err error
		if failed[*m.MessageId] && own {
			continue
		}
		if failed[*m.MessageId] {
			_, err = q.Client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
				QueueUrl: &q.URL, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: int32(q.Retry / time.Second),
			})
		} else {
			_, err = q.Client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &q.URL, ReceiptHandle: m.ReceiptHandle})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// invoke returns the ids of messages that were not done, and whether the function
// itself said so.
func (q *Queue) invoke(ctx context.Context, batch []types.Message) (failed map[string]bool, reported bool) {
	event, all := lambdaevents.SQSEvent{}, map[string]bool{}
	for _, m := range batch {
		event.Records = append(event.Records, message(m, q.ARN))
		all[*m.MessageId] = true
	}
	payload, err := json.Marshal(event)
	if err != nil {
		return all, false
	}
	answer, err := q.Function.Invoke(ctx, payload)
	if err != nil {
		return all, false
	}
	var a lambdaevents.SQSEventResponse
	if err := json.Unmarshal(answer, &a); err != nil {
		return all, false
	}
	failed = map[string]bool{}
	for _, f := range a.BatchItemFailures {
		if !all[f.ItemIdentifier] {
			return all, false // as Lambda does with an id that it does not know
		}
		failed[f.ItemIdentifier] = true
	}
	return failed, true
}

// Empty reports whether nothing is in the queue and nothing under way. What is
// delayed counts as being elsewhere.
func (q *Queue) Empty(ctx context.Context) (bool, error) {
	n, err := depth(ctx, q.Client, q.URL)
	return n == 0 && !q.busy(), err
}

// depth returns how many messages are in a queue, those that are delayed left
// out.
func depth(ctx context.Context, c *sqs.Client, url string) (n int, err error) {
	a, err := c.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{
		types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
	}})
	if err != nil {
		return 0, fmt.Errorf("look at %s: %w", url, err)
	}
	for v := range maps.Values(a.Attributes) {
		one, _ := strconv.Atoi(v) // they are numbers
		n += one
	}
	return n, nil
}

// message is a message as Lambda hands it over.
func message(m types.Message, arn string) lambdaevents.SQSMessage {
	out := lambdaevents.SQSMessage{
		MessageId: *m.MessageId, ReceiptHandle: *m.ReceiptHandle, Body: *m.Body, Md5OfBody: aws.ToString(m.MD5OfBody),
		Attributes: m.Attributes, MessageAttributes: map[string]lambdaevents.SQSMessageAttribute{},
		EventSourceARN: arn, EventSource: "aws:sqs", AWSRegion: "us-east-1",
	}
	for name, a := range m.MessageAttributes {
		out.MessageAttributes[name] = lambdaevents.SQSMessageAttribute{StringValue: a.StringValue, BinaryValue: a.BinaryValue, DataType: aws.ToString(a.DataType)}
	}
	return out
}

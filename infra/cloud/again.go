package cloud

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"handoff/events"
	"handoff/infra/awsfault"
)

// Pauses between two tries of a message that failed. They double.
const (
	firstPause = 2 * time.Second
	maxPause   = time.Minute
)

// OnFactSoon is OnFact for a queue where somebody waits: what failed comes back
// after two seconds, then after four, and so on up to a minute, rather than after
// the queue's visibility timeout.
func (c *Cloud) OnFactSoon(handle func(context.Context, events.Notification) error) Handler {
	return onMessages(c.soon(func(ctx context.Context, m Message) error {
		return onFact(ctx, []byte(m.Body), handle)
	}))
}

// soon has messages that failed come back after a pause.
func (c *Cloud) soon(handle func(context.Context, Message) error) func(context.Context, Message) error {
	client := c.SQS()
	return func(ctx context.Context, m Message) error {
		err := handle(ctx, m)
		if err == nil {
			return nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), margin/2)
		defer cancel()
		return errors.Join(err, comeBack(ctx, client, m))
	}
}

func comeBack(ctx context.Context, client *sqs.Client, m Message) error {
	url, err := queueURL(m.Queue)
	if err != nil {
		return err
	}
	_, err = client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: &url, ReceiptHandle: &m.Receipt, VisibilityTimeout: int32(pauseAfter(m.Received) / time.Second),
	})
	if err != nil {
		return fmt.Errorf("have message %s come back soon: %w", m.ID, awsfault.Classify(err))
	}
	return nil
}

func pauseAfter(received int) time.Duration {
	const doubled = 10 // times, which is far beyond the longest
	return min(maxPause, firstPause<<min(max(0, received-1), doubled))
}

// queueURL returns the URL of a queue by its ARN,
// arn:partition:sqs:region:account:name (Amazon SQS Developer Guide, "Queue and
// message identifiers"). The partition of China has another domain.
func queueURL(arn string) (string, error) {
	part := strings.Split(arn, ":")
	if len(part) != 6 || part[2] != "sqs" {
		return "", fmt.Errorf("%q is not the ARN of a queue", arn)
	}
	domain := "amazonaws.com"
	if part[1] == "aws-cn" {
		domain += ".cn"
	}
	return "https://sqs." + part[3] + "." + domain + "/" + part[4] + "/" + part[5], nil
}

// Package parking remembers, in the table of work that waits, the streams of
// which nothing is published, and tells a queue of them.
//
// A parked stream is an item with the keys p = "parked" and o = the stream, and
// the version (v) and reason (r) at which it was parked. There are few or none.
package parking

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"handoff/events"
	"handoff/infra/awsfault"
	"handoff/infra/eventlog"
)

// partition is where all parked streams are.
const partition = "parked"

// Fresh is how long the list of parked streams is used before it is read again.
const Fresh = 5 * time.Second

// Lot holds parked streams. It is safe for concurrent use and has nothing to
// close.
type Lot struct {
	db    *dynamodb.Client
	table string
	now   func() time.Time

	mu    sync.Mutex
	known map[string]bool
	read  time.Time
}

// New returns the lot in a table whose keys are p and o, both text.
func New(db *dynamodb.Client, table string, now func() time.Time) *Lot {
	return &Lot{db: db, table: table, now: now}
}

type item = map[string]types.AttributeValue

func key(stream events.StreamID) item {
	return item{"p": text(partition), "o": text(stream.String())}
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

// Park parks a stream. One that is parked stays so for its first reason.
func (l *Lot) Park(ctx context.Context, p eventlog.Poison) error {
	it := key(p.Stream)
	it["v"], it["r"] = &types.AttributeValueMemberN{Value: strconv.Itoa(p.Version)}, text(p.Reason)
	_, err := l.db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &l.table, Item: it, ConditionExpression: aws.String("attribute_not_exists(p)"),
	})
	if _, parked := errors.AsType[*types.ConditionalCheckFailedException](err); err != nil && !parked {
		return awsfault.Classify(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known != nil {
		l.known[p.Stream.String()] = true
	}
	return nil
}

// Parked reports whether a stream is parked. What others parked in the last few
// seconds (Fresh) it may not know; what others released it does.
func (l *Lot) Parked(ctx context.Context, stream events.StreamID) (bool, error) {
	known, err := l.knows(ctx, stream.String())
	if err != nil || !known {
		return false, err
	}
	out, err := l.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: &l.table, Key: key(stream), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return false, awsfault.Classify(err)
	}
	return len(out.Item) > 0, nil
}

// knows looks into the list of parked streams, which it reads now and then.
func (l *Lot) knows(ctx context.Context, stream string) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.now(); l.known == nil || now.Sub(l.read) >= Fresh {
		known, err := l.list(ctx)
		if err != nil {
			return false, err
		}
		l.known, l.read = known, now
	}
	return l.known[stream], nil
}

func (l *Lot) list(ctx context.Context) (map[string]bool, error) {
	known := make(map[string]bool)
	pages := dynamodb.NewQueryPaginator(l.db, &dynamodb.QueryInput{
		TableName: &l.table, KeyConditionExpression: aws.String("p = :p"), ProjectionExpression: aws.String("o"),
		ExpressionAttributeValues: item{":p": text(partition)}, ConsistentRead: aws.Bool(true),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list parked streams: %w", awsfault.Classify(err))
		}
		for _, it := range page.Items {
			if o, ok := it["o"].(*types.AttributeValueMemberS); ok {
				known[o.Value] = true
			}
		}
	}
	return known, nil
}

// Release ends the parking of a stream. One that is not parked stays so.
func (l *Lot) Release(ctx context.Context, stream events.StreamID) error {
	_, err := l.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &l.table, Key: key(stream)})
	return awsfault.Classify(err)
}

// Teller tells a queue of poison. It is safe for concurrent use and has nothing
// to close.
type Teller struct {
	client *sqs.Client
	url    string
}

// NewTeller returns a teller for the queue with a URL.
func NewTeller(client *sqs.Client, url string) *Teller { return &Teller{client: client, url: url} }

// Tell sends p, which has nothing private in it, as JSON.
func (t *Teller) Tell(ctx context.Context, p eventlog.Poison) error {
	body, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode poison: %w", err)
	}
	if _, err = t.client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &t.url, MessageBody: aws.String(string(body))}); err != nil {
		return fmt.Errorf("send to %s: %w", t.url, awsfault.Classify(err))
	}
	return nil
}

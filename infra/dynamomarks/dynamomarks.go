// Package dynamomarks remembers, in the table of work that waits, up to when
// something was looked at, by name: package marks on AWS. A mark is no fact:
// where one is lost, its owner looks further back once.
//
// A mark is an item with the keys p = "mark#" and its name, and o = "!", and the
// instant (at) in nanoseconds since 1970. Setting one costs a write unit, reading
// one a read unit.
package dynamomarks

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"handoff/infra/awsfault"
)

// Marks are in a table whose keys are p and o, both text. They are safe for
// concurrent use and have nothing to close.
type Marks struct {
	db    *dynamodb.Client
	table string
}

// New returns the marks in a table.
func New(db *dynamodb.Client, table string) *Marks { return &Marks{db, table} }

type item = map[string]types.AttributeValue

func key(name string) item {
	return item{"p": &types.AttributeValueMemberS{Value: "mark#" + name}, "o": &types.AttributeValueMemberS{Value: "!"}}
}

var errNoMark = errors.New("the item has no instant")

// Mark returns the mark with a name; zero if there is none.
func (m *Marks) Mark(ctx context.Context, name string) (time.Time, error) {
	out, err := m.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: &m.table, Key: key(name), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return time.Time{}, fmt.Errorf("read mark %s: %w", name, awsfault.Classify(err))
	}
	if len(out.Item) == 0 {
		return time.Time{}, nil
	}
	at, ok := out.Item["at"].(*types.AttributeValueMemberN)
	if !ok {
		return time.Time{}, fmt.Errorf("read mark %s: %w", name, errNoMark)
	}
	ns, err := strconv.ParseInt(at.Value, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("read mark %s: %w", name, err)
	}
	return time.Unix(0, ns).UTC(), nil
}

// SetMark sets the mark with a name.
func (m *Marks) SetMark(ctx context.Context, name string, at time.Time) error {
	it := key(name)
	it["at"] = &types.AttributeValueMemberN{Value: strconv.FormatInt(at.UnixNano(), 10)}
	if _, err := m.db.PutItem(ctx, &dynamodb.PutItemInput{TableName: &m.table, Item: it}); err != nil {
		return fmt.Errorf("set mark %s: %w", name, awsfault.Classify(err))
	}
	return nil
}

package feedindex

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"handoff/domain/fault"
	"handoff/infra/awsfault"
)

// DynamoDB is a table of DynamoDB with the keys p and o (text); b holds the
// data, and ttl the second after which the row may go. Make one with NewTable.
type DynamoDB struct {
	db    *dynamodb.Client
	table string
}

var _ Table = DynamoDB{}

// NewTable returns the table with a name.
func NewTable(db *dynamodb.Client, name string) DynamoDB { return DynamoDB{db, name} }

// maxPage is the most rows that a request is told to read.
const maxPage = 1000

const (
	attrPartition, attrOrder = "p", "o"
	attrData, attrTTL        = "b", "ttl"
)

// Put implements Table.
func (d DynamoDB) Put(ctx context.Context, r Row, fresh bool) (bool, error) {
	in := &dynamodb.PutItemInput{TableName: &d.table, Item: item(r)}
	if fresh {
		in.ConditionExpression = aws.String("attribute_not_exists(" + attrPartition + ")")
	}
	_, err := d.db.PutItem(ctx, in)
	if _, there := errors.AsType[*types.ConditionalCheckFailedException](err); there {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("put %s %s into the index: %w", r.Partition, r.Order, awsfault.Classify(err))
	}
	return true, nil
}

func item(r Row) map[string]types.AttributeValue {
	m := map[string]types.AttributeValue{attrPartition: text(r.Partition), attrOrder: text(r.Order)}
	if len(r.Data) > 0 { // there are emulators that fail on an empty value
		m[attrData] = &types.AttributeValueMemberB{Value: r.Data}
	}
	if !r.Expires.IsZero() {
		m[attrTTL] = &types.AttributeValueMemberN{Value: strconv.FormatInt(r.Expires.Unix(), 10)}
	}
	return m
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

// Query implements Table.
func (d DynamoDB) Query(ctx context.Context, r Range) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		if r.To != "" && r.From > r.To {
			return // there is nothing between them, and DynamoDB refuses to look
		}
		in := d.input(r)
		for n := 0; ; {
			page, err := d.db.Query(ctx, in)
			if err != nil {
				yield(Row{}, fmt.Errorf("read %s from the index: %w", r.Partition, awsfault.Classify(err)))
				return
			}
			for _, m := range page.Items {
				if n++; !yield(row(m), nil) || n == r.Limit {
					return
				}
			}
			if in.ExclusiveStartKey = page.LastEvaluatedKey; len(in.ExclusiveStartKey) == 0 {
				return
			}
			if in.Limit != nil { // who reads on may read far
				in.Limit = aws.Int32(min(2**in.Limit, maxPage))
			}
		}
	}
}

func (d DynamoDB) input(r Range) *dynamodb.QueryInput {
	condition, values := attrPartition+" = :p", map[string]types.AttributeValue{":p": text(r.Partition)}
	switch {
	case r.From != "" && r.To != "":
		condition += " AND " + attrOrder + " BETWEEN :from AND :to"
	case r.From != "":
		condition += " AND " + attrOrder + " >= :from"
	case r.To != "":
		condition += " AND " + attrOrder + " <= :to"
	}
	for name, bound := range map[string]string{":from": r.From, ":to": r.To} {
		if bound != "" {
			values[name] = text(bound)
		}
	}
	in := &dynamodb.QueryInput{
		TableName: &d.table, ConsistentRead: aws.Bool(true), KeyConditionExpression: &condition,
		ExpressionAttributeValues: values, ScanIndexForward: aws.Bool(!r.Newest),
	}
	if n := min(cmp.Or(r.Page, r.Limit), cmp.Or(r.Limit, r.Page)); n > 0 {
		in.Limit = aws.Int32(int32(min(n, maxPage)))
	}
	return in
}

func row(m map[string]types.AttributeValue) (r Row) {
	if p, ok := m[attrPartition].(*types.AttributeValueMemberS); ok {
		r.Partition = p.Value
	}
	if o, ok := m[attrOrder].(*types.AttributeValueMemberS); ok {
		r.Order = o.Value
	}
	if b, ok := m[attrData].(*types.AttributeValueMemberB); ok {
		r.Data = b.Value
	}
	if n, ok := m[attrTTL].(*types.AttributeValueMemberN); ok {
		seconds, _ := strconv.ParseInt(n.Value, 10, 64) // written above
		r.Expires = time.Unix(seconds, 0).UTC()
	}
	return r
}

// Unreadable reports whether an error is about what is stored, rather than about
// reaching it: trying again at once can't help.
func Unreadable(ctx context.Context, err error) bool {
	_, service := errors.AsType[*smithy.OperationError](err)
	return err != nil && ctx.Err() == nil && !service && fault.KindOf(err) != fault.Unavailable
}

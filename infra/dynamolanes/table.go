package dynamolanes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"handoff/infra/awsfault"
)

// The attributes of an item. The index "due" has keys g and d; only items that
// are due have them. It needs no other attribute but the keys.
const (
	attrPartition, attrOrder = "p", "o"
	attrRevision, attrBody   = "n", "j"
	attrGroup, attrDue       = "g", "d"
	dueIndex                 = "due"
)

// groups is how many partitions the index has: one takes 1,000 writes a second
// (Amazon DynamoDB Developer Guide, "Best practices for designing partition
// keys").
const groups = 8

// Table is Work in a DynamoDB table with the string keys p and o and the index
// "due" over g and d. It is safe for concurrent use.
type Table struct {
	db   *dynamodb.Client
	name string
}

// NewTable returns the table.
func NewTable(db *dynamodb.Client, name string) *Table { return &Table{db: db, name: name} }

// Read implements Store. It is one consistent read.
func (t *Table) Read(ctx context.Context, p, from string, limit int) ([]Item, error) {
	out, err := t.db.Query(ctx, &dynamodb.QueryInput{
		TableName: &t.name, ConsistentRead: aws.Bool(true), Limit: aws.Int32(int32(limit)),
		KeyConditionExpression:    aws.String("p = :p AND o >= :o"),
		ExpressionAttributeValues: attributes{":p": text(p), ":o": text(from)},
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", p, awsfault.Classify(err))
	}
	items := make([]Item, 0, len(out.Items))
	for _, a := range out.Items {
		i, err := parse(a)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", p, err)
		}
		items = append(items, i)
	}
	return items, nil
}

// Swap implements Store. A write whose answer got lost, and which the client
// repeated, is known by what it wrote.
func (t *Table) Swap(ctx context.Context, was, is Item) (ok bool, err error) {
	condition, values := aws.String("attribute_not_exists(p)"), attributes(nil)
	if was.N != 0 {
		condition, values = aws.String("n = :n"), attributes{":n": number(was.N)}
	}
	if is.N == 0 {
		ok, err = t.remove(ctx, was, condition, values)
	} else {
		ok, err = t.put(ctx, is, condition, values)
	}
	if err != nil {
		return false, fmt.Errorf("write %s: %w", was.P, awsfault.Classify(err))
	}
	return ok, nil
}

func (t *Table) put(ctx context.Context, is Item, condition *string, values attributes) (bool, error) {
	_, err := t.db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &t.name, Item: is.attributes(), ConditionExpression: condition, ExpressionAttributeValues: values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	if refused, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		there, err := parse(refused.Item)
		return err == nil && there.N == is.N && bytes.Equal(there.Body, is.Body), nil
	}
	return err == nil, err
}

func (t *Table) remove(ctx context.Context, was Item, condition *string, values attributes) (bool, error) {
	_, err := t.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &t.name, Key: attributes{attrPartition: text(was.P), attrOrder: text(was.O)},
		ConditionExpression: condition, ExpressionAttributeValues: values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	if refused, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return len(refused.Item) == 0, nil // gone is what was wished for
	}
	return err == nil, err
}

// Due implements Index: one eventually consistent query for each part of the
// index, and another one for each megabyte.
func (t *Table) Due(ctx context.Context, prefix string, until time.Time) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for g := range groups {
			if !t.due(ctx, group(g), prefix, until, yield) {
				return
			}
		}
	}
}

func (t *Table) due(ctx context.Context, group, prefix string, until time.Time, yield func(string, error) bool) (more bool) {
	in := &dynamodb.QueryInput{
		TableName: &t.name, IndexName: aws.String(dueIndex),
		KeyConditionExpression:    aws.String("g = :g"),
		FilterExpression:          aws.String("begins_with(p, :p)"),
		ExpressionAttributeValues: attributes{":g": text(group), ":p": text(prefix)},
	}
	if !until.IsZero() {
		*in.KeyConditionExpression += " AND d <= :d"
		in.ExpressionAttributeValues[":d"] = number(until.UnixNano())
	}
	for pages := dynamodb.NewQueryPaginator(t.db, in); pages.HasMorePages(); {
		out, err := pages.NextPage(ctx)
		if err != nil {
			yield("", fmt.Errorf("read the index of %s: %w", prefix, awsfault.Classify(err)))
			return false
		}
		for _, a := range out.Items {
			if p, ok := a[attrPartition].(*types.AttributeValueMemberS); ok && !yield(p.Value, nil) {
				return false
			}
		}
	}
	return true
}

type attributes = map[string]types.AttributeValue

func (i Item) attributes() attributes {
	a := attributes{attrPartition: text(i.P), attrOrder: text(i.O), attrRevision: number(i.N), attrBody: text(string(i.Body))}
	if !i.Due.IsZero() {
		h := fnv.New32a()
		_, _ = h.Write([]byte(i.P)) // a hash takes all
		a[attrGroup], a[attrDue] = text(group(int(h.Sum32()%groups))), number(i.Due.UnixNano())
	}
	return a
}

func group(n int) string { return "lanes#" + strconv.Itoa(n) }

func parse(a attributes) (i Item, err error) {
	i.P, i.O, i.Body = textOf(a[attrPartition]), textOf(a[attrOrder]), []byte(textOf(a[attrBody]))
	if i.N, err = numberOf(a[attrRevision]); err != nil {
		return i, fmt.Errorf("revision of %s %s: %w", i.P, i.O, err)
	}
	if a[attrDue] != nil {
		ns, err := numberOf(a[attrDue])
		if err != nil {
			return i, fmt.Errorf("due time of %s %s: %w", i.P, i.O, err)
		}
		i.Due = time.Unix(0, ns).UTC()
	}
	return i, nil
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

// textOf returns "" for what is missing or no text.
func textOf(a types.AttributeValue) string {
	if s, ok := a.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

func numberOf(a types.AttributeValue) (int64, error) {
	n, ok := a.(*types.AttributeValueMemberN)
	if !ok {
		return 0, errors.New("it is no number")
	}
	return strconv.ParseInt(n.Value, 10, 64)
}

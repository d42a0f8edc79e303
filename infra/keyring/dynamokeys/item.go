package dynamokeys

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"handoff/domain/fault"
	"handoff/infra/awsfault"
)

// What items there are, by the beginning of their hash key. The values of keys
// and the names of attributes are short, since they are paid for by the KiB.
const (
	conversationItem = "k#" // p = k#<key>, o = <tenant>
	apiKeyItem       = "a#" // p = a#<id>, o = -
	groupItem        = "g#" // p = g#<tenant>, o = <role>#<connection>
	secretItem       = "s#" // p = s#<tenant>, o = <name>
	noOrder          = "-"
)

const (
	hashKey  = "p"
	rangeKey = "o"
	// writeIDs are random, one for each of the last writes of an item that
	// changes, the newest first. By them a write fails if another came between,
	// and recognises itself, also where others came after it.
	writeIDs = "u"
)

// How many writes an item remembers, and how long the id of each is: 80 random
// bits.
const (
	writesKept = 8
	idDigits   = 16
)

// maxAttempts bounds how often a change is made again because somebody else
// was faster. Each round, somebody's change succeeded.
const maxAttempts = 100

type item = map[string]types.AttributeValue

func text(s string) types.AttributeValue   { return &types.AttributeValueMemberS{Value: s} }
func binary(b []byte) types.AttributeValue { return &types.AttributeValueMemberB{Value: b} }
func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}
func instant(t time.Time) types.AttributeValue { return number(t.UnixNano()) }

// textOf and the like return the zero value for an attribute that is missing or
// of another type.
func textOf(a types.AttributeValue) string {
	if s, ok := a.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

func binaryOf(a types.AttributeValue) []byte {
	if b, ok := a.(*types.AttributeValueMemberB); ok {
		return b.Value
	}
	return nil
}

func numberOf(a types.AttributeValue) int64 {
	if n, ok := a.(*types.AttributeValueMemberN); ok {
		i, _ := strconv.ParseInt(n.Value, 10, 64)
		return i
	}
	return 0
}

func instantOf(a types.AttributeValue) time.Time {
	if n := numberOf(a); n != 0 {
		return time.Unix(0, n).UTC()
	}
	return time.Time{}
}

func listOf(a types.AttributeValue) []types.AttributeValue {
	if l, ok := a.(*types.AttributeValueMemberL); ok {
		return l.Value
	}
	return nil
}

func key(p, o string) item { return item{hashKey: text(p), rangeKey: text(o)} }

// get returns an item, nil where there is none.
func (s *store) get(ctx context.Context, p, o string) (item, error) {
	out, err := s.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.table, Key: key(p, o), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return nil, awsfault.Classify(err)
	}
	return out.Item, nil
}

// put writes an item if the condition holds. Otherwise it returns the one that
// is there.
func (s *store) put(ctx context.Context, fresh item, condition string, values item) (refused item, err error) {
	in := &dynamodb.PutItemInput{
		TableName: &s.table, Item: fresh, ConditionExpression: &condition, ExpressionAttributeValues: values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	_, err = s.db.PutItem(ctx, in)
	if r, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		if r.Item == nil {
			return item{}, nil // nil would say that it was written
		}
		return r.Item, nil
	}
	return nil, awsfault.Classify(err)
}

const absent = "attribute_not_exists(" + hashKey + ")"

// change writes what next makes of an item, nil where there is none, with
// nobody else's write in between.
func (s *store) change(ctx context.Context, p, o string, next func(old item) (item, error)) error {
	for range maxAttempts {
		old, err := s.get(ctx, p, o)
		if err != nil {
			return err
		}
		fresh, err := next(old)
		if err != nil {
			return err
		}
		id := rand.Text()[:idDigits]
		fresh[hashKey], fresh[rangeKey], fresh[writeIDs] = text(p), text(o), text(remember(id, textOf(old[writeIDs])))
		condition, values := absent, item(nil)
		if old != nil {
			condition, values = writeIDs+" = :u", item{":u": old[writeIDs]}
		}
		refused, err := s.put(ctx, fresh, condition, values)
		if err != nil || refused == nil || strings.Contains(textOf(refused[writeIDs]), id) {
			return err
		}
	}
	return fault.New(fault.Unavailable, "too-many-writers", "Too many requests change the same thing at once; try again.")
}

// remember puts the id of a write before those of the writes before it.
func remember(id, older string) string {
	return id + older[:min(len(older), (writesKept-1)*idDigits)]
}

// query yields the items of a hash key whose range key begins with prefix.
func (s *store) query(ctx context.Context, p, prefix string, take func(item) error) error {
	in := &dynamodb.QueryInput{
		TableName: &s.table, ConsistentRead: aws.Bool(true),
		KeyConditionExpression: aws.String(hashKey + " = :p"), ExpressionAttributeValues: item{":p": text(p)},
	}
	if prefix != "" { // which may not be compared with
		in.KeyConditionExpression = aws.String(hashKey + " = :p AND begins_with(" + rangeKey + ", :o)")
		in.ExpressionAttributeValues[":o"] = text(prefix)
	}
	pages := dynamodb.NewQueryPaginator(s.db, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return awsfault.Classify(err)
		}
		for _, i := range page.Items {
			if err := take(i); err != nil {
				return err
			}
		}
	}
	return nil
}

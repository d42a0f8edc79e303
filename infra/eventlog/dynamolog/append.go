package dynamolog

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/awsfault"
	"handoff/infra/eventlog"
)

// Append implements eventlog.Log. After a Load of the same stream through the
// same Log it is one request.
func (l *Log) Append(ctx context.Context, c eventlog.Commit) (eventlog.Head, error) {
	return l.append(ctx, Stored{Commit: c})
}

// Import appends a commit that was copied from another log. It differs from
// Append in the mark that the item carries; see Stored.
func (l *Log) Import(ctx context.Context, c eventlog.Commit) (eventlog.Head, error) {
	return l.append(ctx, Stored{Commit: c, Imported: true})
}

func (l *Log) append(ctx context.Context, s Stored) (eventlog.Head, error) {
	if err := s.Check(); err != nil {
		return eventlog.Head{}, err
	}
	item, err := NewItem(s)
	if err == nil {
		err = fits(s.Stream, item)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return eventlog.Head{}, fmt.Errorf("append to stream %s: %w", s.Stream, err)
	}
	if !l.known(&s.Commit) {
		if head, err := l.find(ctx, &s.Commit); err != nil || head.Version > 0 {
			return head, err
		}
	}
	return l.put(ctx, &s.Commit, item)
}

// known reports whether the stream was seen to end at the commit's place once.
func (l *Log) known(c *eventlog.Commit) bool {
	if c.After == (eventlog.Head{}) {
		return true
	}
	_, ok := l.seen.Get(placeAfter(c, c.After))
	return ok
}

// remember keeps that the commit's stream had a head.
func (l *Log) remember(c *eventlog.Commit, head eventlog.Head) {
	p := placeAfter(c, head)
	l.seen.Put(p, struct{}{}, l.seen.Mark(p))
}

func placeAfter(c *eventlog.Commit, head eventlog.Head) place {
	return place{c.Stream, head, c.Tenant, c.Connection, c.Kind}
}

// find looks at where the stream ends, for a commit whose place is not known.
// It returns the head after the commit if that is there already, zero if it may
// be stored.
func (l *Log) find(ctx context.Context, c *eventlog.Commit) (eventlog.Head, error) {
	last, err := l.last(ctx, c.Stream)
	if err != nil {
		return eventlog.Head{}, err
	}
	if last == nil {
		return eventlog.Head{}, &eventlog.ConflictError{Stream: c.Stream, Expected: c.After}
	}
	if err := sameOwner(c, &last.Commit); err != nil {
		return eventlog.Head{}, err
	}
	head := last.Head()
	if head == c.After {
		l.remember(c, head)
		return eventlog.Head{}, nil
	}
	there, err := l.holding(ctx, c.Stream, c.After.Version+1)
	if err != nil {
		return eventlog.Head{}, err
	}
	if there != nil && there.ID == c.ID && there.After.Version == c.After.Version {
		return there.Head(), nil
	}
	return eventlog.Head{}, &eventlog.ConflictError{Stream: c.Stream, Expected: c.After, Actual: head}
}

// put stores the item unless there is one at its place. Blobs are stored before
// the item that refers to them.
func (l *Log) put(ctx context.Context, c *eventlog.Commit, item Item) (eventlog.Head, error) {
	for i := range c.Facts {
		if r := &c.Facts[i]; len(r.Sealed) > eventlog.InlineLimit {
			if err := l.blobs.Put(ctx, r.SealedSum, r.Sealed); err != nil {
				return eventlog.Head{}, fmt.Errorf("store the private part of %s: %w", r.ID(), err)
			}
		}
	}
	_, err := l.db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &l.table, Item: item, ConditionExpression: aws.String("attribute_not_exists(" + attrStream + ")"),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	if refused, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return l.refused(ctx, c, refused.Item)
	}
	if err != nil {
		return eventlog.Head{}, fmt.Errorf("append to stream %s: %w", c.Stream, awsfault.Classify(err))
	}
	l.remember(c, c.Head())
	return c.Head(), nil
}

// refused says what became of a commit at whose place an item stands.
func (l *Log) refused(ctx context.Context, c *eventlog.Commit, item Item) (eventlog.Head, error) {
	there, err := ParseItem(item)
	if err != nil {
		return eventlog.Head{}, err
	}
	if err := sameOwner(c, &there.Commit); err != nil {
		return eventlog.Head{}, err
	}
	if there.ID == c.ID {
		l.remember(c, there.Head())
		return there.Head(), nil
	}
	last, err := l.last(ctx, c.Stream)
	if err != nil {
		return eventlog.Head{}, err
	}
	return eventlog.Head{}, &eventlog.ConflictError{Stream: c.Stream, Expected: c.After, Actual: headOf(last)}
}

func headOf(s *Stored) eventlog.Head {
	if s == nil {
		return eventlog.Head{}
	}
	return s.Head()
}

func sameOwner(c, there *eventlog.Commit) error {
	if c.Tenant != there.Tenant || c.Connection != there.Connection || c.Kind != there.Kind {
		return fmt.Errorf("dynamolog: stream %s is another tenant's, connection's or kind's", c.Stream)
	}
	return nil
}

// fits refuses an item that the table would refuse, before anything is stored.
func fits(stream events.StreamID, item Item) error {
	if n := Size(item); n > MaxItem {
		return fault.Newf(fault.TooLarge, "commit-too-large",
			"What is to be recorded in %s at once takes %d bytes; a DynamoDB item holds %d.", stream, n, MaxItem)
	}
	return nil
}

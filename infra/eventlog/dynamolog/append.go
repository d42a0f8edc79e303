package dynamolog

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"handoff/infra/awsfault"
	"handoff/infra/eventlog"
)

// Append implements eventlog.Log. After a Load of the same stream through the
// same Log it is one request. A commit that no item can hold is a fault of kind
// TooLarge.
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
	head, err := l.store(ctx, s)
	if _, conflict := errors.AsType[*eventlog.ConflictError](err); err != nil && !conflict {
		err = fmt.Errorf("append to stream %s: %w", s.Stream, err)
	}
	return head, err
}

func (l *Log) store(ctx context.Context, s Stored) (eventlog.Head, error) {
	item, err := NewItem(s)
	if err != nil {
		return eventlog.Head{}, err
	}
	if !l.known(&s.Commit) {
		if head, err := l.find(ctx, &s.Commit); err != nil || head.Version > 0 {
			return head, err
		}
	}
	if err := l.putBlobs(ctx, &s.Commit); err != nil {
		return eventlog.Head{}, err
	}
	return l.put(ctx, &s.Commit, item)
}

// find looks at where the stream ends, for a commit whose place is not known. It
// returns the head after the commit if that is there already, zero if it may be
// stored.
func (l *Log) find(ctx context.Context, c *eventlog.Commit) (eventlog.Head, error) {
	last, err := l.last(ctx, c.Stream)
	if err != nil {
		return eventlog.Head{}, err
	}
	if last == nil {
		return eventlog.Head{}, &eventlog.ConflictError{Stream: c.Stream, Expected: c.After}
	}
	if last.Head() == c.After {
		return eventlog.Head{}, sameOwner(c, &last.Commit)
	}
	there, err := l.holding(ctx, c.Stream, c.After.Version+1)
	if err != nil {
		return eventlog.Head{}, err
	}
	if there != nil && there.After.Version == c.After.Version {
		return l.recognise(c, there, last.Head())
	}
	return eventlog.Head{}, &eventlog.ConflictError{Stream: c.Stream, Expected: c.After, Actual: last.Head()}
}

// putBlobs stores what the item will refer to.
func (l *Log) putBlobs(ctx context.Context, c *eventlog.Commit) error {
	for i := range c.Facts {
		r := &c.Facts[i]
		if len(r.Sealed) <= eventlog.InlineLimit {
			continue
		}
		if err := l.blobs.Put(ctx, r.SealedSum, r.Sealed); err != nil {
			return fmt.Errorf("store the private part of %s: %w", r.ID(), err)
		}
	}
	return nil
}

// put stores the item unless there is one at its place.
func (l *Log) put(ctx context.Context, c *eventlog.Commit, item Item) (eventlog.Head, error) {
	_, err := l.db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &l.table, Item: item, ConditionExpression: aws.String("attribute_not_exists(" + attrStream + ")"),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	if refused, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return l.refused(ctx, c, refused.Item)
	}
	if err != nil {
		return eventlog.Head{}, awsfault.Classify(err)
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
	if there.ID == c.ID {
		return l.recognise(c, &there, eventlog.Head{})
	}
	last, err := l.last(ctx, c.Stream)
	if err != nil {
		return eventlog.Head{}, err
	}
	if last == nil {
		return eventlog.Head{}, fmt.Errorf("dynamolog: commit %s@%d is there and is not", c.Stream, c.After.Version+1)
	}
	return l.recognise(c, &there, last.Head())
}

// recognise answers for a commit at whose place another stands: if that is this
// very commit, whose answer was lost, with the head after it.
func (l *Log) recognise(c *eventlog.Commit, there *Stored, actual eventlog.Head) (eventlog.Head, error) {
	if err := sameOwner(c, &there.Commit); err != nil {
		return eventlog.Head{}, err
	}
	if there.ID != c.ID {
		return eventlog.Head{}, &eventlog.ConflictError{Stream: c.Stream, Expected: c.After, Actual: actual}
	}
	l.remember(c, there.Head())
	return there.Head(), nil
}

func sameOwner(c, there *eventlog.Commit) error {
	if c.Tenant != there.Tenant || c.Connection != there.Connection || c.Kind != there.Kind {
		return errors.New("dynamolog: the stream is another tenant's, connection's or kind's")
	}
	return nil
}

package dynamolog

import (
	"context"
	"fmt"
	"iter"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/awsfault"
	"handoff/infra/eventlog"
)

// Load implements eventlog.Log.
func (l *Log) Load(ctx context.Context, stream events.StreamID) (eventlog.Snapshot, error) {
	s, err := l.last(ctx, stream)
	if err != nil || s == nil {
		return eventlog.Snapshot{}, err
	}
	l.remember(&s.Commit, s.Head())
	return snapshot(s), nil
}

func snapshot(s *Stored) eventlog.Snapshot {
	return eventlog.Snapshot{
		Head: s.Head(), Tenant: s.Tenant, Connection: s.Connection, Kind: s.Kind, State: s.State, StateVersion: s.StateVersion,
	}
}

// Commit returns the commit that holds a version of a stream, or a fault of kind
// NotFound where there is none. Its facts are as in Stored.
func (l *Log) Commit(ctx context.Context, stream events.StreamID, version int) (eventlog.Commit, error) {
	s, err := l.holding(ctx, stream, version)
	if err == nil && s == nil {
		err = fault.Newf(fault.NotFound, "no-such-fact", "Stream %s has no version %d.", stream, version)
	}
	if err != nil {
		return eventlog.Commit{}, err
	}
	return s.Commit, nil
}

// Blob implements eventlog.Log.
func (l *Log) Blob(ctx context.Context, sum events.Hash) ([]byte, error) {
	b, err := l.blobs.Get(ctx, sum)
	if err == nil && events.SumSealed(b) != sum {
		err = fmt.Errorf("dynamolog: the blob is not what was stored: it has the sum %s", events.SumSealed(b))
	}
	if err != nil {
		return nil, fmt.Errorf("read blob %s: %w", sum, err)
	}
	return b, nil
}

// Read implements eventlog.Log.
func (l *Log) Read(ctx context.Context, stream events.StreamID, from int) iter.Seq2[events.Record, error] {
	return func(yield func(events.Record, error) bool) {
		for s, err := range l.commits(ctx, stream, from) {
			if err != nil {
				yield(events.Record{}, fmt.Errorf("read stream %s: %w", stream, err))
				return
			}
			for _, r := range s.Facts {
				if r.Version < from {
					continue
				}
				if err := ctx.Err(); err != nil {
					yield(events.Record{}, fmt.Errorf("read stream %s: %w", stream, err))
					return
				}
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

// commits yields the commits of a stream from the one that holds a version, and
// ends with an error where one does not follow the one before it.
func (l *Log) commits(ctx context.Context, stream events.StreamID, from int) iter.Seq2[*Stored, error] {
	return func(yield func(*Stored, error) bool) {
		var head eventlog.Head
		if from > 1 {
			first, err := l.holding(ctx, stream, from)
			if err != nil || first == nil || !yield(first, nil) {
				if err != nil {
					yield(nil, err)
				}
				return
			}
			head = first.Head()
		}
		values := Item{":s": blob(stream[:]), ":v": number(head.Version)}
		pages := dynamodb.NewQueryPaginator(l.db, l.query(attrStream+" = :s AND "+attrVersion+" > :v", values))
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(nil, awsfault.Classify(err))
				return
			}
			for _, item := range page.Items {
				s, err := ParseItem(item)
				if err == nil && s.After != head {
					err = fmt.Errorf("dynamolog: the commit at version %d does not follow version %d", s.After.Version+1, head.Version)
				}
				if !yield(&s, err) || err != nil {
					return
				}
				head = s.Head()
			}
		}
	}
}

// last returns the last commit of a stream, nil for a stream without any.
func (l *Log) last(ctx context.Context, stream events.StreamID) (*Stored, error) {
	return l.one(ctx, stream, attrStream+" = :s", Item{":s": blob(stream[:])})
}

// holding returns the commit that holds a version, nil where there is none.
func (l *Log) holding(ctx context.Context, stream events.StreamID, version int) (*Stored, error) {
	s, err := l.one(ctx, stream, attrStream+" = :s AND "+attrVersion+" <= :v", Item{":s": blob(stream[:]), ":v": number(version)})
	if err != nil || s == nil || s.Head().Version < version {
		return nil, err
	}
	return s, nil
}

// one returns the last of the commits that a condition names.
func (l *Log) one(ctx context.Context, stream events.StreamID, condition string, values Item) (*Stored, error) {
	in := l.query(condition, values)
	in.ScanIndexForward, in.Limit = aws.Bool(false), aws.Int32(1)
	out, err := l.db.Query(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("load stream %s: %w", stream, awsfault.Classify(err))
	}
	if len(out.Items) == 0 {
		return nil, nil
	}
	s, err := ParseItem(out.Items[0])
	if err != nil {
		return nil, err
	}
	return &s, nil
}

func (l *Log) query(condition string, values Item) *dynamodb.QueryInput {
	return &dynamodb.QueryInput{
		TableName: &l.table, ConsistentRead: aws.Bool(true), KeyConditionExpression: &condition, ExpressionAttributeValues: values,
	}
}

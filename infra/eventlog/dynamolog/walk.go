package dynamolog

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"handoff/infra/awsfault"
	"handoff/infra/eventlog"
)

// Walk yields all facts as eventlog.Walker says, in no particular order of the
// streams. It reads the whole table and does not check hashes: that is what it
// is for. Positions are 0, since the table knows no order over all streams. It
// keeps one stream in memory.
func (l *Log) Walk(ctx context.Context) iter.Seq2[eventlog.Step, error] {
	return func(yield func(eventlog.Step, error) bool) {
		var stream []Stored // as far as it was read
		for s, err := range l.all(ctx) {
			if err != nil {
				yield(eventlog.Step{}, fmt.Errorf("walk the log: %w", err))
				return
			}
			if len(stream) > 0 && stream[0].Stream != s.Stream {
				if !steps(ctx, stream, yield) {
					return
				}
				stream = stream[:0]
			}
			stream = append(stream, s)
		}
		steps(ctx, stream, yield)
	}
}

// steps yields the facts of a stream and reports whether to go on. Streams are
// put in order here: that items of one hash key come together follows from what
// a hash key is, but DynamoDB documents no order of a scan, and engines differ.
func steps(ctx context.Context, stream []Stored, yield func(eventlog.Step, error) bool) bool {
	slices.SortFunc(stream, func(a, b Stored) int { return cmp.Compare(a.After.Version, b.After.Version) })
	for i := range stream {
		s := &stream[i]
		for j, r := range s.Facts {
			if err := ctx.Err(); err != nil {
				yield(eventlog.Step{}, fmt.Errorf("walk the log: %w", err))
				return false
			}
			step := eventlog.Step{Record: r}
			if i == len(stream)-1 && j == len(s.Facts)-1 {
				step.Carried = new(snapshot(s))
			}
			if !yield(step, nil) {
				return false
			}
		}
	}
	return true
}

// all yields every commit, those of a stream together.
func (l *Log) all(ctx context.Context) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		pages := dynamodb.NewScanPaginator(l.db, &dynamodb.ScanInput{TableName: &l.table, ConsistentRead: aws.Bool(true)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(Stored{}, awsfault.Classify(err))
				return
			}
			for _, item := range page.Items {
				s, err := parse(item)
				if !yield(s, err) || err != nil {
					return
				}
			}
		}
	}
}

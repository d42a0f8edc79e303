package cloud

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	lambdaevents "github.com/aws/aws-lambda-go/events"

	"handoff/infra/eventlog"
	"handoff/infra/eventlog/dynamolog/streamimage"
)

// OnStream answers the stream of the event log's table. handle is given the
// changes of one shard in their order and returns the sequence of the first that
// must come again with all behind it, or an error alone where all of them must.
func OnStream(handle func(context.Context, []eventlog.Change) (failed string, err error)) Handler {
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		var e lambdaevents.DynamoDBEvent
		if err := json.Unmarshal(payload, &e); err != nil {
			return nil, fmt.Errorf("read stream records: %w", err)
		}
		changes := make([]eventlog.Change, len(e.Records))
		for i := range e.Records {
			changes[i] = change(&e.Records[i])
		}
		ctx, s := spanOver(ctx, changes)
		from, err := handle(ctx, changes)
		s.End(err)
		if err != nil && from == "" {
			return nil, err
		}
		out := lambdaevents.DynamoDBEventResponse{BatchItemFailures: []lambdaevents.DynamoDBBatchItemFailure{}}
		if from != "" {
			failed(ctx, "changes from "+from, err)
			out.BatchItemFailures = []lambdaevents.DynamoDBBatchItemFailure{{ItemIdentifier: from}}
		}
		return json.Marshal(out)
	}
}

// change reads a record, and what names its commit even where nothing else can
// be read.
func change(r *lambdaevents.DynamoDBEventRecord) eventlog.Change {
	c := eventlog.Change{
		Sequence: r.Change.SequenceNumber, At: r.Change.ApproximateCreationDateTime.Time,
		Stored: r.EventName == string(lambdaevents.DynamoDBOperationTypeInsert),
	}
	stored, err := streamimage.Parse(r.Change.NewImage)
	if err == nil {
		c.Commit, c.Imported = stored.Commit, stored.Imported
		return c
	}
	if c.Stored {
		c.Err = err
	}
	if s, ok := r.Change.Keys["s"]; ok && s.DataType() == lambdaevents.DataTypeBinary {
		copy(c.Stream[:], s.Binary())
	}
	if v, ok := r.Change.Keys["v"]; ok && v.DataType() == lambdaevents.DataTypeNumber {
		if first, err := strconv.Atoi(v.Number()); err == nil {
			c.After.Version = first - 1
		}
	}
	return c
}

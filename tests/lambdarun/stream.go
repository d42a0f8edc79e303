package lambdarun

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

// Stream hands the records of a DynamoDB stream to a function, as an event
// source mapping of Lambda does: in order, a batch that fails again and again
// until it does not, cut in half where the mapping says so, and from the first
// record on that the function says it could not do (AWS Lambda Developer Guide,
// "Using AWS Lambda with Amazon DynamoDB").
//
// Emulators have one shard. It is dealt into as many as wanted by the records'
// hash keys, so that records of one item collection stay in order and others
// overtake each other, as they may on AWS.
type Stream struct {
	Function *Function
	Client   *dynamodbstreams.Client
	ARN      string
	Batch    int
	Bisect   bool
	Shards   int           // 0: 1
	Retry    time.Duration // after which a batch that failed is handed over again; 0: 100 ms
	// Again, if set, says whether a batch that was done is handed over once
	// more, as may happen on AWS at any time.
	Again func() bool

	tally
	polls int // that found nothing
}

// poll is how often a stream is looked at, which Lambda does four times a second.
const poll = 100 * time.Millisecond

// Run works until ctx ends, or the stream can't be read any more.
func (s *Stream) Run(ctx context.Context) error {
	err := s.run(ctx)
	if ctx.Err() != nil {
		return nil //nolint:nilerr // it was told to end
	}
	return fmt.Errorf("stream to %s: %w", s.Function.Name(), err)
}

func (s *Stream) run(ctx context.Context) error {
	iterator, err := s.begin(ctx)
	if err != nil {
		return err
	}
	var workers sync.WaitGroup
	shards := make([]chan types.Record, max(1, s.Shards))
	for i := range shards {
		shards[i] = make(chan types.Record, 1<<14)
		workers.Go(func() { s.work(ctx, shards[i]) })
	}
	err = s.read(ctx, iterator, shards)
	for _, c := range shards {
		close(c)
	}
	workers.Wait()
	return err
}

// begin returns an iterator at the oldest record of the only shard.
func (s *Stream) begin(ctx context.Context) (*string, error) {
	d, err := s.Client.DescribeStream(ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: &s.ARN})
	if err != nil {
		return nil, err
	}
	if n := len(d.StreamDescription.Shards); n != 1 {
		return nil, fmt.Errorf("%s has %d shards; emulators have one", s.ARN, n)
	}
	i, err := s.Client.GetShardIterator(ctx, &dynamodbstreams.GetShardIteratorInput{
		StreamArn: &s.ARN, ShardId: d.StreamDescription.Shards[0].ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon,
	})
	if err != nil {
		return nil, err
	}
	return i.ShardIterator, nil
}

func (s *Stream) read(ctx context.Context, iterator *string, shards []chan types.Record) error {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		got, err := s.Client.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: iterator, Limit: aws.Int32(1000)})
		if err != nil {
			return err
		}
		iterator = got.NextShardIterator
		s.begun(len(got.Records))
		for _, r := range got.Records {
			shards[shard(r, len(shards))] <- r
		}
		if len(got.Records) > 0 {
			continue
		}
		s.foundNothing()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// shard deals a record by its hash key, which the tables of template.yaml call s
// or p.
func shard(r types.Record, of int) int {
	h := fnv.New32a()
	for _, name := range []string{"s", "p"} {
		switch v := r.Dynamodb.Keys[name].(type) {
		case *types.AttributeValueMemberB:
			_, _ = h.Write(v.Value) // it never fails
		case *types.AttributeValueMemberS:
			_, _ = h.Write([]byte(v.Value)) // it never fails
		}
	}
	return int(h.Sum32() % uint32(of))
}

// work hands over batches of one shard, one after the other.
func (s *Stream) work(ctx context.Context, records <-chan types.Record) {
	for first := range records {
		batch := []types.Record{first}
		for more := true; more && len(batch) < s.Batch; {
			select {
			case r, ok := <-records:
				if more = ok; ok {
					batch = append(batch, r)
				}
			default:
				more = false
			}
		}
		s.process(ctx, batch)
		if s.Again != nil && s.Again() {
			s.process(ctx, batch)
		}
		s.done(len(batch))
	}
}

// process hands records over until all of them are done.
func (s *Stream) process(ctx context.Context, batch []types.Record) {
	for len(batch) > 0 && ctx.Err() == nil {
		failed, err := s.invoke(ctx, batch)
		if err == nil && failed == len(batch) {
			return
		}
		if err != nil && s.Bisect && len(batch) > 1 {
			half := len(batch) / 2
			s.process(ctx, batch[:half])
			batch = batch[half:]
			continue
		}
		batch = batch[failed:]
		pause(ctx, s.Retry)
	}
}

// invoke returns which is the first record that was not done, as many as there
// are if all were.
func (s *Stream) invoke(ctx context.Context, batch []types.Record) (failed int, err error) {
	event := lambdaevents.DynamoDBEvent{Records: make([]lambdaevents.DynamoDBEventRecord, len(batch))}
	for i, r := range batch {
		event.Records[i] = record(r, s.ARN)
	}
	payload, err := json.Marshal(event)
	if err != nil {
		return 0, err
	}
	answer, err := s.Function.Invoke(ctx, payload)
	if err != nil {
		return 0, err
	}
	var a lambdaevents.DynamoDBEventResponse
	if err := json.Unmarshal(answer, &a); err != nil {
		return 0, fmt.Errorf("the answer can't be read: %w", err)
	}
	failed = len(batch)
	for _, f := range a.BatchItemFailures {
		at := slices.IndexFunc(batch, func(r types.Record) bool { return *r.Dynamodb.SequenceNumber == f.ItemIdentifier })
		failed = min(failed, max(at, 0)) // an unknown one means the whole batch
	}
	return failed, nil
}

// foundNothing counts polls that found nothing.
func (s *Stream) foundNothing() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.polls++
}

// Empty waits until the stream was looked at again, and reports whether all that
// was there until then is done.
func (s *Stream) Empty(ctx context.Context) (bool, error) {
	polls := func() int { s.mu.Lock(); defer s.mu.Unlock(); return s.polls }
	const twice = 2 // the first may have begun before
	for from := polls(); polls() < from+twice; {
		if s.busy() {
			return false, nil
		}
		if !pause(ctx, poll) {
			return false, ctx.Err()
		}
	}
	return !s.busy(), nil
}

// record is a record as Lambda hands it over.
func record(r types.Record, arn string) lambdaevents.DynamoDBEventRecord {
	return lambdaevents.DynamoDBEventRecord{
		AWSRegion: aws.ToString(r.AwsRegion), EventID: aws.ToString(r.EventID), EventName: string(r.EventName),
		EventSource: aws.ToString(r.EventSource), EventVersion: aws.ToString(r.EventVersion), EventSourceArn: arn,
		Change: lambdaevents.DynamoDBStreamRecord{
			ApproximateCreationDateTime: lambdaevents.SecondsEpochTime{Time: aws.ToTime(r.Dynamodb.ApproximateCreationDateTime)},
			Keys:                        image(r.Dynamodb.Keys), NewImage: image(r.Dynamodb.NewImage), OldImage: image(r.Dynamodb.OldImage),
			SequenceNumber: aws.ToString(r.Dynamodb.SequenceNumber), SizeBytes: aws.ToInt64(r.Dynamodb.SizeBytes),
			StreamViewType: string(r.Dynamodb.StreamViewType),
		},
	}
}

func image(item map[string]types.AttributeValue) map[string]lambdaevents.DynamoDBAttributeValue {
	if item == nil {
		return nil
	}
	out := make(map[string]lambdaevents.DynamoDBAttributeValue, len(item))
	for name, v := range item {
		out[name] = attribute(v)
	}
	return out
}

func attribute(v types.AttributeValue) lambdaevents.DynamoDBAttributeValue {
	switch v := v.(type) {
	case *types.AttributeValueMemberB:
		return lambdaevents.NewBinaryAttribute(v.Value)
	case *types.AttributeValueMemberN:
		return lambdaevents.NewNumberAttribute(v.Value)
	case *types.AttributeValueMemberS:
		return lambdaevents.NewStringAttribute(v.Value)
	case *types.AttributeValueMemberBOOL:
		return lambdaevents.NewBooleanAttribute(v.Value)
	case *types.AttributeValueMemberM:
		return lambdaevents.NewMapAttribute(image(v.Value))
	case *types.AttributeValueMemberL:
		list := make([]lambdaevents.DynamoDBAttributeValue, len(v.Value))
		for i, e := range v.Value {
			list[i] = attribute(e)
		}
		return lambdaevents.NewListAttribute(list)
	case *types.AttributeValueMemberBS:
		return lambdaevents.NewBinarySetAttribute(v.Value)
	case *types.AttributeValueMemberNS:
		return lambdaevents.NewNumberSetAttribute(v.Value)
	case *types.AttributeValueMemberSS:
		return lambdaevents.NewStringSetAttribute(v.Value)
	}
	return lambdaevents.NewNullAttribute()
}

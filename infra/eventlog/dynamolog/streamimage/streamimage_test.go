package streamimage_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/uuid"

	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/eventlog/dynamolog"
	"handoff/infra/eventlog/dynamolog/streamimage"
	"handoff/tests/eventlogtest"
)

// image returns an item as a function is told of it.
func image(t *testing.T, s dynamolog.Stored) map[string]lambdaevents.DynamoDBAttributeValue {
	t.Helper()
	item, err := dynamolog.NewItem(s)
	if err != nil {
		t.Fatal(err)
	}
	wire := make(map[string]map[string]any)
	for name, a := range item {
		switch a := a.(type) {
		case *types.AttributeValueMemberS:
			wire[name] = map[string]any{"S": a.Value}
		case *types.AttributeValueMemberN:
			wire[name] = map[string]any{"N": a.Value}
		case *types.AttributeValueMemberB:
			wire[name] = map[string]any{"B": a.Value}
		case *types.AttributeValueMemberBOOL:
			wire[name] = map[string]any{"BOOL": a.Value}
		default:
			t.Fatalf("attribute %s is %T", name, a)
		}
	}
	data, err := json.Marshal(map[string]any{"NewImage": wire})
	if err != nil {
		t.Fatal(err)
	}
	var record lambdaevents.DynamoDBStreamRecord
	if err := json.Unmarshal(data, &record); err != nil {
		t.Fatal(err)
	}
	return record.NewImage
}

func TestAnImageIsItsCommit(t *testing.T) {
	t.Parallel()
	a := eventlogtest.Commit(uuid.New(), "a", eventlog.Head{}, eventlogtest.Facts(1, 2)...)
	b := eventlogtest.Commit(a.Stream, "b", a.Head(), events.Record{Clear: []byte("{}")})
	for _, want := range []dynamolog.Stored{{Commit: a}, {Commit: b}, {Commit: b, Imported: true}} {
		if got, err := streamimage.Parse(image(t, want)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("Parse = %+v, %v, want %+v", got, err, want)
		}
	}
}

func TestAnImageThatIsNoCommitIsRefused(t *testing.T) {
	t.Parallel()
	c := eventlogtest.Commit(uuid.New(), "a", eventlog.Head{}, eventlogtest.Fact(1))
	for sentence, change := range map[string]func(map[string]lambdaevents.DynamoDBAttributeValue){
		"it does not have its hash": func(i map[string]lambdaevents.DynamoDBAttributeValue) {
			i["t"] = lambdaevents.NewStringAttribute("other")
		},
		"is no commit": func(i map[string]lambdaevents.DynamoDBAttributeValue) { clear(i) },
		"attribute z": func(i map[string]lambdaevents.DynamoDBAttributeValue) {
			i["z"] = lambdaevents.NewNullAttribute()
		},
	} {
		changed := image(t, dynamolog.Stored{Commit: c})
		change(changed)
		if _, err := streamimage.Parse(changed); err == nil || !strings.Contains(err.Error(), sentence) {
			t.Errorf("Parse = %v, want an error that says %q", err, sentence)
		}
	}
}

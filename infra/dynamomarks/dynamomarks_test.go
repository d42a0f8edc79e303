package dynamomarks_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"handoff/infra/dynamomarks"
	"handoff/tests/awstest"
)

func TestMarks(t *testing.T) {
	t.Parallel()
	awstest.Each(t, func(t *testing.T, e awstest.Engine) {
		db, table := dynamodb.NewFromConfig(e.Config()), e.Table(t, "work")
		want := func(name string, want time.Time) {
			t.Helper()
			if got, err := dynamomarks.New(db, table).Mark(t.Context(), name); err != nil || !got.Equal(want) {
				t.Errorf("mark %s = %v, %v; want %v", name, got, err, want)
			}
		}
		noon := time.Date(2026, 11, 22, 12, 0, 0, 1, time.UTC)
		want("a", time.Time{})
		for _, at := range []time.Time{noon, noon.Add(time.Hour)} {
			if err := dynamomarks.New(db, table).SetMark(t.Context(), "a", at); err != nil {
				t.Fatal(err)
			}
			want("a", at)
		}
		want("b", time.Time{})
		broken := map[string]types.AttributeValue{"p": &types.AttributeValueMemberS{Value: "mark#b"}, "o": &types.AttributeValueMemberS{Value: "!"}}
		if _, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: broken}); err != nil {
			t.Fatal(err)
		}
		if at, err := dynamomarks.New(db, table).Mark(t.Context(), "b"); err == nil {
			t.Errorf("a mark without an instant is %v", at)
		}
		if at, err := dynamomarks.New(db, "there-is-none").Mark(t.Context(), "a"); err == nil {
			t.Errorf("without a table the mark is %v", at)
		}
		if err := dynamomarks.New(db, "there-is-none").SetMark(t.Context(), "a", noon); err == nil {
			t.Error("without a table a mark was set")
		}
	})
}

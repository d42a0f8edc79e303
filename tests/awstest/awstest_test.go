package awstest_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"handoff/tests/awstest"
)

func TestEnginesHaveTables(t *testing.T) {
	t.Parallel()
	awstest.Each(t, func(t *testing.T, e awstest.Engine) {
		for _, name := range []string{e.LogTable(t), e.Table(t, "index"), e.WorkTable(t)} {
			got, err := dynamodb.NewFromConfig(e.Config()).DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &name})
			if err != nil || *got.Table.ItemCount != 0 {
				t.Errorf("table %s = %+v, %v", name, got, err)
			}
		}
		if e.Bucket(t) == "" {
			t.Error("the bucket has no name")
		}
	})
}

package dynamolog_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"handoff/infra/eventlog"
	"handoff/infra/eventlog/dynamolog"
	"handoff/infra/s3blobs"
	"handoff/tests/awstest"
	"handoff/tests/eventlogtest"
)

func open(t *testing.T, e awstest.Engine) *dynamolog.Log {
	t.Helper()
	blobs := s3.NewFromConfig(e.Config(), func(o *s3.Options) { o.UsePathStyle = true })
	return dynamolog.New(dynamodb.NewFromConfig(e.Config()), e.LogTable(t), s3blobs.New(blobs, e.Bucket(t)))
}

func TestTheSuiteHolds(t *testing.T) {
	t.Parallel()
	awstest.Each(t, func(t *testing.T, e awstest.Engine) {
		eventlogtest.Run(t, func(t *testing.T) eventlog.Log { return open(t, e) })
	})
}

// Package awstest gives tests an AWS to talk to: an emulator on loopback,
// reached over the real wire protocol. It starts none; see .ci/engines.
//
// Which ones there are says HANDOFF_TEST_AWS, a list such as
// "ministack=http://127.0.0.1:4566 moto=http://127.0.0.1:5555". Without it the
// tests skip and say so; in CI that is a failure.
package awstest

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Env names the variable that lists the engines.
const Env = "HANDOFF_TEST_AWS"

// The engines that deviations are written down for.
const (
	MiniStack = "ministack"
	Moto      = "moto"
)

// Engine is an emulator of AWS.
type Engine struct {
	Name     string
	Endpoint string
}

// Each runs a test against every engine, or skips it where there is none.
func Each(t *testing.T, run func(t *testing.T, e Engine)) {
	t.Helper()
	for _, e := range engines(t) {
		t.Run(e.Name, func(t *testing.T) {
			t.Parallel()
			run(t, e)
		})
	}
}

// Get returns the named engine, or skips the test.
func Get(tb testing.TB, name string) Engine {
	tb.Helper()
	all := engines(tb)
	i := slices.IndexFunc(all, func(e Engine) bool { return e.Name == name })
	if i < 0 {
		missing(tb, name)
	}
	return all[i]
}

func engines(tb testing.TB) []Engine {
	tb.Helper()
	var all []Engine
	for pair := range strings.FieldsSeq(os.Getenv(Env)) {
		name, endpoint, ok := strings.Cut(pair, "=")
		if !ok || !loopback(endpoint) {
			tb.Fatalf("%s: %q is no engine on loopback; write name=http://127.0.0.1:port", Env, pair)
		}
		all = append(all, Engine{Name: name, Endpoint: endpoint})
	}
	if len(all) == 0 {
		missing(tb, "AWS emulator")
	}
	return all
}

func missing(tb testing.TB, what string) {
	tb.Helper()
	if os.Getenv("CI") != "" {
		tb.Fatalf("no %s to test against, and this is CI: set %s (.ci/engines starts them)", what, Env)
	}
	tb.Skipf("skipped: no %s to test against; .ci/engines starts them and says how to set %s", what, Env)
}

func loopback(endpoint string) bool {
	u, err := url.Parse(endpoint)
	return err == nil && net.ParseIP(u.Hostname()).IsLoopback()
}

// Config is what clients of the engine are made from. Each call has a client
// of its own, so that a test may put something between (aws.Config.HTTPClient).
func (e Engine) Config() aws.Config {
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(e.Endpoint), HTTPClient: awshttp.NewBuildableClient(),
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	}
}

// Name returns a name that no other test has.
func Name(what string) string { return "handoff-" + what + "-" + strings.ToLower(rand.Text()[:12]) }

// LogTable makes an empty table for the event log, as template.yaml does: hash
// key s (bytes), range key v (number), with a stream of new images.
func (e Engine) LogTable(tb testing.TB) string {
	tb.Helper()
	return e.table(tb, &dynamodb.CreateTableInput{
		TableName:            aws.String(Name("log")),
		AttributeDefinitions: attributes("s", types.ScalarAttributeTypeB, "v", types.ScalarAttributeTypeN),
		KeySchema:            keys("s", "v"),
		StreamSpecification:  &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewImage},
	})
}

// Table makes an empty table as the index, the keys and the work have them:
// hash key p and range key o, both text.
func (e Engine) Table(tb testing.TB, what string) string {
	tb.Helper()
	return e.table(tb, &dynamodb.CreateTableInput{
		TableName:            aws.String(Name(what)),
		AttributeDefinitions: attributes("p", types.ScalarAttributeTypeS, "o", types.ScalarAttributeTypeS),
		KeySchema:            keys("p", "o"),
	})
}

// WorkTable makes an empty table for work that waits: as Table, with the sparse
// index "due" over g (text) and d (number).
func (e Engine) WorkTable(tb testing.TB) string {
	tb.Helper()
	defs := append(attributes("p", types.ScalarAttributeTypeS, "o", types.ScalarAttributeTypeS),
		attributes("g", types.ScalarAttributeTypeS, "d", types.ScalarAttributeTypeN)...)
	return e.table(tb, &dynamodb.CreateTableInput{
		TableName: aws.String(Name("work")), AttributeDefinitions: defs, KeySchema: keys("p", "o"),
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName: aws.String("due"), KeySchema: keys("g", "d"), Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
		}},
	})
}

// Bucket makes an empty bucket. Clients of S3 need UsePathStyle.
func (e Engine) Bucket(tb testing.TB) string {
	tb.Helper()
	client := s3.NewFromConfig(e.Config(), func(o *s3.Options) { o.UsePathStyle = true })
	name := Name("blobs")
	if _, err := client.CreateBucket(tb.Context(), &s3.CreateBucketInput{Bucket: aws.String(name)}); err != nil {
		tb.Fatal(err)
	}
	return name
}

func (e Engine) table(tb testing.TB, in *dynamodb.CreateTableInput) string {
	tb.Helper()
	client := dynamodb.NewFromConfig(e.Config())
	in.BillingMode = types.BillingModePayPerRequest
	_, err := client.CreateTable(tb.Context(), in)
	// The name is random, so a table that is there is ours: the SDK asked again
	// because an answer was lost.
	if _, ours := errors.AsType[*types.ResourceInUseException](err); err != nil && !ours {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_, _ = client.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: in.TableName}) // the emulator forgets it anyway
	})
	return *in.TableName
}

func attributes(hash string, h types.ScalarAttributeType, order string, o types.ScalarAttributeType) []types.AttributeDefinition {
	return []types.AttributeDefinition{{AttributeName: &hash, AttributeType: h}, {AttributeName: &order, AttributeType: o}}
}

func keys(hash, order string) []types.KeySchemaElement {
	return []types.KeySchemaElement{{AttributeName: &hash, KeyType: types.KeyTypeHash}, {AttributeName: &order, KeyType: types.KeyTypeRange}}
}

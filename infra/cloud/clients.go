package cloud

import (
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"handoff/infra/keyring"
)

// clients are made at first use. One that no function of a program asks for is
// not linked.
type clients struct {
	db     *dynamodb.Client
	queues *sqs.Client
	bus    *eventbridge.Client
	blobs  *s3.Client
	params *ssm.Client
	keys   *keyring.Keyring
}

// DB returns the client of DynamoDB.
func (c *Cloud) DB() *dynamodb.Client {
	if c.db == nil {
		c.db = dynamodb.NewFromConfig(c.AWS)
	}
	return c.db
}

// SQS returns the client of SQS.
func (c *Cloud) SQS() *sqs.Client {
	if c.queues == nil {
		c.queues = sqs.NewFromConfig(c.AWS)
	}
	return c.queues
}

// EventBridge returns the client of EventBridge.
func (c *Cloud) EventBridge() *eventbridge.Client {
	if c.bus == nil {
		c.bus = eventbridge.NewFromConfig(c.AWS)
	}
	return c.bus
}

// S3 returns the client of S3. Where AWS_ENDPOINT_URL names another server, its
// buckets are parts of the path.
func (c *Cloud) S3() *s3.Client {
	if c.blobs == nil {
		c.blobs = s3.NewFromConfig(c.AWS, func(o *s3.Options) { o.UsePathStyle = c.AWS.BaseEndpoint != nil })
	}
	return c.blobs
}

// SSM returns the client of the Systems Manager, which keeps parameters.
func (c *Cloud) SSM() *ssm.Client {
	if c.params == nil {
		c.params = ssm.NewFromConfig(c.AWS)
	}
	return c.params
}

package lambdarun

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"handoff/tests/awstest"
	"handoff/tests/lambdarun/cfn"
)

// maker makes what a template lists on an engine, each resource when it is first
// asked for. It is used by one goroutine.
type maker struct {
	ctx      context.Context //nolint:containedctx // of Launch, which makes everything
	template *cfn.Template
	change   func(name string, properties map[string]any)
	front    string                       // URL
	made     map[string]map[string]string // attributes by resource; Ref is ""

	db      *dynamodb.Client
	streams *dynamodbstreams.Client
	queues  *sqs.Client
	bus     *eventbridge.Client
	blobs   *s3.Client
}

func newMaker(ctx context.Context, e awstest.Engine, t *cfn.Template) *maker {
	cfg := e.Config()
	return &maker{
		ctx: ctx, template: t, made: map[string]map[string]string{},
		db: dynamodb.NewFromConfig(cfg), streams: dynamodbstreams.NewFromConfig(cfg), queues: sqs.NewFromConfig(cfg),
		bus: eventbridge.NewFromConfig(cfg), blobs: s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }),
	}
}

// properties computes those of a resource, which may make others.
func (m *maker) properties(name string) (map[string]any, error) {
	p, err := m.template.Properties(name, m.lookup)
	if err == nil && m.change != nil {
		m.change(name, p)
	}
	return p, err
}

// lookup is a cfn.Lookup.
func (m *maker) lookup(name, attribute string) (string, error) {
	if m.made[name] == nil {
		a, err := m.make(name)
		if err != nil {
			return "", fmt.Errorf("make %s: %w", name, err)
		}
		m.made[name] = a
	}
	v, ok := m.made[name][attribute]
	if !ok {
		return "", fmt.Errorf("resource %s has no %s here", name, attribute)
	}
	return v, nil
}

func (m *maker) make(name string) (map[string]string, error) {
	typ := m.template.Type(name)
	switch typ {
	case "AWS::DynamoDB::Table":
		return m.table(name)
	case "AWS::SQS::Queue":
		return m.queue(name)
	case "AWS::S3::Bucket":
		bucket := awstest.Name(strings.ToLower(name))
		_, err := m.blobs.CreateBucket(m.ctx, &s3.CreateBucketInput{Bucket: &bucket})
		return map[string]string{"": bucket, "Arn": "arn:aws:s3:::" + bucket}, err
	case "AWS::Events::EventBus":
		bus := awstest.Name(strings.ToLower(name))
		out, err := m.bus.CreateEventBus(m.ctx, &eventbridge.CreateEventBusInput{Name: &bus})
		if err != nil {
			return nil, err
		}
		return map[string]string{"": bus, "Arn": *out.EventBusArn}, nil
	case "AWS::ApiGatewayV2::Api":
		return map[string]string{"": "front", "ApiEndpoint": m.front}, nil
	case "AWS::Serverless::Function":
		return map[string]string{"": name, "Arn": name, "Alias": name}, nil
	case "":
		// SAM writes an alias as !Ref Function.Alias.
		if function, ok := strings.CutSuffix(name, ".Alias"); ok {
			return map[string]string{"": function}, nil
		}
		return nil, errors.New("there is no such resource")
	}
	// Of the others functions are told nothing but names.
	return map[string]string{"": name, "Arn": name}, nil
}

// input lays properties over what a client takes: both have the same names.
func input(properties map[string]any, in any) error {
	b, err := json.Marshal(properties)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, in)
}

func (m *maker) table(name string) (map[string]string, error) {
	p, err := m.properties(name)
	if err != nil {
		return nil, err
	}
	stream := p["StreamSpecification"] != nil
	in := dynamodb.CreateTableInput{TableName: aws.String(awstest.Name(strings.ToLower(name)))}
	for _, other := range []string{"ResourcePolicy", "DeletionProtectionEnabled", "Tags"} {
		delete(p, other)
	}
	if err := input(p, &in); err != nil {
		return nil, err
	}
	if stream {
		in.StreamSpecification.StreamEnabled = aws.Bool(true) // CloudFormation's property implies it
	}
	out, err := m.db.CreateTable(m.ctx, &in)
	if err != nil {
		return nil, err
	}
	return map[string]string{"": *in.TableName, "Arn": *out.TableDescription.TableArn, "StreamArn": aws.ToString(out.TableDescription.LatestStreamArn)}, nil
}

func (m *maker) queue(name string) (map[string]string, error) {
	p, err := m.properties(name)
	if err != nil {
		return nil, err
	}
	in := sqs.CreateQueueInput{QueueName: aws.String(awstest.Name(strings.ToLower(name))), Attributes: map[string]string{}}
	for k, v := range p {
		in.Attributes[k] = fmt.Sprint(v)
		if policy, ok := v.(map[string]any); ok {
			b, err := json.Marshal(policy)
			if err != nil {
				return nil, err
			}
			in.Attributes[k] = string(b)
		}
	}
	if p["FifoQueue"] == true {
		*in.QueueName += ".fifo"
	}
	out, err := m.queues.CreateQueue(m.ctx, &in)
	if err != nil {
		return nil, err
	}
	a, err := m.queues.GetQueueAttributes(m.ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: out.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameQueueArn},
	})
	if err != nil {
		return nil, err
	}
	return map[string]string{"": *out.QueueUrl, "Arn": a.Attributes["QueueArn"], "QueueName": *in.QueueName}, nil
}

// rule makes a rule of the bus.
func (m *maker) rule(name string) error {
	p, err := m.properties(name)
	if err != nil {
		return err
	}
	pattern, err := json.Marshal(p["EventPattern"])
	if err != nil {
		return err
	}
	bus := aws.String(fmt.Sprint(p["EventBusName"]))
	if _, err := m.bus.PutRule(m.ctx, &eventbridge.PutRuleInput{Name: &name, EventBusName: bus, EventPattern: aws.String(string(pattern))}); err != nil {
		return fmt.Errorf("make %s: %w", name, err)
	}
	in := eventbridge.PutTargetsInput{Rule: &name, EventBusName: bus}
	for _, t := range list(p["Targets"]) {
		in.Targets = append(in.Targets, ebtypes.Target{Id: aws.String(fmt.Sprint(dig(t, "Id"))), Arn: aws.String(fmt.Sprint(dig(t, "Arn")))})
	}
	out, err := m.bus.PutTargets(m.ctx, &in)
	if err == nil && out.FailedEntryCount > 0 {
		err = fmt.Errorf("%d targets were refused", out.FailedEntryCount)
	}
	if err != nil {
		return fmt.Errorf("make %s: %w", name, err)
	}
	return nil
}

// remove removes tables, buckets and queues, as far as the engine lets it: what
// is left is the engine's.
func (m *maker) remove() {
	ctx := context.WithoutCancel(m.ctx)
	for name, a := range m.made {
		id := aws.String(a[""])
		switch m.template.Type(name) {
		case "AWS::DynamoDB::Table":
			_, _ = m.db.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: id})
		case "AWS::SQS::Queue":
			_, _ = m.queues.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: id})
		}
	}
}

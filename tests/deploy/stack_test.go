package deploy_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"handoff/tests/harness"
	"handoff/tests/lambdarun"
)

// root is the repository, seen from this package.
var root = filepath.Join("..", "..")

// bucket is where the code of functions is.
const bucket = "code-of-functions"

// stack is template.yaml, deployed.
type stack struct {
	*emulator

	name    string
	outputs map[string]string
	client  *cloudformation.Client
}

// folders returns the functions that have a main for Lambda.
func folders(t *testing.T) (all []string) {
	t.Helper()
	mains, err := filepath.Glob(filepath.Join(root, "functions", "*", "lambda", "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mains {
		all = append(all, filepath.Base(filepath.Dir(filepath.Dir(m))))
	}
	return all
}

// upload builds every function for this machine, as template.yaml has it built
// for arm64, and puts it where the template looks for it.
func (e *emulator) upload(t *testing.T) {
	t.Helper()
	files := s3.NewFromConfig(e.Config(), func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := files.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		t.Fatal(err)
	}
	put := func(name string, content []byte) {
		if _, err := files.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: &name, Body: bytes.NewReader(content)}); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	for _, f := range folders(t) {
		bootstrap, err := lambdarun.Build(t.Context(), dir, "handoff/functions/"+f+"/lambda")
		if err != nil {
			t.Fatal(err)
		}
		put(f+".zip", zipped(t, bootstrap))
		e.bootstraps[f] = bootstrap
	}
}

func zipped(t *testing.T, bootstrap string) []byte {
	t.Helper()
	content, err := os.ReadFile(bootstrap)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	h := &zip.FileHeader{Name: "bootstrap"} // stored: packing takes longer than sending
	h.SetMode(0o755)
	w, err := z.CreateHeader(h)
	if err == nil {
		_, err = w.Write(content)
	}
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// translate returns template.yaml as SAM translates it.
func translate(t *testing.T, tools string, parameters map[string]string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(tools, "python"), "translate.py", filepath.Join(root, "template.yaml"), bucket)
	for k, v := range parameters {
		cmd.Args = append(cmd.Args, k+"="+v)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	template, err := cmd.Output()
	if err != nil {
		t.Fatalf("translate: %v\n%s", err, stderr.String())
	}
	return template
}

// deploy makes a stack from template.yaml.
func (e *emulator) deploy(t *testing.T, tools, name string, parameters map[string]string) *stack {
	t.Helper()
	template := adapt(t, translate(t, tools, parameters))
	key := name + ".json"
	files := s3.NewFromConfig(e.Config(), func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := files.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: &key, Body: bytes.NewReader(template)}); err != nil {
		t.Fatal(err)
	}
	var given []types.Parameter
	for k, v := range parameters {
		given = append(given, types.Parameter{ParameterKey: &k, ParameterValue: &v})
	}
	s := &stack{emulator: e, name: name, outputs: map[string]string{}, client: cloudformation.NewFromConfig(e.Config())}
	_, err := s.client.CreateStack(t.Context(), &cloudformation.CreateStackInput{
		StackName: &s.name, TemplateURL: aws.String(e.Endpoint + "/" + bucket + "/" + key), Parameters: given,
		Capabilities: []types.Capability{types.CapabilityCapabilityIam, types.CapabilityCapabilityAutoExpand},
	})
	if err != nil {
		t.Fatal(err)
	}
	if status := s.settle(t); status != types.StackStatusCreateComplete {
		t.Fatalf("the stack is %s\n%s", status, s.failures(t))
	}
	return s
}

// settle waits until nothing is in progress, and returns how it ended; empty for
// a stack that is gone.
func (s *stack) settle(t *testing.T) (status types.StackStatus) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := harness.Poll(ctx, func() (bool, error) {
		out, err := s.client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &s.name})
		if refused, ok := errors.AsType[smithy.APIError](err); ok && strings.Contains(refused.ErrorMessage(), "does not exist") {
			status = ""
			return true, nil
		}
		if err != nil {
			return false, err
		}
		status = out.Stacks[0].StackStatus
		for _, o := range out.Stacks[0].Outputs {
			s.outputs[*o.OutputKey] = *o.OutputValue
		}
		return !strings.HasSuffix(string(status), "_IN_PROGRESS"), nil
	}); err != nil {
		t.Fatal(err)
	}
	return status
}

func (s *stack) failures(t *testing.T) string {
	t.Helper()
	out, err := s.client.DescribeStackEvents(t.Context(), &cloudformation.DescribeStackEventsInput{StackName: &s.name})
	if err != nil {
		return err.Error()
	}
	var all []string
	for _, e := range out.StackEvents {
		if strings.HasSuffix(string(e.ResourceStatus), "_FAILED") {
			all = append(all, fmt.Sprintf("%s: %s", aws.ToString(e.LogicalResourceId), aws.ToString(e.ResourceStatusReason)))
		}
	}
	return strings.Join(all, "\n")
}

// physical returns the name that a resource of the template got.
func (s *stack) physical(t *testing.T, resource string) string {
	t.Helper()
	out, err := s.client.DescribeStackResource(t.Context(), &cloudformation.DescribeStackResourceInput{StackName: &s.name, LogicalResourceId: &resource})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(out.StackResourceDetail.PhysicalResourceId)
}

// remove deletes the stack.
func (s *stack) remove(t *testing.T) {
	t.Helper()
	if _, err := s.client.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: &s.name}); err != nil {
		t.Fatal(err)
	}
	if status := s.settle(t); status != "" && status != types.StackStatusDeleteComplete {
		t.Fatalf("the stack is %s\n%s", status, s.failures(t))
	}
}

// lists are what a stack's resources are found with.
func lists() map[string]request {
	return map[string]request{
		"tables":        {service: "dynamodb", target: "DynamoDB_20120810.ListTables"},
		"queues":        {service: "sqs", target: "AmazonSQS.ListQueues"},
		"functions":     {service: "lambda", path: "/2015-03-31/functions"},
		"mappings":      {service: "lambda", path: "/2015-03-31/event-source-mappings"},
		"roles":         {service: "iam", action: "ListRoles&Version=2010-05-08"},
		"policies":      {service: "iam", action: "ListPolicies&Scope=Local&Version=2010-05-08"},
		"buses":         {service: "events", target: "AWSEvents.ListEventBuses"},
		"log groups":    {service: "logs", target: "Logs_20140328.DescribeLogGroups"},
		"alarms":        {service: "monitoring", action: "DescribeAlarms&Version=2010-08-01"},
		"dashboards":    {service: "monitoring", action: "ListDashboards&Version=2010-08-01"},
		"topics":        {service: "sns", action: "ListTopics&Version=2010-03-31"},
		"buckets":       {service: "s3", path: "/"},
		"APIs":          {service: "apigateway", path: "/v2/apis"},
		"schedules":     {service: "scheduler", path: "/schedules"},
		"parameters":    {service: "ssm", target: "AmazonSSM.DescribeParameters"},
		"stacks listed": {service: "cloudformation", action: "DescribeStacks&Version=2010-05-15"},
	}
}

// named returns the lists that have something with the stack's name.
func (s *stack) named(t *testing.T) (all []string) {
	t.Helper()
	for what, q := range lists() {
		answer, err := s.ask(t.Context(), q)
		if err != nil {
			t.Errorf("list %s: %v", what, err)
		}
		if strings.Contains(answer, s.name) {
			all = append(all, what)
		}
	}
	return all
}

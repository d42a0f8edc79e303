// Package deploy deploys template.yaml, as SAM translates it, into an emulator
// that runs the compiled functions, and hands a conversation over: from the
// API's address to a signed endpoint and to the queue for consumers. Every call
// of a function is held against its role. Then it deletes the stack and looks
// for what is left.
//
// Nothing of this is AWS: how an emulator deviates, and which part the test
// drives by hand, the test prints.
package deploy_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"handoff/tests/harness"
)

func TestDeployment(t *testing.T) {
	t.Parallel()
	tools := tools(t)
	e := startEmulator(t, tools)
	e.upload(t)
	s := e.deploy(t, tools, "deployed", map[string]string{"Protect": "false", "AllowPrivate": "127.0.0.0/8", "LogLevel": "debug"})
	if found := s.named(t); len(found) != len(lists()) {
		t.Errorf("of the stack there are only %q: what is left of it would not be found", found)
	}
	admin := s.bootstrap(t)
	desk := harness.NewReceiver(t)
	l := &life{stack: s, admin: admin}
	l.handOver(t, desk)
	s.readRouted(t)
	l.fetchTranscript(t)
	l.list(t)
	l.relay(t)
	l.erase(t)
	l.disconnect(t)
	l.verify(t)
	s.tick(t)
	s.nothingFailed(t)
	s.variables(t)
	s.refusesStrangers(t)
	e.besides(t, tools)
	s.remove(t)
	s.nothingLeft(t)
}

// besides makes another stack in the same account, a protected one. Removed, it
// leaves its data, and the first stack alone.
func (e *emulator) besides(t *testing.T, tools string) {
	t.Helper()
	s := e.deploy(t, tools, "another", nil)
	s.remove(t)
	left := s.named(t)
	slices.Sort(left)
	if want := []string{"buckets", "tables"}; !slices.Equal(left, want) {
		t.Errorf("a protected stack leaves %q, want %q", left, want)
	}
	db := dynamodb.NewFromConfig(e.Config())
	all, err := db.ListTables(t.Context(), &dynamodb.ListTablesInput{})
	if err != nil {
		t.Fatal(err)
	}
	kept := 0
	for _, table := range all.TableNames {
		if strings.HasPrefix(table, s.name) {
			kept++
			if _, err := db.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: &table}); err == nil {
				t.Errorf("table %s is protected and was deleted", table)
			}
		}
	}
	if kept != 4 {
		t.Errorf("%d tables are kept, want 4", kept)
	}
}

// TestCanary looks at what the emulator knows nothing of: with Canary=true each
// HTTP function is deployed by CodeDeploy, and its alarm rolls it back.
func TestCanary(t *testing.T) {
	t.Parallel()
	var doc struct {
		Resources map[string]struct {
			Type         string
			UpdatePolicy map[string]any
			Properties   struct {
				DeploymentConfigName any
				AlarmConfiguration   struct {
					Enabled bool
					Alarms  []struct{ Name map[string]string }
				}
				AutoRollbackConfiguration struct{ Events []string }
			}
		}
	}
	if err := json.Unmarshal(translate(t, tools(t), map[string]string{"Canary": "true"}), &doc); err != nil {
		t.Fatal(err)
	}
	for _, function := range []string{"Webhook", "Api", "AuditReplay", "Relay"} {
		g := doc.Resources[function+"DeploymentGroup"]
		alarms := g.Properties.AlarmConfiguration
		if g.Type != "AWS::CodeDeploy::DeploymentGroup" || !alarms.Enabled || len(alarms.Alarms) != 1 || alarms.Alarms[0].Name["Ref"] != function+"Errors" ||
			!slices.Contains(g.Properties.AutoRollbackConfiguration.Events, "DEPLOYMENT_STOP_ON_ALARM") {
			t.Errorf("%s is deployed as %+v", function, g)
		}
		if alias := doc.Resources[function+"Aliaslive"]; alias.UpdatePolicy["CodeDeployLambdaAliasUpdate"] == nil {
			t.Errorf("the alias of %s is moved at once", function)
		}
	}
}

// bootstrap makes the tenant and returns its administrator.
func (s *stack) bootstrap(t *testing.T) harness.Client {
	t.Helper()
	answer := s.invoke(t, "Bootstrap", "{}")
	var made struct {
		APIKey string `json:"api_key"`
	}
	if err := json.Unmarshal(answer, &made); err != nil || !strings.HasPrefix(made.APIKey, "hk_") {
		t.Fatalf("bootstrap answered %s", answer)
	}
	return harness.Client{URL: s.outputs["ApiUrl"], Key: made.APIKey, HTTP: s.emulator.client()}
}

func (s *stack) invoke(t *testing.T, resource, payload string) []byte {
	t.Helper()
	out, err := lambda.NewFromConfig(s.Config()).Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String(s.physical(t, resource)), Payload: []byte(payload)})
	if err != nil {
		t.Fatal(err)
	}
	if out.FunctionError != nil {
		t.Fatalf("%s: %s: %s", resource, *out.FunctionError, out.Payload)
	}
	return out.Payload
}

// patience is how long something may take to come out at the other end.
const patience = time.Minute

// readRouted reads what consumers see.
func (s *stack) readRouted(t *testing.T) {
	t.Helper()
	client, url := sqs.NewFromConfig(s.Config()), s.outputs["RoutedQueue"]
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var body string
	if err := harness.Poll(ctx, func() (bool, error) {
		out, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &url})
		if err == nil && len(out.Messages) > 0 {
			body = aws.ToString(out.Messages[0].Body)
		}
		return body != "", err
	}); err != nil {
		t.Fatalf("nothing came into the queue for consumers: %v", err)
	}
	var event lambdaevents.EventBridgeEvent
	if err := json.Unmarshal([]byte(body), &event); err != nil || event.DetailType != "handoff.escalation.routed.v1" || event.Source != "handoff" {
		t.Errorf("the queue for consumers has %s", body)
	}
}

// tick starts what schedules start, which would take minutes by itself.
func (s *stack) tick(t *testing.T) {
	t.Helper()
	for resource, input := range map[string]string{"Deliver": `{"sweep":true}`, "Deadline": "{}", "Unconfirmed": "{}", "HubWatch": "{}", "PublishCheck": "{}"} {
		s.invoke(t, resource, input)
		t.Logf("driven by hand: one tick of the schedule of %s, so that the test need not wait for it", resource)
	}
}

// refusesStrangers shows that roles are looked at: bootstrap with the role of
// indexer is refused what indexer has no need for.
func (s *stack) refusesStrangers(t *testing.T) {
	t.Helper()
	client := lambda.NewFromConfig(s.Config())
	as, err := client.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: aws.String(s.physical(t, "Bootstrap"))})
	if err != nil {
		t.Fatal(err)
	}
	other, err := client.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: aws.String(s.physical(t, "Indexer"))})
	if err != nil {
		t.Fatal(err)
	}
	name := "stranger"
	_, err = client.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: &name, Role: other.Role, Runtime: as.Runtime, Handler: as.Handler, Timeout: as.Timeout,
		Environment: &types.Environment{Variables: as.Environment.Variables}, Code: &types.FunctionCode{S3Bucket: aws.String(bucket), S3Key: aws.String("bootstrap.zip")},
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &name, Payload: []byte(`{"replace":true}`)})
	if err != nil {
		t.Fatal(err)
	}
	if out.FunctionError == nil || !strings.Contains(string(out.Payload), "AccessDenied") {
		t.Errorf("bootstrap did its work with the rights of indexer: %s", out.Payload)
	}
	if _, err := client.DeleteFunction(t.Context(), &lambda.DeleteFunctionInput{FunctionName: &name}); err != nil {
		t.Fatal(err)
	}
}

// nothingLeft holds the deletion to its promise. What bootstrap made is not of
// the stack, and README says how to remove it.
func (s *stack) nothingLeft(t *testing.T) {
	t.Helper()
	client, path := ssm.NewFromConfig(s.Config()), s.outputs["SecretsPath"]
	out, err := client.GetParametersByPath(t.Context(), &ssm.GetParametersByPathInput{Path: &path, Recursive: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range out.Parameters {
		names = append(names, aws.ToString(p.Name))
	}
	slices.Sort(names)
	if want := []string{path + "/system", path + "/tenants/default"}; !slices.Equal(names, want) {
		t.Errorf("secrets that bootstrap made = %q, want %q", names, want)
	}
	if _, err := client.DeleteParameters(t.Context(), &ssm.DeleteParametersInput{Names: names}); err != nil {
		t.Fatal(err)
	}
	if found := s.named(t); len(found) > 0 {
		t.Errorf("of the stack there are still %q", found)
	}
}

package template_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"handoff/tests/awstest"
)

// shape is what tests and template have to agree on of a table.
type shape struct {
	AttributeDefinitions   []struct{ AttributeName, AttributeType string }
	KeySchema              []struct{ AttributeName, KeyType string }
	GlobalSecondaryIndexes []struct {
		IndexName  string
		KeySchema  []struct{ AttributeName, KeyType string }
		Projection struct{ ProjectionType string }
	}
	StreamSpecification struct{ StreamViewType string }
	BillingMode         string
}

func read(t *testing.T, v any) (s shape) {
	t.Helper()
	text, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asked returns the table that a function of awstest asks its engine for.
func asked(t *testing.T, create func(awstest.Engine) string) (s shape) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".CreateTable") {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			s = read(t, json.RawMessage(body))
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		_, _ = io.WriteString(w, "{}") // a client that went away has its answer
	}))
	t.Cleanup(server.Close)
	create(awstest.Engine{Name: "none", Endpoint: server.URL})
	return s
}

func TestTablesAreThoseOfTheTests(t *testing.T) {
	t.Parallel()
	d := load(t)
	for name, create := range map[string]func(awstest.Engine) string{
		"Log":   func(e awstest.Engine) string { return e.LogTable(t) },
		"Index": func(e awstest.Engine) string { return e.Table(t, "index") },
		"Keys":  func(e awstest.Engine) string { return e.Table(t, "keys") },
		"Work":  func(e awstest.Engine) string { return e.WorkTable(t) },
	} {
		got, _ := json.Marshal(read(t, d.resources[name].Properties)) // was JSON before
		want, _ := json.Marshal(asked(t, create))
		if string(got) != string(want) {
			t.Errorf("%s = %s\nwant %s", name, got, want)
		}
	}
}

func TestTablesAreGuarded(t *testing.T) {
	t.Parallel()
	d := load(t)
	if n := len(d.of("AWS::DynamoDB::Table")); n != 4 {
		t.Fatalf("%d tables, want 4", n)
	}
	for _, table := range d.of("AWS::DynamoDB::Table") {
		recovers := at[bool](table.Properties, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled")
		if recovers != (table.Name == "Log") {
			t.Errorf("%s has point-in-time recovery: %t", table.Name, recovers)
		}
		if got := word(at[[]any](table.Properties, "DeletionProtectionEnabled", "Fn::If")); got != "Protected true false" {
			t.Errorf("%s: deletion protection follows %s", table.Name, got)
		}
		ttl := at[string](table.Properties, "TimeToLiveSpecification", "AttributeName")
		if want := map[string]string{"Index": "ttl", "Work": "ttl"}[table.Name]; ttl != want {
			t.Errorf("%s: time to live = %q, want %q", table.Name, ttl, want)
		}
	}
}

// A stack that is protected leaves its data, one that is not leaves nothing.
func TestDataOutlivesAProtectedStack(t *testing.T) {
	t.Parallel()
	for name, r := range load(t).resources {
		switch r.Type {
		case "AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key":
			got := word(at[[]any](r.Raw, "DeletionPolicy", "Fn::If")) + ", " + word(at[[]any](r.Raw, "UpdateReplacePolicy", "Fn::If"))
			if got != "Protected RetainExceptOnCreate Delete, Protected Retain Delete" {
				t.Errorf("%s: %s", name, got)
			}
		default:
			if policy := r.Raw["DeletionPolicy"]; policy != nil && policy != "Delete" {
				t.Errorf("%s stays behind: %v", name, policy)
			}
		}
	}
}

func TestNobodyChangesTheLog(t *testing.T) {
	t.Parallel()
	d := load(t)
	all := statements(d.resources["Log"].Properties["ResourcePolicy"])
	if len(all) != 1 || all[0].effect != "Deny" {
		t.Fatalf("the log's policy is %+v, want one denial", all)
	}
	equal(t, "denied", all[0].actions, []string{
		"dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem",
		"dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate", "dynamodb:PartiQLDelete",
	})
	each(d.resources["Log"].Properties["ResourcePolicy"], func(o object) {
		if o["Effect"] == "Deny" && (o["Principal"] != "*" || o["Condition"] != nil) {
			t.Errorf("somebody is exempt: %v", o)
		}
	})
}

func TestTheBucketIsClosed(t *testing.T) {
	t.Parallel()
	d := load(t)
	p := d.resources["Blobs"].Properties
	for _, b := range []string{"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"} {
		if !at[bool](p, "PublicAccessBlockConfiguration", b) {
			t.Errorf("%s is off", b)
		}
	}
	encrypted := false
	each(p["BucketEncryption"], func(o object) { encrypted = encrypted || o["SSEAlgorithm"] == "AES256" })
	if !encrypted {
		t.Error("the bucket is not encrypted")
	}
	if !refusesPlainHTTP(d.resources["BlobsPolicy"]) {
		t.Error("the bucket may be read without TLS")
	}
}

func refusesPlainHTTP(policy resource) (refuses bool) {
	each(policy.Properties, func(o object) {
		if secure, ok := at[any](o, "Condition", "Bool", "aws:SecureTransport").(bool); ok && !secure && o["Effect"] == "Deny" && o["Principal"] == "*" {
			refuses = true
		}
	})
	return refuses
}

// A name that is fixed makes a second stack in the account impossible. What has
// to have a name has the stack's.
func TestNothingHasAFixedName(t *testing.T) {
	t.Parallel()
	d := load(t)
	names := []string{"TableName", "BucketName", "QueueName", "FunctionName", "RoleName", "ManagedPolicyName", "LogGroupName", "TopicName", "AlarmName", "DashboardName", "AliasName", "GroupName"}
	for name, r := range d.resources {
		if r.Type == "AWS::Lambda::Permission" {
			continue // FunctionName says whose
		}
		for _, n := range names {
			if v, ok := r.Properties[n]; ok {
				t.Errorf("%s: %s is %v", name, n, v)
			}
		}
		if v, ok := r.Properties["Name"]; ok && !strings.Contains(word(v), "AWS::StackName") && r.Type != "AWS::Route53::RecordSet" {
			t.Errorf("%s: Name is %v, want the stack's", name, v)
		}
	}
}

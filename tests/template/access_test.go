package template_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// statement is one sentence of a policy.
type statement struct {
	effect    string
	actions   []string
	resources []string
}

// statements returns all of them below a value.
func statements(v any) (all []statement) {
	each(v, func(o object) {
		if effect, ok := o["Effect"].(string); ok {
			all = append(all, statement{effect, words(o["Action"]), words(o["Resource"])})
		}
	})
	return all
}

// own returns what a function's role allows beyond what every role does.
func (d document) own(function string) []statement {
	return statements(d.resources[function+"Role"].Properties["Policies"])
}

// reach returns everything that a function's role names.
func (d document) reach(function string) (all []string) {
	for _, s := range d.own(function) {
		all = append(all, s.resources...)
	}
	return all
}

// rights returns what a function may do, each with on what.
func (d document) rights(function string) map[string][]string {
	all := map[string][]string{}
	for _, s := range d.own(function) {
		for _, r := range s.resources {
			for _, a := range s.actions {
				service, action, _ := strings.Cut(a, ":")
				if service == "dynamodb" && !strings.Contains(r, "stream") && !strings.Contains(r, "Stream") {
					table, _, _ := strings.Cut(strings.Trim(r, "${}"), ".")
					all[table] = append(all[table], action)
				}
			}
		}
	}
	return all
}

// Who may do what with which table. Nobody may change or remove what the log
// holds. A key is destroyed by putting a mark in its place, so nobody removes
// any, and functions that open no private part see none.
var tables = map[string]string{
	"Webhook":             "Index: PutItem; Keys: GetItem PutItem; Log: PutItem Query",
	"Api":                 "Index: Query; Keys: BatchGetItem GetItem PutItem Query UpdateItem; Log: PutItem Query; Work: Query",
	"AuditReplay":         "Index: Query; Keys: GetItem; Log: Query Scan",
	"Relay":               "Index: PutItem; Keys: GetItem PutItem; Log: PutItem Query",
	"HubWatch":            "Index: Query; Keys: GetItem PutItem; Log: PutItem Query; Work: GetItem PutItem",
	"PublishCheck":        "Index: Query; Keys: GetItem; Log: PutItem Query; Work: GetItem PutItem",
	"ConnectionRequested": "Keys: GetItem PutItem; Log: PutItem Query",
	"AppRegistered":       "Keys: GetItem; Log: PutItem Query",
	"ChannelEnabled":      "Keys: GetItem; Log: PutItem Query",
	"EscalationRaised":    "Keys: GetItem PutItem; Log: PutItem Query",
	"Disconnected":        "Index: Query; Keys: GetItem PutItem; Log: PutItem Query",
	"TranscriptFetch":     "Keys: GetItem PutItem; Log: PutItem Query",
	"ContextErased":       "Keys: PutItem; Log: PutItem Query",
	"Publisher":           "Log: Query; Work: DeleteItem GetItem PutItem Query",
	"Indexer":             "Index: PutItem Query; Log: Query",
	"Deliver":             "Keys: GetItem; Log: PutItem Query; Work: DeleteItem PutItem Query",
	"Unconfirmed":         "Index: Query; Log: Query; Work: GetItem PutItem Query",
	"Deadline":            "Index: PutItem Query; Log: PutItem Query",
	"Bootstrap":           "Keys: BatchGetItem GetItem PutItem UpdateItem",
}

func TestWhoMayDoWhatWithTables(t *testing.T) {
	t.Parallel()
	d := load(t)
	for function := range d.folders() {
		var got []string
		for _, table := range []string{"Index", "Keys", "Log", "Work"} {
			if actions := d.rights(function)[table]; len(actions) > 0 {
				slices.Sort(actions)
				got = append(got, table+": "+strings.Join(slices.Compact(actions), " "))
			}
		}
		if got := strings.Join(got, "; "); got != tables[function] {
			t.Errorf("%s may %q, want %q", function, got, tables[function])
		}
	}
}

// What may be named by a pattern, by which actions, and why.
var patterns = map[string][]string{
	"${Blobs.Arn}/*":      {"s3:GetObject", "s3:PutObject"},                      // objects of the stack's own bucket
	"${Log.Arn}/stream/*": {"dynamodb:ListStreams"},                              // has no narrower resource
	"*":                   {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}, // X-Ray knows no resources
	"arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/handoff/${AWS::StackName}/tenants/*": {"ssm:GetParameters", "ssm:PutParameter"}, // tenants come later
}

func TestRolesHaveNoWildcards(t *testing.T) {
	t.Parallel()
	d := load(t)
	for _, r := range slices.Concat(d.of("AWS::IAM::Role"), d.of("AWS::IAM::ManagedPolicy")) {
		for _, s := range statements(r.Properties) {
			for _, a := range s.actions {
				if strings.Contains(a, "*") {
					t.Errorf("%s: action %s is a pattern", r.Name, a)
				}
				for _, on := range s.resources {
					if strings.Contains(on, "*") && !slices.Contains(patterns[on], a) {
						t.Errorf("%s: %s on the pattern %s", r.Name, a, on)
					}
				}
			}
		}
	}
}

// Roles take nothing but what stands here: AWS's own policies allow more than
// a function needs, on everything.
func TestRolesAreBoundAndOwn(t *testing.T) {
	t.Parallel()
	d := load(t)
	assumes := map[string]string{"SchedulerRole": "scheduler.amazonaws.com", "CanaryRole": "codedeploy.amazonaws.com"}
	for _, r := range d.of("AWS::IAM::Role") {
		if got := fmt.Sprint(r.Properties["PermissionsBoundary"]); !strings.Contains(got, "HasBoundary") {
			t.Errorf("%s has no permissions boundary: %s", r.Name, got)
		}
		want, theirs := assumes[r.Name]
		if !theirs {
			want = "lambda.amazonaws.com"
			if got := word(r.Properties["ManagedPolicyArns"]); got != "Basics" {
				t.Errorf("%s has the policies %s, want Basics", r.Name, got)
			}
		}
		each(r.Properties["AssumeRolePolicyDocument"], func(o object) {
			if p, ok := o["Principal"]; ok && at[string](p, "Service") != want {
				t.Errorf("%s may be assumed by %v, want %s", r.Name, p, want)
			}
		})
	}
}

// Secrets are decrypted for Parameter Store only.
func TestKeyIsUsedThroughParameterStore(t *testing.T) {
	t.Parallel()
	d := load(t)
	for _, r := range d.of("AWS::IAM::Role") {
		each(r.Properties["Policies"], func(o object) {
			if strings.Contains(word(o["Action"]), "kms:") && word(at[any](o, "Condition", "StringEquals", "kms:ViaService")) != "ssm.${AWS::Region}.amazonaws.com" {
				t.Errorf("%s may use the key directly", r.Name)
			}
		})
	}
}

// Rules fill queues, functions read them, and nobody else does anything.
func TestQueuesOfFunctions(t *testing.T) {
	t.Parallel()
	d := load(t)
	for function := range d.folders() {
		var reads []string
		each(d.resources[function].Properties["Events"], func(o object) {
			if q, ok := o["Queue"]; ok {
				reads = append(reads, word(q))
			}
		})
		var may []string
		for _, s := range d.own(function) {
			if slices.Contains(s.actions, "sqs:ReceiveMessage") {
				may = append(may, s.resources...)
			}
		}
		equal(t, "queues of "+function, may, reads)
	}
}

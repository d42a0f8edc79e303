package lambdarun_test

import (
	"testing"

	"go.yaml.in/yaml/v3"

	"handoff/tests/lambdarun"
)

const policies = `
Policies:
  - PolicyName: own
    PolicyDocument:
      Statement:
        - {Effect: Allow, Action: [dynamodb:GetItem, dynamodb:Query], Resource: "arn:aws:dynamodb:us-east-1:000000000000:table/t"}
        - {Effect: Allow, Action: dynamodb:Query, Resource: "arn:aws:dynamodb:us-east-1:000000000000:table/t/index/due"}
        - {Effect: Allow, Action: "sqs:SendMess*e", Resource: ["arn:aws:sqs:us-east-1:000000000000:q"]}
        - {Effect: Allow, Action: events:PutEvents, Resource: "arn:aws:events:us-east-1:000000000000:event-bus/b"}
        - {Effect: Allow, Action: ssm:GetParameter, Resource: "arn:aws:ssm:us-east-1:000000000000:parameter/h/*"}
        - {Effect: Allow, Action: s3:GetObject, Resource: "arn:aws:s3:::blobs/*"}
        - {Effect: Deny, Action: sqs:SendMessage, Resource: "*"}
`

func TestAPolicyAllowsWhatItNames(t *testing.T) {
	t.Parallel()
	var role map[string]any
	if err := yaml.Unmarshal([]byte(policies), &role); err != nil {
		t.Fatal(err)
	}
	p := lambdarun.ReadPolicy(role)
	for sentence, c := range map[string]struct {
		call    lambdarun.Call
		allowed bool
	}{
		"an item of a table":          {call("dynamodb", "GetItem", `{"TableName":"t"}`), true},
		"an item of another table":    {call("dynamodb", "GetItem", `{"TableName":"u"}`), false},
		"another action":              {call("dynamodb", "PutItem", `{"TableName":"t"}`), false},
		"an index":                    {call("dynamodb", "Query", `{"TableName":"t","IndexName":"due"}`), true},
		"another index":               {call("dynamodb", "Query", `{"TableName":"t","IndexName":"x"}`), false},
		"items of a table and others": {call("dynamodb", "GetItem", `{"RequestItems":{"t":{},"u":{}}}`), false},
		"a queue":                     {call("sqs", "SendMessage", `{"QueueUrl":"http://127.0.0.1/0/q"}`), true},
		"ten messages for a queue":    {call("sqs", "SendMessageBatch", `{"QueueUrl":"http://127.0.0.1/0/q"}`), true},
		"another queue":               {call("sqs", "SendMessage", `{"QueueUrl":"http://127.0.0.1/0/r"}`), false},
		"a bus":                       {call("events", "PutEvents", `{"Entries":[{"EventBusName":"b"}]}`), true},
		"two buses":                   {call("events", "PutEvents", `{"Entries":[{"EventBusName":"b"},{"EventBusName":"c"}]}`), false},
		"a parameter below":           {call("ssm", "GetParameter", `{"Name":"/h/tenants/a"}`), true},
		"a parameter beside":          {call("ssm", "GetParameter", `{"Name":"/g/tenants/a"}`), false},
		"parameters below and beside": {call("ssm", "GetParameter", `{"Names":["/h/a","/g/a"]}`), false},
		"an object":                   {lambdarun.Call{Service: "s3", Action: "GetObject", Path: "/blobs/x"}, true},
		"an object that is written":   {lambdarun.Call{Service: "s3", Action: "PutObject", Path: "/blobs/x"}, false},
		"what is not known":           {call("kms", "Decrypt", `{}`), false},
	} {
		if got := p.Forbids(c.call); (got == "") != c.allowed {
			t.Errorf("%s: %q, want allowed = %v", sentence, got, c.allowed)
		}
	}
	if lambdarun.Policy(nil).Forbids(call("dynamodb", "GetItem", `{"TableName":"t"}`)) == "" {
		t.Error("no policy allows something")
	}
}

func call(service, action, body string) lambdarun.Call {
	return lambdarun.Call{Function: "f", Service: service, Action: action, Body: []byte(body)}
}

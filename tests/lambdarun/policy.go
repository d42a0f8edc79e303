package lambdarun

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Policy is what the policies of a role allow. Conditions are left out: what they
// ask of, such as TLS, does not exist here. The zero value allows nothing.
type Policy []statement

type statement struct {
	actions, resources []string
}

// ReadPolicy reads the inline policies of a role by its properties.
func ReadPolicy(properties map[string]any) (allowed Policy) {
	for _, p := range list(properties["Policies"]) {
		document, _ := dig(p, "PolicyDocument").(map[string]any)
		for _, s := range list(document["Statement"]) {
			if dig(s, "Effect") == "Allow" {
				allowed = append(allowed, statement{texts(dig(s, "Action")), texts(dig(s, "Resource"))})
			}
		}
	}
	return allowed
}

// Forbids says why a call is not allowed, or nothing.
func (p Policy) Forbids(c Call) string {
	action := c.Service + ":" + c.Action
	if c.Service == "sqs" {
		action = strings.TrimSuffix(action, "Batch") // what one message needs, ten do
	}
	for _, resource := range resources(c) {
		if !p.allows(action, resource) {
			return fmt.Sprintf("%s may not %s on %s", c.Function, action, resource)
		}
	}
	return ""
}

func (p Policy) allows(action, resource string) bool {
	return slices.ContainsFunc(p, func(s statement) bool { return matches(s.actions, action) && matches(s.resources, resource) })
}

// Services returns the services that a policy allows something of, but for taking
// messages out of queues, which Lambda does for its functions.
func (p Policy) Services() []string {
	all := map[string]bool{}
	for _, s := range p {
		for _, a := range s.actions {
			if service, action, _ := strings.Cut(a, ":"); service != "sqs" || action == "SendMessage" || action == "ChangeMessageVisibility" {
				all[service] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func matches(patterns []string, s string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		re := strings.ReplaceAll(regexp.QuoteMeta(p), `\*`, ".*")
		ok, err := regexp.MatchString("^"+re+"$", s)
		return ok && err == nil
	})
}

// resources returns the ARNs that a call is about.
func resources(c Call) (arns []string) {
	var body struct { // names are matched without their case
		TableName, IndexName, QueueURL, Name string
		Names                                []string
		RequestItems                         map[string]json.RawMessage
		Entries                              []struct{ EventBusName string }
	}
	_ = json.Unmarshal(c.Body, &body) // where it is none, AWS says so
	const account = "us-east-1:000000000000"
	switch c.Service {
	case "dynamodb":
		table := "arn:aws:dynamodb:" + account + ":table/"
		if body.IndexName != "" {
			return []string{table + body.TableName + "/index/" + body.IndexName}
		}
		for name := range body.RequestItems {
			arns = append(arns, table+name)
		}
		if body.TableName != "" {
			arns = append(arns, table+body.TableName)
		}
	case "sqs":
		arns = []string{"arn:aws:sqs:" + account + ":" + body.QueueURL[strings.LastIndexByte(body.QueueURL, '/')+1:]}
	case "events":
		for _, e := range body.Entries {
			arns = append(arns, "arn:aws:events:"+account+":event-bus/"+e.EventBusName)
		}
	case "ssm":
		for _, name := range append(body.Names, body.Name) {
			if name != "" {
				arns = append(arns, "arn:aws:ssm:"+account+":parameter"+name)
			}
		}
	case "s3":
		arns = []string{"arn:aws:s3:::" + strings.TrimPrefix(c.Path, "/")}
	}
	if len(arns) == 0 {
		arns = []string{"something unknown"}
	}
	return arns
}

// list returns a value as a list: IAM takes one element for a list of one.
func list(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

func texts(v any) (all []string) {
	for _, e := range list(v) {
		all = append(all, fmt.Sprint(e))
	}
	return all
}

// dig follows names into what was read from a template.
func dig(v any, names ...string) any {
	for _, n := range names {
		m, _ := v.(map[string]any)
		v = m[n]
	}
	return v
}

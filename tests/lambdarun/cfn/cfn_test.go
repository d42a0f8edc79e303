package cfn_test

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"handoff/tests/lambdarun/cfn"
)

const small = `
Parameters:
  Name: {Type: String, Default: x}
  Many: {Type: CommaDelimitedList, Default: ""}
Conditions:
  Named: !Not [!Equals [!Ref Name, ""]]
  Both: !And [!Condition Named, !Not [!Equals [!Join ["", !Ref Many], ""]]]
  One: !Or [!Condition Both, !Condition Named]
Globals:
  Function: {Timeout: 30, Environment: {Variables: {A: all, B: all}}}
Resources:
  Table: {Type: T, Properties: {Name: !Ref Name, Size: 4, On: true, Text: "true"}}
  Hidden: {Type: T, Condition: Both}
  Function:
    Type: AWS::Serverless::Function
    Properties:
      Environment: {Variables: {B: !Ref Table, C: !GetAtt Table.Stream.Arn}}
      Layers: !If [Both, [a], !Ref AWS::NoValue]
      Maybe: [!If [One, !Sub "${Name}-${Table}-${Table.Arn}-${AWS::Region}-${aws:Own}", no], !If [Both, a, !Ref AWS::NoValue]]
`

func lookup(resource, attribute string) (string, error) {
	if resource != "Table" {
		return "", errors.New("unknown")
	}
	return resource + "/" + attribute, nil
}

func TestPropertiesAreComputed(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		given    map[string]string
		resource string
		want     map[string]any
	}{
		"a resource": {resource: "Table", want: map[string]any{"Name": "x", "Size": 4, "On": true, "Text": "true"}},
		"a function over the globals": {resource: "Function", want: map[string]any{
			"Timeout": 30, "Environment": map[string]any{"Variables": map[string]any{"A": "all", "B": "Table/", "C": "Table/Stream.Arn"}},
			"Maybe": []any{"x-Table/-Table/Arn-us-east-1-${aws:Own}"},
		}},
		"with what is given": {resource: "Function", given: map[string]string{"Name": "y", "Many": "1,2"}, want: map[string]any{
			"Timeout": 30, "Environment": map[string]any{"Variables": map[string]any{"A": "all", "B": "Table/", "C": "Table/Stream.Arn"}},
			"Maybe":  []any{"y-Table/-Table/Arn-us-east-1-${aws:Own}", "a"},
			"Layers": []any{"a"},
		}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			tmpl, err := cfn.Parse([]byte(small), c.given)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := tmpl.Properties(c.resource, lookup); err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("properties = %v, %v, want %v", got, err, c.want)
			}
		})
	}
}

func TestConditionsHideResources(t *testing.T) {
	t.Parallel()
	for many, want := range map[string][]string{"": {"Table"}, "a": {"Table", "Hidden"}} {
		tmpl, err := cfn.Parse([]byte(small), map[string]string{"Many": many})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tmpl.Of("T"); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("with %q there are %v, %v, want %v", many, got, err, want)
		}
	}
}

func TestATemplateIsRefused(t *testing.T) {
	t.Parallel()
	for sentence, text := range map[string]string{
		"without a value for a parameter": "Parameters: {Name: {Type: String}}",
		"that is no YAML":                 "Resources: [",
		"that is empty":                   "",
	} {
		if _, err := cfn.Parse([]byte(text), nil); err == nil {
			t.Errorf("a template %s is taken", sentence)
		}
	}
	for sentence, value := range map[string]string{
		"an unknown function":  "!Base64 x",
		"an unknown resource":  "!Ref Other",
		"an unknown condition": "!If [No, 1, 2]",
		"half a condition":     "!If [No, 1]",
	} {
		tmpl, err := cfn.Parse([]byte("Resources: {R: {Type: T, Properties: {P: "+value+"}}}"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tmpl.Properties("R", lookup); err == nil || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("%s is %v, %v", sentence, got, err)
		}
	}
}

// TestTheTemplateIsKnown computes everything in template.yaml.
func TestTheTemplateIsKnown(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := cfn.Parse(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, typ := range []string{"AWS::Serverless::Function", "AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::Events::Rule", "AWS::IAM::Role"} {
		names, err := tmpl.Of(typ)
		if err != nil || len(names) == 0 {
			t.Errorf("there are %d of %s, %v", len(names), typ, err)
		}
		for _, name := range names {
			if _, err := tmpl.Properties(name, func(r, a string) (string, error) { return r + a, nil }); err != nil {
				t.Error(err)
			}
		}
	}
}

// Package floor writes the smallest Lambda function that links given clients of
// AWS and answers: what Handoff's functions are measured beside, since none of
// them can start faster or be smaller with the same clients.
package floor

import (
	"bytes"
	"fmt"
	"text/template"
)

// client is what a program does with a client of AWS: the calls of Handoff, so
// that the linker keeps as much of it.
type client struct {
	Package string
	Calls   []string
}

func clients() map[string]client {
	return map[string]client{
		"dynamodb": {"dynamodb", []string{"PutItem", "GetItem", "Query"}},
		"events":   {"eventbridge", []string{"PutEvents"}},
		"s3":       {"s3", []string{"PutObject", "GetObject"}},
		"sqs":      {"sqs", []string{"SendMessage"}},
		"ssm":      {"ssm", []string{"GetParameters"}},
	}
}

// Source returns the program for services as IAM names them: dynamodb, events,
// s3, sqs, ssm.
func Source(services ...string) ([]byte, error) {
	var linked []client
	for _, s := range services {
		c, ok := clients()[s]
		if !ok {
			return nil, fmt.Errorf("floor: there is no client of %s", s)
		}
		linked = append(linked, c)
	}
	var out bytes.Buffer
	err := program().Execute(&out, linked)
	return out.Bytes(), err
}

func program() *template.Template {
	return template.Must(template.New("floor").Parse(`package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
{{range .}}	"github.com/aws/aws-sdk-go-v2/service/{{.Package}}"
{{end}})

func main() {
	ctx := context.Background()
	cfg, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(awshttp.NewBuildableClient()))
	if err != nil {
		panic(err)
	}
{{range .}}	{{.Package}}Client := {{.Package}}.NewFromConfig(cfg)
{{end}}	lambda.Start(func(ctx context.Context, event map[string]any) (any, error) {
		if event["call"] == nil {
			return nil, nil
		}
{{range $c := .}}{{range .Calls}}		if _, err := {{$c.Package}}Client.{{.}}(ctx, &{{$c.Package}}.{{.}}Input{}); err != nil {
			return nil, err
		}
{{end}}{{end}}		return nil, nil
	})
}
`))
}

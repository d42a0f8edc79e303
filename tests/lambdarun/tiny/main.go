// Command tiny is a Lambda function that does what its event asks for, or asks
// its test what to answer, and starts as its environment says: tests of what runs
// functions need no more.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

func main() {
	switch os.Getenv("TINY") {
	case "broken":
		post("/init/error", `{"errorType":"Tiny.Broken","errorMessage":"no"}`)
		os.Exit(3)
	case "hasty":
		hasty(os.Getenv("TINY_DONE"))
	}
	if ask := os.Getenv("TINY_ASK"); ask != "" {
		lambda.Start(func(_ context.Context, event json.RawMessage) (json.RawMessage, error) { return answer(ask, event) })
	}
	lambda.Start(handle)
}

// answer has the test answer an event.
func answer(ask string, event []byte) (json.RawMessage, error) {
	resp, err := http.Post(ask, "application/json", bytes.NewReader(event))
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(string(body))
	}
	return body, err
}

// hasty answers one event, asks for another one, and goes away before there is
// one. It creates a file when it has done so.
func hasty(done string) {
	resp, err := http.Get(runtime("/invocation/next"))
	if err != nil {
		os.Exit(1)
	}
	_ = resp.Body.Close()
	post("/invocation/"+resp.Header.Get("Lambda-Runtime-Aws-Request-Id")+"/response", "{}")
	impatient := http.Client{Timeout: 50 * time.Millisecond, Transport: &http.Transport{}}
	if resp, err := impatient.Get(runtime("/invocation/next")); err == nil {
		_ = resp.Body.Close()
		os.Exit(1)
	}
	_ = os.WriteFile(done, nil, 0o600) // the test misses it
}

func runtime(path string) string {
	return "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime" + path
}

func post(path, body string) {
	resp, err := http.Post(runtime(path), "application/json", strings.NewReader(body))
	if err != nil {
		os.Exit(1)
	}
	_ = resp.Body.Close()
}

func handle(ctx context.Context, event struct{ Do, With string }) (map[string]string, error) {
	switch event.Do {
	case "fail":
		return nil, errors.New(event.With)
	case "exit":
		os.Exit(1)
	case "wait":
		if err := os.WriteFile(event.With, nil, 0o600); err != nil {
			return nil, err
		}
		<-make(chan struct{})
	case "much":
		return map[string]string{"much": strings.Repeat("x", 7<<20)}, nil
	}
	c, _ := lambdacontext.FromContext(ctx)
	return map[string]string{
		"said": event.With, "arn": c.InvokedFunctionArn, "id": c.AwsRequestID,
		"key": os.Getenv("AWS_ACCESS_KEY_ID"), "home": os.Getenv("HOME"), "tiny": os.Getenv("TINY"),
	}, nil
}

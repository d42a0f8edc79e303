package deploy_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"handoff/tests/awstest"
	"handoff/tests/harness"
)

// toolsEnv names the folder of programs that .ci/engines installed.
const toolsEnv = "HANDOFF_TEST_TOOLS"

// tools returns that folder, or skips the test.
func tools(t *testing.T) string {
	t.Helper()
	dir := os.Getenv(toolsEnv)
	switch {
	case dir != "":
	case os.Getenv("CI") != "":
		t.Fatalf("no tools to deploy with, and this is CI: set %s (.ci/engines installs them)", toolsEnv)
	default:
		t.Skipf("skipped: no tools to deploy with; .ci/engines installs them and says how to set %s", toolsEnv)
	}
	return dir
}

// emulator is a MiniStack of the test's own. It runs functions as processes and
// asks IAM for every call, the functions' included.
type emulator struct {
	awstest.Engine

	address    string
	log        *output
	bootstraps map[string]string // by folder
}

func startEmulator(t *testing.T, tools string) *emulator {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close() // only to know a free port
	_, port, _ := net.SplitHostPort(address)
	e := &emulator{Engine: awstest.Engine{Name: awstest.MiniStack, Endpoint: "http://" + address}, address: address, log: new(output), bootstraps: map[string]string{}}
	cmd := exec.Command(filepath.Join(tools, "ministack"))
	cmd.Env = append(os.Environ(), "BIND_HOST=127.0.0.1", "MINISTACK_HOST=127.0.0.1", "GATEWAY_PORT="+port, "AWS_ENDPOINT_URL="+e.Endpoint,
		"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "IOT_MTLS_ENABLED=0", "LAMBDA_EXECUTOR=local", "AUTH=true", "TMPDIR="+t.TempDir())
	cmd.Stdout, cmd.Stderr = e.log, e.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // it ends by itself, and its functions with it
		ended := make(chan struct{})
		go func() { _ = cmd.Wait(); close(ended) }()
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
		if t.Failed() {
			t.Logf("the emulator said:\n%s", tail(e.log.String(), 200))
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := harness.Poll(ctx, func() (bool, error) {
		_, err := e.ask(ctx, request{service: "sqs", target: "AmazonSQS.ListQueues"})
		return err == nil, nil
	}); err != nil {
		t.Fatalf("the emulator does not answer: %v", err)
	}
	return e
}

// output is what a process says. It may be read while the process runs.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func tail(text string, lines int) string {
	all := strings.Split(text, "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// client calls addresses of the emulator's APIs, such as
// http://id.execute-api.127.0.0.1:4566, for which there is no DNS.
func (e *emulator) client() *http.Client {
	dialer := &net.Dialer{}
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, e.address)
		},
	}}
}

// request is one to a service of which Handoff has no client.
type request struct {
	service string
	path    string // of a GET
	target  string // of a POST of JSON
	action  string // of a POST of a form
}

// ask sends a signed request and returns the answer.
func (e *emulator) ask(ctx context.Context, q request) (string, error) {
	method, body := http.MethodPost, "{}"
	switch {
	case q.path != "":
		method, body = http.MethodGet, ""
	case q.action != "":
		body = "Action=" + q.action
	}
	r, err := http.NewRequestWithContext(ctx, method, e.Endpoint+q.path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	switch {
	case q.target != "":
		r.Header.Set("X-Amz-Target", q.target)
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	case q.action != "":
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	cfg := e.Config()
	credentials, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(body))
	r.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
	if err := v4.NewSigner().SignHTTP(ctx, credentials, r, hex.EncodeToString(sum[:]), q.service, cfg.Region, time.Now()); err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }() // it was read
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answered %d: %s", q.service, answer.StatusCode, text)
	}
	return string(text), err
}

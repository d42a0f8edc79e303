package cloud

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"handoff/domain/fault"
	"handoff/infra/telemetry"
)

// Handler answers the event of one invocation with JSON. It is safe for
// concurrent use.
type Handler func(ctx context.Context, payload []byte) ([]byte, error)

// Invoke implements lambda.Handler.
func (h Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) { return h(ctx, payload) }

// Build binds a function's handler to its adapters.
type Build func(ctx context.Context, c *Cloud) (Handler, error)

// Start binds a function and answers invocations until the process is ended. It
// returns only if the function can't start; Lambda was told why by then.
func Start(getenv func(string) string, now func() time.Time, build Build) {
	ctx := context.Background()
	h, err := Bind(ctx, getenv, now, build)
	if err != nil {
		name, _ := program()
		telemetry.NewLogger(os.Stdout, slog.LevelInfo, name).ErrorContext(ctx, "function can't start", "error", err)
		tellInitError(ctx, getenv("AWS_LAMBDA_RUNTIME_API"), err)
		return
	}
	lambda.StartWithOptions(h)
}

// Bind is Start up to the first invocation.
func Bind(ctx context.Context, getenv func(string) string, now func() time.Time, build Build) (Handler, error) {
	c, err := open(ctx, getenv, now)
	if err != nil {
		return nil, err
	}
	h, err := build(ctx, c)
	if missing := c.unset(); missing != nil {
		return nil, missing // it is the reason of whatever else failed
	}
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Function, err)
	}
	return c.around(h), nil
}

// margin is what is kept of an invocation's time for its answer, so that a
// handler that was too slow still tells what it did.
const margin = time.Second

// around runs every invocation.
func (c *Cloud) around(h Handler) Handler {
	o := &observer{c.Function, c.Meter, c.tracer}
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		ctx = context.WithValue(ctx, observerKey{}, o)
		defer c.flush(context.WithoutCancel(ctx))
		if end, ok := ctx.Deadline(); ok {
			early, cancel := context.WithDeadline(ctx, end.Add(-margin))
			defer cancel()
			ctx = early
		}
		out, err := h(ctx, payload)
		if err != nil {
			failed(ctx, "invocation", err)
			return nil, public(err)
		}
		if out == nil {
			out = []byte("null")
		}
		return out, nil
	}
}

// flush sends and writes what the invocation told, before Lambda stops the
// process.
func (c *Cloud) flush(ctx context.Context) {
	if n := c.tracer.Flush(ctx); n > 0 {
		c.Meter.Add(ctx, telemetry.MetricSpansDropped, float64(n))
	}
	c.Meter.Flush()
}

// public is an error without its causes, which are in the log: Lambda hands it
// to whoever invoked the function, and prints it a second time.
func public(err error) error {
	f := fault.Of(err)
	if f == nil || f.Kind == fault.Internal {
		return fault.New(fault.Internal, "internal", "See the log of the function.")
	}
	return f.Because(nil)
}

// tellInitError tells Lambda why the function can't start (Lambda runtime API
// 2018-06-01, "Initialization error"). It was never tried on AWS.
func tellInitError(ctx context.Context, api string, cause error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	body, err := json.Marshal(map[string]any{"errorType": "Handoff.StartFailed", "errorMessage": cause.Error(), "stackTrace": []string{}})
	if err != nil {
		return // strings always encode
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+api+"/2018-06-01/runtime/init/error", bytes.NewReader(body))
	if err != nil {
		return // there is no runtime to tell; it is in the log
	}
	req.Header.Set("Lambda-Runtime-Function-Error-Type", "Handoff.StartFailed")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err == nil {
		_ = resp.Body.Close()
	}
}

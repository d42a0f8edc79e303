// Package telemetry is what a Lambda function tells of itself: its log, its
// metrics and its spans. Nothing private may be handed to it.
//
// All three leave without a library of their own. The log is JSON on the
// standard output; metrics are lines of that log which CloudWatch turns into
// metrics (embedded metric format); spans go to an OpenTelemetry collector
// where there is one. None of them ever fails an invocation.
package telemetry

import (
	"context"
	"io"
	"log/slog"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// NewLogger returns a logger that writes lines of JSON, each with the
// function's name and, where the context tells, the id of the invocation and
// of its trace.
func NewLogger(w io.Writer, level slog.Leveler, function string) *slog.Logger {
	h := slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})
	return slog.New(handler{h}).With("function", function)
}

// handler adds what the context knows.
type handler struct{ slog.Handler }

// Handle implements slog.Handler.
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		r.AddAttrs(slog.String("invocation_id", lc.AwsRequestID))
	}
	if s := spanOf(ctx); s != nil {
		r.AddAttrs(slog.String("trace_id", s.at.trace))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h handler) WithGroup(name string) slog.Handler { return handler{h.Handler.WithGroup(name)} }

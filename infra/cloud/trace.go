package cloud

import (
	"context"
	"log/slog"
	"net/http"

	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/telemetry"
)

// cloudKey is the key of the Cloud in the context of an invocation.
type cloudKey struct{}

// of returns the Cloud of an invocation, an empty one outside of any.
func of(ctx context.Context) *Cloud {
	if c, ok := ctx.Value(cloudKey{}).(*Cloud); ok {
		return c
	}
	return new(Cloud)
}

// span begins the span of something that the function does.
func span(ctx context.Context, kind telemetry.Kind, parent string, attrs ...telemetry.Attr) (context.Context, *telemetry.Span) {
	c := of(ctx)
	return c.tracer.Start(ctx, kind, c.Function, parent, attrs...)
}

// spanOf begins the span of answering a fact. What the function appends because
// of the fact belongs below it.
func spanOf(ctx context.Context, n events.Notification) (context.Context, events.Notification, *telemetry.Span) {
	ctx, s := span(ctx, telemetry.Consumer, n.Trace, telemetry.Attr{Key: "handoff.fact.id", Value: n.ID}, telemetry.Attr{Key: "handoff.fact.type", Value: n.Type})
	n.Trace = s.TraceParent(n.Trace)
	return ctx, n, s
}

// spanOver begins the span of a batch of changes, with links to the traces of
// what is in it (OpenTelemetry semantic conventions for messaging, "Batches").
func spanOver(ctx context.Context, changes []eventlog.Change) (context.Context, *telemetry.Span) {
	ctx, s := span(ctx, telemetry.Consumer, "")
	for i := range changes {
		if facts := changes[i].Facts; len(facts) > 0 {
			s.Link(facts[0].Trace)
		}
	}
	return ctx, s
}

// Traced has every request that h answers be a span below the caller's, and the
// facts that it leads to below that.
func Traced(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, s := span(r.Context(), telemetry.Server, r.Header.Get("Traceparent"), telemetry.Attr{Key: "http.request.method", Value: r.Method})
		defer func() { s.End(nil) }()
		if s != nil {
			r = r.Clone(ctx)
			r.Header.Set("Traceparent", s.TraceParent(""))
		}
		h.ServeHTTP(w, r)
	})
}

// failed logs and counts an error of an invocation.
func failed(ctx context.Context, what string, err error) {
	slog.ErrorContext(ctx, "invocation failed", "at", what, "error", err)
	of(ctx).Meter.Add(ctx, telemetry.MetricInvocationsFailed, 1)
}

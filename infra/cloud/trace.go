package cloud

import (
	"context"
	"log/slog"
	"net/http"

	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/telemetry"
)

// observer is what an invocation tells of itself with. It is apart from the
// Cloud because a context holds it as an interface: where anything looks methods
// up by name, as the rule engine's libraries do, the linker keeps all methods of
// whatever is reached from an interface, and the Cloud reaches AWS's clients.
type observer struct {
	function string
	meter    *telemetry.Meter
	tracer   *telemetry.Tracer
}

// observerKey is its key in the context.
type observerKey struct{}

// of returns the observer of an invocation, an empty one outside of any.
func of(ctx context.Context) *observer {
	if o, ok := ctx.Value(observerKey{}).(*observer); ok {
		return o
	}
	return new(observer)
}

// span begins the span of something that the function does.
func span(ctx context.Context, kind telemetry.Kind, parent string, attrs ...telemetry.Attr) (context.Context, *telemetry.Span) {
	o := of(ctx)
	return o.tracer.Start(ctx, kind, o.function, parent, attrs...)
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
	of(ctx).meter.Add(ctx, telemetry.MetricInvocationsFailed, 1)
}

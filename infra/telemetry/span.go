package telemetry

import (
	"context"
	"errors"
	"sync"
	"time"

	"handoff/domain/fault"
)

// Span is one piece of work in a trace. A span that is nil does nothing. It is
// not safe for concurrent use.
type Span struct {
	tracer *Tracer
	name   string
	kind   Kind
	at     position
	parent string // id of the span above, empty for the first of a trace
	links  []position
	start  time.Time
	end    time.Time
	attrs  []Attr
	code   string // of the fault with which it ended, empty for none
}

// Kind is what a span answers, as OpenTelemetry numbers it
// (opentelemetry/proto/trace/v1/trace.proto, SpanKind).
type Kind int

// The kinds of spans that functions have.
const (
	Internal Kind = 1 // a schedule, or somebody who invokes the function
	Server   Kind = 2 // a request that waits for its answer
	Consumer Kind = 5 // a message or a change
)

// Attr says something about a span. Nothing private may be said.
type Attr struct{ Key, Value string }

// Tracer makes spans and sends them to a collector. One that is nil makes none,
// and lets the traces of facts pass as they are. It is safe for concurrent use.
type Tracer struct {
	exporter *exporter
	now      func() time.Time

	mu    sync.Mutex
	done  []*Span
	quiet time.Time // until when nothing is sent, because the collector was away
}

// pauseAway is how long nothing is sent after a collector was away: waiting for
// it in every invocation would cost time and money.
const pauseAway = 30 * time.Second

type spanKey struct{}

func spanOf(ctx context.Context) *Span {
	s, _ := ctx.Value(spanKey{}).(*Span)
	return s
}

// Start begins a span below the one in ctx; where there is none, below parent,
// a traceparent; and where that is none either, a trace of its own. A parent
// that is not sampled makes no span. Whoever starts a span ends it.
func (t *Tracer) Start(ctx context.Context, kind Kind, name, parent string, attrs ...Attr) (context.Context, *Span) {
	if t == nil {
		return ctx, nil
	}
	s := &Span{tracer: t, kind: kind, name: name, start: t.now(), attrs: attrs}
	above, ok := parsePosition(parent)
	if outer := spanOf(ctx); outer != nil && !ok {
		above, ok = outer.at, true
	}
	switch {
	case ok && !above.sampled:
		return ctx, nil
	case ok:
		s.at, s.parent = position{above.trace, newID(spanDigits), true}, above.span
	default:
		s.at = position{newID(traceDigits), newID(spanDigits), true}
	}
	return context.WithValue(ctx, spanKey{}, s), s
}

// Link ties the span to other traces, as that of a batch is to those of what is
// in it. What is no traceparent is passed over.
func (s *Span) Link(traceparents ...string) {
	if s == nil {
		return
	}
	for _, t := range traceparents {
		if p, ok := parsePosition(t); ok && len(s.links) < maxLinks {
			s.links = append(s.links, p)
		}
	}
}

// maxLinks is OpenTelemetry's default limit.
const maxLinks = 128

// TraceParent returns the span as a traceparent, or without a span what is given.
func (s *Span) TraceParent(without string) string {
	if s == nil {
		return without
	}
	return s.at.String()
}

// End ends the span with how it went. Of an error only its code is told.
func (s *Span) End(err error) {
	if s == nil {
		return
	}
	s.end = s.tracer.now()
	if err != nil {
		s.code = fault.CodeOf(err)
	}
	s.tracer.mu.Lock()
	defer s.tracer.mu.Unlock()
	s.tracer.done = append(s.tracer.done, s)
}

// Flush sends the spans that ended and returns how many of them no collector
// took. It waits half a second at most, and not at all where the collector was
// away a short while ago.
func (t *Tracer) Flush(ctx context.Context) (dropped int) {
	if t == nil {
		return 0
	}
	spans, away := t.take()
	switch {
	case len(spans) == 0:
		return 0
	case away:
		return len(spans)
	case t.exporter.send(ctx, spans) == nil:
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.quiet = t.now().Add(pauseAway)
	return len(spans)
}

// take returns the spans that ended, and whether the collector is taken for away.
func (t *Tracer) take() (spans []*Span, away bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	spans, t.done = t.done, nil
	return spans, t.now().Before(t.quiet)
}

var errRefused = errors.New("telemetry: the collector refuses spans")

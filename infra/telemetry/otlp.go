package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Exporting is a matter of one POST, and OpenTelemetry's own exporter doubles
// the zip of a function, so this is written out: OTLP/HTTP in JSON
// (OpenTelemetry protocol 1.x, "OTLP/HTTP", "JSON Protobuf Encoding":
// ids in hexadecimal, 64-bit numbers as text, names in lowerCamelCase).

// flushTimeout bounds what an invocation may lose to a collector that is away.
const flushTimeout = 500 * time.Millisecond

// exporter sends spans.
type exporter struct {
	client   *http.Client
	url      string
	resource []keyValue
}

// NewTracer returns a tracer for the collector at an endpoint, the base URL of
// OTEL_EXPORTER_OTLP_ENDPOINT, or nil where that is empty.
func NewTracer(client *http.Client, endpoint, function, version, stack string, now func() time.Time) *Tracer {
	if endpoint == "" {
		return nil
	}
	return &Tracer{now: now, exporter: &exporter{
		client: client, url: strings.TrimRight(endpoint, "/") + "/v1/traces",
		resource: keyValues([]Attr{
			{"service.namespace", "handoff"},
			{"service.name", "handoff-" + function},
			{"service.version", version},
			{"deployment.environment.name", stack},
			{"faas.name", function},
			{"cloud.provider", "aws"},
		}),
	}}
}

func (e *exporter) send(ctx context.Context, spans []*Span) error {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	body, err := json.Marshal(e.request(spans))
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := e.client.Do(req)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection is used again
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: %s", errRefused, resp.Status)
	}
	return nil
}

// object is a JSON object whose names are not ours.
type object = map[string]any

type keyValue = object

func keyValues(attrs []Attr) []keyValue {
	all := make([]keyValue, len(attrs))
	for i, a := range attrs {
		all[i] = keyValue{"key": a.Key, "value": object{"stringValue": a.Value}}
	}
	return all
}

func (e *exporter) request(spans []*Span) object {
	all := make([]object, len(spans))
	for i, s := range spans {
		all[i] = s.object()
	}
	return object{"resourceSpans": []object{{
		"resource":   object{"attributes": e.resource},
		"scopeSpans": []object{{"scope": object{"name": "handoff"}, "spans": all}},
	}}}
}

// Numbers of the protocol (opentelemetry/proto/trace/v1/trace.proto).
const (
	statusError = 2
	flagSampled = 1
)

func (s *Span) object() object {
	o := object{
		"traceId": s.at.trace, "spanId": s.at.span, "flags": flagSampled, "name": s.name, "kind": s.kind,
		"startTimeUnixNano": nanos(s.start), "endTimeUnixNano": nanos(s.end), "attributes": keyValues(s.attrs),
	}
	if s.parent != "" {
		o["parentSpanId"] = s.parent
	}
	if len(s.links) > 0 {
		links := make([]object, len(s.links))
		for i, l := range s.links {
			links[i] = object{"traceId": l.trace, "spanId": l.span}
		}
		o["links"] = links
	}
	if s.code != "" {
		o["status"] = object{"code": statusError, "message": s.code}
	}
	return o
}

func nanos(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }

package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"handoff/domain/fault"
	"handoff/infra/telemetry"
)

const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// collector answers with a status, or not at all, and keeps what it was sent.
type collector struct {
	status int
	err    error
	bodies []string
	paths  []string
}

func (c *collector) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.status == 0 && c.err == nil { // it hangs
		<-r.Context().Done()
		c.paths = append(c.paths, r.URL.String())
		return nil, r.Context().Err()
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	c.bodies, c.paths = append(c.bodies, string(body)), append(c.paths, r.URL.String())
	if c.err != nil {
		return nil, c.err
	}
	return &http.Response{StatusCode: c.status, Body: http.NoBody, Header: http.Header{}}, nil
}

func tracer(c *collector) *telemetry.Tracer {
	return telemetry.NewTracer(&http.Client{Transport: c}, "http://collector.example:4318/", "publisher", "v1", "prod", time.Now)
}

func TestLogLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := telemetry.NewLogger(&out, slog.LevelInfo, "publisher")
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "request-1"})
	ctx, _ = tracer(new(collector)).Start(ctx, telemetry.Consumer, "publisher", parent)
	log.With("a", 1).WithGroup("g").DebugContext(ctx, "left out")
	log.With("a", 1).InfoContext(ctx, "told")
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%s: %v", &out, err)
	}
	delete(line, "time")
	want := map[string]any{"level": "INFO", "msg": "told", "function": "publisher", "a": 1.0, "invocation_id": "request-1", "trace_id": parent[3:35]}
	if fmt.Sprint(line) != fmt.Sprint(want) {
		t.Errorf("line = %v, want %v", line, want)
	}
}

func TestMetricsAreOneLine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	m := telemetry.NewMeter(&out, "prod", "publisher", func() time.Time { return at })
	m.Flush()
	m.Add(t.Context(), "Published", 2)
	m.Add(t.Context(), "Published", 3)
	m.Add(t.Context(), "PublishLagMillis", 40)
	m.Add(t.Context(), "PublishLagMillis", 50)
	m.Add(t.Context(), "NobodyKnowsIt", 1)
	m.Flush()
	m.Flush()
	want := `{"Function":"publisher","PublishLagMillis":[40,50],"Published":[5],"Stack":"prod","_aws":{"CloudWatchMetrics":[{"Dimensions":[["Stack","Function"]],` +
		`"Metrics":[{"Name":"Published","Unit":"Count"},{"Name":"PublishLagMillis","Unit":"Milliseconds"}],"Namespace":"Handoff"}],"Timestamp":1795341600000}}` + "\n"
	if out.String() != want {
		t.Errorf("lines = %s\nwant %s", &out, want)
	}
}

func TestALineHasALimit(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	m := telemetry.NewMeter(&out, "prod", "publisher", time.Now)
	for range 300 {
		m.Add(t.Context(), "PublishLagMillis", 1)
	}
	m.Flush()
	if n := strings.Count(out.String(), "1,1"); n > 100 {
		t.Errorf("a metric has more than the 100 values that CloudWatch takes: %s", &out)
	}
}

func TestTheTableOfMetrics(t *testing.T) {
	t.Parallel()
	var names []string
	for _, m := range telemetry.Metrics() {
		if !regexp.MustCompile(`^[A-Z][A-Za-z]+$`).MatchString(m.Name) || m.Unit == "" || !strings.HasSuffix(m.Doc, ".") || slices.Contains(names, m.Name) {
			t.Errorf("row %+v is there twice, or lacks something", m)
		}
		names = append(names, m.Name)
	}
}

func TestNobodyMeasuresWithoutAMeter(t *testing.T) {
	t.Parallel()
	var m *telemetry.Meter
	m.Add(t.Context(), "Published", 1)
	m.Flush()
}

func TestSpansAsTheCollectorTakesThem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := collector{status: http.StatusOK}
		tr := tracer(&c)
		ctx, outer := tr.Start(t.Context(), telemetry.Consumer, "publisher", parent, telemetry.Attr{Key: "handoff.fact.id", Value: "x@1"})
		outer.Link(parent, "nonsense")
		_, inner := tr.Start(ctx, telemetry.Internal, "inside", "")
		time.Sleep(3 * time.Millisecond)
		inner.End(fault.New(fault.Unavailable, "hub-away", "It is away."))
		outer.End(nil)
		if n := tr.Flush(t.Context()); n != 0 || len(c.bodies) != 1 || c.paths[0] != "http://collector.example:4318/v1/traces" {
			t.Fatalf("%d spans dropped, sent %q to %v", n, c.bodies, c.paths)
		}
		var got struct {
			ResourceSpans []struct {
				Resource   struct{ Attributes []map[string]any }
				ScopeSpans []struct{ Spans []map[string]any }
			}
		}
		if err := json.Unmarshal([]byte(c.bodies[0]), &got); err != nil {
			t.Fatal(err)
		}
		spans := got.ResourceSpans[0].ScopeSpans[0].Spans
		if spans[0]["parentSpanId"] != spans[1]["spanId"] || spans[1]["parentSpanId"] != parent[36:52] || spans[0]["traceId"] != parent[3:35] {
			t.Errorf("spans = %v, want one in the other below %s", spans, parent)
		}
		if s := fmt.Sprint(spans[0]["status"]); s != "map[code:2 message:hub-away]" || spans[1]["status"] != nil {
			t.Errorf("status = %s and %v, want the code of the fault and none", s, spans[1]["status"])
		}
		start := fmt.Sprint(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()) // that of the bubble
		end := fmt.Sprint(time.Date(2000, 1, 1, 0, 0, 0, 3_000_000, time.UTC).UnixNano())
		want := fmt.Sprintf("map[attributes:[map[key:handoff.fact.id value:map[stringValue:x@1]]] endTimeUnixNano:%s flags:1 kind:5 links:[map[spanId:%s traceId:%s]] name:publisher parentSpanId:%s spanId:%s startTimeUnixNano:%s traceId:%s]",
			end, parent[36:52], parent[3:35], parent[36:52], spans[1]["spanId"], start, parent[3:35])
		if fmt.Sprint(spans[1]) != want {
			t.Errorf("span = %v\nwant %s", spans[1], want)
		}
		if r := fmt.Sprint(got.ResourceSpans[0].Resource.Attributes); !strings.Contains(r, "handoff-publisher") || !strings.Contains(r, "prod") {
			t.Errorf("resource = %s, want the function and the stack", r)
		}
	})
}

func TestWhereASpanBegins(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		parent string
		none   bool
		trace  string // the same as in parent, unless empty
	}{
		"below its parent":                       {parent, false, parent[3:35]},
		"nowhere below one that is not sampled":  {strings.TrimSuffix(parent, "01") + "00", true, ""},
		"in a trace of its own without a parent": {"", false, ""},
		"in a trace of its own below nonsense":   {"00-xyz-1-01", false, ""},
		"in one of its own below a zero parent":  {"00-00000000000000000000000000000000-00f067aa0ba902b7-01", false, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			_, s := tracer(new(collector)).Start(t.Context(), telemetry.Consumer, "f", c.parent)
			got := s.TraceParent("none")
			if (got == "none") != c.none {
				t.Fatalf("span = %s", got)
			}
			if !c.none && (!regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-01$`).MatchString(got) || c.trace != "" && got[3:35] != c.trace) {
				t.Errorf("span = %s, want one in trace %s", got, c.trace)
			}
		})
	}
}

func TestWithoutACollectorTracesPass(t *testing.T) {
	t.Parallel()
	tr := telemetry.NewTracer(nil, "", "publisher", "v1", "prod", time.Now)
	ctx, s := tr.Start(t.Context(), telemetry.Consumer, "publisher", parent)
	s.Link(parent)
	s.End(nil)
	if got := s.TraceParent(parent); got != parent || ctx != t.Context() || tr.Flush(ctx) != 0 {
		t.Errorf("trace = %s, want %s as it came", got, parent)
	}
}

func TestACollectorThatIsAwayHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		collector collector
		waits     time.Duration
	}{
		"it hangs":        {collector{}, 500 * time.Millisecond},
		"it refuses":      {collector{status: http.StatusServiceUnavailable}, 0},
		"nobody is there": {collector{err: io.ErrUnexpectedEOF}, 0},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tr, start := tracer(&c.collector), time.Now()
				flush := func() int {
					_, s := tr.Start(context.Background(), telemetry.Consumer, "publisher", "")
					s.End(nil)
					return tr.Flush(t.Context())
				}
				if n := flush(); n != 1 || time.Since(start) != c.waits {
					t.Errorf("%d spans dropped after %s, want one after %s", n, time.Since(start), c.waits)
				}
				if n := flush(); n != 1 || len(c.collector.paths) != 1 || time.Since(start) != c.waits {
					t.Errorf("%d spans dropped after %s and %d calls, want one at once", n, time.Since(start), len(c.collector.paths))
				}
				time.Sleep(time.Minute)
				c.collector.status, c.collector.err = http.StatusOK, nil
				if n := flush(); n != 0 {
					t.Errorf("%d spans dropped by a collector that is back, want none", n)
				}
			})
		})
	}
}

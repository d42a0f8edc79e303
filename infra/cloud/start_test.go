package cloud_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/cloud"
	"handoff/infra/eventlog"
)

// environment looks variables up in pairs of name and value. What the AWS SDK
// asks it finds in the process's own.
func environment(pairs ...string) func(string) string {
	return func(name string) string {
		if i := slices.Index(pairs, name); i >= 0 && i%2 == 0 {
			return pairs[i+1]
		}
		return ""
	}
}

func bind(t *testing.T, getenv func(string) string, build cloud.Build) (cloud.Handler, error) {
	t.Helper()
	return cloud.Bind(t.Context(), getenv, time.Now, build)
}

func nothing(context.Context, []byte) ([]byte, error) { return nil, nil }

func TestWhatIsNotSetIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := bind(t, environment(cloud.LogTable, "log"), func(ctx context.Context, c *cloud.Cloud) (cloud.Handler, error) {
		c.Bus()
		_, _, err := c.Ledger(ctx, c.EventLog())
		return nothing, err
	})
	f := fault.Of(err)
	if f == nil || f.Code != "settings-invalid" || len(f.Problems) != 4 {
		t.Fatalf("error = %v, want one about four variables", err)
	}
	for _, name := range []string{cloud.Bus, cloud.BlobsBucket, cloud.KeysTable, cloud.SecretsPath} {
		if !strings.Contains(f.Detail, name+" is not set: ") {
			t.Errorf("detail = %s, want %s in it", f.Detail, name)
		}
	}
}

func TestNothingIsDemandedThatNobodyUses(t *testing.T) {
	t.Parallel()
	h, err := bind(t, environment(), func(_ context.Context, c *cloud.Cloud) (cloud.Handler, error) {
		if c.Settings.Drain != time.Hour || c.Need(cloud.Stack) != "handoff" || c.Function == "" || c.Version == "" {
			t.Errorf("settings = %+v of %s %s", c.Settings, c.Function, c.Version)
		}
		return nothing, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := h(t.Context(), nil); err != nil || string(out) != "null" {
		t.Errorf("answer = %s, %v, want null", out, err)
	}
}

func TestASettingThatIsWrongIsNamed(t *testing.T) {
	t.Parallel()
	_, err := bind(t, environment("HANDOFF_DRAIN", "soon"), func(context.Context, *cloud.Cloud) (cloud.Handler, error) {
		t.Error("it was bound")
		return nothing, nil
	})
	if f := fault.Of(err); f == nil || !strings.HasPrefix(f.Detail, "HANDOFF_DRAIN: ") {
		t.Errorf("error = %v, want one about HANDOFF_DRAIN", err)
	}
}

func TestTheTableOfVariables(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, s := range cloud.Table() {
		if seen[s.Name] || !strings.HasPrefix(s.Name, "HANDOFF_") || s.Flag != "" || s.Default == "" || !strings.HasSuffix(s.Doc, ".") {
			t.Errorf("row %+v is there twice, or lacks something", s)
		}
		seen[s.Name] = true
	}
	if !seen[cloud.LogTable] || !seen["HANDOFF_TENANT"] || seen["HANDOFF_DATA_DIR"] {
		t.Errorf("the table has %v", seen)
	}
}

func TestLambdaIsToldWhyAFunctionDoesNotStart(t *testing.T) {
	t.Parallel()
	told := make(chan string, 1)
	api := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body struct{ ErrorType, ErrorMessage string }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		told <- r.Method + " " + r.URL.Path + " " + r.Header.Get("Lambda-Runtime-Function-Error-Type") + ": " + body.ErrorMessage
	}))
	t.Cleanup(api.Close)
	cloud.Start(environment("AWS_LAMBDA_RUNTIME_API", strings.TrimPrefix(api.URL, "http://")), time.Now,
		func(_ context.Context, c *cloud.Cloud) (cloud.Handler, error) {
			c.EventLog()
			return nothing, nil
		})
	got, want := <-told, "POST /2018-06-01/runtime/init/error Handoff.StartFailed: settings-invalid: HANDOFF_LOG_TABLE is not set: "
	if !strings.HasPrefix(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

func TestErrorsLeaveWithoutTheirCauses(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		err  error
		want string
	}{
		"one of ours":        {fault.New(fault.NotFound, "no-such-stream", "There is none.").Because(errors.New("table arn:aws:x")), "no-such-stream: There is none."},
		"one of nobody knew": {errors.New("password is x"), "internal: See the log of the function."},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			h, err := bind(t, environment(), func(context.Context, *cloud.Cloud) (cloud.Handler, error) {
				return cloud.OnSchedule(func(context.Context) error { return c.err }), nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := h(t.Context(), nil); err == nil || err.Error() != c.want {
				t.Errorf("error = %v, want %s", err, c.want)
			}
		})
	}
}

func TestAHandlerHasTimeLeftToAnswer(t *testing.T) {
	t.Parallel()
	h, err := bind(t, environment(), func(context.Context, *cloud.Cloud) (cloud.Handler, error) {
		return func(ctx context.Context, _ []byte) ([]byte, error) {
			end, _ := ctx.Deadline()
			return json.Marshal(end)
		}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	end := time.Date(2100, 1, 1, 0, 0, 10, 0, time.UTC)
	ctx, cancel := context.WithDeadline(t.Context(), end)
	defer cancel()
	if out, err := h(ctx, nil); err != nil || string(out) != `"2100-01-01T00:00:09Z"` {
		t.Errorf("deadline = %s, %v, want a second before %s", out, err, end)
	}
}

// collected is what a collector is sent of a span.
type collected struct {
	TraceID, SpanID, ParentSpanID string
	Kind                          int
	Links                         []struct{ TraceID string }
	Status                        struct{ Message string }
}

// collector takes spans, and returns those of one request at a time.
func collector(t *testing.T) (url string, spans func() []collected) {
	t.Helper()
	bodies := make(chan []collected, 10)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var in struct {
			ResourceSpans []struct{ ScopeSpans []struct{ Spans []collected } }
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL.Path, err)
			return
		}
		bodies <- in.ResourceSpans[0].ScopeSpans[0].Spans
	}))
	t.Cleanup(s.Close)
	return s.URL, func() []collected { return <-bodies }
}

func TestATraceGoesOnThroughAFunction(t *testing.T) {
	t.Parallel()
	url, spans := collector(t)
	var trace string
	h, err := bind(t, environment("OTEL_EXPORTER_OTLP_ENDPOINT", url), func(context.Context, *cloud.Cloud) (cloud.Handler, error) {
		return cloud.OnFact(func(_ context.Context, n events.Notification) error {
			trace = n.Trace
			return fault.New(fault.Unavailable, "hub-away", "ada@example.com can't be served.")
		}), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h(t.Context(), encode(t, raised())); err == nil {
		t.Error("the error is lost")
	}
	got := spans()
	if len(got) != 1 || got[0].TraceID != traceparent[3:35] || got[0].ParentSpanID != traceparent[36:52] || got[0].Status.Message != "hub-away" {
		t.Fatalf("spans = %+v, want one below the fact's", got)
	}
	if want := "00-" + got[0].TraceID + "-" + got[0].SpanID + "-01"; trace != want {
		t.Errorf("what the function appends belongs to %s, want %s", trace, want)
	}
}

func TestABatchIsTiedToTheTracesInIt(t *testing.T) {
	t.Parallel()
	url, spans := collector(t)
	h, err := bind(t, environment("OTEL_EXPORTER_OTLP_ENDPOINT", url), func(context.Context, *cloud.Cloud) (cloud.Handler, error) {
		return cloud.OnStream(func(context.Context, []eventlog.Change) (string, error) { return "", nil }), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h(t.Context(), encode(t, map[string]any{"Records": []any{record(t, "INSERT", stored(1))}})); err != nil {
		t.Fatal(err)
	}
	got := spans()
	if len(got) != 1 || got[0].ParentSpanID != "" || len(got[0].Links) != 1 || got[0].Links[0].TraceID != traceparent[3:35] {
		t.Errorf("spans = %+v, want one of its own with a link", got)
	}
}

func TestARequestIsPartOfItsCallersTrace(t *testing.T) {
	t.Parallel()
	url, spans := collector(t)
	var header string
	h, err := bind(t, environment("OTEL_EXPORTER_OTLP_ENDPOINT", url), func(context.Context, *cloud.Cloud) (cloud.Handler, error) {
		return cloud.OnHTTP(cloud.Traced(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			header = r.Header.Get("Traceparent")
		}))), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	event := `{"version":"2.0","rawPath":"/","headers":{"traceparent":"` + traceparent + `"},"requestContext":{"http":{"method":"GET","path":"/"}}}`
	if _, err := h(t.Context(), []byte(event)); err != nil {
		t.Fatal(err)
	}
	got := spans()
	if len(got) != 1 || got[0].ParentSpanID != traceparent[36:52] || got[0].Kind != 2 || header != "00-"+got[0].TraceID+"-"+got[0].SpanID+"-01" {
		t.Errorf("spans = %+v, header = %s, want one below the caller's", got, header)
	}
}

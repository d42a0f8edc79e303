package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/events"
	"handoff/infra/httpapi"
)

// facts reads a stream of facts.
func facts(t *testing.T, body []byte) []httpapi.StoredFact {
	t.Helper()
	var all []httpapi.StoredFact
	for line := range bytes.Lines(body) {
		var f httpapi.StoredFact
		if err := json.Unmarshal(line, &f); err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	return all
}

func TestFactsAreStreamedAsStored(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/v1/facts?after=1&sealed=true", "/v1/connections/store-bot/history?after=1&sealed=true"} {
		w := call(t, serve(nil), "auditor", "GET", target, "")
		if got := w.Header().Get("Content-Type"); got != httpapi.MediaFacts {
			t.Errorf("Content-Type = %q, want %q", got, httpapi.MediaFacts)
		}
		got := facts(t, w.Body.Bytes())
		if len(got) != 2 {
			t.Fatalf("got %d facts, want 2", len(got))
		}
		for i, f := range got {
			r, err := f.Record()
			if err != nil {
				t.Fatal(err)
			}
			if want := record(int64(i) + 2); !reflect.DeepEqual(r, want) {
				t.Errorf("fact = %+v, want %+v", r, want)
			}
			if h := events.Chain(events.Hash{}, &r); h != r.Hash {
				t.Errorf("the chain over what was sent is %s, want %s", h, r.Hash)
			}
		}
	}
}

func TestSealedBytesAreSentIfAskedFor(t *testing.T) {
	t.Parallel()
	for _, query := range []string{"", "?sealed=false"} {
		w := call(t, serve(nil), "auditor", "GET", "/v1/facts"+query, "")
		if f := facts(t, w.Body.Bytes())[0]; !f.HasSealed || f.Sealed != nil || f.SealedSum != record(1).SealedSum.String() {
			t.Errorf("fact = %+v, want its sum only", f)
		}
	}
}

func TestAStreamThatBreaks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		last   int64
		err    error
		status int
		code   string
	}{
		"before the first fact": {0, fault.New(fault.NotFound, "connection-not-found", "There is none."), 404, "connection-not-found"},
		"midway":                {2, errors.New("a page of the file is gone"), 200, "internal"},
		"after a flush":         {100, fault.New(fault.Unavailable, "log-closed", "The log is closed."), 200, "log-closed"},
		"not at all, and empty": {0, nil, 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := serve(func(a *httpapi.API, _ *httpapi.Config) {
				a.History = func(context.Context, identity.Principal, string, int64) iter.Seq2[events.Record, error] {
					return history(0, c.last, c.err)
				}
			})
			w := call(t, h, "auditor", "GET", "/v1/connections/store-bot/history", "")
			if c.status != http.StatusOK {
				expect(t, w, c.status, c.code)
				return
			}
			lines := strings.Split(strings.TrimSuffix(w.Body.String(), "\n"), "\n")
			if c.code == "" {
				expect(t, w, http.StatusOK, "")
				return
			}
			var end httpapi.StreamEnd
			if err := json.Unmarshal([]byte(lines[len(lines)-1]), &end); err != nil || end.Error == nil {
				t.Fatalf("last line = %s (%v), want an error", lines[len(lines)-1], err)
			}
			if len(lines) != int(c.last)+1 || end.Error.Code != c.code || end.Error.Trace != w.Header().Get(httpapi.HeaderRequestID) || strings.Contains(end.Error.Detail, "page") {
				t.Errorf("got %d lines and %+v", len(lines), end.Error)
			}
		})
	}
}

func TestAStreamFlushesAndStopsWithItsReader(t *testing.T) {
	t.Parallel()
	stopped := make(chan struct{})
	goOn := make(chan struct{})
	h := serve(func(a *httpapi.API, c *httpapi.Config) {
		c.Now = time.Now // it sets real deadlines
		a.Facts = func(context.Context, identity.Principal, int64) iter.Seq2[events.Record, error] {
			return func(yield func(events.Record, error) bool) {
				defer close(stopped)
				for p := int64(1); yield(record(p), nil); p++ {
					if p == 64 {
						<-goOn // all 64 have arrived by then
					}
				}
			}
		}
	})
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+"/v1/facts", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer admin")
	answer, err := srv.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	in := bufio.NewScanner(answer.Body)
	for range 64 {
		if !in.Scan() {
			t.Fatal(in.Err())
		}
	}
	close(goOn)
	cancel()
	<-stopped
}

func TestAPanicMidwayBreaksTheStreamOff(t *testing.T) {
	t.Parallel()
	h := serve(func(a *httpapi.API, c *httpapi.Config) {
		c.Now = time.Now
		a.Facts = func(context.Context, identity.Principal, int64) iter.Seq2[events.Record, error] {
			return func(yield func(events.Record, error) bool) {
				for p := int64(1); p <= 64; p++ {
					yield(record(p), nil)
				}
				panic("lost my head")
			}
		}
	})
	answer, body := dial(t, h, "GET /v1/facts HTTP/1.1\nHost: x\nAuthorization: Bearer admin\n\n")
	if answer.StatusCode != http.StatusOK || strings.Contains(body, `"error"`) || !strings.HasPrefix(body, `{"id"`) {
		t.Errorf("answer = %d with %d bytes", answer.StatusCode, len(body))
	}
}

func TestStateAtAnInstant(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]time.Time{
		"/v1/connections/store-bot/state":                                  now(),
		"/v1/connections/store-bot/state?at=2026-11-22T09:00:00.5%2B01:00": time.Date(2026, 11, 22, 8, 0, 0, 5e8, time.UTC),
	} {
		w := call(t, serve(nil), "auditor", "GET", target, "")
		expect(t, w, http.StatusOK, "")
		var past httpapi.Past
		if err := json.Unmarshal(w.Body.Bytes(), &past); err != nil || !past.At.Equal(want) {
			t.Errorf("at = %v (%v), want %v", past.At, err, want)
		}
	}
}

func TestFactsComeInPagesWhereNothingCanBeStreamed(t *testing.T) {
	t.Parallel()
	size := len(call(t, serve(nil), "auditor", "GET", "/v1/facts?after=2&sealed=true", "").Body.String()) // of one fact
	for name, c := range map[string]struct {
		bytes int
		time  time.Duration
		marks bool // between facts it is said how far was read
		want  []int
		last  int64 // position
	}{
		"two facts fit":              {bytes: 2 * size, want: []int{2, 1}, last: 3},
		"none fits, and one is sent": {bytes: 1, want: []int{1, 1, 1}, last: 3},
		"all fit":                    {bytes: 4 * size, want: []int{3}, last: 3},
		"the time is short":          {bytes: 4 * size, time: time.Nanosecond, want: []int{1, 1, 1, 0}, last: 3},
		"it takes time to find one":  {bytes: 4 * size, time: time.Nanosecond, marks: true, want: []int{0, 1, 0, 1, 0, 1, 0}, last: 6},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := serve(func(a *httpapi.API, conf *httpapi.Config) {
				conf.FactsBytes, conf.FactsTime = c.bytes, c.time
				var calls time.Duration
				conf.Now = func() time.Time { calls++; return now().Add(calls) }
				a.Facts = func(_ context.Context, _ identity.Principal, after int64) iter.Seq2[events.Record, error] {
					return marked(after, c.marks)
				}
			})
			var got []int
			var positions []int64
			for at := "/v1/facts?sealed=true"; at != ""; {
				w := call(t, h, "auditor", "GET", at, "")
				expect(t, w, http.StatusOK, "")
				page := facts(t, w.Body.Bytes())
				for _, f := range page {
					positions = append(positions, f.Position)
				}
				got, at = append(got, len(page)), nextLink(w)
			}
			if !slices.Equal(got, c.want) || len(positions) != 3 || positions[2] != c.last {
				t.Errorf("pages of %v facts with positions %v, want %v up to %d", got, positions, c.want, c.last)
			}
		})
	}
}

// marked yields three facts after a position, or every second one with marks
// at the others.
func marked(after int64, marks bool) iter.Seq2[events.Record, error] {
	return func(yield func(events.Record, error) bool) {
		for r := range history(after, 6, nil) {
			if marks && r.Position%2 == 1 {
				r = events.Record{Position: r.Position}
			}
			if !marks && r.Position > 3 || !yield(r, nil) {
				return
			}
		}
	}
}

// nextLink returns what Link says of the next page, below the server's address.
func nextLink(w *httptest.ResponseRecorder) string {
	target, _, _ := strings.Cut(strings.TrimPrefix(w.Header().Get("Link"), "<"), ">")
	return strings.TrimPrefix(target, publicURL)
}

func TestAPageOfFactsThatBreaksIsAProblem(t *testing.T) {
	t.Parallel()
	h := serve(func(a *httpapi.API, c *httpapi.Config) {
		c.FactsBytes = 1 << 20
		a.Facts = func(context.Context, identity.Principal, int64) iter.Seq2[events.Record, error] {
			return history(0, 2, fault.New(fault.Unavailable, "aws-unavailable", "Try again."))
		}
	})
	w := call(t, h, "auditor", "GET", "/v1/facts", "")
	expect(t, w, http.StatusServiceUnavailable, "aws-unavailable")
}

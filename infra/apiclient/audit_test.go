package apiclient_test

import (
	"context"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/events"
	"handoff/infra/apiclient"
	"handoff/infra/httpapi"
)

func TestAudit(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 9, 10, 12, 7, time.UTC)
	c := connect(t, httpapi.API{
		StateAt: func(_ context.Context, _ identity.Principal, _ string, instant time.Time) (httpapi.Past, error) {
			return httpapi.Past{At: instant}, nil
		},
		Verify: func(_ context.Context, _ identity.Principal, against string) (httpapi.Verified, error) {
			return httpapi.Verified{OK: true, Head: against}, nil
		},
	})
	past, err := c.StateAt(t.Context(), "store-bot", at)
	same(t, "at", past.At, at, err)
	if past, err = c.StateAt(t.Context(), "store-bot", time.Time{}); err != nil || past.At.Before(at) {
		t.Errorf("now = %v (%v)", past.At, err)
	}
	v, err := c.Verify(t.Context(), "head-1")
	same(t, "verified", v, httpapi.Verified{OK: true, Head: "head-1"}, err)
}

func record(position int64) events.Record {
	r := events.Record{Header: events.Header{Stream: uuid.UUID{15: 1}, Version: int(position), Type: "X", Time: position}, Clear: []byte(`{"a":"<b>"}`), Position: position}
	if position%2 == 0 {
		r.Clear = []byte(`{"a":"` + strings.Repeat("x", 100_000) + `"}`) // longer than any buffer
		r.Sealed = []byte{1, 2, 3}
		r.SealedSum = events.SumSealed(r.Sealed)
	}
	r.Clear = []byte(strings.NewReplacer("<", `\u003c`, ">", `\u003e`).Replace(string(r.Clear))) // as facts are written
	r.Hash = events.Chain(events.Hash{}, &r)
	return r
}

func stream(last int64, err error) func(after int64) iter.Seq2[events.Record, error] {
	return func(after int64) iter.Seq2[events.Record, error] {
		return func(yield func(events.Record, error) bool) {
			for p := after + 1; p <= last; p++ {
				if !yield(record(p), nil) {
					return
				}
			}
			if err != nil {
				yield(events.Record{}, err)
			}
		}
	}
}

func TestFactsAreReadAsTheyAreStored(t *testing.T) {
	t.Parallel()
	facts := stream(6, nil)
	c := connect(t, httpapi.API{
		Facts: func(_ context.Context, _ identity.Principal, after int64) iter.Seq2[events.Record, error] {
			return facts(after)
		},
		History: func(_ context.Context, _ identity.Principal, _ string, after int64) iter.Seq2[events.Record, error] {
			return facts(after)
		},
	})
	for name, got := range map[string]iter.Seq2[events.Record, error]{
		"facts":   c.Facts(t.Context(), apiclient.Reading{After: 2, Sealed: true}),
		"history": c.History(t.Context(), "store-bot", apiclient.Reading{After: 2, Sealed: true}),
	} {
		next := int64(3)
		for r, err := range got {
			same(t, name, r, record(next), err)
			next++
		}
		if next != 7 {
			t.Errorf("%s ended before %d, want 7", name, next)
		}
	}
	for r, err := range c.Facts(t.Context(), apiclient.Reading{}) {
		if err != nil || r.Sealed != nil {
			t.Errorf("fact = %+v (%v)", r.Header, err)
		}
		break // and the rest is left
	}
}

func TestPagesOfFactsAreReadToTheEnd(t *testing.T) {
	t.Parallel()
	facts := stream(7, nil)
	api := httpapi.API{Facts: func(_ context.Context, _ identity.Principal, after int64) iter.Seq2[events.Record, error] {
		return facts(after)
	}}
	for _, size := range []int{1, 150_000, 1 << 20} {
		requests := 0
		conf := httpapi.Config{Now: time.Now, FactsBytes: size, Authenticate: func(context.Context, string) (identity.Principal, error) {
			requests++
			return identity.Principal{ID: "k", Tenant: "default", Role: identity.Auditor}, nil
		}}
		next := int64(3)
		for r, err := range open(t, httpapi.New(api, conf)).Facts(t.Context(), apiclient.Reading{After: 2, Sealed: true}) {
			same(t, "fact", r, record(next), err)
			next++
		}
		if next != 8 || (requests > 1) != (size < 1<<20) {
			t.Errorf("%d bytes a page: read up to %d with %d requests, want 7", size, next-1, requests)
		}
	}
}

func TestPagesThatGoInCirclesEnd(t *testing.T) {
	t.Parallel()
	page := whole(t, 2)
	c := open(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", `<https://elsewhere.example/v1/facts?after=2>; rel="next"`) // and no key goes there
		_, _ = w.Write(page)
	}))
	n := 0
	var last error
	for _, err := range c.Facts(t.Context(), apiclient.Reading{}) {
		if last = err; err == nil {
			n++
		}
	}
	if n != 4 || last == nil {
		t.Errorf("read %d facts and then %v, want two pages of two and an error", n, last)
	}
}

func TestStreamsThatBreak(t *testing.T) {
	t.Parallel()
	whole := whole(t, 2)
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		facts   int
		code    string
	}{
		"the server says why":   {serve(t, stream(3, fault.New(fault.Unavailable, "log-closed", "The log is closed."))), 3, "log-closed"},
		"before the first fact": {serve(t, stream(0, fault.New(fault.NotFound, "connection-not-found", "There is none."))), 0, "connection-not-found"},
		"within a line":         {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(whole[:len(whole)-1]) }, 1, "answer-broken-off"},
		"the server is lost": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(whole)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, 2, "answer-broken-off"},
		"not a fact": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>\n")) }, 0, "internal"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, code := 0, ""
			for _, err := range open(t, c.handler).History(t.Context(), "store-bot", apiclient.Reading{}) {
				if err != nil {
					code = fault.CodeOf(err)
					continue
				}
				n++
			}
			if n != c.facts || code != c.code {
				t.Errorf("got %d facts and %q, want %d and %q", n, code, c.facts, c.code)
			}
		})
	}
}

// serve returns a server of one history.
func serve(t *testing.T, facts func(after int64) iter.Seq2[events.Record, error]) http.HandlerFunc {
	t.Helper()
	h := httpapi.New(httpapi.API{History: func(_ context.Context, _ identity.Principal, _ string, after int64) iter.Seq2[events.Record, error] {
		return facts(after)
	}}, httpapi.Config{Now: time.Now, Authenticate: func(context.Context, string) (identity.Principal, error) {
		return identity.Principal{ID: "k", Tenant: "default", Role: identity.Auditor}, nil
	}})
	return h.ServeHTTP
}

// whole returns the stream of n facts.
func whole(t *testing.T, n int64) []byte {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/connections/store-bot/history", nil)
	r.Header.Set("Authorization", "Bearer "+key)
	w := httptest.NewRecorder()
	serve(t, stream(n, nil))(w, r)
	return w.Body.Bytes()
}

package transcripthttp_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/infra/transcripthttp"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body string
		want []string // texts
		code string
	}{
		"our own form":                  {body: `{"messages":[{"from":"customer","text":"hi"},{"from":"bot","text":"hello"}],"complete":true}`, want: []string{"hi", "hello"}},
		"an object with activities":     {body: `{"activities":[{"type":"message","from":{"role":"user"},"text":"hi"},{"type":"trace"}]}`, want: []string{"hi"}},
		"a list of activities":          {body: `[{"type":"message","from":{"role":1},"text":"hi"}]`, want: []string{"hi"}},
		"an unknown form is refused":    {body: `{"chat":[]}`, code: "transcript-unreadable"},
		"what is no JSON is refused":    {body: `<html>`, code: "transcript-unreadable"},
		"what is over limits, too":      {body: `{"messages":[` + strings.Repeat(`{"from":"bot","text":"x"},`, 2000) + `{"from":"bot","text":"x"}]}`, code: "transcript-unreadable"},
		"a byte order mark is no fault": {body: "\xef\xbb\xbf" + `{"activities":[]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := transcripthttp.Parse([]byte(c.body))
			if code := fault.CodeOf(err); err != nil && code != c.code {
				t.Fatalf("code = %q (%v), want %q", code, err, c.code)
			}
			if err != nil {
				return
			}
			if c.code != "" || len(got.Messages) != len(c.want) {
				t.Fatalf("messages = %d, want %d, code %q", len(got.Messages), len(c.want), c.code)
			}
			for i, m := range got.Messages {
				if m.Text != c.want[i] {
					t.Errorf("message %d = %q, want %q", i, m.Text, c.want[i])
				}
			}
		})
	}
}

func TestFetchTellsWhatMayChange(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		code   string
		kind   fault.Kind
		after  time.Duration
	}{
		"not there yet":    {status: 404, code: "transcript-unreachable", kind: fault.Unavailable},
		"server in need":   {status: 503, code: "transcript-unreachable", kind: fault.Unavailable, after: 7 * time.Second},
		"gone for ever":    {status: 410, code: "transcript-gone", kind: fault.NotFound},
		"not for us":       {status: 403, code: "transcript-refused", kind: fault.Forbidden},
		"over the maximum": {status: 200, code: "transcript-too-large", kind: fault.TooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if c.after > 0 {
					w.Header().Set("Retry-After", "7")
				}
				w.WriteHeader(c.status)
				if c.status == http.StatusOK {
					_, _ = w.Write(make([]byte, transcripthttp.MaxBytes+1))
				}
			}))
			t.Cleanup(s.Close)
			_, err := transcripthttp.Fetcher{Client: s.Client()}.Fetch(t.Context(), s.URL)
			f := fault.Of(err)
			if f == nil || f.Code != c.code || f.Kind != c.kind || f.RetryAfter != c.after {
				t.Errorf("fault = %+v, want %s %s after %s", f, c.kind, c.code, c.after)
			}
		})
	}
}

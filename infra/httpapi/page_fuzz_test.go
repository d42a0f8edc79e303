package httpapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"handoff/domain/conversation"
	"handoff/events"
	"handoff/infra/httpapi"
)

// Whatever customers, bots and hubs say is text on the page, wherever it stands.
func FuzzContextPage(f *testing.F) {
	for _, seed := range []string{"<script>x</script>", `"><img src=x onerror=x>`, "&lt;b&gt;", "%s%d%!", "</style><b>", "\x00\xff<", "\u202e<", "{{.}}", "'"} {
		f.Add(seed, seed)
	}
	page := func(t *testing.T, name, value string) string {
		a := works()
		a.ContextByLink = func(context.Context, string) (conversation.View, error) {
			quoted, err := json.Marshal(value)
			v := view(nil)
			v.ID, v.Queue.Name, v.Raised.Topic, v.Raised.Reason, v.Raised.Language = name, value, value, value, value
			x := v.Context
			x.MessageToAgent, x.Summary, x.LastPhrase = value, value, value
			x.Customer = &events.Customer{ID: value, Name: name, Email: value, Phone: value}
			x.Variables = map[string]json.RawMessage{name: quoted, name + "s": []byte("[" + string(quoted) + "]")}
			x.Transcript = &events.Transcript{Messages: []events.Message{{From: value, Name: name, Text: value, Attachments: []events.Attachment{{Name: name, ContentType: value}}}}}
			return v, err
		}
		w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
		r.Header.Set("Accept", "text/html")
		httpapi.New(a, config()).ServeHTTP(w, r)
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
			t.Fatalf("answer %d %s", w.Code, w.Header())
		}
		return w.Body.String()
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		if name == "" || value == "" {
			return // where there is nothing, there is no row
		}
		got, plain := page(t, name, value), page(t, "x", "y")
		for _, mark := range []string{"<", ">"} {
			if n, want := strings.Count(got, mark), strings.Count(plain, mark); n != want {
				t.Errorf("%q and %q make %d of %s, want %d:\n%s", name, value, n, mark, want, got)
			}
		}
	})
}

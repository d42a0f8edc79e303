package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"handoff/domain/conversation"
	"handoff/events"
	"handoff/infra/httpapi"
)

const link = "/c/default.esc_1.t0.signature"

func TestALinkShowsTheContextAsAPage(t *testing.T) {
	t.Parallel()
	a, c := works(), config()
	a.ContextByLink = func(context.Context, string) (conversation.View, error) {
		v := view(nil)
		v.Context.MessageToAgent = `<script>alert("no")</script>`
		v.Context.Variables = map[string]json.RawMessage{"Loyalty": json.RawMessage(`"gold & more"`), "n": json.RawMessage(`[1,2]`)}
		v.Context.Transcript.Messages = append(v.Context.Transcript.Messages, events.Message{
			From: events.FromHumanAgent, Text: "<b>Hi</b>", Attachments: []events.Attachment{{ContentType: "image/png"}},
		})
		return v, nil
	}
	var log bytes.Buffer
	c.Log = slog.New(slog.NewTextHandler(&log, nil))
	w := call(t, httpapi.New(a, c), "", "GET", link, "", "Accept", "text/html,*/*")
	page := w.Body.String()
	for _, want := range []string{"gold &amp; more", "[1,2]", "&lt;script&gt;", "&lt;b&gt;Hi&lt;/b&gt; [image/png]", "human agent", "Refund", "c-881"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	policy := w.Header().Get("Content-Security-Policy")
	if w.Code != http.StatusOK || strings.Contains(page, "<script") || !strings.Contains(policy, "style-src 'sha256-") || strings.Contains(policy, "unsafe") {
		t.Errorf("status %d, policy %q, page\n%s", w.Code, policy, page)
	}
	if strings.Contains(log.String(), "signature") {
		t.Errorf("the log has the link: %s", log.String())
	}
}

func TestALinkShowsTheContextToPrograms(t *testing.T) {
	t.Parallel()
	h := serve(nil)
	w := call(t, h, "", "GET", link, "")
	if !strings.Contains(w.Body.String(), `"order_total":380.0`) {
		t.Errorf("answer = %s", w.Body)
	}
	expect(t, call(t, h, "", "GET", "/c/bad", ""), http.StatusNotFound, "link-invalid")
}

// Whoever has a link reads, however the request for it is spelled.
func TestNoSpellingOfALinkIsLogged(t *testing.T) {
	t.Parallel()
	c := config()
	var log bytes.Buffer
	c.Log = slog.New(slog.NewTextHandler(&log, nil))
	h := httpapi.New(works(), c)
	for _, target := range []string{link, "/%63" + link[2:], "/c%2F" + link[3:], "/" + link, "/x/.." + link, link + "/", link + "?x=1", "/v1" + link} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.URL = mustParse(t, target)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if strings.Contains(log.String(), "signature") || strings.Contains(w.Body.String(), `"instance":"`) && strings.Contains(w.Body.String(), "signature") {
			t.Errorf("%s is repeated: %s %s", target, log.String(), w.Body)
		}
		log.Reset()
	}
}

func mustParse(t *testing.T, target string) *url.URL {
	t.Helper()
	u, err := url.Parse("http://handoff.example" + target)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestMessagesAreHandedOverAsTheyAre(t *testing.T) {
	t.Parallel()
	h := serve(nil)
	for target, want := range map[string]int{
		"/v1/messages/default/store-bot":           http.StatusOK,
		"/v1/messages/default/store-bot?source=it": http.StatusOK,
		"/v1/messages/default/other-bot":           http.StatusUnauthorized,
	} {
		if w := call(t, h, "", "POST", target, `{"type":"message"}`, "Content-Type", "application/json"); w.Code != want || w.Body.String() != "{}" {
			t.Errorf("%s answers %d %s, want %d", target, w.Code, w.Body, want)
		}
	}
}

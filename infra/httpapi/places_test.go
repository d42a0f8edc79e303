package httpapi_test

import (
	"context"
	"io"
	"net/http"
	"sync"
	"testing"

	"handoff/domain/conversation"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/domain/intake"
	"handoff/domain/listing"
	"handoff/infra/httpapi"
)

func TestOneRequestTooManyIsToldToComeBack(t *testing.T) {
	t.Parallel()
	begun, end := make(chan struct{}), make(chan struct{})
	h := serve(func(a *httpapi.API, c *httpapi.Config) {
		c.MaxConcurrent = 1
		a.Escalations = func(context.Context, identity.Principal, listing.EscalationQuery) ([]listing.Escalation, string, error) {
			begun <- struct{}{}
			<-end
			return nil, "", nil
		}
		a.Raise = func(context.Context, identity.Principal, string, intake.HandOff, httpapi.Request) (conversation.Answer, error) {
			panic("lost my head")
		}
	})
	first := make(chan int)
	go func() { first <- call(t, h, "admin", "GET", "/v1/escalations", "").Code }()
	<-begun
	for target, body := range map[string]string{"/v1/connections/store-bot/escalations": `{"conversation_id":"c"}`, "/v1/keys": `{"role":"admin"}`} {
		w := call(t, h, "admin", "POST", target, body)
		expect(t, w, http.StatusServiceUnavailable, "too-busy")
		if got := w.Header().Get("Retry-After"); got != "1" {
			t.Errorf("Retry-After = %q, want 1", got)
		}
	}
	expect(t, call(t, h, "", "GET", "/healthz", ""), http.StatusOK, "")
	expect(t, call(t, h, "stranger", "GET", "/v1/escalations", ""), http.StatusUnauthorized, "key-invalid")
	expect(t, call(t, h, "stranger", "POST", "/v1/connections/store-bot/escalations", `{}`), http.StatusUnauthorized, "key-invalid")
	end <- struct{}{}
	if code := <-first; code != http.StatusOK {
		t.Errorf("the first was answered %d", code)
	}
	for range 3 { // a place comes back whatever became of the request
		expect(t, call(t, h, "admin", "GET", "/v1/keys", ""), http.StatusOK, "")
		expect(t, call(t, h, "admin", "GET", "/v1/keys?what=1", ""), http.StatusBadRequest, "parameter-unknown")
		expect(t, call(t, h, "admin", "POST", "/v1/connections/store-bot/escalations", `{"conversation_id":"c"}`), http.StatusInternalServerError, "internal")
		expect(t, call(t, h, "admin", "POST", "/v1/connections/store-bot/escalations", `{`), http.StatusBadRequest, "json-invalid")
	}
}

// Who sent a message is known only by its handler, which may wait for the keys to
// find that out, and for a body that comes slowly.
func TestAMessageTakesAPlaceWhenItIsThere(t *testing.T) {
	t.Parallel()
	known, read, end := make(chan struct{}), make(chan error), make(chan struct{})
	h := serve(func(a *httpapi.API, c *httpapi.Config) {
		c.MaxConcurrent = 1
		a.Messages = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			known <- struct{}{}
			_, err := io.ReadAll(r.Body)
			if err == nil {
				_, err = io.ReadAll(r.Body) // its end comes again
			}
			read <- err
			<-end
			takeMessages(w, r)
		})
	})
	var all sync.WaitGroup
	for _, want := range []string{"", "too-busy"} {
		all.Go(func() { call(t, h, "", "POST", "/v1/messages/default/store-bot", `{"type":"message"}`) })
		<-known
		if err := <-read; want == "" && err != nil || want != "" && !fault.Is(err, want) {
			t.Errorf("the body is read with %v, want %q", err, want)
		}
		expect(t, call(t, h, "admin", "GET", "/v1/keys", ""), http.StatusServiceUnavailable, "too-busy")
		expect(t, call(t, h, "", "GET", link, ""), http.StatusServiceUnavailable, "too-busy")
	}
	close(end)
	all.Wait()
	expect(t, call(t, h, "admin", "GET", "/v1/keys", ""), http.StatusOK, "")
}

func TestABackendThatThrottlesIsPassedOn(t *testing.T) {
	t.Parallel()
	h := serve(func(a *httpapi.API, _ *httpapi.Config) {
		a.Raise = func(context.Context, identity.Principal, string, intake.HandOff, httpapi.Request) (conversation.Answer, error) {
			return conversation.Answer{}, fault.New(fault.Unavailable, "aws-unavailable", "A service does not answer; try again.")
		}
	})
	w := call(t, h, "bot", "POST", "/v1/connections/store-bot/escalations", `{"conversation_id":"c"}`)
	expect(t, w, http.StatusServiceUnavailable, "aws-unavailable")
	if w.Header().Get("Retry-After") == "" {
		t.Error("there is no Retry-After")
	}
}

func TestLinksBeginWithWhereTheRequestArrived(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		public string
		of     func(*http.Request) string
		want   string
	}{
		"an address that is set":        {"https://set.example/", func(*http.Request) string { return "https://other.example" }, "https://set.example"},
		"the address of the request":    {"", func(r *http.Request) string { return "https://" + r.Host }, "https://example.com"},
		"an address that nobody knows":  {"", nil, ""},
		"an address that is not of one": {"", func(*http.Request) string { return "" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := serve(func(_ *httpapi.API, conf *httpapi.Config) { conf.PublicURL, conf.URLOf = c.public, c.of })
			w := call(t, h, "bot", "POST", "/v1/connections/store-bot/escalations", `{"conversation_id":"c"}`)
			if got, want := w.Header().Get("Location"), c.want+"/v1/escalations/"+escalationID; got != want {
				t.Errorf("Location = %q, want %q", got, want)
			}
		})
	}
}

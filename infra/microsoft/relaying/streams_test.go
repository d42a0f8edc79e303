package relaying_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"handoff/domain/connection"
	"handoff/domain/relay"
	"handoff/events"
	"handoff/infra/microsoft/relaying"
)

// directLine is a Direct Line with one conversation whose bot says nothing. Of
// each stream it tells when it begins and when it is closed.
func directLine(t *testing.T) (base string, begun, closed chan struct{}) {
	t.Helper()
	begun, closed = make(chan struct{}, 9), make(chan struct{}, 9)
	mux := http.NewServeMux()
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	mux.HandleFunc("GET /v3/directline/conversations/k1", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"conversationId":"k1","token":"t","expires_in":1800,"streamUrl":"ws%s/stream"}`, strings.TrimPrefix(s.URL, "http"))
	})
	mux.HandleFunc("GET /v3/directline/conversations/k1/activities", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `{"activities":[],"watermark":"0"}`)
	})
	mux.HandleFunc("POST /v3/directline/conversations/k1/activities", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `{"id":"k1|1"}`)
	})
	mux.HandleFunc("/stream", func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		begun <- struct{}{}
		_, _, _ = c.Read(context.WithoutCancel(r.Context()))
		closed <- struct{}{}
	})
	return s.URL, begun, closed
}

// A conversation that is over keeps no connection open: there may be thousands.
func TestNobodyListensToAConversationThatIsOver(t *testing.T) {
	t.Parallel()
	base, begun, closed := directLine(t)
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	s := relaying.NewStreams(t.Context(), relaying.New(relaying.Options{
		HTTP: &http.Client{Transport: transport}, Now: time.Now, Secrets: secrets{}, Hosts: relaying.Hosts{DirectLine: []string{"127.0.0.1"}},
		Connection: func(context.Context, relay.Link) (connection.State, error) { return connection.State{}, nil },
	}), func(context.Context, events.StreamID) error { return nil })
	t.Cleanup(func() { _ = s.Close() })
	k1 := events.BotSession{BaseURL: base, ConversationID: "k1", Token: "t", UserID: "c"}
	if _, err := s.Listen(t.Context(), link(), k1, "", 0); err != nil {
		t.Fatal(err)
	}
	<-begun
	for _, what := range []relay.ToBot{{State: relay.StateAccepted}, {Ended: true}} {
		select {
		case <-closed:
			t.Fatal("nobody listens any more, and the conversation goes on")
		default:
		}
		if err := s.Post(t.Context(), link(), k1, what); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-closed:
	case <-time.After(5 * time.Second):
		t.Error("somebody listens still")
	}
}

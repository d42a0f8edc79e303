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

// directLine is a Direct Line with one conversation. Of each stream it tells when
// it begins and when it is closed. What is to be said goes into says.
type directLine struct {
	base          string
	begun, closed chan struct{}
	says          chan string
}

func newDirectLine(t *testing.T) *directLine {
	t.Helper()
	mux := http.NewServeMux()
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	d := &directLine{base: s.URL, begun: make(chan struct{}, 9), closed: make(chan struct{}, 9), says: make(chan string, 9)}
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
		d.begun <- struct{}{}
		d.serve(c.CloseRead(context.WithoutCancel(r.Context())), c)
		d.closed <- struct{}{}
	})
	return d
}

// serve says what is to be said until the client leaves.
func (d *directLine) serve(left context.Context, c *websocket.Conn) {
	for {
		select {
		case text := <-d.says:
			_ = c.Write(left, websocket.MessageText, []byte(text)) // nobody hears it who is gone
		case <-left.Done():
			return
		}
	}
}

// k1 is the conversation.
func (d *directLine) k1() events.BotSession {
	return events.BotSession{BaseURL: d.base, ConversationID: "k1", Token: "t", UserID: "c"}
}

// streams returns what hears the conversation until the test ends.
func (d *directLine) streams(t *testing.T, wake func(context.Context, events.StreamID) error) *relaying.Streams {
	t.Helper()
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	s := relaying.NewStreams(t.Context(), relaying.New(relaying.Options{
		HTTP: &http.Client{Transport: transport}, Now: time.Now, Secrets: secrets{}, Hosts: relaying.Hosts{DirectLine: []string{"127.0.0.1"}},
		Connection: func(context.Context, relay.Link) (connection.State, error) { return connection.State{}, nil },
	}), wake)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// A conversation that is over keeps no connection open: there may be thousands.
func TestNobodyListensToAConversationThatIsOver(t *testing.T) {
	t.Parallel()
	d := newDirectLine(t)
	s := d.streams(t, func(context.Context, events.StreamID) error { return nil })
	if _, err := s.Listen(t.Context(), link(), d.k1(), "", 0); err != nil {
		t.Fatal(err)
	}
	<-d.begun
	for _, what := range []relay.ToBot{{State: relay.StateAccepted}, {Ended: true}} {
		select {
		case <-d.closed:
			t.Fatal("nobody listens any more, and the conversation goes on")
		default:
		}
		if err := s.Post(t.Context(), link(), d.k1(), what); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-d.closed:
	case <-time.After(5 * time.Second):
		t.Error("somebody listens still")
	}
}

// Where a stream works nobody waits: there is a call when the bot says something.
func TestABotThatIsFollowedIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	d := newDirectLine(t)
	woken := make(chan struct{}, 9)
	s := d.streams(t, func(context.Context, events.StreamID) error {
		woken <- struct{}{}
		return nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	listen := func(watermark string, wait time.Duration) relay.Heard {
		t.Helper()
		h, err := s.Listen(ctx, link(), d.k1(), watermark, wait)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	if h := listen("", 0); h.Followed {
		t.Error("a stream that said nothing yet is relied on")
	}
	<-d.begun
	said := func(id, from, text, watermark string) {
		d.says <- fmt.Sprintf(`{"activities":[{"type":"message","id":"k1|%s","from":{"id":%q},"text":%q}],"watermark":%q}`, id, from, text, watermark)
	}
	d.says <- `{"activities":[{"type":"typing","from":{"id":"bot"}}],"watermark":"0"}`
	said("0000001", "c", "our own", "1")
	said("0000002", "bot", "Hello", "2")
	<-woken
	h := listen("", time.Hour)
	if len(h.Spoken) != 1 || h.Watermark != "2" || !h.Followed {
		t.Errorf("heard %+v, want the bot's word, and that it is followed", h)
	}
	if h := listen("2", time.Hour); len(h.Spoken) > 0 || !h.Followed {
		t.Errorf("heard %+v, want nothing at once", h)
	}
}

package virtualbot

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"

	"handoff/infra/microsoft/simulation/wire"
)

// stream is the one WebSocket that a conversation may have.
type stream struct {
	sent   int           // activities that were sent
	typing []wire.Object // what is sent once and kept nowhere
	wake   chan struct{} // has room for one
	out    chan struct{} // closed when another stream takes over
}

func (s *stream) ring() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// stream serves a WebSocket until the client leaves, another one takes its
// place, or the server stops. The ticket in the address is good once.
func (d *directLine) stream(w http.ResponseWriter, r *http.Request) error {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return wire.Refuse(http.StatusBadRequest, "BadArgument", "This address is for a WebSocket.")
	}
	c, s, err := d.admit(r)
	if err != nil {
		return err
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true}) // of any origin, as the token in the address is proof
	if err != nil {
		return nil //nolint:nilerr // the library has answered
	}
	ctx := conn.CloseRead(r.Context())
	d.feed(ctx, c, s, conn)
	_ = conn.Close(websocket.StatusNormalClosure, "") // the client may be gone
	return nil
}

// admit makes the new stream of a conversation and has an earlier one end.
func (d *directLine) admit(r *http.Request) (*conversation, *stream, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	ticket := r.URL.Query().Get("t")
	t, c := d.tokens[ticket], d.conversations[r.PathValue("id")]
	if t == nil || c == nil || t.conversation != c.id || t.bot.Region != d.region {
		return nil, nil, wire.Refuse(http.StatusForbidden, "BadArgument", "Invalid token or secret")
	}
	if !d.Clock.Now().Before(t.expires) {
		return nil, nil, wire.Refuse(http.StatusForbidden, "TokenExpired", "The stream was to be opened within a minute.")
	}
	delete(d.tokens, ticket)
	n, err := c.since(r.URL.Query().Get("watermark"))
	if err != nil {
		return nil, nil, err
	}
	if c.stream != nil {
		close(c.stream.out)
	}
	c.stream = &stream{sent: n, wake: make(chan struct{}, 1), out: make(chan struct{})}
	c.stream.ring()
	return c, c.stream, nil
}

// writing is how long a message may take to be written.
const writing = 10 * time.Second

// feed sends a keep-alive, and then what is said as it is said.
func (d *directLine) feed(ctx context.Context, c *conversation, s *stream, conn *websocket.Conn) {
	if err := send(ctx, conn, nil); err != nil {
		return
	}
	for {
		select {
		case <-s.wake:
		case <-s.out:
			return
		case <-ctx.Done():
			return
		}
		for _, set := range d.pending(c, s) {
			raw, err := json.Marshal(set)
			if err != nil || send(ctx, conn, raw) != nil {
				return
			}
		}
	}
}

func send(ctx context.Context, conn *websocket.Conn, message []byte) error {
	limited, cancel := context.WithTimeout(ctx, writing)
	defer cancel()
	return conn.Write(limited, websocket.MessageText, message)
}

// pending takes what a stream has still to send.
func (s *Service) pending(c *conversation, to *stream) (sets []wire.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range to.typing {
		sets = append(sets, wire.Object{"activities": []wire.Object{t}, "watermark": strconv.Itoa(to.sent)})
	}
	to.typing = nil
	if to.sent < len(c.activities) {
		sets = append(sets, c.set(to.sent))
		to.sent = len(c.activities)
	}
	return sets
}

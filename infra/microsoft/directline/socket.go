package directline

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// What is asked of a stream.
const (
	handshake = 15 * time.Second
	// silence is how often the service is pinged, and how long it may take to
	// answer: without that a connection that nobody ended would be listened to
	// for ever.
	silence    = 30 * time.Second
	maxMessage = 1 << 20 // bytes
)

// socket is a WebSocket (RFC 6455) of which messages are read and nothing else.
type socket struct {
	conn *websocket.Conn
	stop context.CancelFunc
	wg   sync.WaitGroup
}

// listenAt opens a stream. The address has a token in it: no redirect is
// followed, and no error repeats it. Whoever opened it closes it.
func listenAt(ctx context.Context, address string, transport http.RoundTripper) (*socket, error) {
	dialing, done := context.WithTimeout(ctx, handshake)
	defer done()
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	conn, _, err := websocket.Dial(dialing, address, &websocket.DialOptions{HTTPClient: client}) //nolint:bodyclose // the library does
	if err != nil {
		return nil, withoutURL(err)
	}
	conn.SetReadLimit(maxMessage)
	s := &socket{conn: conn}
	pinging, stop := context.WithCancel(ctx)
	s.stop = stop
	s.wg.Go(func() { s.ping(pinging) })
	return s, nil
}

// ping ends a connection on which nobody answers.
func (s *socket) ping(ctx context.Context) {
	tick := time.NewTicker(silence)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		limited, done := context.WithTimeout(ctx, silence)
		err := s.conn.Ping(limited)
		if done(); err != nil {
			_ = s.conn.CloseNow() // Read tells
			return
		}
	}
}

var errBinary = errors.New("a message that is no text")

// read returns the next message. Where ctx ends, the connection does.
func (s *socket) read(ctx context.Context) ([]byte, error) {
	kind, message, err := s.conn.Read(ctx)
	if err == nil && kind != websocket.MessageText {
		err = errBinary
	}
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	return message, err
}

// close ends the connection: nothing was said on it that is worth a farewell.
func (s *socket) close() {
	s.stop()
	_ = s.conn.CloseNow()
	s.wg.Wait()
}

func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

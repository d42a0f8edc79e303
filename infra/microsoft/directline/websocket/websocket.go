// Package websocket reads text messages from a WebSocket server (RFC 6455). It
// is the small part of a client that Direct Line needs: it sends nothing but
// control frames, and asks for no extension and no subprotocol.
//
// It is strict: what the RFC tells a client to fail the connection for fails
// it, with the close code that the RFC gives. Memory is bounded by one message,
// time by a deadline for the handshake and by pings in silence.
package websocket

import (
	"context"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // RFC 6455 §4.1 prescribes it; it protects nothing
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Defaults of Options.
const (
	DefaultHandshake  = 15 * time.Second
	DefaultSilence    = 30 * time.Second
	DefaultMaxMessage = 1 << 20 // bytes
)

// Options are for opening a connection. The zero value is ready to use.
type Options struct {
	// Transport makes the connection; nil means http.DefaultTransport. It must
	// hand over the connection of a 101 answer as net/http's does.
	Transport  http.RoundTripper
	Handshake  time.Duration // for all of Dial; 0 means DefaultHandshake
	Silence    time.Duration // after that long a ping is sent, after twice that the connection is given up; 0 means DefaultSilence
	MaxMessage int           // bytes; 0 means DefaultMaxMessage
}

// HandshakeError is the answer of a server that did not switch protocols.
type HandshakeError struct {
	Status int
	Reason string
}

// Error says what was wrong; it does not hold the URL, which may hold a token.
func (e *HandshakeError) Error() string {
	return fmt.Sprintf("websocket handshake: status %d: %s", e.Status, e.Reason)
}

// Dial opens a connection to a ws or wss URL. The context is for the handshake
// only. The caller closes the connection.
func Dial(ctx context.Context, address string, o Options) (*Conn, error) {
	o = o.withDefaults()
	ctx, cancel := context.WithTimeout(ctx, o.Handshake)
	defer cancel()
	key := nonce()
	req, err := request(ctx, address, key)
	if err != nil {
		return nil, err
	}
	resp, err := o.Transport.RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("websocket handshake: %w", withoutURL(err))
	}
	if err := check(resp, key); err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	stream, ok := resp.Body.(io.ReadWriteCloser)
	if !ok {
		_ = resp.Body.Close()
		return nil, errors.New("websocket handshake: the transport does not hand over connections")
	}
	return newConn(stream, o), nil
}

func (o Options) withDefaults() Options {
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	if o.Handshake == 0 {
		o.Handshake = DefaultHandshake
	}
	if o.Silence == 0 {
		o.Silence = DefaultSilence
	}
	if o.MaxMessage == 0 {
		o.MaxMessage = DefaultMaxMessage
	}
	return o
}

// request is the opening handshake (RFC 6455 §4.1).
func request(ctx context.Context, address, key string) (*http.Request, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("websocket: the address can't be read") // without the cause, which repeats it
	}
	schemes := map[string]string{"ws": "http", "wss": "https"}
	if schemes[u.Scheme] == "" || u.Host == "" {
		return nil, errors.New("websocket: the address must begin with wss:// or ws:// and name a host")
	}
	u.Scheme, u.Fragment = schemes[u.Scheme], ""
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, withoutURL(err)
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "websocket")
	req.Header.Set("Sec-WebSocket-Version", "13")
	req.Header.Set("Sec-WebSocket-Key", key)
	return req, nil
}

// check holds the server's answer to RFC 6455 §4.1 (the client's requirements 1
// to 6).
func check(resp *http.Response, key string) error {
	var wrong string
	h := resp.Header
	switch {
	case resp.StatusCode != http.StatusSwitchingProtocols:
		wrong = "the server does not switch protocols"
	case !strings.EqualFold(h.Get("Upgrade"), "websocket"):
		wrong = "Upgrade is not websocket"
	case !hasToken(h.Values("Connection"), "upgrade"):
		wrong = "Connection is not Upgrade"
	case h.Get("Sec-WebSocket-Accept") != accept(key):
		wrong = "Sec-WebSocket-Accept does not belong to our key"
	case h.Get("Sec-WebSocket-Extensions") != "" || h.Get("Sec-WebSocket-Protocol") != "":
		wrong = "the server chose an extension or subprotocol that nobody offered"
	default:
		return nil
	}
	return &HandshakeError{Status: resp.StatusCode, Reason: wrong}
}

func hasToken(values []string, token string) bool {
	return slices.ContainsFunc(strings.Split(strings.Join(values, ","), ","), func(s string) bool {
		return strings.EqualFold(strings.TrimSpace(s), token)
	})
}

func nonce() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails (crypto/rand.Read)
	return base64.StdEncoding.EncodeToString(b)
}

func accept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // RFC 6455 §4.2.2 prescribes it
	return base64.StdEncoding.EncodeToString(sum[:])
}

func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

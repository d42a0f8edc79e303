package websocket_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"handoff/infra/microsoft/directline/websocket"
)

// peer is the server's side of a connection, a transport that needs no network.
type peer struct {
	net.Conn
	answer func(*http.Response) // changes the answer to the handshake
	asked  *http.Request
	client net.Conn
}

func newPeer(t testing.TB) *peer {
	t.Helper()
	p := &peer{}
	p.Conn, p.client = net.Pipe()
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func (p *peer) RoundTrip(r *http.Request) (*http.Response, error) {
	p.asked = r
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	resp := &http.Response{StatusCode: http.StatusSwitchingProtocols, Header: http.Header{}, Body: p.client}
	resp.Header.Set("Upgrade", "WebSocket")
	resp.Header.Set("Connection", "keep-alive, Upgrade")
	resp.Header.Set("Sec-WebSocket-Accept", base64.StdEncoding.EncodeToString(sum[:]))
	if p.answer != nil {
		p.answer(resp)
	}
	return resp, nil
}

func (p *peer) dial(t testing.TB, o websocket.Options) *websocket.Conn {
	t.Helper()
	o.Transport = p
	c, err := websocket.Dial(t.Context(), "wss://hub.example/stream?t=secret", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close(); _ = c.Close() }) // in this order, or Close waits for a reader
	return c
}

// say sends frames and leaves the connection open.
func (p *peer) say(frames ...[]byte) {
	_, _ = p.Write(bytes.Join(frames, nil))
}

// hear returns opcode and payload of the next frame of the client, which must
// be masked, or the error of the connection.
func (p *peer) hear(t testing.TB) (opcode byte, payload []byte, err error) {
	t.Helper()
	head := make([]byte, 6)
	if _, err := io.ReadFull(p, head); err != nil {
		return 0, nil, err
	}
	if head[0]&0xF0 != 0x80 || head[1]&0x80 == 0 || bytes.Equal(head[2:], make([]byte, 4)) {
		t.Errorf("the client sent a frame with the head %x", head)
	}
	payload = make([]byte, head[1]&0x7F)
	_, err = io.ReadFull(p, payload)
	for i := range payload {
		payload[i] ^= head[2+i%4]
	}
	return head[0] & 0x0F, payload, err
}

// frame is a frame as a server sends it: not masked, its length written in as
// few bytes as possible.
func frame(first byte, payload []byte) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	return append(b, payload...)
}

func text(s string) []byte { return frame(0x81, []byte(s)) }

func closing(code uint16, reason string) []byte {
	return frame(0x88, append(binary.BigEndian.AppendUint16(nil, code), reason...))
}

// within runs f and fails the test if it takes too long.
func within(t testing.TB, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
	defer cancel()
	select {
	case <-done:
	case <-ctx.Done():
		t.Fatal("it takes too long")
	}
}

func wantClose(t testing.TB, err error, code int, ours bool) {
	t.Helper()
	e, ok := errors.AsType[*websocket.CloseError](err)
	if !ok || e.Code != code || e.Ours != ours {
		t.Errorf("err = %v, want close code %d (ours: %t)", err, code, ours)
	}
}

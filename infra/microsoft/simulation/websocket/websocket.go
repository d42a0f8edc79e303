// Package websocket is as much of a WebSocket server (RFC 6455) as the fake's
// Direct Line needs: it sends texts, and reads only to notice that the client
// is there, asks, or leaves.
package websocket

import (
	"bufio"
	"crypto/sha1" //nolint:gosec // RFC 6455 section 1.3 asks for it; it protects nothing
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// writing is how long a frame may take to be written.
const writing = 10 * time.Second

// largest is the largest frame that a client may send, in bytes.
const largest = 1 << 20

// Opcodes of frames (RFC 6455 section 5.2).
const (
	text   = 0x1
	closes = 0x8
	ping   = 0x9
	pong   = 0xA
)

// Conn is an open connection. It is safe for concurrent use; whoever accepted
// it closes it.
type Conn struct {
	conn net.Conn
	in   *bufio.Reader
	mu   sync.Mutex // of writers
}

// ErrHandshake is what Accept returns for a request that asks for no WebSocket
// of version 13. Nothing has been answered then.
var ErrHandshake = errors.New("not a WebSocket handshake")

// Accept answers the handshake and takes the connection over.
func Accept(w http.ResponseWriter, r *http.Request) (*Conn, error) {
	key := r.Header.Get("Sec-WebSocket-Key")
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") || !strings.Contains(strings.ToLower(r.Header.Get("Connection")), "upgrade") ||
		r.Header.Get("Sec-WebSocket-Version") != "13" || key == "" {
		return nil, ErrHandshake
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, fmt.Errorf("take the connection over: %w", err)
	}
	digest := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // as above
	_, err = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(digest[:]))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("answer the handshake: %w", err), conn.Close())
	}
	return &Conn{conn: conn, in: buffered.Reader}, nil
}

// Send writes a text in one frame. An empty one is a keep-alive.
func (c *Conn) Send(body []byte) error { return c.frame(text, body) }

// Close tells the client that the connection ends, and ends it.
func (c *Conn) Close() error {
	_ = c.frame(closes, []byte{0x03, 0xE8}) // 1000, normal closure
	return c.conn.Close()
}

func (c *Conn) frame(opcode byte, body []byte) error {
	head := []byte{0x80 | opcode}
	switch n := len(body); {
	case n < 126:
		head = append(head, byte(n))
	case n <= 0xFFFF:
		head = binary.BigEndian.AppendUint16(append(head, 126), uint16(n))
	default:
		head = binary.BigEndian.AppendUint64(append(head, 127), uint64(n))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	stuck := time.AfterFunc(writing, func() { _ = c.conn.Close() })
	defer stuck.Stop()
	if _, err := c.conn.Write(append(head, body...)); err != nil {
		return fmt.Errorf("write a frame: %w", err)
	}
	return nil
}

// Wait answers pings until the client leaves or the connection breaks.
func (c *Conn) Wait() error {
	for {
		opcode, body, err := c.read()
		switch {
		case err != nil:
			return err
		case opcode == closes:
			return nil
		case opcode == ping:
			if err := c.frame(pong, body); err != nil {
				return err
			}
		}
	}
}

// read returns the next frame, unmasked.
func (c *Conn) read() (opcode byte, body []byte, err error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(c.in, head); err != nil {
		return 0, nil, fmt.Errorf("read a frame: %w", err)
	}
	size := uint64(head[1] & 0x7F)
	if extra := map[uint64]int{126: 2, 127: 8}[size]; extra > 0 {
		long := make([]byte, 8)
		if _, err := io.ReadFull(c.in, long[8-extra:]); err != nil {
			return 0, nil, fmt.Errorf("read a frame: %w", err)
		}
		size = binary.BigEndian.Uint64(long)
	}
	if head[1]&0x80 == 0 || size > largest {
		return 0, nil, errors.New("a client masks its frames and keeps them small")
	}
	masked := make([]byte, 4+size)
	if _, err := io.ReadFull(c.in, masked); err != nil {
		return 0, nil, fmt.Errorf("read a frame: %w", err)
	}
	body = masked[4:]
	for i := range body {
		body[i] ^= masked[i%4]
	}
	return head[0] & 0x0F, body, nil
}

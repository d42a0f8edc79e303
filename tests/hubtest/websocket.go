package hubtest

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"
)

// Stream is a client of a WebSocket that only reads.
type Stream struct {
	conn net.Conn
	in   *bufio.Reader
}

// Dial opens a stream, or returns the status with which it was refused.
func Dial(t *testing.T, address string) (*Stream, int) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	_, _ = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", u.RequestURI(), u.Host)
	in := bufio.NewReader(conn)
	answer, err := http.ReadResponse(in, nil) //nolint:bodyclose // it is the connection
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return nil, answer.StatusCode
	}
	// The example of RFC 6455, section 1.3.
	if got := answer.Header.Get("Sec-WebSocket-Accept"); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Errorf("Sec-WebSocket-Accept = %q", got)
	}
	return &Stream{conn, in}, answer.StatusCode
}

// Read returns the body of the next text frame, and io.EOF when the server has
// closed the stream.
func (s *Stream) Read() ([]byte, error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(s.in, head); err != nil {
		return nil, err
	}
	size := int64(head[1])
	if head[1] == 126 {
		long := make([]byte, 2)
		if _, err := io.ReadFull(s.in, long); err != nil {
			return nil, err
		}
		size = int64(binary.BigEndian.Uint16(long))
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(s.in, body); err != nil {
		return nil, err
	}
	if head[0]&0x0F == 8 {
		return nil, io.EOF
	}
	return body, nil
}

// Next returns the next set of activities, passing over keep-alives.
func (s *Stream) Next(t *testing.T) Answer {
	t.Helper()
	for {
		body, err := s.Read()
		if err != nil {
			t.Fatal(err)
		}
		if len(body) == 0 {
			continue
		}
		a := Answer{Text: string(body)}
		if err := json.Unmarshal(body, &a.Body); err != nil {
			t.Fatal(err)
		}
		return a
	}
}

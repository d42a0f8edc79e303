package websocket_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"handoff/infra/microsoft/simulation/websocket"
)

// serve accepts one connection, sends what it is given, and returns what Wait
// returned once the client is gone.
func serve(t *testing.T, texts ...[]byte) (address string, waited chan error) {
	t.Helper()
	waited = make(chan error, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for _, text := range texts {
			if err := c.Send(text); err != nil {
				t.Error(err)
			}
		}
		waited <- c.Wait()
		_ = c.Close()
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://"), waited
}

func dial(t *testing.T, address string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	in := bufio.NewReader(c)
	for line := ""; line != "\r\n"; {
		if line, err = in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	return c, in
}

// frame is a client's frame, masked with 1 2 3 4.
func frame(opcode byte, body string) []byte {
	f := []byte{0x80 | opcode, 0x80 | byte(len(body)), 1, 2, 3, 4}
	for i := range len(body) {
		f = append(f, body[i]^f[2+i%4])
	}
	return f
}

func TestFramesOfEveryLength(t *testing.T) {
	t.Parallel()
	lengths := map[int][]byte{0: {0x81, 0}, 125: {0x81, 125}, 126: {0x81, 126, 0, 126}, 1 << 16: {0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0}}
	for n, head := range lengths {
		text := bytes.Repeat([]byte("x"), n)
		address, _ := serve(t, text)
		_, in := dial(t, address)
		got := make([]byte, len(head)+n)
		if _, err := io.ReadFull(in, got); err != nil || !bytes.Equal(got, append(head, text...)) {
			t.Errorf("a text of %d comes as %.20x, %v", n, got, err)
		}
	}
}

func TestPingCloseAndNonsense(t *testing.T) {
	t.Parallel()
	address, waited := serve(t)
	c, in := dial(t, address)
	_, _ = c.Write(append(frame(0x9, "hello"), frame(0x8, "")...))
	pong := make([]byte, 7)
	if _, err := io.ReadFull(in, pong); err != nil || string(pong) != "\x8a\x05hello" {
		t.Errorf("pong = %q, %v", pong, err)
	}
	if err := <-waited; err != nil {
		t.Errorf("a client that closes is an error: %v", err)
	}
	for sentence, sent := range map[string][]byte{
		"a frame that is not masked": {0x81, 1, 'x'},
		"a frame that is too large":  {0x81, 0xFF, 0, 0, 0, 0, 0xFF, 0, 0, 0, 1, 2, 3, 4},
	} {
		address, waited := serve(t)
		c, _ := dial(t, address)
		_, _ = c.Write(sent)
		if err := <-waited; err == nil {
			t.Errorf("%s is taken", sentence)
		}
	}
}

func TestAcceptRefusesOrdinaryRequests(t *testing.T) {
	t.Parallel()
	_, err := websocket.Accept(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	if !errors.Is(err, websocket.ErrHandshake) {
		t.Errorf("error = %v, want ErrHandshake", err)
	}
}

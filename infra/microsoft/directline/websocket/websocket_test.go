package websocket_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"handoff/infra/microsoft/directline/websocket"
)

func TestMessages(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		frames [][]byte
		want   []string
	}{
		"one frame":                        {[][]byte{text("hello")}, []string{"hello"}},
		"an empty one, to keep alive":      {[][]byte{text(""), text("x")}, []string{"", "x"}},
		"a length in two bytes":            {[][]byte{text(strings.Repeat("a", 126))}, []string{strings.Repeat("a", 126)}},
		"a length in eight bytes":          {[][]byte{text(strings.Repeat("a", 1<<16))}, []string{strings.Repeat("a", 1<<16)}},
		"fragments":                        {[][]byte{frame(0x01, []byte("a")), frame(0x00, nil), frame(0x80, []byte("b"))}, []string{"ab"}},
		"a letter across fragments":        {[][]byte{frame(0x01, []byte("\xc3")), frame(0x80, []byte("\xa9"))}, []string{"é"}},
		"a pong that nobody asked for":     {[][]byte{frame(0x8A, []byte("x")), text("a")}, []string{"a"}},
		"a pong between fragments":         {[][]byte{frame(0x01, []byte("a")), frame(0x8A, nil), frame(0x80, []byte("b"))}, []string{"ab"}},
		"exactly as large as it may be":    {[][]byte{text(strings.Repeat("a", 100_000))}, []string{strings.Repeat("a", 100_000)}},
		"the same, in fragments, and more": {[][]byte{frame(0x01, make([]byte, 99_999)), frame(0x80, []byte("a")), text("b")}, []string{string(make([]byte, 99_999)) + "a", "b"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t)
			conn := p.dial(t, websocket.Options{MaxMessage: 100_000})
			go p.say(c.frames...)
			for _, want := range c.want {
				got, err := conn.Read(t.Context())
				if err != nil || string(got) != want {
					t.Fatalf("Read = %.20q, %v, want %.20q", got, err, want)
				}
			}
		})
	}
}

func TestTheProtocolIsHeldTo(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		bytes []byte
		code  int
	}{
		"a reserved bit":               {frame(0xC1, nil), websocket.CodeProtocol},
		"an unknown data opcode":       {frame(0x83, nil), websocket.CodeProtocol},
		"an unknown control opcode":    {frame(0x8B, nil), websocket.CodeProtocol},
		"a masked frame":               {[]byte{0x81, 0x81, 1, 2, 3, 4, 'a' ^ 1}, websocket.CodeProtocol},
		"a fragmented ping":            {frame(0x09, nil), websocket.CodeProtocol},
		"a ping of 126 bytes":          {frame(0x89, make([]byte, 126)), websocket.CodeProtocol},
		"a length in too many bytes":   {[]byte{0x81, 126, 0, 125}, websocket.CodeProtocol},
		"a length in far too many":     {[]byte{0x81, 127, 0, 0, 0, 0, 0, 0, 255, 255}, websocket.CodeProtocol},
		"a length beyond 63 bits":      {[]byte{0x81, 127, 255, 255, 255, 255, 255, 255, 255, 255}, websocket.CodeProtocol},
		"a continuation of nothing":    {frame(0x80, nil), websocket.CodeProtocol},
		"a text inside of fragments":   {append(frame(0x01, nil), text("a")...), websocket.CodeProtocol},
		"a binary message":             {frame(0x82, nil), websocket.CodeUnsupported},
		"half a letter":                {text("\xc3"), websocket.CodeInvalidText},
		"a message that is too large":  {frame(0x81, make([]byte, 1001)), websocket.CodeTooLarge},
		"fragments that are too large": {append(frame(0x01, make([]byte, 999)), frame(0x80, make([]byte, 2))...), websocket.CodeTooLarge},
		"a length nobody can hold":     {[]byte{0x81, 127, 0, 0, 255, 255, 255, 255, 255, 255}, websocket.CodeTooLarge},
		"half a close code":            {frame(0x88, []byte{3}), websocket.CodeProtocol},
		"a close code not to be sent":  {closing(1005, ""), websocket.CodeProtocol},
		"a close code of nobody":       {closing(999, ""), websocket.CodeProtocol},
		"a reason that is not UTF-8":   {closing(1000, "\xc3"), websocket.CodeInvalidText},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t)
			conn := p.dial(t, websocket.Options{MaxMessage: 1000})
			go p.say(c.bytes)
			heard := make(chan int, 1)
			go func() {
				_, payload, err := p.hear(t)
				if err != nil || len(payload) < 2 {
					heard <- 0
					return
				}
				heard <- int(binary.BigEndian.Uint16(payload))
			}()
			_, err := conn.Read(t.Context())
			wantClose(t, err, c.code, true)
			if got := <-heard; got != c.code {
				t.Errorf("the server heard %d, want %d", got, c.code)
			}
			if _, again := conn.Read(t.Context()); !errors.Is(again, err) {
				t.Errorf("a second Read = %v, want the same", again)
			}
		})
	}
}

func TestPingsAreAnswered(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	conn := p.dial(t, websocket.Options{})
	go func() {
		p.say(frame(0x89, []byte("still there?")))
		opcode, payload, err := p.hear(t)
		if opcode != 0xA || string(payload) != "still there?" || err != nil {
			t.Errorf("heard %x %q, %v", opcode, payload, err)
		}
		p.say(text("good"))
	}()
	if got, err := conn.Read(t.Context()); string(got) != "good" || err != nil {
		t.Errorf("Read = %q, %v", got, err)
	}
}

func TestCloseFramesAreEchoed(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		frame []byte
		code  int
		echo  []byte
	}{
		"with a code":    {closing(1001, "we restart"), 1001, []byte{0x03, 0xE9}},
		"without a code": {frame(0x88, nil), websocket.CodeNone, nil},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t)
			conn := p.dial(t, websocket.Options{})
			heard := make(chan []byte, 1)
			go func() {
				p.say(c.frame)
				opcode, payload, err := p.hear(t)
				if opcode != 8 || err != nil {
					t.Errorf("heard %x, %v", opcode, err)
				}
				heard <- payload
			}()
			_, err := conn.Read(t.Context())
			wantClose(t, err, c.code, false)
			if got := <-heard; !bytes.Equal(got, c.echo) {
				t.Errorf("echo = %x, want %x", got, c.echo)
			}
		})
	}
}

func TestWeSayGoodbyeOnce(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	conn := p.dial(t, websocket.Options{})
	go func() { _ = conn.Close(); _ = conn.Close() }()
	opcode, payload, err := p.hear(t)
	if opcode != 8 || !bytes.Equal(payload, []byte{0x03, 0xE8}) || err != nil {
		t.Errorf("heard %x %x, %v", opcode, payload, err)
	}
	if _, _, err := p.hear(t); err == nil {
		t.Error("said goodbye twice")
	}
}

func TestAServerThatDoesNotReadHoldsNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		conn, began := p.dial(t, websocket.Options{}), time.Now()
		if err := conn.Close(); err != nil || time.Since(began) != time.Second {
			t.Errorf("Close = %v after %s", err, time.Since(began))
		}
	})
}

func TestTheNetworksEnd(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	conn := p.dial(t, websocket.Options{})
	go func() { p.say([]byte{0x81, 5, 'h'}); _ = p.Close() }()
	if _, err := conn.Read(t.Context()); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("err = %v", err)
	}
}

func TestSilenceIsAskedAboutAndEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		conn, began := p.dial(t, websocket.Options{Silence: 10 * time.Second}), time.Now()
		go func() {
			opcode, _, err := p.hear(t)
			if opcode != 9 || err != nil || time.Since(began) != 10*time.Second {
				t.Errorf("heard %x after %s, %v", opcode, time.Since(began), err)
			}
			p.say(frame(0x8A, nil))
			_, _, _ = p.hear(t) // the next ping stays without an answer
		}()
		_, err := conn.Read(t.Context())
		if err == nil || !strings.Contains(err.Error(), "silent") || time.Since(began) != 30*time.Second {
			t.Errorf("err = %v after %s", err, time.Since(began))
		}
	})
}

func TestACallersEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		conn := newPeer(t).dial(t, websocket.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := conn.Read(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("err = %v", err)
		}
	})
}

func TestHandshakes(t *testing.T) {
	t.Parallel()
	set := func(name, value string) func(*http.Response) {
		return func(r *http.Response) { r.Header.Set(name, value) }
	}
	for sentence, answer := range map[string]func(*http.Response){
		"another status":                  func(r *http.Response) { r.StatusCode = http.StatusForbidden },
		"another protocol":                set("Upgrade", "h2c"),
		"a connection that is not it":     set("Connection", "close"),
		"an answer to another key":        set("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
		"an extension nobody offered":     set("Sec-WebSocket-Extensions", "permessage-deflate"),
		"a subprotocol nobody offered":    set("Sec-WebSocket-Protocol", "chat"),
		"a connection that is kept":       func(r *http.Response) { r.Body = http.NoBody },
		"a redirect, which is not obeyed": func(r *http.Response) { r.StatusCode = http.StatusTemporaryRedirect },
	} {
		p := newPeer(t)
		p.answer = answer
		if c, err := websocket.Dial(t.Context(), "wss://hub.example/stream?t=secret", websocket.Options{Transport: p}); err == nil || c != nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", sentence, err)
		}
	}
	for _, address := range []string{"https://hub.example/", "wss://", "wss://%zz?t=secret", "", "hub.example"} {
		if _, err := websocket.Dial(t.Context(), address, websocket.Options{Transport: newPeer(t)}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestTheOpeningRequest(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	go func() { _, _, _ = p.hear(t) }()
	_ = p.dial(t, websocket.Options{}).Close()
	r := p.asked
	if r.URL.String() != "https://hub.example/stream?t=secret" || len(r.Header.Get("Sec-WebSocket-Key")) != 24 {
		t.Errorf("asked for %s with the key %q", r.URL, r.Header.Get("Sec-WebSocket-Key"))
	}
	for name, want := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}

// net/http's transport hands over the connection of a 101 answer, and the end
// of the handshake's context does not end it.
func TestOverARealNetwork(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resp, _ := newPeer(t).RoundTrip(r)
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
		_ = resp.Header.Write(rw)
		_, _ = rw.WriteString("\r\n")
		_, _ = rw.Write(text("first"))
		_, _ = rw.Write(closing(1000, ""))
		_ = rw.Flush()
		_, _ = io.Copy(io.Discard, conn)
	}))
	defer srv.Close()
	within(t, func() {
		ctx, cancel := context.WithCancel(t.Context())
		conn, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(srv.URL, "http"), websocket.Options{})
		cancel()
		if err != nil {
			t.Error(err)
			return
		}
		if got, err := conn.Read(t.Context()); string(got) != "first" || err != nil {
			t.Errorf("Read = %q, %v", got, err)
		}
		_, err = conn.Read(t.Context())
		wantClose(t, err, websocket.CodeNormal, false)
	})
}

func FuzzRead(f *testing.F) {
	for _, seed := range [][]byte{text("hello"), frame(0x01, []byte("a")), closing(1000, "bye"), {0x81, 126, 0, 125}, frame(0x89, []byte("p")), frame(0x82, nil)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		p := newPeer(t)
		conn := p.dial(t, websocket.Options{MaxMessage: 1 << 12})
		go func() { p.say(sent); _ = p.Close() }()
		go func() {
			for {
				if _, _, err := p.hear(t); err != nil {
					return
				}
			}
		}()
		for range len(sent) + 1 {
			got, err := conn.Read(t.Context())
			if err != nil {
				return
			}
			if len(got) > 1<<12 {
				t.Errorf("a message of %d bytes", len(got))
			}
		}
		t.Error("more messages than bytes")
	})
}

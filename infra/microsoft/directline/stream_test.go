package directline_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/activity"
	"handoff/infra/microsoft/directline"
)

// diary is what a Stream told.
type diary struct {
	mu    sync.Mutex
	texts []string
	last  directline.State
	fail  error
}

func (d *diary) keep(_ context.Context, s directline.State, fresh []activity.Activity) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = s
	if t := texts(fresh); t != "" {
		d.texts = append(d.texts, t)
	}
	return d.fail
}

func (d *diary) said() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.texts, " / ")
}

// listen runs a Stream in a bubble until the test ends it.
func listen(t *testing.T, s *service, d *diary) (end func() error) {
	t.Helper()
	c, state := s.start(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Stream(ctx, state, d.keep) }()
	return func() error { cancel(); return <-done }
}

func sleep(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-ctx.Done()
}

func set(id, text, watermark string) string {
	return `{"activities":[{"type":"message","id":"c|1|` + id + `","from":{"id":"bot"},"text":"` + text + `"}],"watermark":` + watermark + `}`
}

// drain reads what a client sends, and answers its pings (RFC 6455 §5.5.3).
func drain(c net.Conn) net.Conn {
	go func() {
		for {
			var head [6]byte // opcode, length and mask: a client says little
			if _, err := io.ReadFull(c, head[:]); err != nil {
				return
			}
			payload := make([]byte, head[1]&0x7f)
			if _, err := io.ReadFull(c, payload); err != nil {
				return
			}
			for i := range payload {
				payload[i] ^= head[2+i%4]
			}
			if head[0]&0x0f == 9 {
				_, _ = c.Write(append([]byte{0x8a, byte(len(payload))}, payload...))
			}
		}
	}()
	return c
}

func TestStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, d := newService(t), &diary{}
		end := listen(t, s, d)
		conn := drain(<-s.streams)
		send(conn, set("1", "a", `"1"`))
		send(conn, "")
		send(conn, " \n")
		send(conn, `{"activities":[{"type":"typing","from":{"id":"bot"},"text":"…"}]}`)
		send(conn, set("2", "b", "null"))
		send(conn, set("1", "a", `"2"`))
		synctest.Wait()
		if d.said() != "a / … / b" || d.last.Watermark != "2" {
			t.Errorf("heard %q to %s", d.said(), d.last.Watermark)
		}
		// The connection ends, and the next begins behind the watermark.
		_ = conn.Close()
		conn = drain(<-s.streams)
		if s.count("GET europe.directline.botframework.com/v3/directline/conversations/c%7C1?watermark=2") != 1 {
			t.Errorf("calls: %q", s.calls)
		}
		send(conn, set("2", "b", `"2"`))
		send(conn, set("3", "c", `"3"`))
		synctest.Wait()
		if err := end(); !errors.Is(err, context.Canceled) || d.said() != "a / … / b / c" {
			t.Errorf("heard %q, ended with %v", d.said(), err)
		}
	})
}

func TestStreamRefreshesItsToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, d := newService(t), &diary{}
		end := listen(t, s, d)
		conn := drain(<-s.streams)
		alive, stop := context.WithCancel(t.Context())
		go func() {
			for ; alive.Err() == nil; sleep(alive, 20*time.Second) {
				send(conn, "")
			}
		}()
		began := time.Now()
		drain(<-s.streams)
		stop()
		if took := time.Since(began); took != 55*time.Minute {
			t.Errorf("connected again after %s", took)
		}
		_ = end()
		if d.last.Token != "token-5" { // one of the refresh, and then one of the resumption
			t.Errorf("the state was kept with %q", d.last.Token)
		}
	})
}

func TestStreamLeavesAConnectionOnWhichNobodyAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, d := newService(t), &diary{}
		end := listen(t, s, d)
		deaf := <-s.streams
		go func() { _, _ = io.Copy(io.Discard, deaf) }()
		began := time.Now()
		conn := drain(<-s.streams)
		if took := time.Since(began); took < time.Minute || took > 2*time.Minute {
			t.Errorf("connected again after %s", took)
		}
		send(conn, set("1", "a", `"1"`))
		synctest.Wait()
		if _ = end(); d.said() != "a" {
			t.Errorf("heard %q", d.said())
		}
	})
}

func TestStreamTakesNothingButTexts(t *testing.T) {
	t.Parallel()
	for sentence, frame := range map[string][]byte{
		"a binary message":         {0x82, 1, 'x'},
		"a message without an end": {0x81, 127, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff},
		"a frame of nobody's":      {0xc1, 0},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, d := newService(t), &diary{}
				end := listen(t, s, d)
				conn := drain(<-s.streams)
				go func() { _, _ = conn.Write(append(frame, make([]byte, 2<<20)...)) }()
				again := drain(<-s.streams) // the connection was given up
				send(again, set("1", "a", `"1"`))
				synctest.Wait()
				if _ = end(); d.said() != "a" {
					t.Errorf("heard %q", d.said())
				}
			})
		})
	}
}

func TestStreamEnds(t *testing.T) {
	t.Parallel()
	full := errors.New("the disk is full")
	for sentence, c := range map[string]struct {
		arrange func(*service, *diary)
		frames  []string
		code    string
		is      error
		within  time.Duration
	}{
		"when the state can't be kept": {arrange: func(_ *service, d *diary) { d.fail = full }, is: full},
		"when the token has expired": {arrange: func(s *service, d *diary) {
			s.failures["GET c|1"] = []failure{{status: 403, body: `{"error":{"code":"TokenExpired"}}`}}
		}, code: "direct-line-token-expired"},
		"when its address is a stranger's":   {arrange: func(s *service, _ *diary) { s.stream = "wss://evil.example/?t=secret" }, code: "service-url-refused"},
		"when it has no address, in the end": {arrange: func(s *service, _ *diary) { s.stream = "" }, code: "direct-line-answer-invalid", within: 3 * time.Minute},
		"when all is nonsense, in the end":   {arrange: func(s *service, d *diary) {}, frames: []string{"{"}, code: "direct-line-answer-invalid", within: 3 * time.Minute},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, d := newService(t), &diary{}
				cl, state := s.start(t)
				c.arrange(s, d)
				ctx, cancel := context.WithCancel(t.Context())
				go func() {
					for {
						select {
						case conn := <-s.streams:
							drain(conn)
							for _, f := range append(c.frames, set("1", "a", `"1"`)) {
								send(conn, f)
							}
						case <-ctx.Done():
							return
						}
					}
				}()
				began := time.Now()
				err := cl.Stream(t.Context(), state, d.keep)
				cancel()
				if c.is != nil && !errors.Is(err, c.is) || c.is == nil && !fault.Is(err, c.code) {
					t.Errorf("err = %v, want %v %s", err, c.is, c.code)
				}
				if took := time.Since(began); took > c.within {
					t.Errorf("took %s, want at most %s", took, c.within)
				}
				if err != nil && strings.Contains(err.Error(), "secret") {
					t.Errorf("the error tells the token: %v", err)
				}
			})
		})
	}
}

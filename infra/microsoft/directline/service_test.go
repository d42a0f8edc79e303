package directline_test

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"handoff/infra/microsoft/activity"
	"handoff/infra/microsoft/directline"
)

const (
	europe  = "https://europe.directline.botframework.com"
	current = "https://default1.e.environment.api.powerplatform.com/powervirtualagents/botsbyschema/cr1_store/directline/token?api-version=2022-03-01-preview"
	legacy  = "https://powerva.microsoft.com/api/botmanagement/v1/directline/directlinetoken?botId=b1&tenantId=t1"
)

type object = map[string]any

// service is Direct Line with a bot behind it, and its token endpoint, as
// strict as the real ones about methods, addresses and tokens.
type service struct {
	t        testing.TB
	lifetime time.Duration // of tokens; 0: an hour

	mu       sync.Mutex
	granted  int
	expires  map[string]time.Time
	said     []object
	posted   []activity.Activity
	calls    []string
	failures map[string][]failure // by the last part of the path
	oddly    func() object        // answers a look in place of the service
	streams  chan net.Conn
	stream   string // where streams are
}

type failure struct {
	status int
	body   string
	after  string
}

func newService(t testing.TB) *service {
	t.Helper()
	return &service{t: t, expires: map[string]time.Time{}, failures: map[string][]failure{}, streams: make(chan net.Conn, 8), stream: "wss://europe.directline.botframework.com/stream?t=secret"}
}

func (s *service) client() *directline.Client {
	return directline.New(directline.Options{HTTP: &http.Client{Transport: s}, Now: time.Now, Upgrader: upgrader{s}})
}

func (s *service) start(t testing.TB) (*directline.Client, directline.State) {
	t.Helper()
	c := s.client()
	state, err := c.Start(t.Context(), directline.Bot{TokenEndpoint: current}, "customer")
	if err != nil {
		t.Fatal(err)
	}
	return c, state
}

// RoundTrip answers without a network, so that it can be used in a bubble.
func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := httptest.NewRecorder()
	s.calls = append(s.calls, r.Method+" "+r.URL.Host+r.URL.RequestURI())
	last := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	if f := s.failures[r.Method+" "+last]; len(f) > 0 {
		s.failures[r.Method+" "+last] = f[1:]
		if f[0].after != "" {
			w.Header().Set("Retry-After", f[0].after)
		}
		w.WriteHeader(f[0].status)
		_, _ = io.WriteString(w, f[0].body)
		return w.Result(), nil
	}
	s.serve(w, r)
	return w.Result(), nil
}

func (s *service) serve(w *httptest.ResponseRecorder, r *http.Request) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	answer := func(status int, o object) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(o)
	}
	switch at := r.Method + " " + r.URL.Host + r.URL.Path; at {
	case "GET powerva.microsoft.com/api/botmanagement/v1/directline/directlinetoken":
		answer(200, object{"token": s.grant()["token"]})
		return
	case "GET default1.e.environment.api.powerplatform.com/powervirtualagents/botsbyschema/cr1_store/directline/token":
		answer(200, s.grant())
		return
	case "GET default1.e.environment.api.powerplatform.com/powervirtualagents/regionalchannelsettings":
		answer(200, object{"channelUrlsById": object{"directline": europe + "/", "webchat": "x"}})
		return
	case "POST europe.directline.botframework.com/v3/directline/tokens/generate":
		if body, _ := io.ReadAll(r.Body); token != "the-secret" || string(body) != `{"user":{"id":"dl_customer"}}` {
			s.t.Errorf("generate with %q, %s", token, body)
		}
		answer(200, s.grant())
		return
	}
	if end, known := s.expires[token]; !known || !time.Now().Before(end) {
		answer(403, object{"error": object{"code": "TokenExpired", "message": "Token has expired"}})
		return
	}
	switch r.Method + " " + r.URL.Path {
	case "POST /v3/directline/conversations":
		answer(201, s.grant())
	case "POST /v3/directline/tokens/refresh":
		answer(200, s.grant())
	case "GET /v3/directline/conversations/c|1":
		g := s.grant()
		g["streamUrl"] = s.stream
		answer(200, g)
	case "GET /v3/directline/conversations/c|1/activities":
		answer(200, s.look(r.URL.Query().Get("watermark")))
	case "POST /v3/directline/conversations/c|1/activities":
		body, _ := io.ReadAll(r.Body)
		a, err := activity.Parse(body)
		if err != nil || a.From() == "" || r.Header.Get("Content-Type") != "application/json; charset=utf-8" {
			answer(400, object{"error": object{"code": "MissingProperty", "message": "from"}})
			return
		}
		s.posted = append(s.posted, a)
		s.say("customer", a.Text("text"))
		answer(200, object{"id": s.said[len(s.said)-1]["id"]})
	default:
		answer(404, object{"error": object{"code": "NotFound", "message": r.URL.Path}})
	}
}

func (s *service) grant() object {
	s.granted++
	token, life := "token-"+strconv.Itoa(s.granted), s.lifetime
	if life == 0 {
		life = time.Hour
	}
	s.expires[token] = time.Now().Add(life)
	return object{"conversationId": "c|1", "token": token, "expires_in": int(life.Seconds())}
}

func (s *service) say(from, text string) {
	s.said = append(s.said, object{"id": fmt.Sprintf("c|1|%07d", len(s.said)), "type": "message", "from": object{"id": from}, "text": text})
}

func (s *service) says(texts ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, text := range texts {
		s.say("bot", text)
	}
}

// look answers as often as it is asked with the same watermark with the same.
func (s *service) look(watermark string) object {
	if s.oddly != nil {
		return s.oddly()
	}
	from, _ := strconv.Atoi(watermark)
	return object{"activities": s.said[from:], "watermark": strconv.Itoa(len(s.said))}
}

func (s *service) count(call string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		if strings.HasPrefix(c, call) {
			n++
		}
	}
	return n
}

// upgrader switches protocols and gives the service its end.
type upgrader struct{ s *service }

func (u upgrader) RoundTrip(r *http.Request) (*http.Response, error) {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	here, there := net.Pipe()
	u.s.t.Cleanup(func() { _ = there.Close() })
	u.s.streams <- there
	return &http.Response{StatusCode: http.StatusSwitchingProtocols, Body: here, Header: http.Header{
		"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Accept": {base64.StdEncoding.EncodeToString(sum[:])},
	}}, nil
}

// send writes a text frame.
func send(c net.Conn, text string) {
	b := binary.BigEndian.AppendUint16([]byte{0x81, 126}, uint16(len(text)))
	if len(text) < 126 {
		b = []byte{0x81, byte(len(text))}
	}
	_, _ = c.Write(append(b, text...))
}

func texts(all []activity.Activity) string {
	var b []string
	for _, a := range all {
		b = append(b, a.Text("text"))
	}
	return strings.Join(b, " ")
}

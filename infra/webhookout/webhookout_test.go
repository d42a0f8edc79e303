package webhookout_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"handoff/domain/delivery"
	"handoff/domain/emission"
	"handoff/infra/safehttp"
	"handoff/infra/standardwebhooks"
	"handoff/infra/webhookout"
)

// secrets gives every endpoint the same secrets.
type secrets struct {
	all []standardwebhooks.Secret
	err error
}

func (s secrets) Secrets(context.Context, string, string, string) ([]standardwebhooks.Secret, error) {
	return s.all, s.err
}

var event = emission.Event{
	ID: "esc_0zhc400000g00800000000001a@2", Source: "/connections/store-bot", Type: emission.Routed, Subject: "esc_0zhc400000g00800000000001a",
	Time: time.Date(2026, 11, 22, 9, 10, 12, 4e6, time.UTC), DataSchema: "https://handoff.example/schemas/ö \"%.json", Sequence: "0000000002",
	PartitionKey: "1f8b0800-0000-8000-8000-00000000002a", TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", Data: []byte(`{"a":1}`),
}

func client(t testing.TB, timeout time.Duration) *http.Client {
	t.Helper()
	allow, err := safehttp.ParseAllow("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	c := safehttp.NewClient(safehttp.Options{Allow: allow, Timeout: timeout, TLS: timeout})
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func sender(t testing.TB, timeout time.Duration, s ...standardwebhooks.Secret) *webhookout.Sender {
	t.Helper()
	return webhookout.NewSender(client(t, timeout), secrets{all: s}, "1.2.3", time.Now)
}

func server(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.Start()
	t.Cleanup(srv.Close)
	return srv
}

func TestSend(t *testing.T) {
	t.Parallel()
	older, newer := standardwebhooks.Generate(), standardwebhooks.Generate()
	type received struct {
		header http.Header
		body   []byte
	}
	got := make(chan received, 1)
	srv := server(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- received{r.Header, body}
		w.WriteHeader(http.StatusNoContent)
	})
	o, err := sender(t, 5*time.Second, newer, older).Send(t.Context(), delivery.Endpoint{URL: srv.URL + "/hook?a=b"}, event)
	if err != nil || o.Code != delivery.CodeDelivered || o.Status != http.StatusNoContent {
		t.Fatalf("Send = %+v, %v", o, err)
	}
	r := <-got
	for _, s := range []standardwebhooks.Secret{older, newer} {
		err := standardwebhooks.Verify([]standardwebhooks.Secret{s}, r.header.Get("webhook-id"), r.header.Get("webhook-timestamp"),
			r.header.Get("webhook-signature"), r.body, time.Now(), 0)
		if err != nil {
			t.Errorf("Verify: %v", err)
		}
	}
	for name, want := range map[string]string{
		"ce-specversion": "1.0", "ce-id": event.ID, "ce-source": event.Source, "ce-type": event.Type, "ce-subject": event.Subject,
		"ce-time": "2026-11-22T09:10:12.004Z", "ce-sequence": "0000000002", "ce-partitionkey": event.PartitionKey,
		"ce-dataschema":  "https://handoff.example/schemas/%C3%B6%20%22%25.json",
		"ce-traceparent": event.TraceParent, "traceparent": event.TraceParent,
		"content-type": "application/json", "webhook-id": event.ID, "user-agent": "Handoff/1.2.3",
		"ce-datacontenttype": "", "idempotency-key": "", "accept-encoding": "",
	} {
		if v := r.header.Get(name); v != want {
			t.Errorf("%s = %q, want %q", name, v, want)
		}
	}
	if decoded, err := url.PathUnescape(r.header.Get("ce-dataschema")); err != nil || decoded != event.DataSchema {
		t.Errorf("ce-dataschema decodes to %q, %v", decoded, err)
	}
	if string(r.body) != string(event.Data) {
		t.Errorf("body = %s", r.body)
	}
}

func TestEveryWayToFail(t *testing.T) {
	t.Parallel()
	answer := func(status int, headers ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(headers); i += 2 {
				w.Header().Set(headers[i], headers[i+1])
			}
			w.WriteHeader(status)
		}
	}
	plain := server(t, answer(http.StatusOK))
	tlsServer := httptest.NewUnstartedServer(answer(http.StatusOK))
	tlsServer.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	tlsServer.StartTLS()
	t.Cleanup(tlsServer.Close)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + closed.Addr().String()
	_ = closed.Close()
	for sentence, c := range map[string]struct {
		handler    http.HandlerFunc
		url        string
		code       string
		status     int
		retryAfter time.Duration
	}{
		"any 2xx confirms":           {handler: answer(299), code: "delivered", status: 299},
		"a huge answer confirms":     {handler: huge, code: "delivered", status: 200},
		"an answer that drips on":    {handler: drip, code: "delivered", status: 200},
		"500":                        {handler: answer(500), code: "status-500", status: 500},
		"404":                        {handler: answer(404), code: "status-404", status: 404},
		"410 is final":               {handler: answer(410), code: "endpoint-gone", status: 410},
		"a redirect is not followed": {handler: answer(302, "Location", plain.URL), code: "redirect", status: 302},
		"429 with seconds":           {handler: answer(429, "Retry-After", "120"), code: "status-429", status: 429, retryAfter: 2 * time.Minute},
		"503 with a past date":       {handler: answer(503, "Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT"), code: "status-503", status: 503},
		"503 with nonsense":          {handler: answer(503, "Retry-After", "-1"), code: "status-503", status: 503},
		"no answer in time":          {handler: silent, code: "timeout"},
		"closed without an answer":   {handler: hangUp, code: "connection-reset"},
		"nobody listens":             {url: nobody, code: "connection-refused"},
		"a name nobody knows":        {url: "http://nobody.invalid/", code: "dns"},
		"a certificate nobody knows": {url: tlsServer.URL, code: "tls"},
		"no TLS at all":              {url: strings.Replace(plain.URL, "http:", "https:", 1), code: "tls"},
		"an address that is refused": {url: "http://169.254.169.254/", code: "address-refused"},
		"a URL that is none":         {url: "http://\x00/", code: "url-invalid"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if c.handler != nil {
				c.url = server(t, c.handler).URL
			}
			timeout := 5 * time.Second
			if c.code == "timeout" || sentence == "an answer that drips on" {
				timeout = 50 * time.Millisecond
			}
			o, err := sender(t, timeout, standardwebhooks.Generate()).Send(t.Context(), delivery.Endpoint{URL: c.url}, event)
			if err != nil || o.Code != c.code || o.Status != c.status || o.RetryAfter != c.retryAfter {
				t.Errorf("Send = %+v, %v, want %s, %d, %s", o, err, c.code, c.status, c.retryAfter)
			}
			if o.StartedAt.IsZero() || o.Duration < 0 {
				t.Errorf("outcome without its time: %+v", o)
			}
		})
	}
}

func huge(w http.ResponseWriter, _ *http.Request) {
	part := make([]byte, 64<<10)
	for range 64 {
		if _, err := w.Write(part); err != nil {
			return
		}
	}
}

func drip(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, "thank")
	_ = http.NewResponseController(w).Flush()
	silent(w, r)
}

// silent reads the request, so that it notices when the sender leaves.
func silent(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

func hangUp(w http.ResponseWriter, _ *http.Request) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
	}
}

func TestRetryAfterAsDate(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	srv := server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", now.Add(90*time.Second).Format(http.TimeFormat))
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	s := webhookout.NewSender(client(t, time.Second), secrets{all: []standardwebhooks.Secret{standardwebhooks.Generate()}}, "1", func() time.Time { return now })
	if o, err := s.Send(t.Context(), delivery.Endpoint{URL: srv.URL}, event); err != nil || o.RetryAfter != 90*time.Second {
		t.Errorf("Send = %+v, %v, want to wait 90s", o, err)
	}
}

func TestWhatIsNotTheEndpointsDoingIsAnError(t *testing.T) {
	t.Parallel()
	unreadable := errors.New("unreadable")
	s := webhookout.NewSender(client(t, time.Second), secrets{err: unreadable}, "1", time.Now)
	if _, err := s.Send(t.Context(), delivery.Endpoint{}, event); !errors.Is(err, unreadable) {
		t.Errorf("Send = %v, want the error of the secrets", err)
	}
	if _, err := sender(t, time.Second).Send(t.Context(), delivery.Endpoint{}, event); err == nil {
		t.Error("Send without a secret succeeded")
	}
	ctx, cancel := context.WithCancel(t.Context())
	srv := server(t, func(w http.ResponseWriter, r *http.Request) { cancel(); silent(w, r) })
	if _, err := sender(t, 5*time.Second, standardwebhooks.Generate()).Send(ctx, delivery.Endpoint{URL: srv.URL}, event); !errors.Is(err, context.Canceled) {
		t.Errorf("Send while stopping = %v, want context.Canceled", err)
	}
}

func BenchmarkSend20KiB(b *testing.B) {
	srv := server(b, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	s, e := sender(b, 5*time.Second, standardwebhooks.Generate()), event
	e.Data = make([]byte, 20<<10)
	b.ReportAllocs()
	for b.Loop() {
		if o, err := s.Send(b.Context(), delivery.Endpoint{URL: srv.URL}, e); err != nil || !o.Delivered() {
			b.Fatalf("Send = %+v, %v", o, err)
		}
	}
}

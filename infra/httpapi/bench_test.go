package httpapi_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"handoff/infra/httpapi"
	"handoff/infra/standardwebhooks"
)

// handOff is a hand-off of about 20 KiB with 50 turns.
func handOff(b *testing.B) string {
	b.Helper()
	var messages []map[string]string
	for i := range 50 {
		messages = append(messages, map[string]string{
			"id": strconv.Itoa(i), "at": "2026-11-22T09:10:12Z", "from": []string{"customer", "bot"}[i%2], "text": strings.Repeat("Where is my parcel? ", 16),
		})
	}
	body, err := json.Marshal(map[string]any{
		"conversation_id": "Kx81c", "topic": "Refund", "language": "nl-NL", "variables": map[string]any{"order_number": "4711", "order_total": 380.0},
		"transcript": map[string]any{"messages": messages},
	})
	if err != nil {
		b.Fatal(err)
	}
	return string(body)
}

// BenchmarkRaise is the floor of the intake: everything but the operation.
func BenchmarkRaise(b *testing.B) {
	body := handOff(b)
	secret := standardwebhooks.Generate()
	h := serve(func(_ *httpapi.API, c *httpapi.Config) { c.WebhookSecrets = onlySecret(secret) })
	for name, header := range map[string]http.Header{
		"key":       {"Authorization": {"Bearer bot"}},
		"signature": {"Webhook-Id": {"msg_1"}, "Webhook-Timestamp": {strconv.FormatInt(now().Unix(), 10)}, "Webhook-Signature": {standardwebhooks.Sign(secret, "msg_1", now(), []byte(body))}},
	} {
		header.Set("Content-Type", "application/json")
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, intakePath, strings.NewReader(body))
				r.Header = header
				w := httptest.NewRecorder()
				if h.ServeHTTP(w, r); w.Code != http.StatusAccepted {
					b.Fatalf("answer = %d, body %s", w.Code, w.Body)
				}
			}
		})
	}
}

// BenchmarkRaiseOverLoopback is the same through a socket, with as many
// clients as there are processors.
func BenchmarkRaiseOverLoopback(b *testing.B) {
	body := handOff(b)
	srv := httptest.NewServer(serve(nil))
	b.Cleanup(srv.Close)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, srv.URL+intakePath, strings.NewReader(body))
			if err != nil {
				b.Error(err)
				return
			}
			r.Header = http.Header{"Authorization": {"Bearer bot"}, "Content-Type": {"application/json"}}
			answer, err := srv.Client().Do(r)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
		}
	})
}

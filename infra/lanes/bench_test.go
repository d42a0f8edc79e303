package lanes_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"handoff/domain/delivery"
	"handoff/domain/emission"
	"handoff/infra/lanes"
	"handoff/infra/safehttp"
	"handoff/infra/standardwebhooks"
	"handoff/infra/webhookout"
)

type oneSecret struct{ standardwebhooks.Secret }

func (s oneSecret) Secrets(context.Context, string, string, string) ([]standardwebhooks.Secret, error) {
	return []standardwebhooks.Secret{s.Secret}, nil
}

// BenchmarkThroughput delivers signed events of 2 KiB, each in a conversation
// of its own, to a fast receiver on loopback: put in, sent, written down.
func BenchmarkThroughput(b *testing.B) {
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	b.Cleanup(srv.Close)
	allow, err := safehttp.ParseAllow("127.0.0.1")
	if err != nil {
		b.Fatal(err)
	}
	client := safehttp.NewClient(safehttp.Options{Allow: allow})
	b.Cleanup(client.CloseIdleConnections)
	sender := webhookout.NewSender(client, oneSecret{standardwebhooks.Generate()}, "bench", time.Now)
	q := lanes.New(open(b, filepath.Join(b.TempDir(), "lanes.db")), time.Now, lanes.Options{})
	event := emission.Event{ID: "esc_0zhc400000g00800000000001a@2", Type: emission.Routed, Data: make([]byte, 2<<10)}
	delivered := make(chan struct{}, 1024)
	stop := run(b, q, func(ctx context.Context, _ delivery.Item, _ bool) (delivery.Progress, error) {
		o, err := sender.Send(ctx, delivery.Endpoint{URL: srv.URL}, event)
		if err != nil || !o.Delivered() {
			b.Errorf("Send = %+v, %v", o, err)
		}
		delivered <- struct{}{}
		return delivery.Progress{Status: delivery.Delivered, Tried: true, Outcome: o}, nil
	})
	b.ReportAllocs()
	b.ResetTimer()
	go func() {
		for i := 0; i < b.N; i += 50 {
			var items []delivery.Item
			for n := i; n < min(i+50, b.N); n++ {
				items = append(items, item(fmt.Sprint("desk", n%4), fmt.Sprintf("%05x", n), 1))
			}
			if err := q.Put(context.Background(), items...); err != nil {
				b.Error(err)
			}
		}
	}()
	for range b.N {
		<-delivered
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
	stop()
}

package apiclient

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"handoff/domain/fault"
)

// silent is a server that begins an answer and never ends it.
type silent struct{}

func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: waiting{r.Context()}, Request: r}, nil
}

type waiting struct{ context.Context }

func (w waiting) Read([]byte) (int, error) {
	<-w.Done()
	return 0, w.Err()
}

func (waiting) Close() error { return nil }

func TestSilentServersAreGivenUp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		call func(ctx context.Context, c *Client) error
		want time.Duration
	}{
		"a call": {func(ctx context.Context, c *Client) error {
			_, err := c.WhoAmI(ctx)
			return err
		}, Timeout},
		"a stream": {func(ctx context.Context, c *Client) (err error) {
			for _, err = range c.Facts(ctx, Reading{}) {
			}
			return err
		}, Silence},
		"what works through the log, at its caller's deadline": {func(ctx context.Context, c *Client) error {
			ctx, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			_, err := c.Verify(ctx, "")
			return err
		}, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client, err := New("http://127.0.0.1:8080", "")
				if err != nil {
					t.Fatal(err)
				}
				client.http.Transport = silent{}
				began := time.Now()
				if err := c.call(t.Context(), client); !fault.Is(err, "server-timeout") {
					t.Errorf("error = %v, want server-timeout", err)
				}
				if took := time.Since(began); took != c.want {
					t.Errorf("gave up after %v, want %v", took, c.want)
				}
			})
		})
	}
}

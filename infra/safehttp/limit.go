package safehttp

import (
	"io"
	"net/http"

	"handoff/domain/fault"
)

// limited ends the body of each answer with a fault after max bytes.
type limited struct {
	next *http.Transport
	max  int64
}

// RoundTrip implements http.RoundTripper.
func (l *limited) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = &body{ReadCloser: resp.Body, left: l.max}
	return resp, nil
}

// CloseIdleConnections lets http.Client.CloseIdleConnections through.
func (l *limited) CloseIdleConnections() { l.next.CloseIdleConnections() }

type body struct {
	io.ReadCloser
	left int64
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, tooLarge()
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1] // one byte more tells an answer at the limit from one above it
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n - 1, tooLarge()
	}
	return n, err
}

func tooLarge() error {
	return fault.New(fault.TooLarge, "endpoint-answer-too-large", "The answer is larger than what is read of one.")
}

package lambdahttp

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	lambdaevents "github.com/aws/aws-lambda-go/events"
)

const (
	// MaxAnswer is how many bytes an answer's body may have. Lambda carries
	// 6 MB (Lambda quotas, "Invocation payload"), of which base64 takes a
	// quarter; some is left for the header.
	MaxAnswer = 4_600_000
	// maxText is how long a body may be that is sent as text: however many of
	// its characters JSON escapes, it fits. Longer ones are compressed if the
	// caller can read that, and sent as base64, whose length is known.
	maxText = 512 << 10
)

// answer collects what a handler writes. It is an http.ResponseWriter that can
// do nothing else: there is no connection to flush or to take over.
type answer struct {
	header http.Header
	sent   http.Header // the header as it was when the answer began
	status int         // zero before
	body   bytes.Buffer
}

func newAnswer() *answer { return &answer{header: make(http.Header)} }

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter. Informational answers are
// dropped: only one answer can be sent.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK {
		a.status, a.sent = status, a.header.Clone()
	}
}

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

// send returns the answer to a request, or an error if it is too large.
func (a *answer) send(r *http.Request) (lambdaevents.APIGatewayV2HTTPResponse, error) {
	a.WriteHeader(http.StatusOK)
	body := a.body.Bytes()
	if r.Method == http.MethodHead || a.status == http.StatusNoContent || a.status == http.StatusNotModified {
		body = nil
	}
	if len(body) > 0 && a.sent.Get("Content-Type") == "" {
		a.sent.Set("Content-Type", http.DetectContentType(body))
	}
	long := len(body) > maxText
	if long && a.sent.Get("Content-Encoding") == "" && readsGzip(r.Header) {
		a.sent.Set("Content-Encoding", "gzip")
		body = compress(body)
	}
	if len(body) > MaxAnswer {
		return lambdaevents.APIGatewayV2HTTPResponse{}, fmt.Errorf("it has %d bytes, and may have %d", len(body), MaxAnswer)
	}
	out := lambdaevents.APIGatewayV2HTTPResponse{StatusCode: a.status, Headers: a.headers(), Cookies: a.sent.Values("Set-Cookie")}
	if long || !utf8.Valid(body) {
		out.Body, out.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	} else {
		out.Body = string(body)
	}
	return out, nil
}

// headers are those that API Gateway may send: one value each, and nothing
// about the connection, which is not ours. It counts the body's length itself.
func (a *answer) headers() map[string]string {
	out := make(map[string]string, len(a.sent))
	for name, values := range a.sent {
		switch name {
		case "Set-Cookie", "Connection", "Content-Length", "Keep-Alive", "Transfer-Encoding", "Trailer", "Upgrade":
		default:
			out[name] = strings.Join(values, ", ")
		}
	}
	return out
}

// readsGzip reports whether the caller accepts gzip by name (RFC 9110 §12.5.3).
func readsGzip(h http.Header) bool {
	for one := range strings.SplitSeq(strings.Join(h.Values("Accept-Encoding"), ","), ",") {
		name, weight, _ := strings.Cut(one, ";")
		refused := strings.TrimRight(strings.TrimSpace(weight), "0.") == "q="
		if strings.EqualFold(strings.TrimSpace(name), "gzip") && !refused {
			return true
		}
	}
	return false
}

func compress(body []byte) []byte {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil { // the level is one of gzip's own
		panic(err)
	}
	_, _ = z.Write(body) // a buffer takes everything
	_ = z.Close()
	return out.Bytes()
}

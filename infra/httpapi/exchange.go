package httpapi

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"handoff/domain/identity"
)

// HeaderRequestID is the header of every answer that names the request, and is
// the trace of a Problem.
const HeaderRequestID = "Handoff-Request-Id"

// exchange is one request being answered, and the http.ResponseWriter of its
// answer. It is used by one goroutine.
type exchange struct {
	http.ResponseWriter

	id      string
	by      identity.Principal // zero before somebody proved who they are
	status  int                // zero before the answer begins
	bytes   int64
	err     error // for the log
	stack   []byte
	aborted bool // the answer breaks off
	placed  bool // it has one of the server's places
}

func newExchange(w http.ResponseWriter) *exchange {
	x := &exchange{ResponseWriter: w, id: "req_" + rand.Text()}
	h := x.Header()
	h.Set(HeaderRequestID, x.id)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	return x
}

// WriteHeader implements http.ResponseWriter.
func (x *exchange) WriteHeader(status int) {
	if status >= http.StatusOK && x.status == 0 {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (x *exchange) Write(b []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	n, err := x.ResponseWriter.Write(b) //nolint:gosec // the type says that it is no page, and browsers are told not to guess
	x.bytes += int64(n)
	return n, err
}

// Unwrap serves http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// json answers with a value.
func (x *exchange) json(status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	x.body(status, "application/json", body)
	return nil
}

func (x *exchange) body(status int, contentType string, body []byte) {
	h := x.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	x.WriteHeader(status)
	_, _ = x.Write(body) // a caller that went away is no error of ours
}

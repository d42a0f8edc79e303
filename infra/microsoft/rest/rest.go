// Package rest makes one call to a REST service of Microsoft and says what came
// of it in Handoff's vocabulary.
//
// Connector, Direct Line and their kin share the shape of an error, {"error":
// {"code", "message"}} (Microsoft, "Bot Connector REST API reference", section
// "Errors": documented), the bearer token, and Retry-After. Every call has a
// deadline and a limit on its answer. Redirects are not followed: they would
// carry a token to a host that nobody agreed on. No error holds a token.
package rest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"handoff/domain/fault"
)

// Defaults of a Client.
const (
	DefaultTimeout = 15 * time.Second
	DefaultAnswer  = 1 << 20 // bytes
)

// Client calls one service. Its fields may not change once it is used; it is
// then safe for concurrent use. The zero value calls a service without a name.
type Client struct {
	// Service begins the codes of faults, such as direct-line for
	// direct-line-unavailable, and Title names it to people.
	Service, Title string
	HTTP           *http.Client  // nil means http.DefaultClient
	Timeout        time.Duration // of one attempt; 0 means DefaultTimeout
	MaxAnswer      int64         // bytes; 0 means DefaultAnswer
	Retry          Retry
	// Now is asked only about a Retry-After that is a date; without it such a
	// date is passed over.
	Now func() time.Time
}

// Request is one call.
type Request struct {
	Method, URL string
	// Bearer is the token of the Authorization header, or empty.
	Bearer string
	// Header is sent beside what every call has; nil is fine.
	Header http.Header
	// Body is JSON, or nil for none.
	Body []byte
	// Repeatable says that it does no harm when the service does it twice.
	// Others are made again only where the service says it did nothing (429).
	Repeatable bool
}

// Answer is what a service answered with a status of 2xx.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	// Attempts is how many times the call was made. Above 1, a call that is no
	// read may have had its effect more than once.
	Attempts int
}

// RefusedError is the cause of a fault that a service answered with. It is for the
// log and for code, not for strangers.
type RefusedError struct {
	Status int
	Code   string // the service's own, such as TokenExpired; may be empty
	// Message may repeat what the service was told: it is for code, not for the
	// log. It has 500 bytes at most.
	Message string
	Header  http.Header
}

// Error returns status, code, and by what the vendor's support finds the call
// (documented: X-Correlating-OperationId).
func (r *RefusedError) Error() string {
	s := "status " + strconv.Itoa(r.Status)
	if r.Code != "" {
		s += " " + r.Code
	}
	if id := r.Header.Get("X-Correlating-OperationId"); word(id) {
		s += " (operation " + id + ")"
	}
	return s
}

// RefusalOf returns what the service answered, or nil where it did not.
func RefusalOf(err error) *RefusedError {
	if r, ok := errors.AsType[*RefusedError](err); ok {
		return r
	}
	return nil
}

// Do makes a call, again as Retry says, and returns a 2xx answer. Everything
// else is a fault whose code begins with the service's name and ends in
// unreachable, timeout, rate-limited, unavailable, token-refused (401),
// forbidden, not-found, conflict, too-large, refused, or answer-invalid. The
// context's own end is returned as it is.
func (c *Client) Do(ctx context.Context, r Request) (Answer, error) {
	for attempt := 1; ; attempt++ {
		a, err := c.once(ctx, r)
		if err == nil {
			a.Attempts = attempt
			return a, nil
		}
		if !c.again(ctx, r, attempt, err) || c.Retry.wait(ctx, attempt, err) != nil {
			return Answer{}, err
		}
	}
}

func (c *Client) once(ctx context.Context, r Request) (Answer, error) {
	timeout := c.Timeout
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	within, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(within, r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return Answer{}, fmt.Errorf("write a request to %s: %w", c.Title, err)
	}
	maps.Copy(req.Header, r.Header)
	req.Header.Set("Accept", "application/json")
	if r.Body != nil {
		req.Header.Set("Content-Type", "application/json; charset=utf-8")
	}
	if r.Bearer != "" {
		req.Header.Set("Authorization", "Bearer "+r.Bearer)
	}
	resp, err := c.unredirected().Do(req)
	if err != nil {
		return Answer{}, c.lost(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := c.read(resp.Body)
	if err != nil {
		return Answer{}, c.lost(ctx, err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return Answer{}, c.refusal(resp, body)
	}
	return Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}, nil
}

func (c *Client) unredirected() *http.Client {
	h := http.Client{}
	if c.HTTP != nil {
		h = *c.HTTP
	}
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &h
}

func (c *Client) read(from io.Reader) ([]byte, error) {
	limit := c.MaxAnswer
	if limit == 0 {
		limit = DefaultAnswer
	}
	body, err := io.ReadAll(io.LimitReader(from, limit+1))
	if err == nil && int64(len(body)) > limit {
		return nil, c.Fault(fault.Unavailable, "answer-invalid", "answered with more than %d bytes.", limit)
	}
	return body, err
}

// lost returns why there is no answer: the caller's context, the deadline of
// one attempt, or the network. A URL is not repeated, for some hold an id.
func (c *Client) lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("call %s: %w", c.Title, context.Cause(ctx))
	}
	if fault.Of(err) != nil {
		return err
	}
	cause := err
	if u, ok := errors.AsType[*url.Error](err); ok {
		cause = u.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return c.Fault(fault.Unavailable, "timeout", "took too long to answer.").Because(cause)
	}
	return c.Fault(fault.Unavailable, "unreachable", "can't be reached.").Because(cause)
}

// Fault returns a fault whose code begins with the service's name and whose
// detail with its title.
func (c *Client) Fault(k fault.Kind, code, format string, args ...any) *fault.Error {
	return fault.New(k, c.Service+"-"+code, c.Title+" "+fmt.Sprintf(format, args...))
}

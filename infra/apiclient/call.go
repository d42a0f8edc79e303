package apiclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"handoff/domain/fault"
	"handoff/domain/listing"
	"handoff/infra/httpapi"
)

// Limits of what is read of an answer.
const (
	maxAnswer  = 64 << 20
	maxProblem = 1 << 20
)

// request is a call to be made.
type request struct {
	method, path string
	query        url.Values
	header       http.Header
	body         []byte
	media        string
	slow         bool // it works through the log
	err          error
}

func get(path string) request { return request{method: http.MethodGet, path: path} }

func post(path string, v any) request { return with(http.MethodPost, path, v) }

func with(method, path string, v any) request {
	body, err := json.Marshal(v)
	return request{method: method, path: path, body: body, media: "application/json", err: err}
}

// at fills the names in a path, such as /v1/keys/%s.
func at(format string, names ...string) string {
	escaped := make([]any, len(names))
	for i, n := range names {
		escaped[i] = url.PathEscape(n)
	}
	return fmt.Sprintf(format, escaped...)
}

// list adds what selects a part of a list.
func (r request) list(p listing.Page, pairs ...string) request {
	r.query = make(url.Values)
	limit := ""
	if p.Limit > 0 {
		limit = strconv.Itoa(p.Limit)
	}
	pairs = append(pairs, "cursor", p.Cursor, "limit", limit)
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			r.query.Set(pairs[i], pairs[i+1])
		}
	}
	return r
}

// call makes a request and reads its answer, of which an empty one is zero.
func call[T any](ctx context.Context, c *Client, r request) (T, error) {
	var v T
	body, _, err := c.whole(ctx, r)
	if err != nil || len(body) == 0 {
		return v, err
	}
	if err := json.Unmarshal(body, &v); err != nil {
		return v, fmt.Errorf("%s %s: read the answer: %w", r.method, r.path, err)
	}
	return v, nil
}

// whole makes a request and returns its whole answer.
func (c *Client) whole(ctx context.Context, r request) ([]byte, http.Header, error) {
	if !r.slow {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, Timeout)
		defer cancel()
	}
	answer, err := c.send(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return nil, nil, c.brokenOff(ctx, r, err)
	}
	if len(body) > maxAnswer {
		return nil, nil, fmt.Errorf("%s %s: the answer is longer than %d bytes", r.method, r.path, maxAnswer)
	}
	return body, answer.Header, nil
}

// send makes a request and returns an answer that is a success; its body is
// the caller's to close.
func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	if r.err != nil {
		return nil, fmt.Errorf("%s %s: write the request: %w", r.method, r.path, r.err)
	}
	target := c.base + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, bytes.NewReader(r.body))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.method, r.path, err)
	}
	maps.Copy(req.Header, r.header)
	if r.media != "" {
		req.Header.Set("Content-Type", r.media)
	}
	if key := c.key(); key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	answer, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, r, err)
	}
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		defer func() { _ = answer.Body.Close() }()
		return nil, refusal(r, answer)
	}
	return answer, nil
}

// unreachable and brokenOff return why there is no answer, or no whole one: the
// caller's context, or the server.
func (c *Client) unreachable(ctx context.Context, r request, err error) error {
	return c.lost(ctx, r, err, fault.New(fault.Unavailable, "server-unreachable",
		"Handoff at "+c.base+" can't be reached. Does it run, and is the address right?"))
}

func (c *Client) brokenOff(ctx context.Context, r request, err error) error {
	return c.lost(ctx, r, err, fault.New(fault.Unavailable, "answer-broken-off",
		"The answer of Handoff at "+c.base+" broke off before its end."))
}

func (c *Client) lost(ctx context.Context, r request, err error, otherwise *fault.Error) error {
	cause := context.Cause(ctx)
	switch {
	case errors.Is(cause, context.DeadlineExceeded), errors.Is(cause, errSilence):
		return fault.New(fault.Unavailable, "server-timeout", "Handoff at "+c.base+" took too long to answer.").Because(err)
	case cause != nil:
		return fmt.Errorf("%s %s: %w", r.method, r.path, cause)
	}
	return otherwise.Because(err)
}

// refusal reads an answer that is no success.
func refusal(r request, answer *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxProblem))
	var p httpapi.Problem
	if media, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type")); err == nil && media == httpapi.MediaProblem {
		err = json.Unmarshal(body, &p)
	}
	p.Status = answer.StatusCode // whatever the body says
	if err != nil || p.Code == "" {
		p.Code = "answer-not-understood"
		p.Detail = fmt.Sprintf("The answer to %s %s is %s and not Handoff's. Is the address right?", r.method, r.path, answer.Status)
	}
	f := p.Fault()
	if seconds, err := strconv.Atoi(strings.TrimSpace(answer.Header.Get("Retry-After"))); err == nil && seconds >= 0 {
		f.RetryAfter = time.Duration(seconds) * time.Second
	}
	if p.Trace != "" {
		f.Err = errors.New("request " + p.Trace)
	}
	return f
}

// Package controlplane calls the APIs by which Microsoft's services are set up
// and looked at: Graph, Azure Resource Manager and Dataverse, and the login
// service whose tokens the others take.
//
// They have in common what this package promises: every call has a deadline and
// a size limit; a token that was rejected is renewed once; an answer 429 or 503
// is waited for as long as its Retry-After says if that ends before the
// deadline, and else is a fault that carries it, and no other call of the client
// goes out before then; calls that may be repeated are repeated where the network
// or the service fails. A redirect is never followed and a token goes to the
// client's own host only.
//
// What an API refuses becomes a fault. Its kind is Unprocessable where somebody
// has to change a setting at Microsoft, never Unauthenticated or Forbidden,
// which would speak of the one who called Handoff. The text of an answer is left
// out of errors, for it may repeat names, except with status 400, which is about
// the form of what was asked.
package controlplane

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"handoff/infra/microsoft/entra/cloud"
)

// Limits of a call.
const (
	DefaultTimeout = 30 * time.Second // of a call with all its repeats
	MaxAnswer      = 16 << 20         // bytes of an answer
	attempts       = 5                // requests of one call, at most
)

// Tokens is where a client has its bearer tokens from.
type Tokens interface {
	// Token returns a token that is good for some minutes still.
	Token(ctx context.Context) (string, error)
	// Renew returns another token than the one that was rejected.
	Renew(ctx context.Context, rejected string) (string, error)
}

// API is what errors say of the service that is called.
type API struct {
	Name string // in sentences: Microsoft Graph
	Code string // before the codes of faults: graph
	Deny string // what to do where a permission is missing, as a sentence
	// Explain makes a fault of an answer that is no success; nil means as
	// Graph, Resource Manager and Dataverse write them.
	Explain func(RefusedError) error
}

// Options are for making a client. Base, HTTP and Now are required.
type Options struct {
	// Base is the API's address without a slash at its end; cloud.Base says
	// which are taken.
	Base string
	HTTP *http.Client
	// Tokens authorise calls; nil where the API takes none.
	Tokens Tokens
	// Now is the clock that deadlines of contexts go by: time.Now.
	Now func() time.Time
	// Timeout is for a call with all its repeats; 0 means DefaultTimeout.
	Timeout time.Duration
}

// Client calls one API. It is safe for concurrent use.
type Client struct {
	api     API
	base    *url.URL
	http    *http.Client
	tokens  Tokens
	now     func() time.Time
	timeout time.Duration

	mu   sync.Mutex
	open time.Time // when the service takes calls again
}

// New returns a client. It fails where Base is no address for tokens.
func New(api API, o Options) (*Client, error) {
	base, err := cloud.Base(o.Base)
	if err != nil {
		return nil, fmt.Errorf("address of %s: %w", api.Name, err)
	}
	h := *o.HTTP
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if api.Explain == nil {
		api.Explain = api.explain
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	return &Client{api: api, base: base, http: &h, tokens: o.Tokens, now: o.Now, timeout: o.Timeout}, nil
}

// Base returns the API's address without a slash at its end.
func (c *Client) Base() string { return c.base.String() }

// Request is a call to be made. Set at most one of JSON and Form.
type Request struct {
	Method string
	// Path begins with a slash and follows the base; what stands for a name in
	// it is escaped already.
	Path   string
	Query  url.Values
	Header http.Header
	JSON   any
	Form   url.Values
	// Repeatable marks a POST that does no harm if it arrives twice. Every
	// other method does none (RFC 9110 §9.2.2; PATCH as it is used here).
	Repeatable bool
}

// Answer is a success.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Decode reads the answer's JSON into v, whose fields are matched to names
// without regard to case.
func (a Answer) Decode(v any) error {
	if err := json.Unmarshal(a.Body, v); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}

// Do makes a call and returns its answer, whose status is 2xx.
func (c *Client) Do(ctx context.Context, r Request) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	a, err := c.do(ctx, r)
	if err != nil {
		return Answer{}, fmt.Errorf("%s %s of %s: %w", r.Method, r.Path, c.api.Name, err)
	}
	return a, nil
}

func (c *Client) do(ctx context.Context, r Request) (Answer, error) {
	body, media, err := r.encode()
	if err != nil {
		return Answer{}, err
	}
	token, err := c.token(ctx)
	if err != nil {
		return Answer{}, err
	}
	renewed := c.tokens == nil
	for attempt := 1; ; attempt++ {
		if err := c.wait(ctx); err != nil {
			return Answer{}, err
		}
		a, err := c.send(ctx, r, body, media, token)
		if err == nil && a.Status/100 == 2 {
			return a, nil
		}
		if err == nil && a.Status == http.StatusUnauthorized && !renewed {
			renewed = true
			if token, err = c.tokens.Renew(ctx, token); err != nil {
				return Answer{}, err
			}
			continue
		}
		if !c.again(ctx, r, a, err, attempt) {
			return Answer{}, c.failure(ctx, a, err)
		}
	}
}

func (c *Client) token(ctx context.Context) (string, error) {
	if c.tokens == nil {
		return "", nil
	}
	return c.tokens.Token(ctx)
}

func (r Request) encode() (body []byte, media string, err error) {
	switch {
	case r.Form != nil:
		return []byte(r.Form.Encode()), "application/x-www-form-urlencoded", nil
	case r.JSON != nil:
		body, err = json.Marshal(r.JSON)
		if err != nil {
			err = fmt.Errorf("write the request: %w", err)
		}
		return body, "application/json; charset=utf-8", err
	}
	return nil, "", nil
}

// send makes one request. Its error is of the network or the context.
func (c *Client) send(ctx context.Context, r Request, body []byte, media, token string) (Answer, error) {
	target := c.Base() + r.Path
	if len(r.Query) > 0 {
		// Blanks as %20: a plus is read as one by forms, not by every OData service.
		target += "?" + strings.ReplaceAll(r.Query.Encode(), "+", "%20")
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, target, bytes.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	maps.Copy(req.Header, r.Header)
	req.Header.Set("Accept", "application/json")
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	read, err := io.ReadAll(io.LimitReader(resp.Body, MaxAnswer+1))
	if err == nil && len(read) > MaxAnswer {
		return Answer{}, errTooLarge
	}
	return Answer{Status: resp.StatusCode, Header: resp.Header, Body: read}, err
}

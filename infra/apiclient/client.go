// Package apiclient calls Handoff's HTTP API, as the command line does.
//
// What the server refuses comes back as the *fault.Error that it was there:
// kind, code, detail, pointer, problems and how long to wait. The key is in no
// error and no log, and is sent to the server's own address only: redirects are
// not followed.
package apiclient

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"handoff/domain/fault"
	"handoff/infra/httpapi"
)

// Times after which a server counts as lost.
const (
	// Timeout is for a call, answer included, but for those that work through
	// the log, which take as long as their context lets them.
	Timeout = 30 * time.Second
	// Silence is how long a stream of facts may bring nothing.
	Silence = time.Minute
)

// Client calls one server with one key. It is safe for concurrent use.
type Client struct {
	base string
	// key is a function so that no way of printing a Client shows it.
	key  func() string
	http *http.Client
}

// New returns a client of the server at base, such as http://127.0.0.1:8080.
// An empty key calls what is open to anybody. It fails with an Invalid fault
// url-invalid or key-invalid, which does not repeat the input.
func New(base, key string) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fault.New(fault.Invalid, "url-invalid", "The server's address can't be used: write it such as http://127.0.0.1:8080.")
	}
	if strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return nil, fault.New(fault.Invalid, "key-invalid", "The key has characters that no key has. Was it copied whole, and alone?")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	return &Client{
		base: strings.TrimSuffix(base, "/"),
		key:  func() string { return key },
		http: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}, nil
}

// URL returns the server's address.
func (c *Client) URL() string { return c.base }

// Close closes connections that are idle.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Healthy returns nil if the server can do its work. It needs no key.
func (c *Client) Healthy(ctx context.Context) error {
	_, err := call[httpapi.Health](ctx, c, get("/healthz"))
	return err
}

// Version returns the version that the server runs.
func (c *Client) Version(ctx context.Context) (string, error) {
	v, err := call[httpapi.Version](ctx, c, get("/v1/version"))
	return v.Version, err
}

// WhoAmI says whose key the client uses.
func (c *Client) WhoAmI(ctx context.Context) (httpapi.Caller, error) {
	return call[httpapi.Caller](ctx, c, get("/v1/whoami"))
}

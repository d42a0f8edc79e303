package lambdahttp

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	lambdaevents "github.com/aws/aws-lambda-go/events"
)

// defaultStage is the stage that stands in no path.
const defaultStage = "$default"

// contextKey is that of the address at which a request arrived.
type contextKey struct{}

// BaseURL returns the address at which a request reached the function, such as
// https://a1b2c3.execute-api.eu-west-1.amazonaws.com, its stage included where
// paths begin with one. It is empty for a request that is not Serve's.
//
// It is what API Gateway says, not the caller's Host header. Behind a custom
// domain whose mapping has a path of its own that path is missing.
func BaseURL(r *http.Request) string {
	base, _ := r.Context().Value(contextKey{}).(string)
	return base
}

// newRequest returns the request as net/http would have read it.
func newRequest(ctx context.Context, e lambdaevents.APIGatewayV2HTTPRequest) (*http.Request, error) {
	path, prefix := unstaged(e)
	if strings.Contains(path, "?") {
		return nil, errors.New("a path with a question mark")
	}
	u, err := url.ParseRequestURI(path)
	if err != nil {
		return nil, fmt.Errorf("read path: %w", err)
	}
	u.RawQuery = e.RawQueryString
	body, err := bodyOf(e)
	if err != nil {
		return nil, err
	}
	header := headerOf(e)
	r := &http.Request{
		Method: e.RequestContext.HTTP.Method, URL: u, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Host: header.Get("Host"), Body: http.NoBody, RequestURI: u.RequestURI(),
		RemoteAddr: net.JoinHostPort(e.RequestContext.HTTP.SourceIP, "0"), // of the port nothing is told
	}
	header.Del("Host") // as net/http does
	if len(body) > 0 {
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	if domain := e.RequestContext.DomainName; domain != "" {
		ctx = context.WithValue(ctx, contextKey{}, "https://"+domain+prefix)
	}
	return r.WithContext(ctx), nil
}

// unstaged returns the path below the stage, and what it took away. A stage
// other than the default one begins the paths, but not behind a custom domain.
func unstaged(e lambdaevents.APIGatewayV2HTTPRequest) (path, prefix string) {
	path, stage := e.RawPath, e.RequestContext.Stage
	if stage != "" && stage != defaultStage {
		if rest, ok := strings.CutPrefix(path, "/"+stage); ok && (rest == "" || rest[0] == '/') {
			path, prefix = rest, "/"+stage
		}
	}
	if path == "" {
		path = "/"
	}
	return path, prefix
}

func bodyOf(e lambdaevents.APIGatewayV2HTTPRequest) ([]byte, error) {
	if !e.IsBase64Encoded {
		return []byte(e.Body), nil
	}
	body, err := base64.StdEncoding.DecodeString(e.Body)
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	return body, nil
}

// headerOf returns the header with names as net/http writes them. A header that
// was sent several times arrives as one, joined by commas; cookies arrive apart.
func headerOf(e lambdaevents.APIGatewayV2HTTPRequest) http.Header {
	h := make(http.Header, len(e.Headers)+1)
	for name, value := range e.Headers {
		name = textproto.CanonicalMIMEHeaderKey(name)
		h[name] = append(h[name], value)
	}
	if len(e.Cookies) > 0 {
		h["Cookie"] = []string{strings.Join(e.Cookies, "; ")}
	}
	return h
}

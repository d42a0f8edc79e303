package lambdahttp_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	lambdaevents "github.com/aws/aws-lambda-go/events"

	"handoff/infra/httpapi"
	"handoff/infra/lambdahttp"
)

type (
	request = lambdaevents.APIGatewayV2HTTPRequest
	answer  = lambdaevents.APIGatewayV2HTTPResponse
)

// event reads an event as the developer guide shows it.
func event(t testing.TB, name string) (e request) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// seen is what a handler sees of a request.
type seen struct {
	Method, URI, Path, RawPath, Query, Host, Remote, Body, Base string
	Length                                                      int64
	Header                                                      http.Header
	Within                                                      time.Duration
}

// see returns a handler that looks, and what it will have seen.
func see(t testing.TB) (http.Handler, *seen) {
	t.Helper()
	s := new(seen)
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		*s = seen{
			Method: r.Method, URI: r.RequestURI, Path: r.URL.Path, RawPath: r.URL.RawPath, Query: r.URL.RawQuery, Host: r.Host,
			Remote: r.RemoteAddr, Body: string(body), Base: lambdahttp.BaseURL(r), Length: r.ContentLength, Header: r.Header,
		}
		if end, ok := r.Context().Deadline(); ok {
			s.Within = time.Until(end).Round(time.Second)
		}
	}), s
}

func TestARequestIsSeenAsItWasSent(t *testing.T) {
	t.Parallel()
	const gateway = "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com"
	for name, c := range map[string]struct {
		change func(e *request)
		want   seen
		header map[string]string // some of it
	}{
		"httpapi-get.json": {nil, seen{
			Method: "GET", URI: "/v1/escalations?cursor=ZQ%3D%3D&limit=2&queue=a+b", Path: "/v1/escalations", Query: "cursor=ZQ%3D%3D&limit=2&queue=a+b",
			Host: gateway, Remote: "203.0.113.7:0", Base: "https://" + gateway, Within: 29 * time.Second,
		}, map[string]string{"Cookie": "a=1; b=2", "Authorization": "Bearer admin", "X-Repeated": "one,two", "Host": ""}},
		"httpapi-stage-post.json": {nil, seen{
			Method: "POST", URI: "/v1/connections/store-bot/activities", Path: "/v1/connections/store-bot/activities", Host: gateway,
			Remote: "[2001:db8::7]:0", Body: `{"a":"\u00e9 é"}`, Length: 17, Base: "https://" + gateway + "/prod", Within: 29 * time.Second,
		}, map[string]string{"Webhook-Signature": "v1,c2lnbmF0dXJl", "Content-Type": "application/json; charset=utf-8"}},
		"function-url-put.json": {nil, seen{
			Method: "PUT", URI: "/v1/connections/store%2Dbot/rules", Path: "/v1/connections/store-bot/rules", RawPath: "/v1/connections/store%2Dbot/rules",
			Host: "abcdefghijklmnop.lambda-url.eu-west-1.on.aws", Remote: "198.51.100.4:0", Body: "version: 1\n", Length: 11,
			Base: "https://abcdefghijklmnop.lambda-url.eu-west-1.on.aws", Within: 60 * time.Second,
		}, map[string]string{"If-Match": `"sha256:9f"`}},
		"httpapi-stage-post.json behind a custom domain": {func(e *request) {
			e.RawPath, e.RequestContext.DomainName, e.Body = "/v1/keys", "handoff.example", ""
		}, seen{
			Method: "POST", URI: "/v1/keys", Path: "/v1/keys", Host: gateway, Remote: "[2001:db8::7]:0", Base: "https://handoff.example", Within: 29 * time.Second,
		}, nil},
		"httpapi-stage-post.json at the stage itself": {func(e *request) { e.RawPath, e.Body = "/prod", "" }, seen{
			Method: "POST", URI: "/", Path: "/", Host: gateway, Remote: "[2001:db8::7]:0", Base: "https://" + gateway + "/prod", Within: 29 * time.Second,
		}, nil},
		"httpapi-stage-post.json at a path that only begins like it": {func(e *request) { e.RawPath, e.Body = "/production", "" }, seen{
			Method: "POST", URI: "/production", Path: "/production", Host: gateway, Remote: "[2001:db8::7]:0", Base: "https://" + gateway, Within: 29 * time.Second,
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file, _, _ := strings.Cut(name, " ")
			e := event(t, file)
			if c.change != nil {
				c.change(&e)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			h, got := see(t)
			if a := lambdahttp.Serve(ctx, h, e); a.StatusCode != http.StatusOK || a.Body != "" {
				t.Errorf("answer = %+v, want an empty one", a)
			}
			for name, want := range c.header {
				if got := got.Header.Get(name); got != want {
					t.Errorf("%s = %q, want %q", name, got, want)
				}
			}
			got.Header = nil
			if !reflect.DeepEqual(*got, c.want) {
				t.Errorf("saw  %+v\nwant %+v", *got, c.want)
			}
		})
	}
}

// serve answers the simplest request, changed as a test likes.
func serve(t *testing.T, change func(e *request), h http.HandlerFunc) answer {
	t.Helper()
	e := event(t, "httpapi-get.json")
	if change != nil {
		change(&e)
	}
	return lambdahttp.Serve(t.Context(), h, e)
}

func TestAnAnswerIsSentAsItWasGiven(t *testing.T) {
	t.Parallel()
	binary := []byte{0, 0xff, 0xfe, '"'}
	for name, c := range map[string]struct {
		change func(e *request)
		h      http.HandlerFunc
		want   answer
	}{
		"text": {nil, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Add("Vary", "Origin")
			w.Header().Add("Vary", "Accept")
			w.Header().Add("Set-Cookie", "a=1")
			w.Header().Add("Set-Cookie", "b=2, 3")
			w.Header().Set("Content-Length", "99")
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusCreated)
			w.WriteHeader(http.StatusTeapot)
			w.Header().Set("Too", "late")
			_, _ = io.WriteString(w, `{"é":`)
			_, _ = io.WriteString(w, `1}`)
		}, answer{StatusCode: 201, Headers: map[string]string{"Content-Type": "application/json", "Vary": "Origin, Accept"}, Cookies: []string{"a=1", "b=2, 3"}, Body: `{"é":1}`}},
		"bytes that are no text": {nil, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(binary) }, answer{
			StatusCode: 200, Headers: map[string]string{"Content-Type": "application/octet-stream"}, Body: base64.StdEncoding.EncodeToString(binary), IsBase64Encoded: true,
		}},
		"nothing": {nil, func(http.ResponseWriter, *http.Request) {}, answer{StatusCode: 200, Headers: map[string]string{}}},
		"a status and no body": {nil, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNoContent)
			_, _ = io.WriteString(w, "which it can't have")
		}, answer{StatusCode: 204, Headers: map[string]string{}}},
		"HEAD": {func(e *request) { e.RequestContext.HTTP.Method = "HEAD" }, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, "which is not sent")
		}, answer{StatusCode: 200, Headers: map[string]string{"Content-Type": "text/plain"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := serve(t, c.change, c.h); !reflect.DeepEqual(got, c.want) {
				t.Errorf("answer = %+v\nwant     %+v", got, c.want)
			}
		})
	}
}

// payload is what Lambda carries of an answer.
func payload(t *testing.T, a answer) int {
	t.Helper()
	b, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	return len(b)
}

func TestLargeAnswersAreCompressedOrRefused(t *testing.T) {
	t.Parallel()
	const limit = 6 << 20 // of Lambda
	write := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, body)
		}
	}
	uncompressed := func(e *request) { e.Headers["accept-encoding"] = "br, gzip;q=0" }
	worst := strings.Repeat("\x01", 512<<10) // six characters each in JSON
	for name, c := range map[string]struct {
		body   string
		change func(e *request)
		zipped bool
		status int
	}{
		"text that is as long as text may be":      {worst, nil, false, 200},
		"longer text":                              {worst + "x", nil, true, 200},
		"longer text for whoever reads no gzip":    {worst + "x", uncompressed, false, 200},
		"as long as it may be without compression": {strings.Repeat("\x01", lambdahttp.MaxAnswer), uncompressed, false, 200},
		"too long without compression":             {strings.Repeat("x", lambdahttp.MaxAnswer+1), uncompressed, false, 500},
		"long, compressed":                         {strings.Repeat("transcript ", 1<<20), nil, true, 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := serve(t, c.change, write(c.body))
			if n := payload(t, a); a.StatusCode != c.status || n > limit {
				t.Fatalf("answer %d with %d bytes, want %d with at most %d", a.StatusCode, n, c.status, limit)
			}
			if c.status != http.StatusOK {
				wantProblem(t, a, "answer-too-large")
				return
			}
			if (a.Headers["Content-Encoding"] == "gzip") != c.zipped || bodyOf(t, a) != c.body {
				t.Errorf("the body came back otherwise, headers %v", a.Headers)
			}
		})
	}
}

func bodyOf(t testing.TB, a answer) string {
	t.Helper()
	body := []byte(a.Body)
	if a.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(a.Body); err != nil {
			t.Fatal(err)
		}
	}
	if a.Headers["Content-Encoding"] == "gzip" {
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if body, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	return string(body)
}

func wantProblem(t *testing.T, a answer, code string) {
	t.Helper()
	var p httpapi.Problem
	if err := json.Unmarshal([]byte(a.Body), &p); err != nil {
		t.Fatal(err)
	}
	want := maps.Clone(a.Headers)
	want["Content-Type"], want[httpapi.HeaderRequestID] = httpapi.MediaProblem, "JKJaXmPLvHcESHA="
	if p.Code != code || p.Status != a.StatusCode || p.Detail == "" || p.Type != "/problems/"+code || p.Trace != "JKJaXmPLvHcESHA=" || !maps.Equal(a.Headers, want) {
		t.Errorf("problem = %+v with %v, want %s", p, a.Headers, code)
	}
}

func TestWhatCantBeAnsweredIsAProblem(t *testing.T) {
	t.Parallel()
	unwanted := func(http.ResponseWriter, *http.Request) { t.Error("the handler was called") }
	for name, c := range map[string]struct {
		change func(e *request)
		h      http.HandlerFunc
		status int
		code   string
	}{
		"a path that is none":      {func(e *request) { e.RawPath = "v1" }, unwanted, 400, "request-unreadable"},
		"a path with half a byte":  {func(e *request) { e.RawPath = "/%f" }, unwanted, 400, "request-unreadable"},
		"a path with a query":      {func(e *request) { e.RawPath = "/v1?a=b" }, unwanted, 400, "request-unreadable"},
		"a body that is no base64": {func(e *request) { e.Body, e.IsBase64Encoded = "ä", true }, unwanted, 400, "request-unreadable"},
		"an answer that broke off": {nil, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half")
			panic(http.ErrAbortHandler)
		}, 500, "internal"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := serve(t, c.change, c.h)
			if a.StatusCode != c.status {
				t.Errorf("status = %d, want %d", a.StatusCode, c.status)
			}
			wantProblem(t, a, c.code)
		})
	}
	defer func() {
		if v := recover(); v != "lost my head" {
			t.Errorf("recovered %v, want the handler's panic", v)
		}
	}()
	serve(t, nil, func(http.ResponseWriter, *http.Request) { panic("lost my head") })
}

func FuzzServe(f *testing.F) {
	for _, name := range []string{"httpapi-get.json", "httpapi-stage-post.json", "function-url-put.json"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Echo", r.URL.Path)
		_, _ = io.Copy(w, r.Body)
	})
	f.Fuzz(func(t *testing.T, b []byte) {
		var e request
		if json.Unmarshal(b, &e) != nil {
			return
		}
		a := lambdahttp.Serve(t.Context(), echo, e)
		sent := e.Body
		if e.IsBase64Encoded {
			raw, _ := base64.StdEncoding.DecodeString(e.Body)
			sent = string(raw)
		}
		if a.StatusCode == http.StatusOK && e.RequestContext.HTTP.Method != http.MethodHead && bodyOf(t, a) != sent {
			t.Errorf("body = %q, want %q", bodyOf(t, a), sent)
		}
		if a.StatusCode != http.StatusOK && a.StatusCode != http.StatusBadRequest {
			t.Errorf("status = %d", a.StatusCode)
		}
	})
}

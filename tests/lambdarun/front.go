package lambdarun

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"

	lambdaevents "github.com/aws/aws-lambda-go/events"
)

// Front answers HTTP by functions, as an HTTP API of API Gateway does with
// payloads of version 2.0 (API Gateway Developer Guide, "AWS Lambda proxy
// integrations for HTTP APIs"). Make it with NewFront.
type Front struct {
	mux *http.ServeMux
}

// Limits of an HTTP API.
const (
	maxBody     = 10 << 20
	frontWaits  = 30 * time.Second
	defaultPath = "$default"
)

// NewFront returns a front with the routes by their keys, such as
// "POST /v1/facts", "ANY /v1/{what}" or "$default".
func NewFront(routes map[string]*Function) *Front {
	f := &Front{mux: http.NewServeMux()}
	for key, function := range routes {
		pattern := strings.TrimPrefix(key, "ANY ")
		if key == defaultPath {
			pattern = "/"
		}
		f.mux.Handle(pattern, route{key, function})
	}
	return f
}

// ServeHTTP implements http.Handler.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) { f.mux.ServeHTTP(w, r) }

type route struct {
	key      string
	function *Function
}

// ServeHTTP implements http.Handler.
func (rt route) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, "Request Too Long")
		return
	}
	event, err := json.Marshal(rt.event(r, body))
	if err != nil {
		refuse(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	type answer struct {
		body []byte
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		b, err := rt.function.Invoke(r.Context(), event)
		answered <- answer{b, err}
	}()
	limit := time.NewTimer(frontWaits)
	defer limit.Stop()
	select {
	case a := <-answered:
		if a.err != nil || !write(w, a.body) {
			refuse(w, http.StatusInternalServerError, "Internal Server Error")
		}
	case <-limit.C:
		refuse(w, http.StatusServiceUnavailable, "Service Unavailable")
	}
}

func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"message":%q}`, message) // the client is gone
}

var parameter = regexp.MustCompile(`\{(\w+)\}`)

// event is a request as functions get it.
func (rt route) event(r *http.Request, body []byte) lambdaevents.APIGatewayV2HTTPRequest {
	now := time.Now()
	source, _, _ := net.SplitHostPort(r.RemoteAddr)
	e := lambdaevents.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: rt.key, RawPath: r.URL.EscapedPath(), RawQueryString: r.URL.RawQuery,
		Headers: map[string]string{"host": r.Host, "x-forwarded-for": source, "x-forwarded-proto": "http"},
		Body:    string(body), QueryStringParameters: map[string]string{}, PathParameters: map[string]string{},
		RequestContext: lambdaevents.APIGatewayV2HTTPRequestContext{
			RouteKey: rt.key, AccountID: "000000000000", Stage: defaultPath, RequestID: fmt.Sprintf("%x", now.UnixNano()), APIID: "front",
			DomainName: r.Host, DomainPrefix: "front", Time: now.UTC().Format("02/Jan/2006:15:04:05 -0700"), TimeEpoch: now.UnixMilli(),
			HTTP: lambdaevents.APIGatewayV2HTTPRequestContextHTTPDescription{
				Method: r.Method, Path: r.URL.Path, Protocol: r.Proto, SourceIP: source, UserAgent: r.UserAgent(),
			},
		},
	}
	for _, name := range parameter.FindAllStringSubmatch(rt.key, -1) {
		e.PathParameters[name[1]] = r.PathValue(name[1])
	}
	for name, values := range r.Header {
		e.Headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	for name, values := range r.URL.Query() {
		e.QueryStringParameters[name] = strings.Join(values, ",")
	}
	if !isText(r.Header.Get("Content-Type")) {
		e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	return e
}

// isText reports whether a body is handed over as it is rather than in Base64.
func isText(contentType string) bool {
	typ, _, err := mime.ParseMediaType(contentType)
	return err != nil && contentType == "" || strings.HasPrefix(typ, "text/") ||
		typ == "application/json" || typ == "application/xml" || typ == "application/javascript"
}

// write writes a function's answer and reports whether it is one.
func write(w http.ResponseWriter, answer []byte) bool {
	var a lambdaevents.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(answer, &a); err != nil || a.StatusCode == 0 {
		return false
	}
	body := []byte(a.Body)
	if a.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(a.Body); err != nil {
			return false
		}
	}
	for name, value := range a.Headers {
		w.Header().Set(name, value)
	}
	for name, values := range a.MultiValueHeaders {
		for _, v := range values {
			w.Header().Add(name, v)
		}
	}
	for _, c := range a.Cookies {
		w.Header().Add("Set-Cookie", c)
	}
	w.WriteHeader(a.StatusCode)
	_, _ = w.Write(body) // the client is gone, or it asked for the head only
	return true
}

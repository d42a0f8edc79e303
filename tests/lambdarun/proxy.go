package lambdarun

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Call is a request of a function to AWS, on its way.
type Call struct {
	Instance string // its name
	Function string
	Service  string // such as dynamodb
	Action   string // such as PutItem
	Body     []byte // empty for S3
	Path     string
}

// Fault is what becomes of a call.
type Fault int

// What may become of a call. The zero value lets it pass.
const (
	Passed     Fault = iota
	Throttled        // refused, as beyond the quota
	Failed           // answered 500, nothing was done
	Lost             // done, and the answer is lost
	KilledSoon       // the instance is killed before anything is done
	KilledLate       // done, and the instance is killed before it hears of it
)

// Proxy stands between functions and an emulator. It is safe for concurrent use.
type Proxy struct {
	// Allowed, if set, says why a call is not allowed, as IAM would, or nothing.
	Allowed func(Call) string
	// Kill, if set, kills the instance of that name.
	Kill func(instance string)

	forward *httputil.ReverseProxy
	mu      sync.Mutex
	decide  func(Call) Fault
	met     map[Fault]int
	denied  map[string]bool
}

// NewProxy returns a proxy in front of an endpoint.
func NewProxy(endpoint string) (*Proxy, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	rewrite := func(r *httputil.ProxyRequest) { r.SetURL(u) }
	return &Proxy{
		forward: &httputil.ReverseProxy{
			Rewrite: rewrite, Transport: &http.Transport{MaxIdleConnsPerHost: 64},
			ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // functions that were killed
		},
		met: map[Fault]int{}, denied: map[string]bool{},
	}, nil
}

// Plant has decide say from now on what becomes of calls; nil lets all of them
// pass. It may be called at any time.
func (p *Proxy) Plant(decide func(Call) Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.decide = decide
}

// Met returns how often each fault was met.
func (p *Proxy) Met() map[Fault]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.met)
}

// Denied returns what was not allowed since it was last asked.
func (p *Proxy) Denied() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := slices.Sorted(maps.Keys(p.denied))
	clear(p.denied)
	return all
}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := read(r)
	if err != nil {
		return // the function is gone
	}
	if p.Allowed != nil {
		if why := p.Allowed(c); why != "" {
			p.mu.Lock()
			p.denied[why] = true
			p.mu.Unlock()
			refuseCall(w, c, http.StatusBadRequest, "AccessDeniedException", why)
			return
		}
	}
	p.serve(w, r, c, p.meet(c))
}

// meet decides about a call.
func (p *Proxy) meet(c Call) (fault Fault) {
	p.mu.Lock()
	decide := p.decide
	p.mu.Unlock()
	if decide != nil {
		fault = decide(c)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.met[fault]++
	return fault
}

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request, c Call, fault Fault) {
	switch fault {
	case Passed:
		p.forward.ServeHTTP(w, r)
	case Throttled:
		if c.Service == "s3" {
			refuseCall(w, c, http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate.")
			return
		}
		refuseCall(w, c, http.StatusBadRequest, "ThrottlingException", "Rate exceeded")
	case Failed:
		refuseCall(w, c, http.StatusInternalServerError, "InternalServerError", "Planted")
	case Lost:
		p.forward.ServeHTTP(nowhere{http.Header{}}, r)
		panic(http.ErrAbortHandler) // net/http's way to break off
	case KilledSoon:
		p.Kill(c.Instance)
	case KilledLate:
		p.forward.ServeHTTP(nowhere{http.Header{}}, r)
		p.Kill(c.Instance)
	}
}

// read reads a call and leaves the request as it was.
func read(r *http.Request) (c Call, err error) {
	if c.Body, err = io.ReadAll(r.Body); err != nil {
		return c, err
	}
	r.Body = io.NopCloser(bytes.NewReader(c.Body))
	// AWS4-HMAC-SHA256 Credential=<key>/<date>/<region>/<service>/aws4_request, …
	_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	scope := strings.SplitN(credential, "/", 5)
	if len(scope) == 5 {
		c.Instance, c.Service = scope[0], scope[3]
	}
	c.Function = c.Instance[:max(0, strings.LastIndexByte(c.Instance, '-'))]
	_, c.Action, _ = strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	c.Path = r.URL.Path
	if c.Service == "s3" {
		c.Action, c.Body = map[string]string{http.MethodPut: "PutObject", http.MethodGet: "GetObject", http.MethodHead: "GetObject"}[r.Method], nil
	}
	return c, nil
}

// refuseCall answers as AWS does: JSON, for S3 XML.
func refuseCall(w http.ResponseWriter, c Call, status int, code, message string) {
	if c.Service == "s3" {
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", code, message) // the function is gone
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("X-Amzn-ErrorType", code)
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"__type":%q,"message":%q}`, code, message) // the function is gone
}

// nowhere takes an answer that nobody gets.
type nowhere struct{ header http.Header }

// Header implements http.ResponseWriter.
func (n nowhere) Header() http.Header { return n.header }

// Write implements http.ResponseWriter.
func (n nowhere) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader implements http.ResponseWriter.
func (n nowhere) WriteHeader(int) {}

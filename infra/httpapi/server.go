package httpapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"runtime/debug"
	"strings"
	"time"

	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/infra/standardwebhooks"
)

// DefaultMaxBody is how large a request's body may be if nobody says.
const DefaultMaxBody = 1 << 20

// Config is what a server needs beside its operations.
type Config struct {
	// Authenticate returns the principal whose key the token is, or an
	// Unauthenticated fault.
	Authenticate func(ctx context.Context, token string) (identity.Principal, error)
	// WebhookSecrets returns the secrets in force of a connection's bot. Nil:
	// signed requests are refused.
	WebhookSecrets func(ctx context.Context, tenant, connection string) ([]standardwebhooks.Secret, error)
	Now            func() time.Time
	// Log gets one line for each request; nil: none.
	Log *slog.Logger
	// MaxBody limits a request's body in bytes; 0 means DefaultMaxBody.
	MaxBody int64
	// PublicURL begins the links in answers, such as https://handoff.example;
	// empty: URLOf says for each request with what they begin.
	PublicURL string
	// URLOf returns the address at which a request arrived, without a slash at
	// its end; nil: nobody knows, and links have a path only.
	URLOf func(r *http.Request) string
	// FactsBytes and FactsTime bound an answer with facts, for a server that
	// can't stream: it ends before it is larger than so many bytes, and once
	// it took so long, and a Link to the rest comes with it. 0: all facts are
	// streamed.
	FactsBytes int
	FactsTime  time.Duration
	// MaxConcurrent limits how many requests are worked on at once; one more is
	// told to come back. 0: no limit.
	MaxConcurrent int
	// Version is told by /v1/version.
	Version string
}

// server answers requests. It is safe for concurrent use.
type server struct {
	Config
	api    API
	mux    *http.ServeMux
	places chan struct{} // taken by the requests that are worked on; nil: no limit
}

// New returns a handler that serves the operations of api that are bound.
// Limits on time are its http.Server's; only streams of facts, which may
// outlast them, move the deadline for writing as they go on.
func New(api API, c Config) http.Handler {
	c.MaxBody = cmp.Or(c.MaxBody, DefaultMaxBody)
	c.PublicURL = strings.TrimSuffix(c.PublicURL, "/")
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &server{Config: c, api: api, mux: http.NewServeMux()}
	if c.MaxConcurrent > 0 {
		s.places = make(chan struct{}, c.MaxConcurrent)
	}
	allowed := make(map[string][]string)
	for _, rt := range s.bound() {
		s.mux.HandleFunc(rt.method+" "+rt.path, s.mount(rt))
		allowed[rt.path] = append(allowed[rt.path], rt.methods()...)
	}
	for p, methods := range allowed {
		s.mux.HandleFunc(p, refuseMethod(strings.Join(methods, ", ")))
	}
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { w.(*exchange).fail(r, notFound()) })
	return s
}

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := s.Now()
	x := newExchange(w)
	s.guard(x, r)
	s.leave(x)
	s.record(x, r, s.Now().Sub(began))
	if x.aborted {
		panic(http.ErrAbortHandler) // so that net/http breaks the connection off
	}
}

// guard serves and turns a panic into a problem.
func (s *server) guard(x *exchange, r *http.Request) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			x.err, x.aborted = err, true
			return
		}
		x.stack = debug.Stack()
		x.fail(r, fmt.Errorf("panic: %v", v))
	}()
	if err := checkURL(r.URL); err != nil {
		x.fail(r, err)
		return
	}
	// ServeMux would redirect a path with // or .. to what it may mean, and a
	// redirected POST loses its body or sends its key along.
	if p := r.URL.EscapedPath(); p != path.Clean(p) {
		x.fail(r, notFound())
		return
	}
	s.mux.ServeHTTP(x, r)
}

func (s *server) mount(rt route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		x := w.(*exchange) // New gives its mux nothing else
		if err := s.serve(rt, x, r); err != nil {
			x.fail(r, err)
		}
	}
}

func (s *server) serve(rt route, x *exchange, r *http.Request) error {
	if err := s.admit(rt, x, r); err != nil {
		return err
	}
	if err := rt.checkQuery(r.URL); err != nil {
		return err
	}
	if rt.reach > reachIntake { // the others enter when it is known who calls, and the body is read
		if err := s.enter(x); err != nil {
			return err
		}
	}
	return rt.handle(x, r)
}

func refuseMethod(allow string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		x := w.(*exchange)
		x.Header().Set("Allow", allow)
		x.problem(r, methodNotAllowed(allow))
	}
}

// record writes the one line of the log about a request. Of errors it tells
// the code, and the text of those that are ours to mend.
func (s *server) record(x *exchange, r *http.Request, took time.Duration) {
	attrs := []slog.Attr{
		slog.String("request_id", x.id), slog.String("method", r.Method), slog.String("route", r.Pattern),
		slog.String("path", withoutKeys(r.URL.EscapedPath())), slog.Int("status", x.status), slog.Int64("bytes", x.bytes),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000), slog.String("remote", r.RemoteAddr),
	}
	if x.by.ID != "" {
		attrs = append(attrs, slog.String("actor", x.by.ID), slog.String("tenant", x.by.Tenant))
	}
	if t, ok := parseTraceparent(r.Header.Values("Traceparent")); ok {
		attrs = append(attrs, slog.String("trace_id", t.traceID()))
	}
	level, outcome := outcomeOf(r.Context(), x.err)
	attrs = append(attrs, outcome...)
	if x.stack != nil {
		attrs = append(attrs, slog.String("stack", string(x.stack)))
	}
	s.Log.LogAttrs(r.Context(), level, "request answered", attrs...)
}

// errGone is why an answer was not read to its end.
var errGone = errors.New("the caller went away, or reads nothing any more")

func outcomeOf(ctx context.Context, err error) (slog.Level, []slog.Attr) {
	switch k := fault.KindOf(err); {
	case err == nil:
		return slog.LevelInfo, nil
	case errors.Is(err, errGone), errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return slog.LevelInfo, []slog.Attr{slog.String("code", "caller-gone")}
	case k == fault.Internal || k == fault.Unavailable:
		return slog.LevelError, []slog.Attr{slog.String("code", fault.CodeOf(err)), slog.String("error", err.Error())}
	default:
		return slog.LevelInfo, []slog.Attr{slog.String("code", fault.CodeOf(err))}
	}
}

// url returns the link to a path.
func (s *server) url(r *http.Request, path string) string {
	if s.PublicURL == "" && s.URLOf != nil {
		return s.URLOf(r) + path
	}
	return s.PublicURL + path
}

func notFound() error {
	return fault.New(fault.NotFound, "not-found", "There is nothing at this address. What there is stands in /v1/openapi.yaml.")
}

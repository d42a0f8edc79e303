package httpapi

import (
	"cmp"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"

	"handoff/domain/fault"
)

// MediaProblem is the media type of a Problem.
const MediaProblem = "application/problem+json"

// retryAfter is what a caller is told to wait where nobody knows better.
const retryAfter = 5 * time.Second

// Problem is the body of every answer that is no success (RFC 9457). Code is
// for programs and never changes once released; Detail is for people.
type Problem struct {
	Type   string `json:"type"` // "/problems/" and the code
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	// Instance is the path that was called.
	Instance string `json:"instance,omitempty"`
	Code     string `json:"code"`
	// Pointer is an RFC 6901 pointer into the request's body.
	Pointer  string          `json:"pointer,omitempty"`
	Problems []fault.Problem `json:"problems,omitempty"`
	// Trace is the id of the request, by which it is found in the server's log.
	Trace string `json:"trace"`
}

type answer struct {
	kind   fault.Kind
	status int
	title  string
}

// answers is the one table from kinds to statuses.
func answers() []answer {
	return []answer{
		{fault.Internal, http.StatusInternalServerError, "Something went wrong here"},
		{fault.Invalid, http.StatusBadRequest, "The request can't be read"},
		{fault.Unprocessable, http.StatusUnprocessableEntity, "The request breaks a rule"},
		{fault.Unauthenticated, http.StatusUnauthorized, "The caller is not known"},
		{fault.Forbidden, http.StatusForbidden, "The caller may not do this"},
		{fault.NotFound, http.StatusNotFound, "There is no such thing"},
		{fault.Conflict, http.StatusConflict, "The state of things refuses it"},
		{fault.Gone, http.StatusGone, "It was destroyed on purpose"},
		{fault.TooLarge, http.StatusRequestEntityTooLarge, "The request is too large"},
		{fault.Unsupported, http.StatusUnsupportedMediaType, "The format is not understood"},
		{fault.RateLimited, http.StatusTooManyRequests, "Too much at once"},
		{fault.Unavailable, http.StatusServiceUnavailable, "Not available just now"},
	}
}

// codeRulesChanged is a conflict that the caller guarded against with If-Match,
// for which HTTP has a status of its own (RFC 9110 §15.5.13).
const codeRulesChanged = "rules-changed"

func problemOf(err error) Problem {
	f := fault.Of(err)
	if f == nil || f.Kind == fault.Internal {
		// Nothing of an error that nobody classified is shown.
		f = fault.New(fault.Internal, "internal", "It was recorded. Quote the trace when you report it.")
	}
	p := Problem{
		Status: http.StatusInternalServerError, Code: cmp.Or(f.Code, f.Kind.String()), Detail: f.Detail,
		Pointer: f.Pointer, Problems: f.Problems,
	}
	for _, a := range answers() {
		if a.kind == f.Kind {
			p.Status, p.Title = a.status, a.title
		}
	}
	if p.Code == codeRulesChanged {
		p.Status = http.StatusPreconditionFailed
	}
	p.Type = "/problems/" + p.Code
	return p
}

// Fault returns the error that the problem was made of, as far as it was told.
func (p Problem) Fault() *fault.Error {
	return &fault.Error{Kind: kindOf(p.Status), Code: p.Code, Detail: p.Detail, Pointer: p.Pointer, Problems: p.Problems}
}

// kindOf reads the table backwards. Statuses that Handoff itself never sends
// come from something between it and the client.
func kindOf(status int) fault.Kind {
	for _, a := range answers() {
		if a.status == status {
			return a.kind
		}
	}
	switch {
	case status == http.StatusPreconditionFailed:
		return fault.Conflict
	case status == http.StatusBadGateway || status == http.StatusGatewayTimeout:
		return fault.Unavailable
	case status >= http.StatusInternalServerError:
		return fault.Internal
	default:
		return fault.Invalid
	}
}

// fail answers with a problem, or breaks the connection off where an answer has
// begun already.
func (x *exchange) fail(r *http.Request, err error) {
	x.err = err
	if x.status != 0 {
		x.aborted = true
		return
	}
	p := problemOf(err)
	h := x.Header()
	switch p.Status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="handoff"`)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		h.Set("Retry-After", seconds(fault.Of(err).RetryAfter))
	case http.StatusRequestEntityTooLarge:
		h.Set("Connection", "close") // the rest of the body is not read
	}
	x.problem(r, p)
}

func (x *exchange) problem(r *http.Request, p Problem) {
	p.Instance, p.Trace = withoutKeys(r.URL.EscapedPath()), x.id
	body, err := json.Marshal(p)
	if err != nil { // a struct of texts and numbers
		panic(err)
	}
	x.body(p.Status, MediaProblem, body)
}

func seconds(d time.Duration) string {
	return strconv.Itoa(int(math.Ceil(cmp.Or(max(d, 0), retryAfter).Seconds())))
}

func methodNotAllowed(allow string) Problem {
	return Problem{
		Type: "/problems/method-not-allowed", Title: "The method does not fit", Status: http.StatusMethodNotAllowed,
		Code: "method-not-allowed", Detail: "Here one may use " + allow + ".",
	}
}

package controlplane

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"handoff/domain/fault"
)

var errTooLarge = errors.New("the answer is larger than 16 MiB")

// RefusedError is an answer that is no success. It is the cause of the fault that a
// call returns; Refused finds it there.
type RefusedError struct {
	API       string // its name
	Status    int
	Code      string // of the API's own: Request_ResourceNotFound, 0x80040217
	Message   string // as the API wrote it; may repeat names, so show parts at most
	RequestID string // by which the vendor's support finds the call
	Body      []byte
}

// Error names status, code and request. The message is in it only with status
// 400: there it is about the form of what was asked.
func (r *RefusedError) Error() string {
	s := fmt.Sprintf("%s answered %d %s (request %s)", r.API, r.Status, r.Code, r.RequestID)
	if r.Status == http.StatusBadRequest && r.Message != "" {
		s += ": " + clip(r.Message, 300)
	}
	return s
}

// Refused returns the refusal in an error, or an empty one.
func Refused(err error) RefusedError {
	if r, ok := errors.AsType[*RefusedError](err); ok {
		return *r
	}
	return RefusedError{}
}

// failure makes a fault of a request that did not succeed.
func (c *Client) failure(ctx context.Context, a Answer, err error) error {
	switch {
	case errors.Is(err, errTooLarge):
		return fault.Newf(fault.TooLarge, c.api.Code+"-answer-too-large", "The answer of %s is larger than what is read of one.", c.api.Name).Because(err)
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case err != nil:
		return c.unavailable("can't be reached or does not answer in time").Because(withoutURL(err))
	}
	r := refusal(c.api.Name, a)
	f := c.api.Explain(r)
	if known := fault.Of(f); known != nil && known.RetryAfter == 0 && !known.Kind.Permanent() {
		known.RetryAfter = retryAfter(a.Header, c.now())
	}
	return f
}

func (c *Client) unavailable(what string) *fault.Error {
	return fault.Newf(fault.Unavailable, c.api.Code+"-unavailable", "%s %s; it is tried again.", c.api.Name, what)
}

// explain reads the errors of Graph, Resource Manager and Dataverse, which have
// one form: {"error":{"code","message"}} (documented by each).
func (api API) explain(r RefusedError) error {
	return api.classify(r).Because(&r)
}

func (api API) classify(r RefusedError) *fault.Error {
	is := func(k fault.Kind, code, format string, args ...any) *fault.Error {
		return fault.Newf(k, api.Code+"-"+code, "%s "+format, append([]any{api.Name}, args...)...)
	}
	switch r.Status {
	case http.StatusUnauthorized:
		return is(fault.Unprocessable, "token-refused", "does not take the token of this application (%s). Check that application, tenant and address belong together.", r.Code)
	case http.StatusForbidden:
		return is(fault.Unprocessable, "permission-missing", "does not allow this to the application (%s). %s", permission(r), api.Deny)
	case http.StatusNotFound, http.StatusGone:
		return is(fault.NotFound, "not-found", "knows no such thing (%s). Was it deleted, or is it elsewhere?", r.Code)
	case http.StatusConflict, http.StatusPreconditionFailed:
		return is(fault.Conflict, "conflict", "refuses this because of what is there already (%s).", r.Code)
	case http.StatusRequestEntityTooLarge:
		return is(fault.TooLarge, "request-too-large", "finds the request too large (%s).", r.Code)
	case http.StatusTooManyRequests:
		return is(fault.Unavailable, "throttled", "takes no more calls of this application for now; it is tried again.")
	}
	if r.Status >= http.StatusInternalServerError && r.Status != http.StatusNotImplemented {
		return is(fault.Unavailable, "unavailable", "fails for now (%d); it is tried again.", r.Status)
	}
	return is(fault.Unprocessable, "request-refused", "refuses the request (%d %s). This version of Handoff may not fit that service; the log has more.", r.Status, r.Code)
}

// permission names what is missing: Dataverse tells the privilege, such as
// prvReadbot, in its message (community).
func permission(r RefusedError) string {
	for word := range strings.FieldsSeq(r.Message) {
		word = strings.Trim(word, ".,;:'\"")
		if rest, ok := strings.CutPrefix(word, "prv"); ok && rest != "" && len(rest) < 100 && !strings.ContainsFunc(rest, notInName) {
			return word
		}
	}
	return r.Code
}

func notInName(r rune) bool {
	return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}

func refusal(api string, a Answer) RefusedError {
	r := RefusedError{API: api, Status: a.Status, Body: a.Body}
	var body struct {
		Error struct{ Code, Message string }
	}
	if json.Unmarshal(a.Body, &body) == nil { // else it is some proxy's page
		r.Code, r.Message = clip(body.Error.Code, 100), body.Error.Message
	}
	for _, name := range []string{"Request-Id", "X-Ms-Service-Request-Id", "X-Ms-Request-Id"} {
		if id := a.Header.Get(name); r.RequestID == "" {
			r.RequestID = clip(id, 64)
		}
	}
	return r
}

// withoutURL leaves out the address that net/http puts into its errors.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most] + "…"
}

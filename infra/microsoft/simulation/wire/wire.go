// Package wire is what the hosts of the fake have in common: how a body is
// read and held to its documented fields, how an answer is written, and how a
// script makes a host misbehave.
package wire

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Object is a JSON object under the names that Microsoft gives its members.
type Object = map[string]any

// MaxBody is the largest body that a host of the fake reads, in bytes.
const MaxBody = 4 << 20

// Error is a refusal: an answer that is not a success. Each host writes it in its own
// shape.
type Error struct {
	Status     int
	Code       string // as the host spells it; empty: the host's usual one for the status
	Message    string
	RetryAfter int // seconds; 0 says nothing
}

// Error returns code and message.
func (r *Error) Error() string { return strconv.Itoa(r.Status) + " " + r.Code + ": " + r.Message }

// Refuse returns a refusal.
func Refuse(status int, code, message string) *Error {
	return &Error{Status: status, Code: code, Message: message}
}

// Coded returns a refusal under another code; other errors as they are.
func Coded(err error, code string) error {
	if f, ok := errors.AsType[*Error](err); ok {
		c := *f
		c.Code = code
		return &c
	}
	return err
}

// Shape writes a refusal as one host does.
type Shape func(w http.ResponseWriter, r *http.Request, f *Error)

// Handle turns a function that may refuse into a handler. An error that is no
// Error is a refusal: answered as an internal error without its text.
func Handle(shape Shape, f func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := f(w, r)
		if err == nil {
			return
		}
		refusal, ok := errors.AsType[*Error](err)
		if !ok {
			refusal = Refuse(http.StatusInternalServerError, "", "The fake could not do it.")
		}
		Shaped(w, r, shape, refusal)
	})
}

// Shaped writes a refusal in a host's shape, with Retry-After where it says so.
func Shaped(w http.ResponseWriter, r *http.Request, shape Shape, f *Error) {
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
	}
	shape(w, r, f)
}

// JSON writes a body. What can't be written is the client's loss.
func JSON(w http.ResponseWriter, status int, body any) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) //nolint:errchkjson // what a host answers is made of JSON
}

// Body reads the JSON object that a request carries.
func Body(w http.ResponseWriter, r *http.Request) (Object, error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if charset := params["charset"]; err != nil || kind != "application/json" || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return nil, Refuse(http.StatusUnsupportedMediaType, "", "The Content-Type must be application/json.")
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, MaxBody))
	var body Object
	if err = d.Decode(&body); err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("something follows the object")
		}
	}
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, Refuse(http.StatusRequestEntityTooLarge, "", "The body is too large.")
	}
	if err != nil || body == nil {
		return nil, Refuse(http.StatusBadRequest, "", "The body is not a JSON object.")
	}
	return body, nil
}

// Kind is what the value of a member may be.
type Kind string

// The kinds of JSON, and Any. Null is allowed for every kind.
const (
	Text    Kind = "string"
	Number  Kind = "number"
	Boolean Kind = "boolean"
	Members Kind = "object"
	List    Kind = "array"
	Any     Kind = "any"
)

// KindOf returns the kind of a decoded value, or "null".
func KindOf(v any) Kind {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return Text
	case float64:
		return Number
	case bool:
		return Boolean
	case []any:
		return List
	default:
		return Members
	}
}

// Fields are the members that a body may have.
type Fields map[string]Kind

// Check refuses a body that has a member which is not among the fields, one of
// another kind, or not all of the required ones.
func (f Fields) Check(body Object, required ...string) error {
	for _, name := range slices.Sorted(maps.Keys(body)) {
		want, known := f[name]
		got := KindOf(body[name])
		if !known && !strings.HasPrefix(name, "@odata.") {
			return Refuse(http.StatusBadRequest, "", "Invalid property '"+name+"'.")
		}
		if known && want != Any && got != "null" && got != want {
			return Refuse(http.StatusBadRequest, "", "Property '"+name+"' must be of kind "+string(want)+".")
		}
	}
	for _, name := range required {
		if v := body[name]; v == nil || v == "" {
			return Refuse(http.StatusBadRequest, "", "Property '"+name+"' is required.")
		}
	}
	return nil
}

// String returns a member that is a text, or "".
func String(o Object, name string) string {
	s, _ := o[name].(string)
	return s
}

// Child returns a member that is an object, or nil.
func Child(o Object, name string) Object {
	c, _ := o[name].(Object)
	return c
}

// Package fault is Handoff's one vocabulary of errors.
//
// A fault is an error that was classified where it was understood. Its Kind is
// for code (retry, park, which HTTP status), its Code is for clients and never
// changes once released, its Detail is a plain sentence for people, and its
// cause is for the log alone. An error that nobody classified is Internal:
// strangers see no text of it and a queue tries it again.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind says how an error is to be treated. Kinds are few and never reordered.
type Kind uint8

// The kinds. Permanent ones will fail again however often they are tried.
const (
	Internal        Kind = iota // unclassified: ours to mend, worth another try
	Invalid                     // the request can't be read
	Unprocessable               // the request can be read but breaks a rule
	Unauthenticated             // nobody said, or proved, who is calling
	Forbidden                   // the caller is known and may not
	NotFound                    // no such thing, or not for this caller
	Conflict                    // the state of the thing refuses it
	Gone                        // it was there and is destroyed on purpose
	TooLarge                    // over a size limit
	Unsupported                 // a media type that is not understood
	RateLimited                 // too much at once, worth another try later
	Unavailable                 // an outside system is down, worth another try
)

//nolint:gochecknoglobals // a table that never changes
var names = [...]string{
	Internal: "internal", Invalid: "invalid", Unprocessable: "unprocessable", Unauthenticated: "unauthenticated",
	Forbidden: "forbidden", NotFound: "not-found", Conflict: "conflict", Gone: "gone", TooLarge: "too-large",
	Unsupported: "unsupported", RateLimited: "rate-limited", Unavailable: "unavailable",
}

// String returns the kind's name in kebab-case.
func (k Kind) String() string {
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("kind-%d", k)
}

// Permanent reports whether trying again can't help.
func (k Kind) Permanent() bool {
	return k != Internal && k != RateLimited && k != Unavailable
}

// Error is a classified error. Its zero value is an Internal fault without text.
// It is safe for concurrent use once built.
type Error struct {
	Kind   Kind
	Code   string // stable, kebab-case; for clients
	Detail string // one or two plain sentences; may be shown to anybody who may call
	// Pointer is an RFC 6901 JSON pointer to the part of the input at fault, or empty.
	Pointer string
	// Problems lists every finding where an input has more than one.
	Problems []Problem
	// RetryAfter is how long to wait before another try; zero means unknown.
	RetryAfter time.Duration
	// Err is the cause. It is logged, never shown.
	Err error
}

// Problem is one finding in an input with many, such as a rules file.
type Problem struct {
	Pointer string `json:"pointer,omitempty"`
	Rule    string `json:"rule,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Detail  string `json:"detail"`
}

// New returns a fault of the given kind.
func New(k Kind, code, detail string) *Error {
	return &Error{Kind: k, Code: code, Detail: detail}
}

// Newf is New with a formatted detail.
func Newf(k Kind, code, format string, args ...any) *Error {
	return &Error{Kind: k, Code: code, Detail: fmt.Sprintf(format, args...)}
}

// At returns a copy that points at a part of the input (RFC 6901).
func (e *Error) At(pointer string) *Error {
	c := *e
	c.Pointer = pointer
	return &c
}

// Because returns a copy with the cause, which is logged and never shown.
func (e *Error) Because(err error) *Error {
	c := *e
	c.Err = err
	return &c
}

// Error returns code and detail, and the cause if there is one.
func (e *Error) Error() string {
	s := e.Code
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Pointer != "" {
		s += " (at " + e.Pointer + ")"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Of returns the fault in err's chain, or nil where nobody classified it.
func Of(err error) *Error {
	if f, ok := errors.AsType[*Error](err); ok {
		return f
	}
	return nil
}

// KindOf returns the kind of err: Internal where nobody classified it.
func KindOf(err error) Kind {
	if f := Of(err); f != nil {
		return f.Kind
	}
	return Internal
}

// CodeOf returns the stable code of err, or "internal".
func CodeOf(err error) string {
	if f := Of(err); f != nil && f.Code != "" {
		return f.Code
	}
	return "internal"
}

// Is reports whether err is a fault with the given code.
func Is(err error, code string) bool {
	f := Of(err)
	return f != nil && f.Code == code
}

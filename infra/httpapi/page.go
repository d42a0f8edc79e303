package httpapi

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"handoff/domain/fault"
	"handoff/domain/listing"
)

// Page is a part of a list. Next is the cursor of the part after it, empty at
// the end.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}

const maxCursor = 1024

func pageOf(q url.Values) (listing.Page, error) {
	p := listing.Page{Cursor: q.Get("cursor")}
	if len(p.Cursor) > maxCursor {
		return p, badParameter("cursor", "It is the next of the page before.")
	}
	if !q.Has("limit") {
		return p, nil
	}
	n, err := strconv.Atoi(q.Get("limit"))
	if err != nil || n < 1 || n > listing.MaxPage {
		return p, badParameter("limit", "It is a number from 1 to "+strconv.Itoa(listing.MaxPage)+".")
	}
	p.Limit = n
	return p, nil
}

// writePage answers with a page and, if there is more, a Link to it (RFC 8288).
func writePage[T any](s *server, x *exchange, r *http.Request, rows []T, next string) error {
	if next != "" {
		s.linkNext(x, r, "cursor", next)
	}
	return x.json(http.StatusOK, Page[T]{Items: notNil(rows), Next: next})
}

// linkNext says that the same with another value of a parameter is the next
// page (RFC 8288).
func (s *server) linkNext(x *exchange, r *http.Request, name, value string) {
	q := r.URL.Query()
	q.Set(name, value)
	x.Header().Set("Link", "<"+s.url(r, r.URL.EscapedPath())+"?"+q.Encode()+`>; rel="next"`)
}

// notNil returns a list that is [] in JSON and never null.
func notNil[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}

// oneOf returns a parameter that may have certain values, or be left out.
func oneOf(q url.Values, name string, values ...string) (string, error) {
	v := q.Get(name)
	if v != "" && !slices.Contains(values, v) {
		return "", badParameter(name, "It is one of "+strings.Join(values, ", ")+".")
	}
	return v, nil
}

func badParameter(name, why string) error {
	return fault.Newf(fault.Invalid, "parameter-invalid", "The parameter %q can't be used. %s", name, why)
}

package wire

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Routes are what a host answers, by "METHOD /pattern" as http.ServeMux reads it.
type Routes map[string]func(http.ResponseWriter, *http.Request) error

// Handler answers by the routes, and refuses other paths with 404 and other
// methods with 405 in the host's shape.
func (routes Routes) Handler(shape Shape) http.Handler {
	byPattern := make(map[string]map[string]func(http.ResponseWriter, *http.Request) error)
	for route, f := range routes {
		method, pattern, _ := strings.Cut(route, " ")
		if byPattern[pattern] == nil {
			byPattern[pattern] = make(map[string]func(http.ResponseWriter, *http.Request) error)
		}
		byPattern[pattern][method] = f
	}
	mux := http.NewServeMux()
	for pattern, methods := range byPattern {
		mux.Handle(pattern, Handle(shape, func(w http.ResponseWriter, r *http.Request) error {
			if f := methods[r.Method]; f != nil {
				return f(w, r)
			}
			w.Header().Set("Allow", strings.Join(slices.Sorted(maps.Keys(methods)), ", "))
			return Refuse(http.StatusMethodNotAllowed, "", "The method "+r.Method+" is not allowed here.")
		}))
	}
	if byPattern["/"] == nil {
		mux.Handle("/", Handle(shape, func(_ http.ResponseWriter, r *http.Request) error {
			return Refuse(http.StatusNotFound, "", "There is nothing at "+r.URL.Path+".")
		}))
	}
	return mux
}

// Base returns the URL under which a client reached this host, without a slash
// at its end. Hosts of the fake speak plain HTTP.
func Base(r *http.Request) string { return "http://" + r.Host }

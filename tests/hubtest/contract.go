package hubtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"handoff/infra/microsoft/simulation/wire"
)

// Witness is a transport that holds what passes to the published contracts of
// Direct Line and the Connector: paths, parameters and bodies of requests, and
// statuses and bodies of answers. Other requests it lets pass. It is safe for
// concurrent use.
type Witness struct {
	T    *testing.T
	Next http.RoundTripper
	// Strict has it judge every request: that of a client of ours. Without it a
	// request that was refused may be as wrong as a test likes.
	Strict bool

	mu   sync.Mutex
	seen map[string]int
}

// Seen returns how many requests of each operation have succeeded.
func (w *Witness) Seen() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.seen)
}

// RoundTrip implements http.RoundTripper.
func (w *Witness) RoundTrip(r *http.Request) (*http.Response, error) {
	name, op, theirs := find(r.Method, r.URL.Path)
	if theirs && name == "" && w.Strict {
		w.T.Errorf("%s %s is no operation", r.Method, r.URL.Path)
	}
	if name == "" {
		return w.Next.RoundTrip(r)
	}
	var sent []byte
	if r.Body != nil {
		var err error
		if sent, err = io.ReadAll(r.Body); err != nil {
			return nil, fmt.Errorf("read the request: %w", err)
		}
		_ = r.Body.Close()
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(sent))
	}
	answer, err := w.Next.RoundTrip(r)
	if err != nil {
		if w.Strict {
			w.judge(name, op.request(r, sent))
		}
		return nil, err
	}
	got, err := io.ReadAll(io.LimitReader(answer.Body, wire.MaxBody))
	_ = answer.Body.Close()
	answer.Body = io.NopCloser(bytes.NewReader(got))
	if w.Strict || answer.StatusCode < http.StatusBadRequest {
		w.judge(name, op.request(r, sent))
	}
	w.judge(name, op.answer(answer, got))
	if answer.StatusCode < http.StatusBadRequest {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.seen == nil {
			w.seen = make(map[string]int)
		}
		w.seen[name]++
	}
	return answer, err
}

func (w *Witness) judge(name string, violations []string) {
	for _, v := range violations {
		w.T.Errorf("%s: %s", name, v)
	}
}

// find returns the operation of a request. theirs is false for what is of
// neither API; what is of one and of no operation comes back without a name.
func find(method, path string) (name string, op operation, theirs bool) {
	i := strings.Index(path, connectorAPI)
	if strings.HasPrefix(path, directLineAPI) {
		i = 0
	}
	if i < 0 || strings.HasSuffix(path, "/stream") || strings.HasSuffix(path, "/upload") {
		return "", operation{}, false
	}
	for name, op := range operations() {
		if op.method == method && matches(op.path, path[i:]) {
			return name, op, true
		}
	}
	return "", operation{}, true
}

// matches compares a path name by name. What is fixed in one operation is no
// name in another: history is no activity.
func matches(pattern, path string) bool {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	return slices.EqualFunc(want, got, func(w, g string) bool { return w == g || w == "{}" && g != "history" && g != "" })
}

// request returns how a request breaks the contract.
func (o operation) request(r *http.Request, body []byte) (found []string) {
	for name := range r.URL.Query() {
		if !slices.Contains(o.query, name) {
			found = append(found, "there is no parameter "+name)
		}
	}
	if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
		found = append(found, "a secret or token is missing")
	}
	if len(body) == 0 {
		if o.body != "" && !o.optional {
			found = append(found, "the body is missing")
		}
		return found
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		found = append(found, "the body is of type "+r.Header.Get("Content-Type"))
	}
	if o.body == "" {
		return append(found, "there is a body")
	}
	return append(found, shaped(o.body, body)...)
}

// answer returns how an answer breaks the contract.
func (o operation) answer(a *http.Response, body []byte) []string {
	shape, listed := o.answers[a.StatusCode]
	if a.StatusCode >= http.StatusBadRequest {
		shape, listed = "ErrorResponse", o.failures == nil || slices.Contains(o.failures, a.StatusCode)
	}
	switch {
	case !listed:
		return []string{"there is no answer " + strconv.Itoa(a.StatusCode)}
	case shape == "" && len(body) > 0:
		return []string{"an answer " + strconv.Itoa(a.StatusCode) + " has no body"}
	case shape == "":
		return nil
	}
	return shaped(shape, body)
}

// shaped returns how a text differs from a definition.
func shaped(name string, body []byte) []string {
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return []string{"it is no JSON: " + err.Error()}
	}
	return differ(name, v, name)
}

// differ compares a value with a kind. A value of null says nothing.
func differ(kind string, v any, at string) (found []string) {
	if element, isList := strings.CutPrefix(kind, "[]"); isList && v != nil {
		list, ok := v.([]any)
		if !ok {
			return []string{at + " is no list"}
		}
		for i, e := range list {
			found = append(found, differ(element, e, at+"/"+strconv.Itoa(i))...)
		}
		return found
	}
	members, isDefinition := definitions()[kind]
	if !isDefinition {
		if got := string(wire.KindOf(v)); kind != "any" && v != nil && got != kind {
			found = append(found, fmt.Sprintf("%s is of kind %s, not %s", at, got, kind))
		}
		return found
	}
	o, ok := v.(map[string]any)
	if !ok {
		return []string{at + " is no " + kind}
	}
	for _, name := range required()[kind] {
		if o[name] == nil || o[name] == "" {
			found = append(found, at+" has no "+name)
		}
	}
	for name, member := range o {
		if members[name] == "" {
			found = append(found, at+" has "+name+", which is not published")
		} else if member != nil {
			found = append(found, differ(members[name], member, at+"/"+name)...)
		}
	}
	return found
}

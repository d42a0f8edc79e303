// Package controlplanetest plays services of Microsoft's for tests of the clients that
// call them: a script of requests, in their order, each with its answer. What
// is asked otherwise fails the test, and so does what is never asked. Nothing
// goes over a network, so time can be that of testing/synctest.
package controlplanetest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Step is a request that is expected and how it is answered.
type Step struct {
	// Want is the method and the URL from its path on, unescaped, with its
	// query sorted by name: "GET /applications?$filter=x eq 1&$select=id".
	Want string
	// Body is what is sent: JSON that is equal, or a form sorted by name and
	// unescaped. Empty: nothing.
	Body string
	// Header has headers that must be there with these values.
	Header map[string]string

	Status int // of the answer; 0 means 200
	Answer string
	Set    map[string]string // headers of the answer
	Broken bool              // the connection breaks instead
}

// Token is what the steps expect of Authorization unless their Header says
// otherwise: the text after Bearer.
const Token = "token-1"

// Client returns a client that can make the requests of a script and no others.
// It is safe for concurrent use.
func Client(t testing.TB, script ...Step) *http.Client {
	t.Helper()
	p := &player{t: t, script: script}
	t.Cleanup(func() {
		for _, s := range p.script[p.next:] {
			t.Errorf("nobody asked for %s", s.Want)
		}
	})
	return &http.Client{Transport: p}
}

type player struct {
	t      testing.TB
	script []Step

	mu   sync.Mutex
	next int
}

// RoundTrip implements http.RoundTripper.
func (p *player) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked := r.Method + " " + r.URL.Path + query(r.URL.Query(), "?")
	if p.next == len(p.script) {
		p.t.Errorf("%s is asked after the end of the script", asked)
		return nil, errors.New("the script has ended")
	}
	s := p.script[p.next]
	p.next++
	if asked != s.Want {
		p.t.Errorf("request %d is\n%s, want\n%s", p.next, asked, s.Want)
	}
	p.check(s, r)
	if s.Broken {
		return nil, errors.New("connection reset by peer")
	}
	return s.answer(r), r.Context().Err()
}

func (p *player) check(s Step, r *http.Request) {
	for name, want := range s.Header {
		if got := r.Header.Get(name); got != want {
			p.t.Errorf("%s has %s %q, want %q", s.Want, name, got, want)
		}
	}
	if _, own := s.Header["Authorization"]; !own && r.Header.Get("Authorization") != "Bearer "+Token {
		p.t.Errorf("%s has authorization %q", s.Want, r.Header.Get("Authorization"))
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		p.t.Error(err)
	}
	if got := string(body); !same(r.Header.Get("Content-Type"), got, s.Body) {
		p.t.Errorf("%s is sent\n%s, want\n%s", s.Want, got, s.Body)
	}
}

func same(media, got, want string) bool {
	if strings.HasPrefix(media, "application/x-www-form-urlencoded") {
		form, err := url.ParseQuery(got)
		return err == nil && query(form, "") == want
	}
	if got == "" || want == "" {
		return got == want
	}
	var a, b any
	return json.Unmarshal([]byte(got), &a) == nil && json.Unmarshal([]byte(want), &b) == nil && reflect.DeepEqual(a, b)
}

func query(q url.Values, before string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(q)) {
		for _, v := range q[name] {
			parts = append(parts, name+"="+v)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return before + strings.Join(parts, "&")
}

func (s Step) answer(r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	for name, value := range s.Set {
		w.Header().Set(name, value)
	}
	if s.Status == 0 {
		s.Status = http.StatusOK
	}
	w.WriteHeader(s.Status)
	_, _ = io.WriteString(w, s.Answer) // to memory
	a := w.Result()
	a.Request = r
	return a
}

// Tokens are tokens for tests: Token, and after it was rejected token-2. The
// zero value is ready to use.
type Tokens struct{}

// Token returns Token.
func (Tokens) Token(context.Context) (string, error) { return Token, nil }

// Renew returns token-2 for Token, and fails for any other.
func (Tokens) Renew(_ context.Context, rejected string) (string, error) {
	if rejected != Token {
		return "", errors.New("the token " + rejected + " was never given out")
	}
	return "token-2", nil
}

package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/simulation/clock"
)

// Fault is one misbehaviour of a host, as a script asks for it. Exactly one of
// Status, Cut, Lose, Set and Delay says what happens.
type Fault struct {
	// Host is the name of the host.
	Host string `json:"host"`
	// Route is "METHOD /path", where * stands for any run of characters; empty
	// means every request of the host.
	Route string `json:"route,omitempty"`
	// After lets that many matching requests pass first.
	After int `json:"after,omitempty"`
	// Times is how often it happens: 0 means once, -1 until the script is cleared.
	Times int `json:"times,omitempty"`

	// Status is what the host answers with, in its own shape, with Code and
	// Message (optional) and the header Retry-After (in seconds, optional).
	// Nothing is carried out.
	Status     int    `json:"status,omitempty"`
	Code       string `json:"code,omitempty"`
	Message    string `json:"message,omitempty"`
	RetryAfter int    `json:"retry_after,omitempty"`
	// Cut breaks the connection off before anything is carried out.
	Cut bool `json:"cut,omitempty"`
	// Lose carries the request out and then breaks the connection off: the
	// answer is lost.
	Lose bool `json:"lose,omitempty"`
	// Set replaces members of the answer, and of every element of its value
	// where that is a list.
	Set Object `json:"set,omitempty"`
	// Delay is how long the request waits before it is carried out, in seconds
	// of the fake's clock.
	Delay int `json:"delay,omitempty"`
}

// Call is a request that a host was asked, faults included.
type Call struct {
	Host   string `json:"host"`
	Method string `json:"method"`
	Path   string `json:"path"`
	Query  string `json:"query,omitempty"`
	Status int    `json:"status"` // 0: the connection was broken off
}

// maxCalls bounds what a script remembers.
const maxCalls = 10_000

// Script makes hosts misbehave and remembers what they were asked. It is safe
// for concurrent use; make one with NewScript.
type Script struct {
	clock clock.Clock
	mu    sync.Mutex
	cues  []*cue
	calls []Call
}

type cue struct {
	Fault
	route *regexp.Regexp
	seen  int
}

// NewScript returns a script without faults.
func NewScript(c clock.Clock) *Script { return &Script{clock: c} }

// Inject adds a fault. Where several match a request, the earliest that is not
// used up happens. It fails with fault-invalid.
func (s *Script) Inject(f Fault) error {
	effects := 0
	for _, set := range []bool{f.Status != 0, f.Cut, f.Lose, f.Set != nil, f.Delay > 0} {
		if set {
			effects++
		}
	}
	if effects != 1 || f.Host == "" || f.Times < -1 || f.After < 0 || f.Delay < 0 || f.Status != 0 && (f.Status < 400 || f.Status > 599) {
		return fault.New(fault.Unprocessable, "fault-invalid",
			"A fault names a host and exactly one of status (400 to 599), cut, lose, set and delay; after and times are not negative (but times may be -1).")
	}
	pattern := "(?s)^" + strings.ReplaceAll(regexp.QuoteMeta(f.Route), `\*`, ".*") + "$"
	if f.Route == "" {
		pattern = ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cues = append(s.cues, &cue{Fault: f, route: regexp.MustCompile(pattern)})
	return nil
}

// Clear forgets all faults.
func (s *Script) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cues = nil
}

// Calls returns the last 10,000 requests that a host was asked, earliest first;
// of all hosts where host is empty.
func (s *Script) Calls(host string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	var calls []Call
	for _, c := range s.calls {
		if host == "" || c.Host == host {
			calls = append(calls, c)
		}
	}
	return calls
}

// next returns what is to happen to a request, if anything.
func (s *Script) next(host string, r *http.Request) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.cues {
		if c.Host != host || !c.route.MatchString(r.Method+" "+r.URL.Path) {
			continue
		}
		c.seen++
		if past := c.seen - c.After; past > 0 && (c.Times < 0 || past <= max(c.Times, 1)) {
			return &c.Fault
		}
	}
	return nil
}

func (s *Script) remember(c Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls = append(s.calls, c); len(s.calls) > maxCalls {
		s.calls = s.calls[1:]
	}
}

// Wrap puts a host under the script.
func (s *Script) Wrap(host string, shape Shape, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := &watched{ResponseWriter: w}
		defer func() {
			s.remember(Call{host, r.Method, r.URL.Path, r.URL.RawQuery, seen.status})
		}()
		f := s.next(host, r)
		switch {
		case f == nil:
			next.ServeHTTP(seen, r)
		case f.Cut:
			panic(http.ErrAbortHandler)
		case f.Lose:
			next.ServeHTTP(&held{header: make(http.Header)}, r)
			panic(http.ErrAbortHandler)
		case f.Delay > 0:
			s.wait(r.Context(), time.Duration(f.Delay)*time.Second)
			next.ServeHTTP(seen, r)
		case f.Set != nil:
			answer := &held{header: seen.Header()}
			next.ServeHTTP(answer, r)
			answer.edited(seen, f.Set)
		default:
			Shaped(seen, r, shape, &Error{Status: f.Status, Code: f.Code, Message: f.Message, RetryAfter: f.RetryAfter})
		}
	})
}

// wait waits in the fake's time, or until the client has had enough.
func (s *Script) wait(ctx context.Context, d time.Duration) {
	over := make(chan struct{})
	defer s.clock.AfterFunc(d, func() { close(over) })()
	select {
	case <-over:
	case <-ctx.Done():
	}
}

// watched remembers the status of an answer.
type watched struct {
	http.ResponseWriter
	status int
}

func (w *watched) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController take the connection over.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// held keeps an answer back.
type held struct {
	header http.Header
	status int
	bytes.Buffer
}

func (h *held) Header() http.Header { return h.header }

func (h *held) WriteHeader(status int) { h.status = status }

// edited passes a held answer on with members replaced.
func (h *held) edited(w http.ResponseWriter, set Object) {
	var body Object
	if err := json.Unmarshal(h.Bytes(), &body); err != nil {
		w.WriteHeader(max(h.status, http.StatusOK))
		_, _ = w.Write(h.Bytes())
		return
	}
	rows, _ := body["value"].([]any)
	for name, v := range set {
		if rows == nil {
			body[name] = v
		}
		for _, row := range rows {
			if o, ok := row.(Object); ok {
				o[name] = v
			}
		}
	}
	JSON(w, max(h.status, http.StatusOK), body)
}

// String describes a call as a line of a log.
func (c Call) String() string {
	return fmt.Sprintf("%s: %s %s -> %d", c.Host, c.Method, c.Path, c.Status)
}

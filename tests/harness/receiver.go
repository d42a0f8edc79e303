package harness

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"handoff/domain/connection"
	sw "handoff/infra/standardwebhooks"
)

// Event is what a receiver keeps of an event.
type Event struct {
	ID       string
	Type     string
	Subject  string // the escalation
	Sequence string
	Body     [sha256.Size]byte
	Bytes    int
	First    time.Time // when it came first
	Order    int       // its place among the events that the endpoint took
	Times    int       // how often it was taken
	Refused  int       // how often it was refused
}

// Call is one request to a receiver, verified.
type Call struct {
	Endpoint string
	Event    string // its id
	Type     string
	Body     []byte
	Earlier  int // requests with this event before, taken or refused
}

// Receiver is an agent desk: it verifies what it is sent and drops events that
// it has taken before, by their ids. It is safe for concurrent use.
type Receiver struct {
	// Answer returns the status of the answer to a call, 0 for breaking the
	// connection off; nil: always 204. Set it before the first call.
	Answer func(ctx context.Context, c Call) int

	url string
	now func() time.Time

	mu        sync.Mutex
	endpoints map[string]*taking
	problems  []string
	changed   chan struct{} // closed when an event is taken for the first time
}

// taking is what one endpoint does.
type taking struct {
	secret sw.Secret
	events map[string]*Event // by id
	taken  int               // events, each counted once
}

// NewReceiver starts a receiver on loopback for the time of the test.
func NewReceiver(t testing.TB) *Receiver {
	t.Helper()
	r := &Receiver{now: time.Now, endpoints: map[string]*taking{}, changed: make(chan struct{})}
	srv := httptest.NewServer(r)
	t.Cleanup(srv.Close)
	r.url = srv.URL
	return r
}

// Endpoint returns the plan of an endpoint of this receiver.
func (r *Receiver) Endpoint(id, mode string) connection.EndpointPlan {
	return connection.EndpointPlan{ID: id, URL: r.url + "/" + id, Mode: mode}
}

// Trust has the receiver know the secrets of endpoints, which must be
// differently named over all connections.
func (r *Receiver) Trust(secrets map[string]string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, text := range secrets {
		s, err := sw.ParseSecret(text)
		if err != nil {
			return fmt.Errorf("trust endpoint %s: %w", id, err)
		}
		r.endpoints[id] = &taking{secret: s, events: map[string]*Event{}}
	}
	return nil
}

const maxEvent = 16 << 20

// ServeHTTP implements http.Handler.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxEvent))
	if err != nil {
		return // a sender that was killed while it sent
	}
	c := Call{Endpoint: req.URL.Path[1:], Event: req.Header.Get(sw.HeaderID), Type: req.Header.Get("Ce-Type"), Body: body}
	if err := r.verify(req.Header, c); err != nil {
		r.complain("%s: %v", c.Endpoint, err)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	c.Earlier = r.meet(c, req.Header)
	status := http.StatusNoContent
	if r.Answer != nil {
		status = r.Answer(req.Context(), c)
	}
	r.decide(c, status)
	if status == 0 {
		panic(http.ErrAbortHandler) // net/http's way to break off
	}
	w.WriteHeader(status)
}

func (r *Receiver) verify(h http.Header, c Call) error {
	r.mu.Lock()
	to := r.endpoints[c.Endpoint]
	r.mu.Unlock()
	if to == nil {
		return errors.New("a call to an endpoint that nobody has")
	}
	if id := h.Get("Ce-Id"); id != c.Event {
		return fmt.Errorf("webhook-id is %q and ce-id %q", c.Event, id)
	}
	return sw.Verify([]sw.Secret{to.secret}, c.Event, h.Get(sw.HeaderTimestamp), h.Get(sw.HeaderSignature), c.Body, r.now(), 0)
}

// meet returns how often the event came before. Whatever comes again must be
// what came first.
func (r *Receiver) meet(c Call, h http.Header) (earlier int) {
	got := Event{
		ID: c.Event, Type: c.Type, Subject: h.Get("Ce-Subject"), Sequence: h.Get("Ce-Sequence"),
		Body: sha256.Sum256(c.Body), Bytes: len(c.Body), First: r.now(),
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.endpoints[c.Endpoint].events[c.Event]
	if e == nil {
		r.endpoints[c.Endpoint].events[c.Event] = &got
		return 0
	}
	if e.Type != got.Type || e.Subject != got.Subject || e.Sequence != got.Sequence || e.Body != got.Body {
		r.problems = append(r.problems, fmt.Sprintf("%s: event %s came again and was another one", c.Endpoint, c.Event))
	}
	return e.Times + e.Refused
}

func (r *Receiver) decide(c Call, status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	to := r.endpoints[c.Endpoint]
	e := to.events[c.Event]
	if status == 0 || status >= http.StatusMultipleChoices {
		e.Refused++
		return
	}
	e.Times++
	if e.Times > 1 {
		return
	}
	to.taken++
	e.Order = to.taken
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *Receiver) complain(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

// Problems returns what was wrong with calls.
func (r *Receiver) Problems() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.problems)
}

// Taken returns the events that an endpoint took, by their ids.
func (r *Receiver) Taken(endpoint string) map[string]Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := map[string]Event{}
	if to := r.endpoints[endpoint]; to != nil {
		for id, e := range to.events {
			if e.Times > 0 {
				taken[id] = *e
			}
		}
	}
	return taken
}

// Wait waits until an endpoint took n events, each counted once.
func (r *Receiver) Wait(ctx context.Context, endpoint string, n int) error {
	for {
		taken, changed := r.count(endpoint)
		if taken >= n {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("endpoint %s took %d events, %d are expected: %w", endpoint, taken, n, ctx.Err())
		case <-changed:
		}
	}
}

func (r *Receiver) count(endpoint string) (int, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if to := r.endpoints[endpoint]; to != nil {
		return to.taken, r.changed
	}
	return 0, r.changed
}

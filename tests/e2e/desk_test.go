package e2e_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"handoff/infra/standardwebhooks"
)

// desk is an agent desk that verifies what it receives.
type desk struct {
	url   string
	clock *clock

	mu       sync.Mutex
	secrets  []standardwebhooks.Secret
	received []received
	refused  []received
	answer   func(r received, n int) int // status for the n-th request, 0 to take it
	requests int
	unsigned int // requests whose signature nobody could have made
}

type received struct {
	path, id, typ, subject string
	sequence               string
	source                 string
	signatures             int
	header                 http.Header
	raw                    []byte
	body                   map[string]any
}

func newDesk(t *testing.T, c *clock) *desk {
	t.Helper()
	d := &desk{clock: c}
	s := httptest.NewServer(d)
	t.Cleanup(s.Close)
	d.url = s.URL
	return d
}

func (d *desk) expect(s standardwebhooks.Secret) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.secrets = append(d.secrets, s)
}

// only has the desk know no other secret than s.
func (d *desk) only(s standardwebhooks.Secret) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.secrets = []standardwebhooks.Secret{s}
}

// answers has f decide with which status requests are answered.
func (d *desk) answers(f func(r received, n int) int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answer, d.requests = f, 0
}

// ServeHTTP implements http.Handler.
func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h := r.Header
	got := received{
		path: strings.TrimPrefix(r.URL.Path, "/"), id: h.Get("ce-id"), typ: h.Get("ce-type"), subject: h.Get("ce-subject"),
		sequence: h.Get("ce-sequence"), source: h.Get("ce-source"), signatures: len(strings.Fields(h.Get("webhook-signature"))),
		header: h, raw: body,
	}
	_ = json.Unmarshal(body, &got.body)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.requests++
	err := standardwebhooks.Verify(d.secrets, h.Get("webhook-id"), h.Get("webhook-timestamp"), h.Get("webhook-signature"), body, d.clock.now(), standardwebhooks.DefaultTolerance)
	if err != nil {
		d.unsigned++
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if d.answer != nil {
		if status := d.answer(got, d.requests); status != 0 {
			d.refused = append(d.refused, got)
			if status == http.StatusFound {
				w.Header().Set("Location", d.url+"/elsewhere")
			}
			w.WriteHeader(status)
			return
		}
	}
	d.received = append(d.received, got)
	w.WriteHeader(http.StatusNoContent)
}

// got returns what was received of one subject, each event id once.
func (d *desk) got(subject string) []received {
	return d.filter(func(r received) bool { return subject == "" || r.subject == subject })
}

// of returns what was received at a path, each event id once.
func (d *desk) of(path, typ string) []received {
	return d.filter(func(r received) bool { return r.path == path && (typ == "" || r.typ == typ) })
}

func (d *desk) filter(want func(received) bool) []received {
	d.mu.Lock()
	defer d.mu.Unlock()
	seen := make(map[string]bool)
	var out []received
	for _, r := range d.received {
		if key := r.path + r.id; want(r) && !seen[key] {
			seen[key] = true
			out = append(out, r)
		}
	}
	return out
}

// event waits for an event about a subject.
func (w *world) event(subject, typ string) (found received) {
	w.t.Helper()
	w.eventually("the desk has "+typ+" of "+subject, func() bool {
		for _, r := range w.desk.got(subject) {
			if r.typ == typ {
				found = r
				return true
			}
		}
		return false
	})
	return found
}

const (
	routedEvent   = "handoff.escalation.routed.v1"
	addedEvent    = "handoff.escalation.context_added.v1"
	erasedEvent   = "handoff.context.erased.v1"
	acceptedEvent = "handoff.escalation.accepted.v1"
	doneEvent     = "handoff.escalation.completed.v1"
	failedEvent   = "handoff.escalation.failed.v1"
	expiredEvent  = "handoff.escalation.expired.v1"
)

// value follows names into what was received.
func (r received) value(names ...string) any {
	var v any = r.body
	for _, n := range names {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[n]
	}
	return v
}

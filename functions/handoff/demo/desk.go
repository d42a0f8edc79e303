package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"handoff/infra/standardwebhooks"
)

// desk is an agent desk: it verifies what it receives, and drops events that it
// has seen.
type desk struct {
	url    string
	now    func() time.Time
	server *http.Server

	mu      sync.Mutex
	secret  standardwebhooks.Secret
	busy    chan struct{} // while not nil, nothing is answered
	asked   chan struct{} // a request came while it was busy
	routed  map[string]routed
	erased  map[string]bool
	doubled int // routed events of an escalation beyond the first, by event id
	refused error
}

// routed is a routed escalation as the desk received it.
type routed struct {
	Event      string
	ID         string                     `json:"escalation_id"`
	Variables  map[string]json.RawMessage `json:"variables"`
	Transcript struct {
		Messages []json.RawMessage `json:"messages"`
	} `json:"transcript"`
}

func startDesk(ctx context.Context, now func() time.Time) (*desk, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start the desk: %w", err)
	}
	d := &desk{url: "http://" + l.Addr().String() + "/handoff", now: now, routed: make(map[string]routed), erased: make(map[string]bool), asked: make(chan struct{}, 1)}
	d.server = &http.Server{Handler: d, ReadHeaderTimeout: patience}
	go func() {
		if err := d.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			d.fail(err)
		}
	}()
	return d, nil
}

func (d *desk) stop() error { return d.server.Close() }

func (d *desk) verifyWith(s standardwebhooks.Secret) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.secret = s
}

// hold leaves requests unanswered from now on; the function that it returns
// goes back to work.
func (d *desk) hold() (release func()) {
	busy := make(chan struct{})
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy = busy
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.busy = nil
		close(busy)
	}
}

// ServeHTTP implements http.Handler.
func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 16<<20))
	if err != nil || d.wait(r) != nil {
		return // whoever sent it is gone
	}
	if err := d.take(r.Header, body); err != nil {
		d.fail(err)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (d *desk) wait(r *http.Request) error {
	d.mu.Lock()
	busy := d.busy
	d.mu.Unlock()
	if busy == nil {
		return nil
	}
	select {
	case d.asked <- struct{}{}:
	default:
	}
	select {
	case <-busy:
	case <-r.Context().Done():
	}
	return r.Context().Err()
}

func (d *desk) take(h http.Header, body []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	err := standardwebhooks.Verify([]standardwebhooks.Secret{d.secret},
		h.Get("webhook-id"), h.Get("webhook-timestamp"), h.Get("webhook-signature"), body, d.now(), 0)
	if err != nil {
		return fmt.Errorf("verify %s: %w", h.Get("ce-type"), err)
	}
	switch h.Get("ce-type") {
	case "handoff.context.erased.v1":
		d.erased[h.Get("ce-subject")] = true
	case "handoff.escalation.routed.v1":
		got := routed{Event: h.Get("webhook-id")}
		if err := json.Unmarshal(body, &got); err != nil {
			return fmt.Errorf("read %s: %w", got.Event, err)
		}
		if was, seen := d.routed[got.ID]; seen && was.Event != got.Event {
			d.doubled++
		}
		d.routed[got.ID] = got
	}
	return nil
}

func (d *desk) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refused = errors.Join(d.refused, err)
}

// has waits until the desk has an escalation.
func (d *desk) has(ctx context.Context, id string) (got routed, err error) {
	err = until(ctx, func() (ok bool, err error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		got, ok = d.routed[id]
		return ok, d.refused
	})
	if err != nil {
		return got, fmt.Errorf("wait for the desk to get %s: %w", id, err)
	}
	return got, nil
}

// knows waits until the desk was told that a context was erased.
func (d *desk) knows(ctx context.Context, id string) error {
	return until(ctx, func() (bool, error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.erased[id], d.refused
	})
}

// count returns how many escalations the desk has, and how many it has twice.
func (d *desk) count() (escalations, doubled int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.routed), d.doubled
}

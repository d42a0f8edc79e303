package hubwatch_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/domain/hubrecord"
	"handoff/events"
	"handoff/functions/hubwatch"
	"handoff/tests/functiontest"
)

// hubs are the hubs of connections, and the marks of whoever watches them.
type hubs struct {
	*functiontest.Bench
	refs  []connection.Ref
	marks map[string]time.Time

	mu     sync.Mutex
	forgot []string
	err    map[string]error
	asked  []string // connection, and whether from the beginning
}

func newHubs(t *testing.T) *hubs {
	t.Helper()
	return &hubs{Bench: functiontest.New(t), marks: map[string]time.Time{}, err: map[string]error{}}
}

func (h *hubs) connect(id, hub string, facts ...events.Fact) {
	h.Helper()
	all := functiontest.Ready(id, functiontest.Rules)
	asked := *all[0].(*events.ConnectionRequested)
	asked.Hub.Type = hub
	all[0] = &asked
	n := h.Give(id, append(all, facts...)...)
	h.refs = append(h.refs, connection.Ref{Tenant: functiontest.Tenant, ID: id, Stream: n.Stream})
}

func (h *hubs) Connections(context.Context) iter.Seq2[connection.Ref, error] {
	return func(yield func(connection.Ref, error) bool) {
		for _, r := range h.refs {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (h *hubs) Mark(_ context.Context, name string) (time.Time, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.marks[name], nil
}

func (h *hubs) SetMark(_ context.Context, name string, at time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.marks[name] = at
	return nil
}

func (h *hubs) Changed(_ context.Context, _, conn string, since time.Time) ([]hubrecord.Record, time.Time, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if since.IsZero() {
		conn += " from the beginning"
	}
	h.asked = append(h.asked, conn)
	return nil, h.Clock, h.err[strings.TrimSuffix(conn, " from the beginning")]
}

// Forget implements hubwatch.Forgetter. The first time it fails.
func (h *hubs) Forget(_ context.Context, n events.Notification) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.forgot = append(h.forgot, n.Connection)
	if len(h.forgot) == 1 {
		return errors.New("down")
	}
	h.Give(n.Connection, &events.HubSecretsForgotten{})
	return nil
}

func (h *hubs) rounds() *hubwatch.Rounds {
	look := handler(h.Bench)
	look.Records = h
	return &hubwatch.Rounds{Handler: look, Connections: h, Marks: h, Secrets: h, Now: h.Now}
}

// round returns which connections were looked at.
func (h *hubs) round(r *hubwatch.Rounds) string {
	h.Helper()
	h.asked = nil
	if err := r.Round(h.Context()); err != nil {
		h.Fatal(err)
	}
	slices.Sort(h.asked)
	return strings.Join(h.asked, ", ")
}

func TestARoundThatIsOutOfTimeSaysHowFarItCame(t *testing.T) {
	t.Parallel()
	h := newHubs(t)
	for n := range 100 {
		h.connect(fmt.Sprint("bot-", n), connection.Omnichannel)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := h.rounds().Round(ctx)
	if err == nil || !strings.Contains(err.Error(), "after 0 of 100") || strings.Count(err.Error(), "\n") > 0 || len(h.asked) > 0 {
		t.Errorf("asked %v, error %v; want one error that says how far it came", h.asked, err)
	}
}

func TestRoundsLookAtHubsThatKeepRecords(t *testing.T) {
	t.Parallel()
	h := newHubs(t)
	deadline := h.Clock.Add(time.Hour)
	h.connect("a", connection.Omnichannel)
	h.connect("b", connection.Omnichannel)
	h.connect("desk", "generic")
	h.connect("left", connection.Omnichannel, &events.Disconnected{Policy: "drain", Deadline: &deadline})
	r := h.rounds()
	if got := h.round(r); got != "a from the beginning, b from the beginning, left from the beginning" {
		t.Errorf("looked at %s", got)
	}
	h.Clock = h.Clock.Add(time.Minute)
	if got := h.round(h.rounds()); got != "a, b, left" {
		t.Errorf("later looked at %s", got)
	}
	h.Clock = deadline
	if got := h.round(r); got != "a, b" {
		t.Errorf("after the drain looked at %s", got)
	}
}

// What may still finish after a disconnect needs the secrets, and nothing does
// later.
func TestSecretsAreForgottenAfterTheDrain(t *testing.T) {
	t.Parallel()
	h := newHubs(t)
	deadline := h.Clock.Add(time.Hour)
	h.connect("left", connection.Omnichannel, &events.Disconnected{Policy: "drain", Deadline: &deadline})
	h.connect("moved", connection.Omnichannel, &events.Disconnected{Policy: "move", Target: "other"})
	r := h.rounds()
	for _, c := range []struct {
		after time.Duration
		tries int
	}{{0, 0}, {time.Hour, 0}, {29 * time.Minute, 0}, {time.Minute, 1}, {time.Second, 1}, {time.Minute, 2}, {time.Hour, 2}} {
		h.Clock = h.Clock.Add(c.after)
		h.round(r)
		if len(h.forgot) != c.tries || slices.Contains(h.forgot, "moved") {
			t.Errorf("%s later tried to forget those of %v, want %d tries", c.after, h.forgot, c.tries)
		}
	}
}

func TestAHubThatFailsIsLeftAloneForAWhile(t *testing.T) {
	t.Parallel()
	h := newHubs(t)
	h.connect("a", connection.Omnichannel)
	h.connect("b", connection.Omnichannel)
	r := h.rounds()
	h.round(r)
	h.err["a"] = errors.New("down")
	after := func(d time.Duration, want string) {
		t.Helper()
		h.Clock = h.Clock.Add(d)
		if got := h.round(r); got != want {
			t.Errorf("looked at %s, want %s", got, want)
		}
	}
	after(time.Second, "a, b")
	after(14*time.Second, "b")
	after(time.Second, "a, b") // 15 s
	after(29*time.Second, "b")
	busy := fault.New(fault.RateLimited, "busy", "Later.")
	busy.RetryAfter = time.Hour
	h.err["a"] = busy
	after(time.Second, "a, b") // 30 s more
	after(59*time.Minute, "b") // it said when
	h.err["a"] = nil
	after(time.Minute, "a, b")
	after(time.Second, "a, b")
}

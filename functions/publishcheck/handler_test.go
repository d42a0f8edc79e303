package publishcheck_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/domain/publication"
	"handoff/events"
	"handoff/functions/publishcheck"
	"handoff/tests/functiontest"
)

const every = 15 * time.Minute

// world has connections and bots.
type world struct {
	*functiontest.Bench
	refs []connection.Ref
	list error

	mu    sync.Mutex
	found map[string]publication.Finding // by connection
	errs  map[string]error
	asked []string
	now   map[string]int // how many looks are under way, by organisation
	most  map[string]int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{
		Bench: functiontest.New(t), found: map[string]publication.Finding{}, errs: map[string]error{}, now: map[string]int{}, most: map[string]int{},
	}
}

// connect adds a ready connection in an organisation, or one with these facts.
func (w *world) connect(id, organisation string, facts ...events.Fact) {
	w.Helper()
	if len(facts) == 0 {
		facts = functiontest.Ready(id, functiontest.Rules)
	}
	asked := *facts[0].(*events.ConnectionRequested)
	asked.Hub.Organisation = organisation
	facts[0] = &asked
	n := w.Give(id, facts...)
	w.refs = append(w.refs, connection.Ref{Tenant: functiontest.Tenant, ID: id, Stream: n.Stream})
	w.found[id] = publication.Finding{State: publication.Published}
}

func (w *world) Connections(context.Context) iter.Seq2[connection.Ref, error] {
	return func(yield func(connection.Ref, error) bool) {
		for _, r := range w.refs {
			if !yield(r, nil) {
				return
			}
		}
		if w.list != nil {
			yield(connection.Ref{}, w.list)
		}
	}
}

func (w *world) PublishState(_ context.Context, c connection.State) (publication.Finding, error) {
	w.mu.Lock()
	w.asked = append(w.asked, c.ID)
	w.now[c.Hub.Organisation]++
	w.most[c.Hub.Organisation] = max(w.most[c.Hub.Organisation], w.now[c.Hub.Organisation])
	f, err := w.found[c.ID], w.errs[c.ID]
	w.mu.Unlock()
	if c.Tenant != functiontest.Tenant {
		w.Errorf("asked for tenant %q", c.Tenant)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now[c.Hub.Organisation]--
	return f, err
}

func (w *world) handler() *publishcheck.Handler {
	return &publishcheck.Handler{Ledger: w.Ledger, Connections: w, Bots: w, Now: w.Now, Every: every}
}

// round looks at everything once.
func (w *world) round(h *publishcheck.Handler) {
	w.Helper()
	if err := h.Handle(w.Context(), w.Clock, w.Clock.Add(every)); err != nil {
		w.Fatal(err)
	}
}

func (w *world) last(id string) events.Fact {
	w.Helper()
	return w.Last(w.Stream(events.KindConnection, id))
}

func TestOnlyChangesBecomeFacts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect("store-bot", "org")
	h := w.handler()
	before := w.Count()
	for _, step := range []struct {
		found publication.Finding
		err   error
		facts int
		want  events.Fact
	}{
		{publication.Finding{State: publication.Published}, nil, 1, &events.BotPublished{}},
		{publication.Finding{State: publication.Published}, nil, 1, nil},
		{publication.Finding{}, fault.New(fault.Unavailable, "dataverse-unavailable", "Later."), 1, nil},
		{publication.Finding{State: publication.Outdated}, nil, 2, &events.BotPublished{LastPublishFailed: true}},
		{publication.Finding{}, nil, 2, nil},
		{publication.Finding{State: publication.Unpublished, Reason: "inactive"}, nil, 3, &events.BotUnpublished{Code: "inactive"}},
		{publication.Finding{State: publication.Deleted, Reason: "row-missing"}, nil, 4, &events.BotUnpublished{Code: "row-missing", Deleted: true}},
		{publication.Finding{State: publication.Published}, nil, 5, &events.BotPublished{}},
	} {
		w.found["store-bot"], w.errs["store-bot"] = step.found, step.err
		w.round(h)
		if got := w.Count() - before; got != step.facts {
			t.Fatalf("%d facts after %+v, want %d", got, step.found, step.facts)
		}
		if step.want != nil && fmt.Sprint(w.last("store-bot")) != fmt.Sprint(step.want) {
			t.Errorf("after %+v the last fact is %+v, want %+v", step.found, w.last("store-bot"), step.want)
		}
	}
}

func TestOnlyReadyConnectionsAreLookedAt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect("ready", "org")
	w.connect("asked", "org", functiontest.Requested("asked"))
	w.connect("over", "org", append(functiontest.Ready("over", functiontest.Rules), &events.Disconnected{Policy: events.PolicyDrain, Deadline: &w.Clock})...)
	w.round(w.handler())
	if got := strings.Join(w.asked, " "); got != "ready" {
		t.Errorf("looked at %q, want ready alone", got)
	}
}

func TestEachIsLookedAtOnceAnInterval(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 60 {
		w.connect(fmt.Sprintf("bot-%d", i), fmt.Sprintf("org-%d", i%7))
	}
	h := w.handler()
	most := 0
	for at := w.Clock; at.Before(w.Clock.Add(2 * every)); at = at.Add(time.Minute) {
		before := len(w.asked)
		if err := h.Handle(t.Context(), at, at.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		most = max(most, len(w.asked)-before)
	}
	if len(w.asked) != 120 || most > 20 {
		t.Errorf("%d looks in two intervals, at most %d in a minute; want 120, spread", len(w.asked), most)
	}
	for organisation, n := range w.most {
		if n > 1 {
			t.Errorf("%d looks at once in %s, want one after the other", n, organisation)
		}
	}
}

func TestAPauseIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 5 {
		w.connect(fmt.Sprintf("busy-%d", i), "busy")
	}
	w.connect("calm", "calm")
	h := w.handler()
	throttled := fault.New(fault.Unavailable, "dataverse-throttled", "Later.")
	throttled.RetryAfter = time.Hour
	for i := range 5 {
		w.errs[fmt.Sprintf("busy-%d", i)] = throttled
	}
	asked := func() (busy int) {
		for _, id := range w.asked {
			busy += strings.Count(id, "busy")
		}
		return busy
	}
	w.round(h)
	if busy := asked(); busy != 1 || len(w.asked) != 2 {
		t.Fatalf("asked %v, want the busy one once and the calm one", w.asked)
	}
	w.Clock = w.Clock.Add(time.Hour - time.Nanosecond)
	w.round(h)
	if busy := asked(); busy != 1 {
		t.Errorf("the busy one was asked %d times before its pause was over", busy)
	}
	clear(w.errs)
	w.Clock = w.Clock.Add(time.Nanosecond)
	w.round(h)
	if busy := asked(); busy != 6 {
		t.Errorf("the busy one was asked %d times after its pause, want all five", busy-1)
	}
	for i := range 5 {
		if f, _ := w.last(fmt.Sprintf("busy-%d", i)).(*events.BotPublished); f == nil {
			t.Errorf("of busy-%d nothing is known", i)
		}
	}
}

// A bot of one connection that fails says nothing about the others.
func TestAFailureStopsNobodyElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect("a", "org")
	w.connect("b", "org")
	w.errs["a"] = errors.New("broken")
	w.round(w.handler())
	if len(w.asked) != 2 {
		t.Errorf("asked %v, want both", w.asked)
	}
	if _, told := w.last("b").(*events.BotPublished); !told {
		t.Error("nothing is known of b")
	}
}

func TestALookThatCameTooLateSaysNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect("store-bot", "org")
	h := w.handler()
	h.Bots = reconnecting{w}
	w.round(h)
	if _, told := w.last("store-bot").(*events.ConnectionReady); !told {
		t.Errorf("last fact = %T: the look was at the bot of the time before", w.last("store-bot"))
	}
}

// reconnecting has the connection requested again while its bot is looked at.
type reconnecting struct{ *world }

func (r reconnecting) PublishState(context.Context, connection.State) (publication.Finding, error) {
	r.Give("store-bot", &events.Disconnected{Policy: events.PolicyDrain, Deadline: &r.Clock})
	r.Give("store-bot", functiontest.Ready("store-bot", functiontest.Rules)...)
	return publication.Finding{State: publication.Unpublished, Reason: "inactive"}, nil
}

func TestTheOperatorIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect("store-bot", "org")
	var out bytes.Buffer
	h := w.handler()
	h.Log = slog.New(slog.NewTextHandler(&out, nil))
	w.found["store-bot"] = publication.Finding{State: publication.Unpublished, Reason: "inactive"}
	w.round(h)
	if !strings.Contains(out.String(), "level=WARN") || !strings.Contains(out.String(), "connection_id=store-bot state=unpublished code=inactive") {
		t.Errorf("logged %q", out.String())
	}
	s := connection.Decider.Fold(connection.State{}, w.last("store-bot"))
	if s.Publication.State != publication.Unpublished {
		t.Errorf("publication = %+v", s.Publication)
	}
}

func TestFailuresOfListsAreReturned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.list = errors.New("no list")
	if err := w.handler().Handle(t.Context(), w.Clock, w.Clock.Add(every)); !errors.Is(err, w.list) {
		t.Errorf("error = %v, want that of the list", err)
	}
}

// marks keeps marks in memory.
type marks map[string]time.Time

func (m marks) Mark(_ context.Context, name string) (time.Time, error) { return m[name], nil }

func (m marks) SetMark(_ context.Context, name string, at time.Time) error {
	m[name] = at
	return nil
}

// Whatever happens between two rounds, each bot is looked at once in an
// interval, and never all of them because nobody looked for a day.
func TestRoundsFollowEachOther(t *testing.T) {
	t.Parallel()
	w, kept := newWorld(t), marks{}
	for n := range 30 {
		w.connect(fmt.Sprint("bot-", n), fmt.Sprint("org-", n))
	}
	rounds := func(n int, every time.Duration) {
		for range n {
			h := w.handler() // as a function that starts anew
			h.Marks = kept
			w.Clock = w.Clock.Add(every)
			if err := h.Round(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	rounds(1, 0)
	w.asked = nil
	rounds(15, time.Minute)
	if len(w.asked) != 30 {
		t.Errorf("%d looks in an interval, want one at each of 30 bots", len(w.asked))
	}
	w.asked = nil
	rounds(1, 24*time.Hour)
	if n := len(w.asked); n == 0 || n > 20 {
		t.Errorf("%d looks after a day, want those of five minutes", n)
	}
	w.list = errors.New("the list is gone")
	before := kept["publishcheck"]
	h := w.handler()
	h.Marks = kept
	w.Clock = w.Clock.Add(time.Minute)
	if err := h.Round(t.Context()); err == nil || !kept["publishcheck"].Equal(before) {
		t.Errorf("round = %v, and the mark went on to %v", err, kept["publishcheck"])
	}
}

package publisher_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain"
	"handoff/domain/connection"
	"handoff/domain/conversation"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/functions/deliver"
	"handoff/functions/publisher"
	"handoff/infra/eventlog"
	"handoff/tests/functiontest"
)

// kept is a log that gives its commits back.
type kept struct {
	eventlog.Log
	commits []eventlog.Commit
	fail    error // of reading commits
}

func (k *kept) Append(ctx context.Context, c eventlog.Commit) (eventlog.Head, error) {
	h, err := k.Log.Append(ctx, c)
	if err == nil {
		k.commits = append(k.commits, c)
	}
	return h, err
}

func (k *kept) Commit(_ context.Context, stream events.StreamID, version int) (eventlog.Commit, error) {
	for _, c := range k.commits {
		if k.fail == nil && c.Stream == stream && c.After.Version < version && version <= c.Head().Version {
			return c, nil
		}
	}
	if k.fail != nil {
		return eventlog.Commit{}, k.fail
	}
	return eventlog.Commit{}, fault.New(fault.NotFound, "no-such-fact", "There is none.")
}

// sent is what took facts: those of some types not, at their first times.
type sent struct {
	ids    []string
	broken map[string]int   // type: how often it still fails
	never  map[string]error // type: why it is never taken
}

var errAway = errors.New("nobody answers")

func (s *sent) Send(_ context.Context, facts []events.Notification) []error {
	errs := make([]error, len(facts))
	for i, n := range facts {
		switch {
		case s.never[n.Type] != nil:
			errs[i] = s.never[n.Type]
		case s.broken[n.Type] > 0:
			s.broken[n.Type]--
			errs[i] = errAway
		default:
			s.ids = append(s.ids, n.ID)
		}
	}
	return errs
}

// world is the publisher with everything around it in memory.
type world struct {
	*functiontest.Bench
	log        *kept
	bus, queue sent
	parked     map[events.StreamID]eventlog.Poison
	told       []eventlog.Poison
	deaf       bool // nobody can be told of poison
	metrics    map[string]float64
	handler    *publisher.Handler
}

func newWorld(t *testing.T) *world {
	t.Helper()
	b := functiontest.New(t)
	w := &world{Bench: b, log: &kept{Log: b.Log}, parked: make(map[events.StreamID]eventlog.Poison), metrics: make(map[string]float64)}
	ids := 0
	b.Ledger = eventlog.NewLedger(w.log, events.Register(), b.Keys, b.Now, func() string {
		ids++
		return fmt.Sprintf("command-%d", ids)
	})
	w.handler = &publisher.Handler{
		Log: w.log, Codec: events.Register(),
		Routes: []publisher.Route{{To: &w.queue, Types: deliver.Types()}, {To: &w.bus, Types: publisher.BusTypes()}},
		Parker: w, Teller: w, Meter: w, Now: func() time.Time { return b.Clock.Add(time.Second) },
	}
	return w
}

func (w *world) Park(_ context.Context, p eventlog.Poison) error {
	if _, parked := w.parked[p.Stream]; !parked {
		w.parked[p.Stream] = p
	}
	return nil
}

func (w *world) Parked(_ context.Context, stream events.StreamID) (bool, error) {
	_, parked := w.parked[stream]
	return parked, nil
}

func (w *world) Release(_ context.Context, stream events.StreamID) error {
	delete(w.parked, stream)
	return nil
}

func (w *world) Tell(_ context.Context, p eventlog.Poison) error {
	if w.deaf {
		return errAway
	}
	w.told = append(w.told, p)
	return nil
}

func (w *world) Add(_ context.Context, metric string, value float64) { w.metrics[metric] += value }

// connect brings a connection to where its application id is registered: two
// commits.
func (w *world) connect(name string) events.StreamID {
	w.Helper()
	stream := w.Stream(events.KindConnection, name)
	w.do(connection.Request{To: connection.To(stream), Fact: *functiontest.Requested(name), Rules: functiontest.Adopted(functiontest.Rules)}, stream, name)
	w.do(connection.RegisterApp{To: connection.To(stream), Session: 1, Fact: events.AppRegistered{
		HubType: "generic", Organisation: "desk", ApplicationID: "app-" + name,
	}}, stream, name)
	return stream
}

// escalate raises and routes an escalation in one commit.
func (w *world) escalate(name string) events.StreamID {
	w.Helper()
	stream := w.Stream(events.KindConversation, name)
	raised := w.Raised(1, "Refund")
	raised.Context = nil
	routed := &events.EscalationRouted{Number: 1, Connection: "store-bot", DecidedAt: w.Clock, Queue: events.Queue{ID: "general"}}
	w.act(conversation.Raise{To: conversation.To(stream), Fact: *raised, Route: routed}, stream)
	return stream
}

func (w *world) do(cmd eh.Command, stream events.StreamID, name string) {
	w.Helper()
	execute(w, connection.Decider, cmd, stream, name)
}

func (w *world) act(cmd eh.Command, stream events.StreamID) {
	w.Helper()
	execute(w, conversation.Decider, cmd, stream, "store-bot")
}

// changes is the log as its stream of changes tells it.
func (w *world) changes() []eventlog.Change {
	all := make([]eventlog.Change, len(w.log.commits))
	for i, c := range w.log.commits {
		c.Facts = slices.Clone(c.Facts)
		all[i] = eventlog.Change{Sequence: fmt.Sprint(1000 + i), Stored: true, Commit: c}
	}
	return all
}

// handle publishes and fails the test unless the batch comes again from where it
// should.
func (w *world) handle(batch []eventlog.Change, failed string) {
	w.Helper()
	got, err := w.handler.Handle(w.Context(), batch)
	if got != failed || (err != nil) != (failed != "") {
		w.Fatalf("the batch comes again from %q (%v), want %q", got, err, failed)
	}
}

// names says which facts the ids are of.
func (w *world) names(ids []string) []string {
	var names []string
	for _, id := range ids {
		for _, c := range w.log.commits {
			for _, r := range c.Facts {
				if r.ID() == id {
					names = append(names, r.Type)
				}
			}
		}
	}
	return names
}

func (w *world) want(bus, queue []string) {
	w.Helper()
	if got := w.names(w.bus.ids); !slices.Equal(got, bus) {
		w.Errorf("bus = %v, want %v", got, bus)
	}
	if got := w.names(w.queue.ids); !slices.Equal(got, queue) {
		w.Errorf("queue = %v, want %v", got, queue)
	}
}

func execute[S any](w *world, d domain.Decider[S], cmd eh.Command, stream events.StreamID, name string) {
	w.Helper()
	at := eventlog.Stream{ID: stream, Tenant: functiontest.Tenant, Connection: name}
	r, err := eventlog.Execute(w.Context(), w.Ledger, d, at, eventlog.Origin{Actor: "test"}, func(S) (eh.Command, error) { return cmd, nil })
	if err != nil || len(r.Facts) == 0 {
		w.Fatalf("%T led to %d facts, %v", cmd, len(r.Facts), err)
	}
}

package unconfirmed_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff/domain/delivery"
	"handoff/domain/emission"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/functions/deliver"
	"handoff/functions/unconfirmed"
	"handoff/tests/functiontest"
)

// bench is the handler with a log, the deliver function and an endpoint.
type bench struct {
	*functiontest.Bench
	check    *unconfirmed.Handler
	deliver  *deliver.Handler
	queue    sender // the FIFO queue
	bus      sender
	relay    sender
	place    place
	waiting  map[events.StreamID]bool // in lanes
	parked   map[events.StreamID]bool
	received []string // events at the endpoint
	at       int64    // up to where the publisher is
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{Bench: functiontest.New(t), waiting: map[events.StreamID]bool{}, parked: map[events.StreamID]bool{}}
	b.deliver = &deliver.Handler{Ledger: b.Ledger, Streams: b.Keys, Queue: b, Sender: b, Builder: emission.Builder{}, Now: b.Now}
	b.check = &unconfirmed.Handler{
		Feed: b.Log, Ledger: b.Ledger, Streams: b.Keys, Planner: b.deliver, Lanes: b, Parking: b, Types: deliver.Types(),
		Deliveries: &b.queue, Bus: &b.bus, Checkpoint: &b.place, Now: b.Now, Relay: &b.relay, RelayTypes: []string{"RelayStarted", "RelayEnded", "EscalationAccepted"},
	}
	b.Give("store-bot", functiontest.Ready("store-bot", functiontest.Rules)...)
	return b
}

// Put attempts at once, as a queue does whose lanes are empty.
func (b *bench) Put(ctx context.Context, items ...delivery.Item) error {
	for _, i := range items {
		if _, err := b.deliver.Attempt(ctx, i, false); err != nil {
			return err
		}
	}
	return nil
}

func (*bench) Hurry(context.Context, ...delivery.Item) error { return nil }

func (b *bench) Send(_ context.Context, _ delivery.Endpoint, e emission.Event) (delivery.Outcome, error) {
	b.received = append(b.received, e.ID)
	return delivery.Outcome{Code: delivery.CodeDelivered, Status: 200, StartedAt: b.Clock}, nil
}

func (b *bench) Waits(_ context.Context, i delivery.Item) (bool, error) { return b.waiting[i.ID], nil }

func (b *bench) Parked(_ context.Context, stream events.StreamID) (bool, error) {
	return b.parked[stream], nil
}

type place struct{ position int64 }

func (p *place) Load(context.Context) (int64, error) { return p.position, nil }

func (p *place) Save(_ context.Context, position int64) error {
	p.position = max(p.position, position)
	return nil
}

// sender is a way to functions that takes facts, or doesn't.
type sender struct {
	down  error
	facts []events.Notification
}

func (s *sender) Send(_ context.Context, facts []events.Notification) []error {
	errs := make([]error, len(facts))
	for i, n := range facts {
		if errs[i] = s.down; s.down == nil {
			s.facts = append(s.facts, n)
		}
	}
	return errs
}

// types are those of what was sent.
func (s *sender) types() (all []string) {
	for _, n := range s.facts {
		all = append(all, n.Type)
	}
	return all
}

// converse appends a conversation with four events for the endpoint.
func (b *bench) converse(id string) events.StreamID {
	b.Helper()
	stream := b.Stream(events.KindConversation, "store-bot", id)
	b.GiveTo(stream, events.KindConversation, "store-bot", b.Raised(1, "Refund"),
		&events.EscalationRouted{Number: 1, Connection: "store-bot", DecidedAt: b.Clock, Queue: events.Queue{ID: "refunds"}},
		&events.EscalationContextAdded{Number: 1, Context: &events.Context{Summary: "more"}},
		&events.EscalationAccepted{Number: 1}, &events.EscalationCompleted{Number: 1})
	return stream
}

// publish tells deliver of what was appended since, but for what lose names.
func (b *bench) publish(lose func(events.Notification) bool) {
	b.Helper()
	for r, err := range b.Log.ReadAll(b.Context(), b.at) {
		if err != nil {
			b.Fatal(err)
		}
		b.at = r.Position
		if n := events.Notify(r); slices.Contains(deliver.Types(), n.Type) && !lose(n) {
			b.tell(n)
		}
	}
}

func (b *bench) tell(n events.Notification) {
	b.Helper()
	if err := b.deliver.Handle(b.Context(), n); err != nil {
		b.Fatal(err)
	}
}

// run runs the check, after the grace, and has deliver told of what it sends.
func (b *bench) run() (again int) {
	b.Helper()
	b.Clock = b.Clock.Add(unconfirmed.Grace + time.Second)
	b.queue.facts = nil
	if err := b.check.Run(b.Context()); err != nil {
		b.Fatal(err)
	}
	for _, n := range b.queue.facts {
		b.tell(n)
	}
	return len(b.queue.facts)
}

func none(events.Notification) bool { return false }

func TestWhatGotLostIsSentOnce(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		lose func(events.Notification) bool
		want int
	}{
		"nothing got lost":                       {none, 0},
		"a message got lost":                     {func(n events.Notification) bool { return n.Type == "EscalationAccepted" }, 3},
		"the publisher was dead for a whole day": {func(events.Notification) bool { return true }, 12},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			var want []string
			for i := range 3 {
				stream := b.converse(fmt.Sprint("c-", i))
				for version := 2; version <= 5; version++ {
					want = append(want, emission.EventID(stream, 1, version))
				}
			}
			b.publish(c.lose)
			if again := b.run(); again != c.want {
				t.Errorf("%d facts are sent again, want %d: %v", again, c.want, b.queue.types())
			}
			if got := slices.Sorted(slices.Values(b.received)); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
				t.Errorf("the endpoint received %q, want each once of %q", got, want)
			}
			if c.want == len(want) && !slices.Equal(b.received, want) {
				t.Errorf("received %q, not in the order of the feed", b.received)
			}
			b.place.position = 0 // as if all of it ran again
			if again := b.run(); again != 0 {
				t.Errorf("%d facts are sent again though they are confirmed", again)
			}
			if last := b.Count(); b.place.position > int64(last) || b.place.position < int64(last-12) {
				t.Errorf("the checkpoint is at %d of %d", b.place.position, last)
			}
		})
	}
}

func TestWhatIsDealtWithIsLeftAlone(t *testing.T) {
	t.Parallel()
	routedItem := func(b *bench, stream events.StreamID) delivery.Item {
		for r := range b.Log.Read(b.Context(), stream, 2) {
			items, err := b.deliver.Owed(b.Context(), events.Notify(r))
			if err != nil || len(items) == 0 {
				b.Fatalf("Owed = %v, %v", items, err)
			}
			return items[0]
		}
		return delivery.Item{}
	}
	onlyRouted := func(n events.Notification) bool { return n.Type == "EscalationRouted" }
	for sentence, c := range map[string]struct {
		given func(*bench, events.StreamID)
		want  []string
	}{
		"what is lost is not":       {func(*bench, events.StreamID) {}, []string{"EscalationRouted"}},
		"what waits in its lane is": {func(b *bench, s events.StreamID) { b.waiting[routedItem(b, s).ID] = true }, nil},
		"what was parked is": {func(b *bench, s events.StreamID) {
			_ = b.deliver.GiveUp(b.Context(), routedItem(b, s), "fact-not-found")
		}, nil},
		"what is of a parked stream is": {func(b *bench, s events.StreamID) { b.parked[s] = true }, nil},
		"an endpoint that is removed is": {func(b *bench, _ events.StreamID) {
			b.Give("store-bot", &events.EndpointDisabled{Endpoint: "desk", Code: "removed"})
		}, nil},
		"and one that was added since": {func(b *bench, s events.StreamID) {
			_ = b.deliver.GiveUp(b.Context(), routedItem(b, s), "fact-not-found")
			b.Clock = b.Clock.Add(time.Second)
			b.Give("store-bot", &events.EndpointSet{Endpoint: "late", URL: "https://late.example/", Mode: "thin"})
		}, nil},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			stream := b.converse("c-1")
			b.publish(onlyRouted)
			c.given(b, stream)
			b.run()
			if got := b.queue.types(); !slices.Equal(got, c.want) {
				t.Errorf("sent again: %q, want %q", got, c.want)
			}
		})
	}
}

func TestAskedToBeSentAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.converse("c-1")
	b.publish(none)
	b.run()
	b.place.position = int64(b.Count())
	var id events.StreamID
	for r, err := range b.Log.ReadAll(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Type == "Delivered" {
			id = r.Stream
		}
	}
	b.GiveTo(id, events.KindDelivery, "store-bot", &events.DeliveryResent{Round: 2})
	before := len(b.received)
	if again := b.run(); again != 1 || len(b.received) != before+1 {
		t.Errorf("%d facts are sent again, and %d events more arrive, want one", again, len(b.received)-before)
	}
}

func TestFunctionsThatDidNothing(t *testing.T) {
	t.Parallel()
	permanent := &events.StepFailed{Step: "register", Code: "taken", Permanent: true}
	asked := functiontest.Requested("new-bot")
	registered := &events.AppRegistered{HubType: "generic", Organisation: "desk", ApplicationID: "app"}
	route := &events.EscalationRouted{Number: 1, Connection: "store-bot", Queue: events.Queue{ID: "refunds"}}
	for sentence, c := range map[string]struct {
		kind  events.Kind
		facts func(b *bench) []events.Fact
		want  []string
	}{
		"a connection stuck at its start": {events.KindConnection, func(*bench) []events.Fact { return []events.Fact{asked} }, []string{"ConnectionRequested"}},
		"between two steps":               {events.KindConnection, func(*bench) []events.Fact { return []events.Fact{asked, registered} }, []string{"AppRegistered"}},
		"before the last":                 {events.KindConnection, func(*bench) []events.Fact { return []events.Fact{asked, registered, &events.ChannelEnabled{}} }, []string{"ChannelEnabled"}},
		"not for a reason that lasts":     {events.KindConnection, func(*bench) []events.Fact { return []events.Fact{asked, permanent} }, nil},
		"not one that is ready":           {events.KindConnection, func(*bench) []events.Fact { return functiontest.Ready("new-bot", functiontest.Rules) }, nil},
		"a disconnect, always": {events.KindConnection, func(*bench) []events.Fact {
			return []events.Fact{asked, &events.Disconnected{Policy: events.PolicyDrain}}
		}, []string{"Disconnected"}},
		"an escalation without a route": {events.KindConversation, func(b *bench) []events.Fact { return []events.Fact{b.Raised(1, "x")} }, []string{"EscalationRaised"}},
		"one whose transcript is missing": {events.KindConversation, func(b *bench) []events.Fact {
			r := b.Raised(1, "x")
			r.TranscriptPending = true
			return []events.Fact{r, route}
		}, []string{"EscalationRaised"}},
		"not one that has both": {events.KindConversation, func(b *bench) []events.Fact { return []events.Fact{b.Raised(1, "x"), route} }, nil},
		"an erasure, always":    {events.KindConversation, func(b *bench) []events.Fact { return []events.Fact{b.Raised(1, "x"), route, &events.ContextErased{}} }, []string{"ContextErased"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.GiveTo(b.Stream(c.kind, "new-bot"), c.kind, "new-bot", c.facts(b)...)
			b.publish(none)
			b.run()
			if got := b.bus.types(); !slices.Equal(got, c.want) {
				t.Errorf("the bus is told of %q, want %q", got, c.want)
			}
			b.run()
			if got := b.bus.types(); !slices.Equal(got, c.want) {
				t.Errorf("after another run of %q, want no more", got)
			}
		})
	}
}

func TestTheCheckpointPassesNothingElse(t *testing.T) {
	t.Parallel()
	down := fault.New(fault.Unavailable, "queue-down", "No.")
	b := newBench(t)
	b.converse("c-1")
	given := int64(b.Count())
	if err := b.check.Run(t.Context()); err != nil || b.place.position != 0 {
		t.Errorf("young facts: %v, checkpoint at %d", err, b.place.position)
	}
	b.Clock = b.Clock.Add(unconfirmed.Grace + time.Second)
	b.queue.down = down
	if err := b.check.Run(t.Context()); !errors.Is(err, down) || b.place.position != 0 {
		t.Errorf("while nothing can be sent: %v, checkpoint at %d", err, b.place.position)
	}
	b.queue.down = nil
	lanes := b.check.Lanes
	b.check.Lanes = failing{down}
	if err := b.check.Run(t.Context()); !errors.Is(err, down) || b.place.position != 0 {
		t.Errorf("while lanes can't be read: %v, checkpoint at %d", err, b.place.position)
	}
	b.check.Lanes = failing{errors.New("nonsense")}
	if err := b.check.Run(t.Context()); err != nil || b.place.position != given || len(b.queue.facts) != 4 {
		t.Errorf("what can't be looked at is to be sent again: %v, checkpoint at %d, %d sent", err, b.place.position, len(b.queue.facts))
	}
	b.check.Lanes = lanes
	b.queue.down = fault.New(fault.TooLarge, "too-large", "No.")
	if b.place.position = 0; b.check.Run(t.Context()) != nil || b.place.position != given {
		t.Errorf("what can never be sent holds the checkpoint at %d", b.place.position)
	}
}

type failing struct{ err error }

func (f failing) Waits(context.Context, delivery.Item) (bool, error) { return false, f.err }

// TestTimeRunsOut: a run whose time ends leaves the rest to the next one.
func TestTimeRunsOut(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for i := range 120 {
		b.converse(strings.Repeat("c", i+1))
	}
	b.Clock = b.Clock.Add(unconfirmed.Grace + time.Second)
	for range 2 {
		before := b.place.position
		if err := b.check.Run(soon{t.Context(), b.Clock.Add(10 * time.Second)}); err != nil || b.place.position != before+256 {
			t.Errorf("Run = %v, checkpoint from %d to %d, want 256 more", err, before, b.place.position)
		}
	}
	if err := b.check.Run(t.Context()); err != nil || b.place.position != 606 || len(b.queue.facts) != 480 {
		t.Errorf("Run = %v, checkpoint at %d, %d sent again", err, b.place.position, len(b.queue.facts))
	}
}

// soon is a context that says when an invocation ends.
type soon struct {
	context.Context //nolint:containedctx // it is one
	end             time.Time
}

func (s soon) Deadline() (time.Time, bool) { return s.end, true }

package relay

import (
	"context"
	"fmt"
	"time"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/conversation"
	"handoff/domain/fault"
	"handoff/domain/relay"
	"handoff/events"
	"handoff/infra/eventlog"
)

// stepTimeout is how long one step may take. A step that was begun is not broken
// off by whoever stops the process, or what was said would not be on disk and be
// said again.
const stepTimeout = 30 * time.Second

// maxSteps bounds one call; a relay that owes more goes on in the next.
const maxSteps = 256

// Handle does what is owed in the conversation of a fact. It may be called any
// number of times with the same fact. Every error asks to be called again.
func (h *Handler) Handle(ctx context.Context, n events.Notification) error {
	return h.turn(ctx, n.Stream, eventlog.Because(n, function), n.Time, false)
}

// Look does what is owed in a conversation whose time has come: see LookAt of
// package domain/relay. Called early or twice it does no harm.
func (h *Handler) Look(ctx context.Context, stream events.StreamID) error {
	return h.turn(ctx, stream, eventlog.Origin{Actor: "function:" + function}, time.Time{}, false)
}

// Wake is Look where the bot is known to have said something.
func (h *Handler) Wake(ctx context.Context, stream events.StreamID) error {
	return h.turn(ctx, stream, eventlog.Origin{Actor: "function:" + function}, time.Time{}, true)
}

// turn is one call. It is for one goroutine.
type turn struct {
	*Handler

	Timing
	to    relay.To
	home  eventlog.Stream
	link  relay.Link
	by    eventlog.Origin
	cause time.Time // of the fact that led to it; zero: none
	began time.Time

	whole conversation.State
	state *relay.State

	woken    bool      // the bot has said something
	followed bool      // when it says more, this function is called
	active   time.Time // when something was said in this turn
	caughtUp bool      // what the bot's conversation had before this turn is known
	losses   int

	bot botside
	hub hubside
}

func (h *Handler) turn(ctx context.Context, stream events.StreamID, by eventlog.Origin, cause time.Time, woken bool) error {
	defer h.busy.take(stream)()
	t := &turn{
		Handler: h, Timing: h.timing(), to: relay.To(stream), home: eventlog.Stream{ID: stream}, by: by, cause: cause, began: h.Now(), woken: woken,
	}
	for range maxSteps {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("relay conversation %s: %w", stream, err)
		}
		if err := t.load(ctx); err != nil {
			return err
		}
		again, err := t.step(ctx, t.state.Owed(h.Now()))
		if err != nil {
			return fmt.Errorf("relay conversation %s: %w", stream, err)
		}
		if !again {
			return nil
		}
	}
	return fault.New(fault.Unavailable, "relay-busy", "The conversation has more to relay than one call does.")
}

// load rebuilds the conversation: the customer may have gone on meanwhile.
func (t *turn) load(ctx context.Context) error {
	s, err := eventlog.State(ctx, t.Ledger, conversation.Decider, t.home.ID)
	if err != nil {
		return fmt.Errorf("relay conversation %s: %w", t.home.ID, err)
	}
	if s.Version > 0 {
		t.home, t.link = s.Home, relay.Link{Tenant: s.Home.Tenant, Connection: s.Home.Connection, Conversation: t.home.ID}
	}
	t.whole, t.state = s.State, s.State.Relay
	return nil
}

// step does one thing. again says that there may be another one.
func (t *turn) step(ctx context.Context, s relay.Step) (again bool, err error) {
	if t.idle() {
		return true, t.finish(ctx, CodeIdle)
	}
	if s.Do != relay.Listen {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), stepTimeout)
		defer cancel()
	}
	switch s.Do {
	case relay.Open:
		return t.open(ctx)
	case relay.Renew:
		return t.renew(ctx)
	case relay.Post:
		return t.post(ctx, s.Message)
	case relay.Listen:
		return t.listen(ctx)
	case relay.Tell:
		return t.tell(ctx, relay.ToBot{State: s.State}, s.State)
	case relay.HangUp:
		return t.tell(ctx, relay.ToBot{Ended: true}, s.State)
	case relay.Send:
		return t.send(ctx, s.Message)
	case relay.Escalate:
		return t.escalate(ctx)
	case relay.Close:
		return t.close(ctx)
	case relay.End:
		return true, t.finish(ctx, string(t.whole.Last.Status))
	}
	return false, t.stand(ctx)
}

// stand is what is left where nothing is owed. What is waited for may come
// without a fact that this function is told of: then an error asks for another
// call.
func (t *turn) stand(ctx context.Context) error {
	switch {
	case !t.state.Active():
		return nil
	case t.state.Phase == relay.WithBot:
		return t.rest(ctx)
	case !t.state.Commanded:
		return fault.New(fault.Unavailable, "escalation-not-routed", "The escalation has no queue yet.")
	}
	return nil
}

// finish ends the session.
func (t *turn) finish(ctx context.Context, code string) error {
	return t.decide(ctx, relay.Finish{To: t.to, Fact: events.RelayEnded{Session: t.state.Session, By: events.SideHandoff, Code: code}})
}

// decide appends what a command leads to.
func (t *turn) decide(ctx context.Context, cmd eh.Command) error {
	done, err := eventlog.Execute(ctx, t.Ledger, conversation.Decider, t.home, t.by,
		func(conversation.State) (eh.Command, error) { return cmd, nil })
	if err == nil {
		t.whole, t.state = done.State, done.State.Relay
	}
	return err
}

// said returns what was said in the fact with a version.
func (t *turn) said(ctx context.Context, version int) (*events.Said, error) {
	f, err := t.fact(ctx, version)
	if err != nil {
		return nil, err
	}
	var said *events.Said
	switch f := f.(type) {
	case *events.MessagesTaken:
		said = f.Said
	case *events.MessagesRefused:
		said = f.Said
	}
	if said == nil {
		return nil, unreadable(version)
	}
	return said, nil
}

// fact returns the fact with a version, opened.
func (t *turn) fact(ctx context.Context, version int) (events.Fact, error) {
	for r, err := range t.Ledger.Log().Read(ctx, t.home.ID, version) {
		if err != nil {
			return nil, err
		}
		f, _, err := t.Ledger.Open(ctx, r)
		return f, err
	}
	return nil, unreadable(version)
}

// unreadable is what is left between an erasure that was asked for and the fact
// that says so; the next call sees that fact.
func unreadable(version int) error {
	return fault.Newf(fault.Unavailable, "relay-unreadable", "Fact %d can't be read just now.", version)
}

// soon is when the relay is looked at after something was said.
func (t *turn) soon() time.Time { return t.Now().UTC().Add(t.Late) }

// later turns an error into one that asks to be called again.
func later(err error) error {
	if fault.KindOf(err).Permanent() {
		return fault.New(fault.Unavailable, fault.CodeOf(err), "This is tried again.").Because(err)
	}
	return err
}

// over reports whether a conversation can't be gone on with on the other side.
func over(err error) bool {
	k := fault.KindOf(err)
	return k == fault.Gone || k == fault.NotFound
}

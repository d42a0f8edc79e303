package check

import (
	"cmp"
	"time"

	"handoff/events"
)

// Trail follows a check by the facts of its conversation and by what was seen in
// the hub. Make one with NewTrail; it is not safe for concurrent use.
type Trail struct {
	Begun
	// Seen is the last look at the chat, and ClosedAt when it was closed; zero:
	// not yet.
	Seen     Seen
	ClosedAt time.Time

	stream events.StreamID
	hops   map[string]*Hop

	answers int    // of the bot
	reason  string // why the bot lost the voice, or the relay ended
	person  bool   // a human agent took it
}

// NewTrail returns the trail of a check that has just begun.
func NewTrail(b Begun) *Trail {
	t := &Trail{Begun: b, hops: make(map[string]*Hop)}
	t.reach(HopOpened, b.OpenedAt, "")
	return t
}

// Stream returns the check's conversation, false as long as Handoff did not get
// it.
func (t *Trail) Stream() (events.StreamID, bool) { return t.stream, t.hops[HopGiven] != nil }

// reach notes when a hop was reached first.
func (t *Trail) reach(name string, at time.Time, detail string) {
	if t.hops[name] == nil {
		t.hops[name] = &Hop{Name: name, State: OK, At: at, Detail: detail}
	}
}

// reached reports whether a hop was.
func (t *Trail) reached(name string) bool { return t.hops[name] != nil }

// Observe takes the next fact of the connection. What is of other conversations
// is passed over.
func (t *Trail) Observe(h events.Header, f events.Fact) {
	if c, ok := f.(*events.CheckRecognised); ok && c.ID == t.ID {
		t.stream = h.Stream
		t.reach(HopGiven, h.At(), "")
		return
	}
	if !t.reached(HopGiven) || h.Stream != t.stream {
		return
	}
	switch f := f.(type) {
	case *events.BotConversationOpened:
		t.reach(HopBotReached, h.At(), "")
	case *events.MessageRelayed:
		if f.To == events.SideBot {
			t.reach(HopSaid, h.At(), "")
		}
	case *events.MessagesTaken:
		if f.From == events.SideBot {
			t.answers += len(f.Refs)
		}
	case *events.BotLeft:
		t.reason = f.Code
	case *events.RelayEnded:
		t.reason = cmp.Or(t.reason, f.Code)
		t.reach(HopRelayEnded, h.At(), f.Code)
	default:
		t.escalated(h.At(), f)
	}
}

// escalated takes what happens to the escalation that the check raised.
func (t *Trail) escalated(at time.Time, f events.Fact) {
	switch f := f.(type) {
	case *events.EscalationRaised:
		t.reach(HopHandedOver, at, "")
	case *events.EscalationRouted:
		t.reach(HopRouted, at, routedBy(f))
	case *events.HubCommanded:
		if f.Command == events.CommandEscalate {
			t.reach(HopHubTold, at, "")
		}
	case *events.RouteConfirmed:
		t.reach(HopQueued, at, cmp.Or(f.Queue.Name, f.Queue.ID))
	case *events.RouteOverruled:
		t.reach(HopQueued, at, cmp.Or(f.Queue.Name, f.Queue.ID))
		t.hops[HopQueued].State = Wrong
	case *events.EscalationAccepted:
		t.person = true
	case *events.EscalationCompleted:
		t.reach(HopRecorded, at, f.Code)
	case *events.EscalationFailed:
		t.reach(HopRecorded, at, f.Code)
	case *events.EscalationExpired:
		t.reach(HopRecorded, at, "expired")
	}
}

func routedBy(f *events.EscalationRouted) string {
	if f.Route.Rule == "" {
		return "the rules would have taken the fallback queue"
	}
	return "the rules would have taken rule " + f.Route.Rule
}

// See takes a look at the chat.
func (t *Trail) See(s Seen) {
	t.Seen = s
	if s.Record != "" {
		t.Record = s.Record
	}
	if s.WithBot {
		t.reach(HopWithBot, s.At, "")
	}
	if s.State == closed || s.State == wrapUp {
		t.reach(HopHubClosed, s.At, "")
	}
}

// The states of a chat that is over, as the hub calls them.
const (
	closed = "Closed"
	wrapUp = "WrapUp"
)

// Close notes that the chat was closed.
func (t *Trail) Close(at time.Time) {
	t.ClosedAt = at
	t.reach(HopClosed, at, "")
}

// Arrived reports whether there is nothing more to wait for before the chat is
// closed: the conversation is where it was to come, or will not come there.
func (t *Trail) Arrived() bool {
	switch {
	case t.Path != events.PathRelay:
		return t.reached(HopWithBot) || t.Seen.WithPerson
	case t.reached(HopQueued), t.reached(HopRecorded), t.reached(HopRelayEnded), t.reached(HopHubClosed):
		return true
	case !t.reached(HopGiven):
		return t.Seen.WithPerson || t.Seen.State == closed
	}
	return false
}

// Settled reports whether everything that follows the end of the chat is there.
func (t *Trail) Settled() bool {
	if t.Path != events.PathRelay || !t.reached(HopHandedOver) {
		return t.reached(HopHubClosed)
	}
	return t.reached(HopRecorded) && t.reached(HopRelayEnded)
}

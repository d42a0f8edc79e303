package relay_test

import (
	"testing"

	eh "github.com/looplab/eventhorizon"
	"pgregory.net/rapid"

	"handoff/domain/conversation"
	"handoff/domain/relay"
	"handoff/events"
	"handoff/tests/scenario"
)

// The relay is a part of a conversation, so its laws are held there.
func TestLaws(t *testing.T) {
	t.Parallel()
	scenario.Laws(t, conversation.Decider, command, promises)
}

// telling is what the facts of a stream must have told so far.
type telling struct {
	*rapid.T
	session int
	bot     bool // has the voice
	over    bool
	taken   map[string]int // by the side that it is owed to
	passed  map[string]int // the same: the last that has it
	once    map[events.MessageRelayed]bool
	refs    map[string]bool // of messages that were taken
	posted  bool            // the hub was told to escalate, or to end
	check   bool            // the customer is none
	raised  bool            // an escalation took the voice
}

// promises is what a relay is at any time, told from the facts alone.
func promises(t *rapid.T, s conversation.State, facts []events.Fact) {
	w := &telling{T: t, over: true, refs: make(map[string]bool)}
	for _, f := range facts {
		w.fact(f)
	}
	r := s.Relay
	if r == nil {
		return
	}
	if r.Session != w.session || r.Active() == w.over || (r.Phase == relay.WithBot) != (w.bot && !w.over) {
		t.Fatalf("session %d, phase %q; want session %d, bot %t, over %t", r.Session, r.Phase, w.session, w.bot, w.over)
	}
	if len(r.Seen) > relay.MaxSeen || len(r.To.Waiting) > relay.MaxWaiting || r.Phase == relay.WithHub && len(r.To.Waiting) > 0 {
		t.Fatalf("the state grew, or keeps what nobody is owed: %+v", r)
	}
	for _, now := range []int{-60, 0, 30, 60} {
		if step := r.Owed(at(now)); step.Do == relay.Post && r.Phase != relay.WithBot || step.Do == relay.Send && !r.Active() {
			t.Fatalf("%s is owed in phase %q", step.Do, r.Phase)
		}
	}
}

func (w *telling) fact(f events.Fact) {
	switch f := f.(type) {
	case *events.RelayStarted:
		if !w.over || f.Session != w.session+1 {
			w.Fatalf("session %d begins in session %d, which is over: %t", f.Session, w.session, w.over)
		}
		w.session, w.bot, w.over, w.posted, w.check, w.raised = f.Session, f.Number == 0, false, false, false, f.Number > 0
		w.taken, w.passed, w.once = map[string]int{}, map[string]int{}, map[events.MessageRelayed]bool{}
	case *events.MessagesTaken:
		w.takes(f)
	case *events.MessageRelayed:
		is := events.MessageRelayed{To: f.To, Sequence: f.Sequence}
		disorder := f.To == events.SideCustomer && f.Sequence <= w.passed[f.To] // echoes may come in any order
		if w.over || w.once[is] || disorder || f.Sequence > w.taken[f.To] || f.To == events.SideBot && !w.bot {
			w.Fatalf("message %d to %s is passed on after %d of %d; the bot has the voice: %t", f.Sequence, f.To, w.passed[f.To], w.taken[f.To], w.bot)
		}
		w.passed[f.To], w.once[is] = f.Sequence, true
	case *events.CheckRecognised:
		w.check = true
	case *events.EscalationRaised:
		w.bot, w.raised = false, w.raised || w.bot // one that comes after the bot has left is none of the relay's
	case *events.BotLeft:
		w.bot = false
	case *events.HubCommanded:
		if people := !w.bot && (w.raised || !w.check); w.over || w.posted || (f.Command == events.CommandEscalate) != people {
			w.Fatalf("the hub is told to %s; the bot has the voice: %t", f.Command, w.bot)
		}
		w.posted = true
	case *events.RelayEnded:
		if w.over {
			w.Fatal("what is over ends")
		}
		w.over, w.bot = true, false
	case *events.ContextErased:
		w.over, w.bot = true, false
	}
}

func (w *telling) takes(f *events.MessagesTaken) {
	to := events.SideCustomer
	if f.From == events.SideCustomer {
		to = events.SideBot
	}
	if w.over || f.From != events.SideHandoff && !w.bot {
		w.Fatalf("a message of the %s is taken, which does not have the voice", f.From)
	}
	if f.First != w.taken[to]+1 {
		w.Fatalf("message %d to %s follows %d", f.First, to, w.taken[to])
	}
	w.taken[to] += len(f.Refs)
	for _, r := range f.Refs {
		if w.refs[r] {
			w.Fatalf("message %s is taken twice", r)
		}
		w.refs[r] = true
	}
}

var (
	refs    = rapid.OneOf(rapid.SampledFrom([]string{"a1", "a2", "a3"}), rapid.StringMatching(`[a-z][0-9]{6}`))
	minutes = rapid.IntRange(-5, 65)
	short   = rapid.IntRange(0, 3)
)

// command draws from values so few that they meet again, most of them such that
// something happens.
func command(t *rapid.T, s conversation.State) eh.Command {
	r := s.Relay
	if r == nil {
		r = new(relay.State)
	}
	session := r.Session - rapid.SampledFrom([]int{0, 0, 0, 0, 0, 1}).Draw(t, "back")
	switch rapid.IntRange(0, 17).Draw(t, "command") {
	case 0, 1, 2, 3:
		return anyTake(t)
	case 4, 5:
		return relay.Begin{Fact: events.BotConversationOpened{
			Session: session, Renewed: rapid.Bool().Draw(t, "renewed"), ExpiresAt: at(minutes.Draw(t, "expires")),
			Bot: &events.BotSession{Token: scenario.Private},
		}}
	case 6, 7, 8:
		return anyHear(t, session, r)
	case 9, 10:
		return relay.Pass{Fact: events.MessageRelayed{Session: session, To: side.Draw(t, "to"), Sequence: next(t, r), At: at(1)}}
	case 11:
		return relay.Drop{Fact: events.MessagesRefused{Session: session, From: side.Draw(t, "from"), Sequence: next(t, r), Code: "too-large"}}
	case 12:
		return relay.Lose{Session: session, Opened: r.Bot.Opened - short.Draw(t, "earlier"), Code: "lost"}
	case 13:
		return rapid.SampledFrom([]eh.Command{
			relay.Leave{Fact: events.BotLeft{Session: session, Code: "connection-disconnected"}},
			relay.Rest{Fact: events.RelayRested{Session: session, LookAt: at(minutes.Draw(t, "look"))}},
			relay.Notify{Ref: refs.Draw(t, "notice"), Message: events.Message{Text: scenario.Private}},
		}).Draw(t, "rare")
	case 14:
		return relay.Command{Fact: events.HubCommanded{
			Session: session, Number: r.Number, Command: rapid.SampledFrom([]string{"escalate", "escalate", "end", "other"}).Draw(t, "told"),
			Details: &events.CommandDetails{Omissions: []events.Omission{{Name: scenario.Private}}},
		}}
	case 15:
		return relay.Told{Fact: events.BotTold{Session: session, Number: r.Number, State: states.Draw(t, "state")}}
	case 16:
		return anyEscalation(t, s)
	}
	return relay.Finish{Fact: events.RelayEnded{Session: session, By: rapid.SampledFrom([]string{"hub", "bot", "handoff"}).Draw(t, "by")}}
}

var (
	side   = rapid.SampledFrom([]string{events.SideBot, events.SideCustomer})
	states = rapid.SampledFrom([]string{relay.StateAccepted, relay.StateCompleted, relay.StateFailed, relay.StateEnded})
)

// next draws the number of a message that waits, or another one.
func next(t *rapid.T, r *relay.State) int {
	all := []int{0, 1, 99}
	for _, w := range append(append([]relay.Waiting{}, r.To.Waiting...), r.Back.Waiting...) {
		all = append(all, w.Sequence, w.Sequence)
	}
	return rapid.SampledFrom(all).Draw(t, "sequence")
}

func anyTake(t *rapid.T) eh.Command {
	c := relay.Take{
		Ref: refs.Draw(t, "ref"), At: at(minutes.Draw(t, "at")), LookAt: at(minutes.Draw(t, "look")), Channel: "lcw",
		Opening: events.RelayOpening{Address: events.HubAddress{ConversationID: scenario.Private}},
	}
	if rapid.IntRange(0, 4).Draw(t, "kind") > 0 {
		c.Message = &events.Message{From: events.FromCustomer, Text: scenario.Private}
	}
	if rapid.IntRange(0, 2).Draw(t, "checked") == 0 {
		c.Check = &events.CheckRecognised{ID: "check"}
	}
	return c
}

func anyHear(t *rapid.T, session int, r *relay.State) eh.Command {
	c := relay.Hear{Session: session, Opened: r.Bot.Opened, After: r.Bot.Heard, Watermark: scenario.Private, At: at(2), Ended: rapid.IntRange(0, 9).Draw(t, "ended") == 9}
	n := rapid.IntRange(0, 3).Draw(t, "heard")
	for range n {
		u := relay.Utterance{Ref: refs.Draw(t, "ref"), Message: events.Message{Text: scenario.Private}}
		if rapid.IntRange(0, 4).Draw(t, "echo") == 4 {
			u.Echo = next(t, r)
		}
		c.Heard = append(c.Heard, u)
	}
	return c
}

func anyEscalation(t *rapid.T, s conversation.State) eh.Command {
	n := s.Last.Number
	switch rapid.IntRange(0, 5).Draw(t, "escalation") {
	case 0, 1:
		return conversation.Raise{Fact: *raised(0)}
	case 2:
		return conversation.Route{Fact: *routed(n)}
	case 3:
		return conversation.Report{Number: n, Status: conversation.Accepted}
	case 4:
		return conversation.Report{Number: n, Status: conversation.Completed}
	}
	return conversation.Erase{}
}

package check

import (
	"fmt"
	"time"

	"handoff/events"
)

// State is how a hop came out.
type State string

// The states of hops.
const (
	OK    State = "ok"
	Wrong State = "wrong"
	// Missing hops did not come as long as they were waited for.
	Missing State = "missing"
	// NotChecked hops can't be seen from outside.
	NotChecked State = "not_checked"
)

// Hop is one step on the way of a check.
type Hop struct {
	Name  string `json:"hop"`
	Title string `json:"title"`
	State State  `json:"state"`
	// At is when it happened, as the log or the hub has it; zero where it has not.
	At     time.Time `json:"at,omitzero"`
	Detail string    `json:"detail,omitempty"`
	// Next is what to do about it.
	Next string `json:"next,omitempty"`
}

// The names of hops. They never change once released.
const (
	HopOpened     = "opened"
	HopGiven      = "given"
	HopBotReached = "bot-reached"
	HopSaid       = "said"
	HopHandedOver = "handed-over"
	HopRouted     = "routed"
	HopHubTold    = "hub-told"
	HopQueued     = "queued"
	HopWithBot    = "with-bot"
	HopClosed     = "closed"
	HopHubClosed  = "hub-closed"
	HopRecorded   = "recorded"
	HopRelayEnded = "relay-ended"

	hopAdvised = "advised"
)

// Hops returns the way of the check so far, hop by hop in the order in which
// they have to come. What is missing first says what to do.
func (t *Trail) Hops() []Hop {
	all, advised := t.way(), false
	for i := range all {
		h := &all[i]
		if seen := t.hops[h.Name]; seen != nil {
			h.State, h.At, h.Detail = seen.State, seen.At, seen.Detail
			if h.Name == HopQueued && t.person {
				h.Detail += ", where a human agent took it"
			}
		}
		if h.State == "" {
			h.State = Missing
		}
		if h.State == Wrong || h.State == Missing && !advised {
			h.Next = t.next(h.Name)
			advised = h.Next != ""
		}
	}
	return all
}

// Passed reports whether every hop that can be seen is as it should be.
func (t *Trail) Passed() bool {
	for _, h := range t.Hops() {
		if h.State == Wrong || h.State == Missing {
			return false
		}
	}
	return true
}

func (t *Trail) way() []Hop {
	opened := Hop{Name: HopOpened, Title: "the hub opened the chat"}
	if t.Path != events.PathRelay {
		return []Hop{
			opened,
			{Name: HopWithBot, Title: "the hub gave it to the bot"},
			{Name: HopHandedOver, Title: "the bot hands over", State: NotChecked},
			{Name: hopAdvised, Title: "the bot asks Handoff for a queue", State: NotChecked},
			{Name: HopQueued, Title: "the hub obeys that queue", State: NotChecked},
			{Name: HopClosed, Title: "the chat was closed"},
			{Name: HopHubClosed, Title: "the hub's record is closed"},
		}
	}
	return []Hop{
		opened,
		{Name: HopGiven, Title: "the hub gave it to Handoff, as the bot"},
		{Name: HopBotReached, Title: "Handoff reached the bot"},
		{Name: HopSaid, Title: fmt.Sprintf("the bot was told %q", t.Say)},
		{Name: HopHandedOver, Title: "the bot handed over"},
		{Name: HopRouted, Title: "Handoff routed it to " + name(t.Queue)},
		{Name: HopHubTold, Title: "the hub was told to find a human agent"},
		{Name: HopQueued, Title: "the hub put it into the queue"},
		{Name: HopClosed, Title: "the chat was closed"},
		{Name: HopRecorded, Title: "the end was read in the hub's records"},
		{Name: HopRelayEnded, Title: "the relay ended"},
	}
}

func name(q events.Queue) string {
	if q.Name != "" {
		return q.Name
	}
	return q.ID
}

// next says what to do about a hop that did not come, or came out wrong.
func (t *Trail) next(hop string) string {
	switch hop {
	case HopGiven, HopWithBot:
		return t.notGiven()
	case HopBotReached:
		return "The bot's conversation can't be begun" + because(t.reason) + ". Look whether it is published, and at its token endpoint: handoff check CONNECTION."
	case HopSaid:
		return "The bot did not take the message" + because(t.reason) + ". The server's log says why."
	case HopHandedOver:
		return t.notHandedOver()
	case HopRouted:
		return "The rules could not be used. The server's log says why."
	case HopHubTold:
		return "The hub did not take the command" + because(t.reason) + ". Look at the application's secret and at the log of the server."
	case HopQueued:
		return t.notQueued()
	case HopClosed, HopHubClosed:
		return "The chat is still open in the hub. Close it there: conversation " + t.Record + "."
	case HopRecorded:
		return "What becomes of conversations is not read from the hub, or later than this was waited for. Wait longer, and look at the permissions: handoff check CONNECTION."
	case HopRelayEnded:
		return "The relay still waits for the hub. It ends by itself at " + t.Until.Format(time.TimeOnly) + " UTC."
	}
	return ""
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + reason + ")"
}

func (t *Trail) notGiven() string {
	s := t.Seen
	switch {
	case s.WithPerson, s.State != "" && !s.WithBot && s.Queue.ID != "":
		return fmt.Sprintf("The hub gave it to the queue %s and not to the bot. Look at the workstream: is the connection's user its bot, is its work pushed, "+
			"is the user in the bot's queue? handoff check CONNECTION says.", orID(s.Queue))
	case s.WithBot:
		return "The hub gave it to the bot's user, but nothing came to Handoff. Look at the messaging endpoint of the Azure Bot, and whether Handoff can be reached from there."
	case s.State == "":
		return "The hub made no conversation of it. Look at the chat widget in the hub."
	}
	return "The hub says " + s.State + ". Look at conversation " + s.Record + " in the hub."
}

func (t *Trail) notHandedOver() string {
	switch {
	case t.reason != "":
		return "The bot failed (" + t.reason + "). Look whether it is published, and try it in its own test pane."
	case t.answers > 0:
		return fmt.Sprintf("The bot answered, but did not hand over at %q. Say what leads to its Transfer node: --say, or check.phrase in the rules.", t.Say)
	}
	return "The bot did not answer. Try it in its own test pane."
}

func (t *Trail) notQueued() string {
	if h := t.hops[HopQueued]; h != nil {
		return fmt.Sprintf("The hub chose %s. Add a rule to the workstream: where HandoffQueue equals %q, the queue %s. handoff check CONNECTION shows which rules are missing.",
			h.Detail, t.Queue.ID, name(t.Queue))
	}
	return "It stands in no queue yet, or the hub's records were not read. Wait longer, and look at the permissions: handoff check CONNECTION."
}

func orID(q events.HubQueue) string {
	if q.Name != "" {
		return q.Name
	}
	return q.ID
}

package relay

import (
	"fmt"
	"slices"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/fault"
	"handoff/events"
)

// The codes with which messages are refused.
const (
	CodeNoVoice   = "voice-not-yours" // the bot's, after it handed the conversation over
	CodeHandedOff = "relay-handed-off"
	CodeBacklog   = "relay-backlog"
	CodeFlood     = "bot-floods"
)

// Decide returns the facts that a command leads to. open is the number of the
// conversation's open escalation, 0 for none. Deciding the same command twice
// yields no second fact.
func Decide(s *State, open int, cmd eh.Command) ([]events.Fact, error) {
	if c, ok := cmd.(Take); ok {
		return take(s, open, c)
	}
	if s == nil {
		s = new(State) // in which there is no session that the command could be about
	}
	switch c := cmd.(type) {
	case Begin:
		return begin(s, c)
	case Lose:
		return when(s.is(c.Session) && s.Bot.Opened == c.Opened && c.Opened > 0, &events.BotConversationLost{Session: c.Session, Code: c.Code})
	case Hear:
		return hear(s, c)
	case Notify:
		return notify(s, c)
	case Pass:
		return when(s.is(c.Fact.Session) && s.lane(c.Fact.To).next(c.Fact.Sequence), &c.Fact)
	case Drop:
		return when(s.is(c.Fact.Session) && s.from(c.Fact.From).next(c.Fact.Sequence), &c.Fact)
	case Rest:
		return when(s.is(c.Fact.Session) && !s.LookAt.Equal(c.Fact.LookAt), &c.Fact)
	case Leave:
		return when(s.is(c.Fact.Session) && s.Phase == WithBot, &c.Fact)
	case Command:
		return command(s, c)
	case Told:
		return told(s, c)
	case Finish:
		return finish(s, c)
	}
	return nil, fmt.Errorf("relay: unknown command %s", cmd.CommandType())
}

func when(holds bool, f events.Fact) ([]events.Fact, error) {
	if !holds {
		return nil, nil
	}
	return []events.Fact{f}, nil
}

// is reports whether a session is the one under way.
func (s *State) is(session int) bool { return s.Active() && s.Session == session }

func (s *State) lane(to string) Lane {
	if to == events.SideBot {
		return s.To
	}
	return s.Back
}

func (s *State) from(side string) Lane {
	if side == events.SideCustomer {
		return s.To
	}
	return s.Back
}

// next reports whether a message is the first that waits.
func (l Lane) next(sequence int) bool {
	return len(l.Waiting) > 0 && l.Waiting[0].Sequence == sequence
}

// take decides what becomes of what the hub says. Its own repeat is nothing.
func take(s *State, open int, c Take) ([]events.Fact, error) {
	if c.Ref == "" {
		return nil, fault.New(fault.Invalid, "activity-id-missing", "An activity needs an id by which its repeat is known.")
	}
	if s.Knows(c.Ref) {
		return nil, nil
	}
	if s.handedOver(open) {
		return nil, fault.New(fault.Conflict, CodeHandedOff, "The conversation is with human agents; the bot gets no messages any more.")
	}
	begins := !s.Active() || s.Phase == WithHub
	if c.Check != nil && !begins {
		return nil, nil // the hub says twice how the conversation began
	}
	var facts []events.Fact
	if begins {
		facts = start(s, open, c)
		for _, f := range facts {
			s = Evolve(s, 0, f)
		}
	}
	if c.Message == nil || s.Phase != WithBot {
		return facts, nil
	}
	if len(s.To.Waiting) >= MaxWaiting {
		return nil, fault.New(fault.RateLimited, CodeBacklog, "Too many messages wait for the bot.")
	}
	return append(facts, &events.MessagesTaken{
		Session: s.Session, From: events.SideCustomer, First: s.To.Taken + 1, Refs: []string{c.Ref}, At: c.At, LookAt: c.LookAt,
		Said: &events.Said{Messages: []events.Message{*c.Message}, Address: &c.Opening.Address},
	}), nil
}

// handedOver reports whether the conversation is with the hub: it was told, or
// is about to be, and its escalation is open. An escalation of which the hub
// can't have been told any more, because the address was erased, does not count.
func (s *State) handedOver(open int) bool {
	if s.Active() && s.Phase == WithHub {
		return open > 0 || s.Number == 0
	}
	return s != nil && open > 0 && s.CommandedLast == open
}

// start begins a session, after it ended the one that is left over.
func start(s *State, open int, c Take) (facts []events.Fact) {
	session := 1
	if s != nil {
		session = s.Session + 1
	}
	if s.Active() {
		facts = append(facts, &events.RelayEnded{Session: s.Session, By: events.SideHub, Code: "taken-up-again"})
	}
	started := &events.RelayStarted{
		Session: session, At: c.At, Number: open, Channel: c.Channel, Variables: len(c.Opening.Variables), CustomerRefs: c.CustomerRefs,
		LookAt: c.LookAt, Opening: &c.Opening,
	}
	if c.Message == nil || open > 0 {
		started.Ref = c.Ref
	}
	facts = append(facts, started)
	if c.Check != nil && open == 0 {
		check := *c.Check
		check.Session = session
		facts = append(facts, &check)
	}
	return facts
}

func begin(s *State, c Begin) ([]events.Fact, error) {
	f := &c.Fact
	if !s.is(f.Session) || f.Renewed != (s.Bot.Opened > 0) || f.Renewed && f.ExpiresAt.Equal(s.Bot.Expires) {
		return nil, nil
	}
	return []events.Fact{f}, nil
}

// hear takes the bot's messages, once each, as long as it has the voice; later
// they are refused. An echo says that the bot has a message of the customer's
// whose delivery was in doubt. What was heard after an older watermark than the
// state's is heard again, for it may have come before.
func hear(s *State, c Hear) ([]events.Fact, error) {
	if !s.is(c.Session) || s.Bot.Opened != c.Opened || c.Opened == 0 || s.Bot.Heard != c.After {
		return nil, nil
	}
	var facts []events.Fact
	var fresh []Utterance
	for _, u := range c.Heard {
		if u.Echo > 0 && s.To.waits(u.Echo) {
			passed := &events.MessageRelayed{Session: c.Session, To: events.SideBot, Sequence: u.Echo, At: c.At, LookAt: c.LookAt}
			facts, s = append(facts, passed), Evolve(s, 0, passed)
		}
		if u.Echo == 0 && u.Ref != "" && !s.Knows(u.Ref) && !slices.ContainsFunc(fresh, u.same) {
			fresh = append(fresh, u)
		}
	}
	if s.Phase == WithHub {
		return append(facts, refuse(c, fresh, CodeNoVoice)...), nil
	}
	n := min(len(fresh), MaxTaken)
	if ended := c.Ended && !s.Bot.Ended; n > 0 || ended {
		refs, said := collect(c, fresh[:n])
		facts = append(facts, &events.MessagesTaken{
			Session: c.Session, From: events.SideBot, First: s.Back.Taken + 1, Refs: refs, At: c.At, Ended: ended,
			Watermarked: c.Watermark != "", LookAt: c.LookAt, Said: said,
		})
	}
	return append(facts, refuse(c, fresh[n:], CodeFlood)...), nil
}

func (l Lane) waits(sequence int) bool {
	return slices.ContainsFunc(l.Waiting, func(w Waiting) bool { return w.Sequence == sequence })
}

func (u Utterance) same(v Utterance) bool { return u.Ref == v.Ref }

func refuse(c Hear, all []Utterance, code string) []events.Fact {
	if len(all) == 0 {
		return nil
	}
	refs, said := collect(c, all)
	return []events.Fact{&events.MessagesRefused{
		Session: c.Session, From: events.SideBot, Refs: refs, Code: code, Watermarked: c.Watermark != "", Said: said,
	}}
}

func collect(c Hear, all []Utterance) (refs []string, said *events.Said) {
	said = &events.Said{Watermark: c.Watermark}
	for _, u := range all {
		refs, said.Messages = append(refs, u.Ref), append(said.Messages, u.Message)
	}
	return refs, said
}

func notify(s *State, c Notify) ([]events.Fact, error) {
	if !s.Active() || s.Knows(c.Ref) || c.Ref == "" {
		return nil, nil
	}
	return []events.Fact{&events.MessagesTaken{
		Session: s.Session, From: events.SideHandoff, First: s.Back.Taken + 1, Refs: []string{c.Ref}, At: c.At, LookAt: c.LookAt,
		Said: &events.Said{Messages: []events.Message{c.Message}},
	}}, nil
}

func command(s *State, c Command) ([]events.Fact, error) {
	f := c.Fact
	if !s.is(f.Session) {
		return nil, nil
	}
	switch {
	case f.Command == events.CommandEscalate && s.Phase == WithHub && !s.Commanded && f.Number == s.Number && !s.dropped():
		if f.Number > 0 {
			return []events.Fact{&f}, nil
		}
		return []events.Fact{&f, &events.RelayEnded{Session: f.Session, By: events.SideHandoff, Code: s.Code}}, nil
	case f.Command == events.CommandEnd && s.Phase == WithBot && s.Bot.Ended:
		return []events.Fact{&f, &events.RelayEnded{Session: f.Session, By: events.SideBot, Code: "bot-ended"}}, nil
	case f.Command == events.CommandEnd && s.dropped():
		return []events.Fact{&f, &events.RelayEnded{Session: f.Session, By: events.SideHandoff, Code: s.Code}}, nil
	}
	return nil, nil
}

func told(s *State, c Told) ([]events.Fact, error) {
	f := &c.Fact
	if f.State == StateEnded {
		return when(s.Session == f.Session && s.Phase == Over && s.Bot.Opened > 0, f)
	}
	return when(s.is(f.Session) && len(s.Tell) > 0 && s.Tell[0] == f.State, f)
}

// finish ends a session. That the hub ended it counts only while the bot has
// the voice: later the hub may take the bot out of a conversation that goes on.
func finish(s *State, c Finish) ([]events.Fact, error) {
	f := &c.Fact
	return when(s.is(f.Session) && (f.By != events.SideHub || s.Phase == WithBot), f)
}

package relay

import (
	"slices"
	"time"

	"handoff/events"
)

// Evolve returns the state after the fact with a version of the conversation's
// stream. nil is the state of a conversation that is not relayed. It changes
// nothing that s refers to.
func Evolve(s *State, version int, f events.Fact) *State {
	if started, ok := f.(*events.RelayStarted); ok {
		return s.started(version, started)
	}
	if s == nil {
		return nil
	}
	n := *s
	if at, says := LookAt(f); says {
		n.LookAt = at
	}
	n.relayed(version, f)
	n.escalated(f)
	return &n
}

func (s *State) started(version int, f *events.RelayStarted) *State {
	n := &State{
		Session: f.Session, Began: f.At, Phase: WithBot, Channel: f.Channel, Opening: version, Address: version, Number: f.Number, LookAt: f.LookAt,
	}
	if s != nil {
		n.Seen, n.CommandedLast = s.Seen, s.CommandedLast
	}
	if f.Number > 0 {
		n.Phase, n.Routed, n.Raised = WithHub, true, f.At
	}
	n.see([]string{f.Ref})
	return n
}

// relayed folds the relay's own facts.
func (s *State) relayed(version int, f events.Fact) {
	switch f := f.(type) {
	case *events.CheckRecognised:
		s.Check = f
	case *events.BotConversationOpened:
		s.opened(version, f)
	case *events.BotConversationLost:
		s.Bot = Bot{Greeted: s.Bot.Greeted, Spoke: s.Bot.Spoke}
	case *events.MessagesTaken:
		s.taken(version, f)
	case *events.MessageRelayed:
		s.passed(f)
	case *events.MessagesRefused:
		s.refused(version, f)
	case *events.BotLeft:
		s.Phase, s.Code, s.Raised, s.To.Waiting = WithHub, f.Code, f.At, nil
	case *events.HubCommanded:
		s.commanded(f)
	case *events.BotTold:
		s.told(f)
	case *events.RelayEnded:
		s.end(f.Code)
	}
}

func (s *State) opened(version int, f *events.BotConversationOpened) {
	s.Bot.Opened, s.Bot.Expires = version, f.ExpiresAt
	if !f.Renewed {
		s.Bot.Heard, s.Bot.Greeted, s.Bot.Ended = 0, true, false
	}
}

func (s *State) taken(version int, f *events.MessagesTaken) {
	lane := &s.Back
	switch f.From {
	case events.SideCustomer:
		lane, s.Address = &s.To, version
	case events.SideBot:
		s.Bot.Spoke, s.Bot.Ended = f.At, s.Bot.Ended || f.Ended
		if f.Watermarked {
			s.Bot.Heard = version
		}
		if len(f.Refs) > 0 {
			s.Bot.Asked = time.Time{} // it answered
		}
	}
	lane.Waiting = slices.Clone(lane.Waiting)
	for i := range f.Refs {
		lane.Waiting = append(lane.Waiting, Waiting{Sequence: f.First + i, Version: version, Index: i, At: f.At})
	}
	lane.Taken += len(f.Refs)
	s.see(f.Refs)
}

func (s *State) passed(f *events.MessageRelayed) {
	if f.To == events.SideCustomer {
		s.Back = s.Back.without(f.Sequence)
		return
	}
	s.To = s.To.without(f.Sequence)
	s.Bot.Spoke = f.At
	if s.Bot.Asked.IsZero() {
		s.Bot.Asked = f.At
	}
}

func (s *State) refused(version int, f *events.MessagesRefused) {
	if f.Watermarked {
		s.Bot.Heard = version
	}
	if f.From == events.SideCustomer {
		s.To = s.To.without(f.Sequence)
	} else {
		s.Back = s.Back.without(f.Sequence)
	}
	s.see(f.Refs)
}

func (s *State) commanded(f *events.HubCommanded) {
	if f.Command == events.CommandEscalate {
		s.Commanded, s.CommandedLast = true, max(s.CommandedLast, f.Number)
	}
}

func (s *State) told(f *events.BotTold) {
	if f.State == StateEnded {
		s.Bot = Bot{}
		return
	}
	if len(s.Tell) > 0 {
		s.Tell = slices.Clone(s.Tell[1:])
	}
}

// escalated folds what happens to the conversation's escalations.
func (s *State) escalated(f events.Fact) {
	switch f := f.(type) {
	case *events.EscalationRaised:
		if s.Phase == WithBot {
			s.Phase, s.Number, s.Raised, s.To.Waiting = WithHub, f.Number, f.RaisedAt, nil
		}
	case *events.EscalationRouted:
		s.Routed = s.Routed || f.Number == s.Number && s.Number > 0
	case *events.EscalationQueued:
		s.known(f.Number)
	case *events.EscalationAccepted:
		s.known(f.Number)
		s.tell(f.Number, StateAccepted)
	case *events.EscalationCompleted:
		s.tell(f.Number, StateCompleted)
	case *events.EscalationFailed:
		s.tell(f.Number, StateFailed)
	case *events.EscalationExpired:
		s.tell(f.Number, StateFailed)
	case *events.ContextErased:
		// Address, token and messages can't be read any more.
		s.Bot, s.Opening, s.Address = Bot{}, 0, 0
		s.end("context-erased")
	}
}

// known notes what the hub shows: it was told to escalate, though the answer may
// have been lost.
func (s *State) known(number int) {
	if s.Phase == WithHub && number == s.Number && number > 0 {
		s.Commanded, s.CommandedLast = true, max(s.CommandedLast, number)
	}
}

func (s *State) tell(number int, state string) {
	if s.Phase != WithHub || number != s.Number || number == 0 {
		return
	}
	s.Settled = s.Settled || state != StateAccepted
	if s.Bot.Opened > 0 {
		s.Tell = append(slices.Clone(s.Tell), state)
	}
}

func (s *State) end(code string) {
	if s.Phase == Over {
		return
	}
	s.Phase, s.Code, s.Tell, s.To.Waiting, s.Back.Waiting = Over, code, nil, nil, nil
}

// see keeps refs, dropping the oldest beyond MaxSeen.
func (s *State) see(refs []string) {
	all := slices.Clone(s.Seen)
	for _, r := range refs {
		if r != "" {
			all = append(all, r)
		}
	}
	s.Seen = all[max(0, len(all)-MaxSeen):]
}

func (l Lane) without(sequence int) Lane {
	l.Waiting = slices.DeleteFunc(slices.Clone(l.Waiting), func(w Waiting) bool { return w.Sequence == sequence })
	return l
}

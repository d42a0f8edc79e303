package relay

import (
	"time"
)

// Action is what is to be done next.
type Action string

// The actions, in the order in which they are looked for.
const (
	Nothing  Action = ""
	HangUp   Action = "hang_up"  // tell the bot that the conversation is over
	Send     Action = "send"     // give Step.Message to the customer
	Escalate Action = "escalate" // have the hub find a human agent
	Tell     Action = "tell"     // tell the bot Step.State of its escalation
	End      Action = "end"      // end the relay: the escalation is settled and the bot knows
	Close    Action = "close"    // have the hub end the conversation: the bot did, or a check got nowhere
	Open     Action = "open"     // begin a conversation with the bot
	Renew    Action = "renew"    // get a new token for it
	Post     Action = "post"     // give Step.Message to the bot
	Listen   Action = "listen"   // hear whether the bot says anything
)

// The states of an escalation that a bot is told, and the end of its
// conversation.
const (
	StateAccepted  = "accepted"
	StateCompleted = "completed"
	StateFailed    = "failed"
	StateEnded     = "ended"
)

// Margins of time.
const (
	// TokenMargin is how long before its end a token is renewed.
	TokenMargin = 10 * time.Minute
	// RoutePatience is how long after the voice was taken a queue is waited for
	// before the hub is told to escalate without one.
	RoutePatience = 30 * time.Second
)

// Step is what is owed next. The zero value is nothing.
type Step struct {
	Do      Action
	Message Waiting // of Send and Post
	State   string  // of Tell
}

// Owed returns the next thing to do at an instant. It changes nothing.
func (s *State) Owed(now time.Time) Step {
	switch {
	case s == nil || s.Session == 0:
		return Step{}
	case s.Phase == Over && s.Bot.Opened > 0:
		return Step{Do: HangUp, State: StateEnded}
	case s.Phase == Over:
		return Step{}
	case len(s.Back.Waiting) > 0:
		return Step{Do: Send, Message: s.Back.Waiting[0]}
	case s.Phase == WithHub:
		return s.owedWithHub(now)
	}
	return s.owedWithBot(now)
}

func (s *State) owedWithHub(now time.Time) Step {
	switch {
	case s.dropped():
		return Step{Do: Close}
	case !s.Commanded && (s.Number == 0 || s.Routed || !now.Before(s.Raised.Add(RoutePatience))):
		return Step{Do: Escalate}
	case !s.Commanded:
		return Step{}
	case len(s.Tell) > 0:
		return Step{Do: Tell, State: s.Tell[0]}
	case s.Settled:
		return Step{Do: End}
	case s.Bot.Opened > 0 && s.expires(now):
		return Step{Do: Renew}
	case s.Bot.Opened > 0:
		return Step{Do: Listen}
	}
	return Step{}
}

// dropped reports whether a check came to nothing: the bot lost the voice and
// nothing was raised. A customer who is none is left to no human agent.
func (s *State) dropped() bool {
	return s.Phase == WithHub && !s.Commanded && s.Number == 0 && s.Check != nil
}

func (s *State) owedWithBot(now time.Time) Step {
	open := s.Bot.Opened > 0
	switch {
	case s.Bot.Ended:
		return Step{Do: Close}
	case !open && (len(s.To.Waiting) > 0 || !s.Bot.Greeted):
		return Step{Do: Open}
	case open && s.expires(now):
		return Step{Do: Renew}
	case len(s.To.Waiting) > 0:
		return Step{Do: Post, Message: s.To.Waiting[0]}
	case open:
		return Step{Do: Listen}
	}
	return Step{}
}

func (s *State) expires(now time.Time) bool {
	return !s.Bot.Expires.IsZero() && !now.Before(s.Bot.Expires.Add(-TokenMargin))
}

// WaitsSince returns since when the customer waits for the bot: for its first
// word, or for an answer to the oldest message that it did not get or did not
// answer. Zero: nobody waits.
func (s *State) WaitsSince() time.Time {
	if !s.Bot.Greeted {
		return s.Began
	}
	if len(s.To.Waiting) > 0 && (s.Bot.Asked.IsZero() || s.To.Waiting[0].At.Before(s.Bot.Asked)) {
		return s.To.Waiting[0].At
	}
	return s.Bot.Asked
}

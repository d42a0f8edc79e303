package chronicle

import (
	"fmt"

	"handoff/domain/relay"
	"handoff/events"
)

// relayed tells the facts of a relayed conversation, and what the hub's records
// say of it.
func (t *Teller) relayed(f events.Fact) string {
	switch f := f.(type) {
	case *events.RelayStarted:
		return fmt.Sprintf("relayed from here on: session %d%s; %s of the hub", f.Session, when(f.Channel != "", " on "+f.Channel), number(f.Variables, "variable"))
	case *events.CheckRecognised:
		return "is a check, and no customer: what it raises goes to the queue " + orElse(f.Queue.Name, f.Queue.ID)
	case *events.BotConversationOpened:
		return "has a " + when(f.Renewed, "new token for its ") + "conversation with the bot"
	case *events.BotConversationLost:
		return "lost its conversation with the bot: " + f.Code
	case *events.MessagesTaken:
		return fmt.Sprintf("has %s of the %s%s", number(len(f.Refs), "message"), f.From, when(f.Ended, ", who ended the conversation"))
	case *events.MessageRelayed:
		return fmt.Sprintf("passed message %d on to the %s", f.Sequence, f.To)
	case *events.MessagesRefused:
		return fmt.Sprintf("refused %s of the %s: %s", number(max(len(f.Refs), 1), "message"), f.From, f.Code)
	case *events.RelayRested:
		return "rests until " + t.time(f.LookAt)
	case *events.BotLeft:
		return "left by the bot without an escalation: " + f.Code
	case *events.HubCommanded:
		return "the hub was told to " + f.Command + when(f.Omitted > 0, ", without "+number(f.Omitted, "variable"))
	case *events.BotTold:
		return "the bot " + when(f.Code != "", "could not be told: ") + when(f.Code == "", "was told: ") + f.State + when(f.Code != "", " ("+f.Code+")")
	case *events.RelayEnded:
		return fmt.Sprintf("relayed no more: session %d ended by %s%s", f.Session, side(f.By), colon(f.Code))
	}
	return observed(f)
}

// side names who did something: Handoff, or the bot, the customer, the hub.
func side(s string) string {
	if s == events.SideHandoff {
		return "Handoff"
	}
	return "the " + s
}

func observed(f events.Fact) string {
	switch f := f.(type) {
	case *events.EscalationQueued:
		return "stands in the hub's queue " + hubQueue(f.Queue)
	case *events.RouteConfirmed:
		return "is where it was to be: the hub chose " + hubQueue(f.Queue)
	case *events.RouteOverruled:
		return fmt.Sprintf("is not where it was to be: the hub chose %s, not %s", hubQueue(f.Queue), orElse(f.Decided.HubQueue, f.Decided.ID))
	case *events.HumanAgentJoined:
		return "is with a human agent"
	}
	return f.FactType()
}

func hubQueue(q events.HubQueue) string { return orElse(q.Name, q.ID) }

// ofConversation reports whether a fact is about the conversation as a whole,
// which may have no escalation.
func ofConversation(f events.Fact) bool {
	_, looks := relay.LookAt(f)
	switch f.(type) {
	case *events.ContextErased, *events.CheckRecognised, *events.BotConversationLost, *events.MessagesRefused, *events.BotLeft:
		return true
	}
	return looks
}

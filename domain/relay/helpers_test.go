package relay_test

import (
	"time"

	"handoff/domain/relay"
	"handoff/events"
	"handoff/tests/scenario"
)

// All tests tell of one Monday morning.
func at(minute int) time.Time {
	return time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC).Add(time.Duration(minute) * time.Minute)
}

func address() events.HubAddress {
	return events.HubAddress{ServiceURL: "https://hub.example/", ConversationID: scenario.Private}
}

func started(session, number int) *events.RelayStarted {
	return &events.RelayStarted{Session: session, At: at(1), Number: number, Channel: "lcw", LookAt: at(9), Opening: &events.RelayOpening{Address: address()}}
}

// startedBy is a session that began with an activity that was no message.
func startedBy(ref string) *events.RelayStarted {
	f := started(1, 0)
	f.Ref = ref
	return f
}

func opened() *events.BotConversationOpened {
	return &events.BotConversationOpened{Session: 1, ExpiresAt: at(60), Bot: &events.BotSession{Token: scenario.Private}}
}

func said(n int) *events.Said {
	s := &events.Said{}
	for range n {
		s.Messages = append(s.Messages, events.Message{Text: scenario.Private})
	}
	return s
}

// asked is the customer's message with a number.
func asked(sequence int, ref string) *events.MessagesTaken {
	s := said(1)
	s.Address = new(address())
	return &events.MessagesTaken{Session: 1, From: events.SideCustomer, First: sequence, Refs: []string{ref}, At: at(1), LookAt: at(9), Said: s}
}

// answered is what the bot said, the first of it with a number.
func answered(first int, refs ...string) *events.MessagesTaken {
	s := said(len(refs))
	s.Watermark = "w"
	return &events.MessagesTaken{
		Session: 1, From: events.SideBot, First: first, Refs: refs, At: at(2), LookAt: at(9), Watermarked: true, Said: s,
	}
}

func passed(to string, sequence int) *events.MessageRelayed {
	return &events.MessageRelayed{Session: 1, To: to, Sequence: sequence, At: at(2), LookAt: at(9)}
}

func raised(number int) *events.EscalationRaised {
	return &events.EscalationRaised{
		Number: number, RaisedAt: at(3), ExpiresAt: at(50), Request: events.Request{ID: "r", Fingerprint: "f"}, Context: &events.Context{ConversationID: scenario.Private},
	}
}

func routed(number int) *events.EscalationRouted {
	return &events.EscalationRouted{Number: number, Connection: "store", Queue: events.Queue{ID: "refunds"}}
}

func commanded(number int, what string) *events.HubCommanded {
	return &events.HubCommanded{Session: 1, Number: number, Command: what}
}

// take is what the hub says: a message, or nothing but that the bot begin.
func take(ref string, message bool) relay.Take {
	c := relay.Take{Ref: ref, At: at(1), LookAt: at(9), Channel: "lcw", Opening: events.RelayOpening{Address: address()}}
	if message {
		c.Message = &events.Message{Text: scenario.Private}
	}
	return c
}

// hear is what the bot's conversation has, in the session of the fact with a version.
func hear(opened int, heard ...relay.Utterance) relay.Hear {
	return relay.Hear{Session: 1, Opened: opened, Heard: heard, Watermark: "w", At: at(2), LookAt: at(9)}
}

// after is what was heard after the watermark of the fact with a version.
func after(version int, c relay.Hear) relay.Hear {
	c.After = version
	return c
}

func from(ref string) relay.Utterance {
	return relay.Utterance{Ref: ref, Message: events.Message{Text: scenario.Private}}
}

// given is a history.
func given(facts ...events.Fact) []events.Fact { return facts }

package relay_test

import (
	"fmt"
	"testing"

	"handoff/domain/conversation"
	"handoff/domain/relay"
	"handoff/events"
	"handoff/tests/scenario"
)

func TestTake(t *testing.T) {
	t.Parallel()
	running := given(started(1, 0), asked(1, "a1"))
	handed := append(running[:2:2], raised(1), routed(1), commanded(1, events.CommandEscalate))
	full := given(started(1, 0))
	for i := range relay.MaxWaiting {
		full = append(full, asked(i+1, string(rune('A'+i))))
	}
	again := *started(2, 0)
	first := asked(1, "a2")
	first.Session = 2
	still := started(2, 1)
	still.Ref = "a2"
	scenario.Run(t, conversation.Decider, map[string]scenario.Case{
		"a first message begins a session":             {When: take("a1", true), Then: running},
		"a greeting begins one without a message":      {When: take("a1", false), Then: given(startedBy("a1"))},
		"a second message follows the first":           {Given: running, When: take("a2", true), Then: given(asked(2, "a2"))},
		"a repeat is nothing":                          {Given: running, When: take("a1", true), Nothing: true},
		"a repeated greeting is nothing":               {Given: given(startedBy("a1")), When: take("a1", false), Nothing: true},
		"a second greeting is nothing":                 {Given: running, When: take("a2", false), Nothing: true},
		"without an id no repeat could be told":        {When: take("", true), Fault: "activity-id-missing"},
		"more than can wait is put off":                {Given: full, When: take("a1", true), Fault: relay.CodeBacklog},
		"what comes after the hand-off is refused":     {Given: handed, When: take("a2", true), Fault: relay.CodeHandedOff},
		"a repeat from before the hand-off is nothing": {Given: handed, When: take("a1", true), Nothing: true},
		"after the bot left it is refused too": {
			Given: append(running[:2:2], &events.BotLeft{Session: 1, Code: "c"}), When: take("a2", true), Fault: relay.CodeHandedOff,
		},
		"after the escalation's end a new session begins": {
			Given: append(handed[:5:5], &events.EscalationCompleted{Number: 1}), When: take("a2", true),
			Then: given(&events.RelayEnded{Session: 1, By: events.SideHub, Code: "taken-up-again"}, &again, first),
		},
		"after its own end too":                   {Given: append(running[:2:2], &events.RelayEnded{Session: 1, By: "bot"}), When: take("a2", true), Then: given(&again, first)},
		"a repeat from the last session is known": {Given: append(running[:2:2], &events.RelayEnded{Session: 1, By: "bot"}), When: take("a1", true), Nothing: true},
		"an erased relay whose hub was not told finds its escalation again": {
			Given: append(running[:2:2], raised(1), routed(1), &events.ContextErased{}), When: take("a2", true), Then: given(still),
		},
		"an erased relay whose hub was told stays with it": {
			Given: append(handed[:5:5], &events.ContextErased{}), When: take("a2", true), Fault: relay.CodeHandedOff,
		},
	})
}

func TestHear(t *testing.T) {
	t.Parallel()
	waiting := given(started(1, 0), opened(), asked(1, "a1"))
	running := append(waiting[:3:3], passed(events.SideBot, 1))
	heard := append(running[:4:4], answered(1, "b1", "b2"))
	ended := answered(3)
	ended.Ended, ended.Refs = true, nil
	late := &events.MessagesRefused{Session: 1, From: events.SideBot, Refs: []string{"b3"}, Code: relay.CodeNoVoice, Watermarked: true, Said: said(1)}
	late.Said.Watermark = "w"
	over := relay.Hear{Session: 1, Opened: 2, After: 5, Watermark: "w", Ended: true, At: at(2), LookAt: at(9)}
	scenario.Run(t, conversation.Decider, map[string]scenario.Case{
		"answers are taken in their order":           {Given: running, When: hear(2, from("b1"), from("b2")), Then: given(answered(1, "b1", "b2"))},
		"one of them that came before is left out":   {Given: heard, When: after(5, hear(2, from("b2"), from("b3"), from("b1"))), Then: given(answered(3, "b3"))},
		"the same twice is taken once":               {Given: running, When: hear(2, from("b1"), from("b1")), Then: given(answered(1, "b1"))},
		"nothing new is nothing":                     {Given: heard, When: after(5, hear(2, from("b1"), from("b2"))), Nothing: true},
		"what was heard too long ago is heard again": {Given: heard, When: hear(2, from("b3")), Nothing: true},
		"an echo says that the bot has the message":  {Given: waiting, When: hear(2, relay.Utterance{Echo: 1}, from("b1")), Then: given(passed(events.SideBot, 1), answered(1, "b1"))},
		"an echo of what is known says nothing":      {Given: running, When: hear(2, relay.Utterance{Echo: 1}), Nothing: true},
		"an echo of another session says nothing":    {Given: running, When: hear(2, relay.Utterance{Echo: 7}), Nothing: true},
		"what another conversation said is not ours": {Given: running, When: hear(1, from("b1")), Nothing: true},
		"after the hand-off the bot is refused": {
			Given: append(heard[:5:5], raised(1)), When: after(5, hear(2, from("b2"), from("b3"))),
			Then: given(late),
		},
		"after the end nobody is heard":     {Given: append(heard[:5:5], &events.RelayEnded{Session: 1}), When: after(5, hear(2, from("b3"))), Nothing: true},
		"that the bot ended it is recorded": {Given: heard, When: over, Then: given(ended)},
		"and only once":                     {Given: append(heard[:5:5], ended), When: over, Nothing: true},
	})
}

// A bot that says more than anybody can read does not fill the log with it.
func TestAFloodIsRefused(t *testing.T) {
	t.Parallel()
	c := hear(2)
	for i := range relay.MaxTaken + 2 {
		c.Heard = append(c.Heard, from(fmt.Sprint("b", i)))
	}
	s := conversation.Decider.Fold(conversation.State{}, started(1, 0), opened())
	facts, err := relay.Decide(s.Relay, 0, c)
	if err != nil || len(facts) != 2 {
		t.Fatalf("%d facts, %v; want what is taken and what is refused", len(facts), err)
	}
	taken, _ := facts[0].(*events.MessagesTaken)
	refused, _ := facts[1].(*events.MessagesRefused)
	if taken == nil || refused == nil || len(taken.Refs) != relay.MaxTaken || len(refused.Refs) != 2 || refused.Code != relay.CodeFlood {
		t.Errorf("facts = %+v, want %d taken and 2 refused", facts, relay.MaxTaken)
	}
}

func TestPassAndDrop(t *testing.T) {
	t.Parallel()
	running := given(started(1, 0), opened(), asked(1, "a1"), asked(2, "a2"))
	pass := func(session, sequence int) relay.Pass {
		f := *passed(events.SideBot, sequence)
		f.Session = session
		return relay.Pass{Fact: f}
	}
	dropped := &events.MessagesRefused{Session: 1, From: events.SideCustomer, Sequence: 1, Code: "too-large"}
	scenario.Run(t, conversation.Decider, map[string]scenario.Case{
		"the first that waits is passed on":     {Given: running, When: pass(1, 1), Then: given(passed(events.SideBot, 1))},
		"the second does not overtake it":       {Given: running, When: pass(1, 2), Nothing: true},
		"what was passed on is not again":       {Given: append(running[:4:4], passed(events.SideBot, 1)), When: pass(1, 1), Nothing: true},
		"another session's is not passed on":    {Given: running, When: pass(2, 1), Nothing: true},
		"nothing is passed on before a session": {When: pass(1, 1), Nothing: true},
		"after the hand-off nothing is":         {Given: append(running[:4:4], raised(1)), When: pass(1, 1), Nothing: true},
		"what can't be passed on is dropped":    {Given: running, When: relay.Drop{Fact: *dropped}, Then: given(dropped)},
		"and only once":                         {Given: append(running[:4:4], dropped), When: relay.Drop{Fact: *dropped}, Nothing: true},
	})
}

func TestEnds(t *testing.T) {
	t.Parallel()
	running := given(started(1, 0), opened())
	handed := append(running[:2:2], raised(1), routed(1))
	left := append(running[:2:2], &events.BotLeft{Session: 1, Code: "connection-disconnected"})
	escalate := func(n int) relay.Command {
		return relay.Command{Fact: *commanded(n, events.CommandEscalate)}
	}
	finish := func(by string) relay.Finish {
		return relay.Finish{Fact: events.RelayEnded{Session: 1, By: by, Code: "c"}}
	}
	told := func(state string) relay.Told {
		return relay.Told{Fact: events.BotTold{Session: 1, Number: 1, State: state}}
	}
	accepted := append(handed[:4:4], commanded(1, events.CommandEscalate), &events.EscalationAccepted{Number: 1})
	ended := answered(1)
	ended.Ended = true
	scenario.Run(t, conversation.Decider, map[string]scenario.Case{
		"the hub is told to escalate": {Given: handed, When: escalate(1), Then: given(commanded(1, events.CommandEscalate))},
		"and only once":               {Given: append(handed[:4:4], commanded(1, events.CommandEscalate)), When: escalate(1), Nothing: true},
		"not while the bot speaks":    {Given: running, When: escalate(0), Nothing: true},
		"not of another escalation":   {Given: handed, When: escalate(2), Nothing: true},
		"where the bot left without one the relay is over with it": {
			Given: left, When: escalate(0), Then: given(commanded(0, events.CommandEscalate), &events.RelayEnded{Session: 1, By: events.SideHandoff, Code: "connection-disconnected"}),
		},
		"what the bot ended the hub ends": {
			Given: append(running[:2:2], ended), When: relay.Command{Fact: *commanded(0, events.CommandEnd)},
			Then: given(commanded(0, events.CommandEnd), &events.RelayEnded{Session: 1, By: events.SideBot, Code: "bot-ended"}),
		},
		"what it did not end goes on":                    {Given: running, When: relay.Command{Fact: *commanded(0, events.CommandEnd)}, Nothing: true},
		"the hub ends it while the bot speaks":           {Given: running, When: finish(events.SideHub), Then: given(&events.RelayEnded{Session: 1, By: events.SideHub, Code: "c"})},
		"the hub takes the bot out and the rest goes on": {Given: handed, When: finish(events.SideHub), Nothing: true},
		"the bot is told":                                {Given: accepted, When: told("accepted"), Then: given(&events.BotTold{Session: 1, Number: 1, State: "accepted"})},
		"the bot is told one after the other":            {Given: append(accepted[:6:6], &events.EscalationCompleted{Number: 1}), When: told("completed"), Nothing: true},
		"a bot without a conversation can't be told": {
			Given: given(started(1, 0), raised(1), routed(1), &events.EscalationAccepted{Number: 1}), When: told("accepted"), Nothing: true,
		},
		"the end is told after it":                        {Given: append(running[:2:2], &events.RelayEnded{Session: 1}), When: told("ended"), Then: given(&events.BotTold{Session: 1, Number: 1, State: "ended"})},
		"and not before":                                  {Given: running, When: told("ended"), Nothing: true},
		"leaving happens once":                            {Given: left, When: relay.Leave{Fact: events.BotLeft{Session: 1}}, Nothing: true},
		"who handed over can't leave":                     {Given: handed, When: relay.Leave{Fact: events.BotLeft{Session: 1}}, Nothing: true},
		"a new token replaces the old":                    {Given: running, When: relay.Begin{Fact: events.BotConversationOpened{Session: 1, Renewed: true, ExpiresAt: at(90)}}, Then: given(&events.BotConversationOpened{Session: 1, Renewed: true, ExpiresAt: at(90)})},
		"a second conversation with the bot is not begun": {Given: running, When: relay.Begin{Fact: *opened()}, Nothing: true},
		"one that was lost is begun anew":                 {Given: append(running[:2:2], &events.BotConversationLost{Session: 1}), When: relay.Begin{Fact: *opened()}, Then: given(opened())},
		"only what there is can be lost":                  {Given: running, When: relay.Lose{Session: 1, Opened: 1}, Nothing: true},
	})
}

// A conversation that never left the bot holds what customers said, too.
func TestARelayedConversationCanBeErased(t *testing.T) {
	t.Parallel()
	scenario.Run(t, conversation.Decider, map[string]scenario.Case{
		"what was relayed is erased": {Given: given(started(1, 0), asked(1, "a1")), When: conversation.Erase{}, Then: given(&events.ContextErased{})},
		"what never was is not":      {When: conversation.Erase{}, Fault: "escalation-not-found"},
	})
}

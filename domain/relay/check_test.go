package relay_test

import (
	"testing"

	"handoff/domain/conversation"
	"handoff/domain/relay"
	"handoff/events"
	"handoff/tests/scenario"
)

// checked is a beginning with the mark of a check.
func checked(ref string, message bool) relay.Take {
	c := take(ref, message)
	c.Check = &events.CheckRecognised{ID: "c1", By: "admin", Queue: events.Queue{ID: "test"}, Until: at(15)}
	return c
}

func recognised(session int) *events.CheckRecognised {
	return &events.CheckRecognised{Session: session, ID: "c1", By: "admin", Queue: events.Queue{ID: "test"}, Until: at(15)}
}

func TestChecks(t *testing.T) {
	t.Parallel()
	running := given(started(1, 0), recognised(1), asked(1, "a1"))
	left := append(running[:3:3], &events.BotLeft{Session: 1, Code: "bot-silent"})
	again := started(2, 0)
	again.Ref = "a2"
	scenario.Run(t, conversation.Decider, map[string]scenario.Case{
		"a check begins a session with what it says": {When: checked("a1", true), Then: running},
		"the hub may say twice how it began":         {Given: running, When: checked("a2", true), Nothing: true},
		"a customer's session becomes no check": {
			Given: given(started(1, 0), asked(1, "a1")), When: checked("a2", true), Nothing: true,
		},
		"with an escalation open nothing is checked": {
			Given: given(raised(1), routed(1)), When: checked("a1", true), Then: given(startedWith(1, "a1")),
		},
		"the next session is a customer's": {
			Given: append(running[:3:3], &events.RelayEnded{Session: 1}), When: take("a2", false), Then: given(again),
		},
		"one that got nowhere is ended in the hub": {
			Given: left, When: relay.Command{Fact: *commanded(0, events.CommandEnd)},
			Then: given(commanded(0, events.CommandEnd), &events.RelayEnded{Session: 1, By: events.SideHandoff, Code: "bot-silent"}),
		},
		"and is left to no human agent": {Given: left, When: relay.Command{Fact: *commanded(0, events.CommandEscalate)}, Nothing: true},
		"what it raised is left to them": {
			Given: append(running[:3:3], raised(1), routed(1)), When: relay.Command{Fact: *commanded(1, events.CommandEscalate)},
			Then: given(commanded(1, events.CommandEscalate)),
		},
	})
	if got := conversation.Decider.Fold(conversation.State{}, left...).Relay.Owed(at(4)); got.Do != relay.Close {
		t.Errorf("owed = %q, want the end", got.Do)
	}
}

// startedWith is a session that finds an escalation open.
func startedWith(number int, ref string) *events.RelayStarted {
	f := started(1, number)
	f.Ref = ref
	return f
}

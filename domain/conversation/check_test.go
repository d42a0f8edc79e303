package conversation_test

import (
	"testing"

	"handoff/domain/conversation"
	"handoff/events"
	"handoff/tests/scenario"
)

// A check's escalation goes to its queue on every way on which one gets a queue.
func TestChecksGoToTheirQueue(t *testing.T) {
	t.Parallel()
	test := events.Queue{ID: "test", Name: "Test"}
	check := given(&events.RelayStarted{Session: 1}, &events.CheckRecognised{Session: 1, ID: "c1", Queue: test, Until: at(15)})
	over := append(check[:2:2], &events.RelayEnded{Session: 1})
	marked := raised(1, "r1", "f1")
	marked.Reason, marked.ExpiresAt = events.ReasonCheck, at(15)
	tested := func(f *events.EscalationRouted) *events.EscalationRouted {
		f.Queue = test
		return f
	}
	ran := append(check[:2:2], marked)
	scenario.Run(t, conversation.Decider, map[string]scenario.Case{
		"when it is raised": {
			Given: check, When: toQueue(raise("r1", "f1"), "store"), Then: given(marked, tested(routed(1, "store"))),
		},
		"when it is routed later": {Given: ran, When: conversation.Route{Fact: *routed(1, "store")}, Then: given(tested(routed(1, "store")))},
		"when it moves to another connection": {
			Given: append(ran[:3:3], tested(routed(1, "store"))), When: conversation.Move{Fact: *routed(1, "bank")}, Then: given(tested(moved(1, "bank"))),
		},
		"also after the session": {
			Given: append(ran[:3:3], &events.RelayEnded{Session: 1}), When: conversation.Route{Fact: *routed(1, "store")},
			Then: given(tested(routed(1, "store"))),
		},
		"what is raised after the session is a customer's": {
			Given: over, When: toQueue(raise("r1", "f1"), "store"), Then: given(raised(1, "r1", "f1"), routed(1, "store")),
		},
	})
}

package conversation_test

import (
	"testing"

	"handoff/domain/conversation"
	"handoff/events"
	"handoff/tests/scenario"
)

func TestRaise(t *testing.T) {
	t.Parallel()
	erased := &events.ContextErased{Generation: 0}
	scenario.Run(t, conversation.Decider, map[string]scenario.Case{
		"the first hand-off is escalation 1": {
			When: raise("r1", "f1"), Then: given(raised(1, "r1", "f1")),
		},
		"a hand-off with its route is two facts of one decision": {
			When: toQueue(raise("r1", "f1"), "store"), Then: given(raised(1, "r1", "f1"), routed(1, "store")),
		},
		"a hand-off that no connection takes is refused": {
			When: refused(raise("r1", "f1")), Fault: "connection-disconnected",
		},
		"after the end comes the next number": {
			Given: ended(1), When: toQueue(raise("r2", "f2"), "store"), Then: given(raised(2, "r2", "f2"), routed(2, "store")),
		},
		"without a request id too": {
			Given: ended(2), When: raise("", "f1"), Then: given(raised(3, "", "f1")),
		},
		"after the end no connection takes it either": {
			Given: ended(1), When: refused(raise("r2", "f2")), Fault: "connection-disconnected",
		},
	})
	t.Run("repeats", func(t *testing.T) {
		t.Parallel()
		scenario.Run(t, conversation.Decider, map[string]scenario.Case{
			"the same request while it is open": {
				Given: given(raised(1, "r1", "f1")), When: raise("r1", "f1"), Nothing: true,
			},
			"the same body under another request id": {
				Given: given(raised(1, "r1", "f1")), When: raise("r2", "f1"), Nothing: true,
			},
			"the same body without a request id": {
				Given: given(raised(1, "", "f1")), When: raise("", "f1"), Nothing: true,
			},
			"a repeat is not refused": {
				Given: given(raised(1, "r1", "f1")), When: refused(raise("r1", "f1")), Nothing: true,
			},
			"a repeat leaves the route alone": {
				Given: given(raised(1, "r1", "f1"), routed(1, "store")), When: toQueue(raise("r1", "f1"), "bank"), Nothing: true,
			},
			"something new while it is open is added": {
				Given: given(raised(1, "r1", "f1")), When: raise("r2", "f2"), Then: given(added(1, "r2", "f2")),
			},
			"something new is added to an accepted one too": {
				Given: given(raised(1, "r1", "f1"), &events.EscalationAccepted{Number: 1}), When: raise("r2", "f2"), Then: given(added(1, "r2", "f2")),
			},
			"what was added is not added again": {
				Given: given(raised(1, "r1", "f1"), added(1, "r2", "f2")), When: raise("r2", "f2"), Nothing: true,
			},
			"a request that 20 others came after": {
				Given: append(given(raised(1, "r1", "f1")), additions(20)...), When: raise("r1", "f1"), Nothing: true,
			},
			"a request after the end of its escalation": {
				Given: ended(1), When: raise("r1", "f1"), Nothing: true,
			},
			"a request of an earlier escalation while a later one is open": {
				Given: append(ended(1), raised(2, "r2", "f2")), When: raise("r1", "f1"), Nothing: true,
			},
			"a request of an earlier escalation adds nothing to a later one": {
				Given: append(ended(1), raised(2, "r2", "f2")), When: raise("r1", "other"), Nothing: true,
			},
		})
	})
	t.Run("idempotency keys", func(t *testing.T) {
		t.Parallel()
		scenario.Run(t, conversation.Decider, map[string]scenario.Case{
			"the same key with the same body": {
				Given: given(raised(1, "r1", "f1")), When: strict(raise("r1", "f1")), Nothing: true,
			},
			"the same key with another body is refused": {
				Given: given(raised(1, "r1", "f1")), When: strict(raise("r1", "f2")), Fault: "idempotency-key-reused",
			},
			"the same key with another body is refused after the end": {
				Given: ended(1), When: strict(raise("r1", "f2")), Fault: "idempotency-key-reused",
			},
			"another key with another body is added": {
				Given: given(raised(1, "r1", "f1")), When: strict(raise("r2", "f2")), Then: given(added(1, "r2", "f2")),
			},
			"no key is never used again": {
				Given: given(raised(1, "", "f1")), When: strict(raise("", "f2")), Then: given(added(1, "", "f2")),
			},
			"what an id was used with can't be told after an erasure": {
				Given: given(raised(1, "r1", "f1"), erased), When: strict(raise("r1", "f2")), Nothing: true,
			},
		})
	})
	t.Run("after an erasure", func(t *testing.T) {
		t.Parallel()
		scenario.Run(t, conversation.Decider, map[string]scenario.Case{
			"a late repeat of an erased request does not bring its context back": {
				Given: given(raised(1, "r1", "f1"), erased), When: raise("r1", "g1"), Nothing: true,
			},
			"a late repeat of an erased addition neither": {
				Given: given(raised(1, "r1", "f1"), added(1, "r2", "f2"), erased), When: raise("r2", "g2"), Nothing: true,
			},
			"another request says something new": {
				Given: given(raised(1, "r1", "f1"), erased), When: raise("r2", "g2"), Then: given(added(1, "r2", "g2")),
			},
		})
	})
}

// A conversation recognises its last 32 requests, however often one of them
// came and whatever else it said.
func TestLastRequestsAreRecognised(t *testing.T) {
	t.Parallel()
	history := ended(conversation.MaxRequests - 1)
	history = append(history, raised(conversation.MaxRequests, "r32", "f32"))
	for i := range 2 * conversation.MaxRequests {
		history = append(history, added(conversation.MaxRequests, "r32", "version "+string(rune('A'+i))))
	}
	scenario.Run(t, conversation.Decider, map[string]scenario.Case{
		"the oldest of 32 requests": {Given: history, When: raise("r1", "f1"), Nothing: true},
		"the oldest of 33 requests": {Given: ended(conversation.MaxRequests + 1), When: raise("r1", "f1"), Then: given(raised(34, "r1", "f1"))},
	})
}

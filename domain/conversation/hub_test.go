package conversation_test

import (
	"testing"

	"handoff/domain/conversation"
	"handoff/events"
	"handoff/tests/scenario"
)

const (
	refunds = "aaaaaaaa-0000-4000-8000-0000000000a1"
	general = "aaaaaaaa-0000-4000-8000-0000000000a2"
)

// routedTo is a route to a queue that has this id in the hub.
func routedTo(hubQueue string) *events.EscalationRouted {
	f := routed(1, "store")
	f.Queue.HubQueue = hubQueue
	return f
}

func TestObserve(t *testing.T) {
	t.Parallel()
	open := given(raised(1, "r1", "f1"), routedTo("{AAAAAAAA-0000-4000-8000-0000000000A1}"))
	q := events.HubQueue{ID: refunds, Name: "Refunds"}
	queued, confirmed := &events.EscalationQueued{Number: 1, Queue: q}, &events.RouteConfirmed{Number: 1, Queue: q}
	other := events.HubQueue{ID: general, Name: "General"}
	overruled := &events.RouteOverruled{Number: 1, Queue: other, Decided: routedTo("{AAAAAAAA-0000-4000-8000-0000000000A1}").Queue}
	accepted := &events.EscalationAccepted{Number: 1, Code: conversation.CodeObserved}
	joined := &events.HumanAgentJoined{Number: 1, Ref: "h1", Agent: &events.HumanAgent{ID: scenario.Private}}
	see := func(o conversation.Observation) conversation.Observe {
		return conversation.Observe{Number: 1, Seen: o}
	}
	scenario.Run(t, conversation.Decider, map[string]scenario.Case{
		"the queue that was meant confirms the route": {Given: open, When: see(conversation.Observation{Queue: q}), Then: given(queued, confirmed)},
		"another one overrules it": {
			Given: open, When: see(conversation.Observation{Queue: other}), Then: given(&events.EscalationQueued{Number: 1, Queue: other}, overruled),
		},
		"a later move is the human agents' own": {
			Given: append(open[:2:2], queued, confirmed), When: see(conversation.Observation{Queue: other}), Then: given(&events.EscalationQueued{Number: 1, Queue: other}),
		},
		"a queue that is named in the rules is known by its name": {
			Given: given(raised(1, "r1", "f1"), routed(1, "store")), When: see(conversation.Observation{Queue: q}), Then: given(queued, confirmed),
		},
		"without a route there is nothing to compare": {
			Given: given(raised(1, "r1", "f1")), When: see(conversation.Observation{Queue: q}), Then: given(queued),
		},
		"once it is routed it is compared": {
			Given: given(raised(1, "r1", "f1"), queued, routedTo(refunds)), When: see(conversation.Observation{Queue: q}), Then: given(queued, confirmed),
		},
		"what is known is nothing new":       {Given: append(open[:2:2], queued, confirmed), When: see(conversation.Observation{Queue: q}), Nothing: true},
		"what is unknown is nothing":         {Given: open, When: see(conversation.Observation{}), Nothing: true},
		"a human agent took it":              {Given: open, When: see(conversation.Observation{Accepted: true, Agent: scenario.Private, AgentRef: "h1"}), Then: given(accepted, joined)},
		"another human agent has it":         {Given: append(open[:2:2], accepted), When: see(conversation.Observation{Accepted: true, Agent: scenario.Private, AgentRef: "h1"}), Then: given(joined)},
		"an end that was seen late is whole": {Given: open, When: see(conversation.Observation{Queue: q, End: conversation.Completed, Code: "ended-by-agent"}), Then: given(queued, confirmed, accepted, &events.EscalationCompleted{Number: 1, Code: "ended-by-agent"})},
		"an overflow fails it":               {Given: open, When: see(conversation.Observation{End: conversation.Failed, Code: "closed-by-overflow"}), Then: given(&events.EscalationFailed{Number: 1, Code: "closed-by-overflow"})},
		"what ended stays ended":             {Given: ended(1), When: see(conversation.Observation{Accepted: true, Queue: q}), Nothing: true},
		"an earlier one stays as it is":      {Given: append(ended(1), raised(2, "r2", "f2")), When: see(conversation.Observation{Accepted: true}), Nothing: true},
		"one that is not there is a fault":   {Given: open, When: conversation.Observe{Number: 2}, Fault: "escalation-not-found"},
	})
}

package e2e_test

import (
	"slices"
	"testing"

	"handoff/infra/microsoft/simulation"
	"handoff/infra/microsoft/simulation/hub"
	"handoff/infra/microsoft/simulation/tables"
)

// handedOver has a customer ask for a refund until the hub has the conversation,
// and returns the escalation's id.
func (s *shop) handedOver() (*hub.Widget, string) {
	s.t.Helper()
	c := s.visit("R. Bakker")
	s.reads(c, greeting)
	s.say(c, "refund please")
	s.reads(c, "I can help with a refund. What is your order number?")
	s.say(c, "A-1234")
	s.reads(c, "Thank you. I'll connect you with somebody who can do that.", "The conversation is being transferred.")
	id, _ := s.seen(c).Context["HandoffEscalationId"].(string)
	return c, id
}

// Where no human agent is there, an escalation waits until one comes.
func TestACustomerForWhomNobodyIsThereWaits(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.Hub().SetAway(simulation.Ana, true)
	c, id := s.handedOver()
	s.eventually("it is queued", func() bool { return s.count("EscalationQueued") == 1 })
	if e, v := s.escalation(id), s.seen(c); e.Status != "routed" || v.Status != hub.Open || v.Offered != "" {
		t.Errorf("the escalation is %s, the hub has it %s, offered to %q; want it to wait", e.Status, v.Status, v.Offered)
	}
	s.Hub().SetAway(simulation.Ana, false)
	s.answered(simulation.Ana, c)
	s.status(id, "accepted")
}

// A hub that is too full ends the conversation; the bot is told that it failed.
func TestAnOverflowingQueueEndsTheConversation(t *testing.T) {
	t.Parallel()
	const rules, action = "03000000-0000-4000-8000-000000000003", "0f000000-0000-4000-8000-000000000001"
	s := openShop(t)
	store := s.Organisation(simulation.StoreOrganisation)
	store.Put("msdyn_overflowactionconfigs", action, tables.Row{"msdyn_overflowactiontype": 192350001.0})
	store.Put("queues", simulation.RefundsQueue, tables.Row{"_msdyn_prequeueoverflowrulesetid_value": rules})
	s.Hub().SetAway(simulation.Ana, true)
	s.handedOver()
	s.handedOver()
	c, id := s.handedOver()
	e := s.status(id, "failed")
	if v := s.seen(c); e.Code != "closed-by-overflow" || v.Reason != hub.ClosedByOverflow {
		t.Errorf("the escalation failed by %s, the hub closed it for %d", e.Code, v.Reason)
	}
	s.told("failed")
}

// Rules of the hub that can't be used lead to its fallback queue, which is told
// as what it is: not what was decided.
func TestAHubWhoseRulesAreBrokenOverrulesUs(t *testing.T) {
	t.Parallel()
	const rules = "03000000-0000-4000-8000-000000000002"
	s := openShop(t)
	s.Organisation(simulation.StoreOrganisation).Put("msdyn_decisionrulesets", rules, tables.Row{"msdyn_rulesetdefinition": "<decision"})
	c, id := s.handedOver()
	s.answered(simulation.Ben, c)
	s.status(id, "accepted")
	if all := s.types(); !slices.Contains(all, "RouteOverruled") || slices.Contains(all, "RouteConfirmed") {
		t.Errorf("facts = %v, want the route overruled", all)
	}
}

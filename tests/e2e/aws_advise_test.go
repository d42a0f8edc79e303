package e2e_test

import (
	"fmt"
	"net/http"
	"testing"

	"handoff/infra/microsoft/simulation"
)

// The small path: the bot has a connection of its own, and asks for a queue.
func TestAnAdvisedConversationOnAWS(t *testing.T) {
	t.Parallel()
	s, c := openShopOnAWS(t, simulation.NativeID, func(p map[string]any) {
		p["hub"].(map[string]string)["application_id"] = simulation.NativeID
		o := p["omnichannel"].(map[string]string)
		o["path"] = "advise"
		delete(o, "azure_bot")
		delete(o, "queue")
		delete(p, "application_secret")
	})
	const ask = "/v1/connections/store-bot/escalations"
	s.problem(http.StatusBadRequest, "conversation-id-missing", c.bot, "POST", ask, map[string]string{}) // an instance that is warm
	s.VirtualBots().Script(simulation.StoreBot, advised(s.url+ask, c.bot, "handoff"))
	chat := s.asks()
	ana, offer := s.answered(simulation.Ana, chat)
	id := fmt.Sprint(offer.Context["HandoffEscalationId"])
	if e := s.status(id, "accepted"); e.Queue.ID != "refunds" || offer.QueueName != "Refunds" {
		t.Errorf("escalation = %+v, offered %s, want refunds", e, offer.QueueName)
	}
	if err := ana.End(chat.ID()); err != nil {
		t.Fatal(err)
	}
	s.status(id, "completed")
	s.eventually("the route is confirmed", func() bool { return s.count("RouteConfirmed") == 1 })
	s.whole()
}

package e2e_test

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"handoff/events"
	"handoff/infra/eventlog/dynamolog"
	"handoff/infra/microsoft/entra/controlplane/controlplanetest"
	"handoff/infra/microsoft/simulation"
	"handoff/tests/awstest"
)

// openShopOnAWS connects the example's bot in the deployment, whose fake of
// Microsoft's cloud these scenarios share. application is who has the
// conversations of its workstream.
func openShopOnAWS(t *testing.T, application string, change func(plan map[string]any)) (*shop, connected) {
	t.Helper()
	w := startOnAWS(t, awstest.Get(t, awstest.MiniStack))
	s := &shop{w, controlplanetest.Cloud{Running: shared.microsoft}}
	p := planAt(s.Cloud)
	p["rules"] = relayRules
	change(p)
	c := w.request("store-bot", p)
	w.ready("store-bot")
	if err := s.Assign(simulation.Workstream, application); err != nil {
		t.Fatal(err)
	}
	return s, c
}

// The whole path, of functions that are processes of their own.
func TestARelayedConversationOnAWS(t *testing.T) {
	t.Parallel()
	s, _ := openShopOnAWS(t, simulation.RelayID, func(map[string]any) {})
	s.VirtualBots().Script(simulation.StoreBot, simulation.Topics())
	s.SetEndpoint(simulation.RelayID, s.url+"/v1/messages/"+s.tenantName+"/store-bot")
	c := s.visit("R. Bakker")
	s.reads(c, greeting)
	s.say(c, "refund please")
	const question = "I can help with a refund. What is your order number?"
	s.reads(c, question)
	s.chill()
	s.say(c, "A-1234")
	s.readsAfterAKill(c, question, "Thank you. I'll connect you with somebody who can do that.")
	s.reads(c, "The conversation is being transferred.")
	ana, offer := s.taken(simulation.Ana, c)
	if offer.QueueName != "Refunds" || offer.Context["HandoffQueue"] != "refunds" || offer.Context["OrderNumber"] != "A-1234" {
		t.Errorf("Ana is offered %+v", offer)
	}
	s.helped(ana, offer, c)
	s.eventually("the relay ends", func() bool { return slices.Contains(s.types(), "RelayEnded") })
	for _, hop := range []string{"RouteConfirmed", "HumanAgentJoined", "ContextRead", "BotTold"} {
		if !slices.Contains(s.types(), hop) {
			t.Errorf("there is no fact %s among %v", hop, s.types())
		}
	}
	s.whole()
	s.sized()
}

// sized prints what the conversation takes in the log's table, which tests/costs
// assumes.
func (s *shop) sized() {
	s.t.Helper()
	db, table := dynamodb.NewFromConfig(awstest.Get(s.t, awstest.MiniStack).Config()), s.cloud.Resource("Log")
	commits, units, largest := 0, 0, 0
	for pages := dynamodb.NewScanPaginator(db, &dynamodb.ScanInput{TableName: &table}); pages.HasMorePages(); {
		page, err := pages.NextPage(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		for _, item := range page.Items {
			c, err := dynamolog.ParseItem(item)
			if err != nil || c.Tenant != s.tenantName || c.Kind != events.KindConversation {
				continue
			}
			commits, units, largest = commits+1, units+dynamolog.WriteUnits(item), max(largest, dynamolog.Size(item))
		}
	}
	s.t.Logf("the conversation has %d facts in %d commits of at most %d bytes, %d write units", len(s.types()), commits, largest, units)
}

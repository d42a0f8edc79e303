package hubtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/simulation"
	"handoff/infra/microsoft/simulation/hub"
	"handoff/infra/microsoft/simulation/tables"
)

// The rulesets of the example.
const (
	routeRules    = "03000000-0000-4000-8000-000000000002"
	overflowRules = "03000000-0000-4000-8000-000000000003"
	overflowTo    = "0f000000-0000-4000-8000-000000000001"
)

// routing is what is promised of where a conversation goes.
var routing = map[string]func(*testing.T, Opener){
	"the queue that Handoff names is obeyed": func(t *testing.T, start Opener) {
		b := Connect(t, start)
		for name, queue := range map[string]string{"Refunds": simulation.RefundsQueue, "general": simulation.GeneralQueue, "Test": simulation.TestQueue} {
			if c := b.escalated(map[string]any{"HandoffQueue": name}); c.Queue != queue {
				t.Errorf("%s goes to %s", name, c.QueueName)
			}
		}
	},
	"no rule, a malformed ruleset, and a queue that is not there lead to the fallback queue": func(t *testing.T, start Opener) {
		b := Connect(t, start)
		for _, definition := range []string{
			"", "<decision", "<decision><rules/></decision>",
			toQueue("0e000000-0000-4000-8000-00000000dead"),
		} {
			b.rules(routeRules, tables.Row{"msdyn_rulesetdefinition": definition})
			if c := b.escalated(map[string]any{"HandoffQueue": "Refunds"}); c.Queue != simulation.DefaultQueue {
				t.Errorf("%q leads to %s", definition, c.QueueName)
			}
		}
	},
	"a disabled rule is passed over": func(t *testing.T, start Opener) {
		b := Connect(t, start)
		b.rules(routeRules, tables.Row{"msdyn_disabledrules": `["5b0e7c1e-0000-4000-8000-000000000011"]`})
		if c := b.escalated(map[string]any{"HandoffQueue": "Refunds"}); c.Queue != simulation.DefaultQueue {
			t.Errorf("it goes to %s", c.QueueName)
		}
	},
	"the first match that does not overflow gets it": func(t *testing.T, start Opener) {
		b := Connect(t, start)
		b.rules(routeRules, tables.Row{"msdyn_rulesetdefinition": toQueue(simulation.RefundsQueue, simulation.GeneralQueue)})
		b.overflowing(simulation.RefundsQueue)
		var got []string
		for range 3 {
			got = append(got, b.escalated(nil).QueueName)
		}
		if strings.Join(got, ", ") != "Refunds, "+"Refunds, General" {
			t.Errorf("queues = %q", got)
		}
	},
	"where all overflow the action is done: to another queue, or the end": func(t *testing.T, start Opener) {
		b := Connect(t, start)
		b.overflowing(simulation.RefundsQueue)
		refunds := map[string]any{"HandoffQueue": "Refunds"}
		b.escalated(refunds)
		b.escalated(refunds)
		if c := b.escalated(refunds); c.Queue != simulation.DefaultQueue || c.Status != hub.Open {
			t.Errorf("it goes to %s, %s", c.QueueName, c.Status)
		}
		b.Organisation(simulation.StoreOrganisation).Put("msdyn_overflowactionconfigs", overflowTo, tables.Row{"msdyn_overflowactiontype": 192350001.0})
		if c := b.escalated(refunds); c.Status != hub.Closed || c.Reason != hub.ClosedByOverflow {
			t.Errorf("%s %d", c.Status, c.Reason)
		}
		b.Organisation(simulation.StoreOrganisation).Put("msdyn_overflowactionconfigs", overflowTo, tables.Row{"msdyn_overflowactiontype": 192350006.0})
		if c := b.escalated(refunds); c.Queue != simulation.RefundsQueue || c.Status != hub.Open {
			t.Errorf("it goes to %s, %s", c.QueueName, c.Status)
		}
	},
	"outside of its hours a queue overflows if its rules say so, an open one is preferred": func(t *testing.T, start Opener) {
		b := Connect(t, start)
		b.rules(routeRules, tables.Row{"msdyn_rulesetdefinition": toQueue(simulation.RefundsQueue, simulation.GeneralQueue)})
		b.rules(overflowRules, tables.Row{"msdyn_rulesetdefinition": overflowWhen("queue_prequeue.iswithinoperatinghour", "==", "false")})
		b.overflowing(simulation.RefundsQueue)
		b.overflowing(simulation.GeneralQueue)
		b.Hub().SetShut(simulation.RefundsQueue, true)
		if c := b.escalated(nil); c.Queue != simulation.GeneralQueue {
			t.Errorf("it goes to %s", c.QueueName)
		}
		b.Hub().SetShut(simulation.GeneralQueue, true)
		if c := b.escalated(nil); c.Queue != simulation.DefaultQueue {
			t.Errorf("it goes to %s", c.QueueName)
		}
	},
	"who waits too long overflows out of the queue": func(t *testing.T, start Opener) {
		b := Connect(t, start)
		b.rules(overflowRules, tables.Row{"msdyn_rulesetdefinition": overflowWhen("queue_inqueue.lapsedwaittime", "&gt;=", "300")})
		b.Organisation(simulation.StoreOrganisation).Put("queues", simulation.RefundsQueue, tables.Row{"_msdyn_inqueueoverflowrulesetid_value": overflowRules})
		c := b.escalated(map[string]any{"HandoffQueue": "Refunds"})
		b.Clock.Advance(4 * time.Minute)
		if now, _ := b.Hub().Conversation(c.ID); now.Queue != simulation.RefundsQueue {
			t.Errorf("after 4 minutes it is in %s", now.QueueName)
		}
		b.Clock.Advance(time.Minute)
		if now, _ := b.Hub().Conversation(c.ID); now.Queue != simulation.DefaultQueue {
			t.Errorf("after 5 minutes it is in %s", now.QueueName)
		}
	},
	"a queue without people strands it, until somebody joins": func(t *testing.T, start Opener) {
		b := Connect(t, start)
		b.rules(routeRules, tables.Row{"msdyn_rulesetdefinition": toQueue(simulation.RefundsQueue)})
		b.Hub().SetAway(simulation.Ana, true)
		c := b.escalated(nil)
		if c.Status != hub.Open || c.Reason != hub.AwaitingAssignment || c.Offered != "" {
			t.Errorf("%s %d, offered to %q", c.Status, c.Reason, c.Offered)
		}
		b.Hub().SetAway(simulation.Ana, false)
		if now, _ := b.Hub().Conversation(c.ID); now.Offered != simulation.Ana || now.Reason != hub.AwaitingAcceptance {
			t.Errorf("offered to %q", now.Offered)
		}
	},
	"nobody is offered more than their capacity, and what is declined goes on": func(t *testing.T, start Opener) {
		b := Connect(t, start)
		var all []hub.Conversation
		for range 4 {
			all = append(all, b.escalated(map[string]any{"HandoffQueue": "Refunds"}))
		}
		if all[2].Offered != simulation.Ana || all[3].Offered != "" {
			t.Errorf("offered to %q and %q", all[2].Offered, all[3].Offered)
		}
		ana, _ := b.Hub().Desk(simulation.Ana)
		if err := ana.Decline(all[0].ID); err != nil {
			t.Fatal(err)
		}
		first, _ := b.Hub().Conversation(all[0].ID)
		last, _ := b.Hub().Conversation(all[3].ID)
		if first.Offered != "" || last.Offered != simulation.Ana {
			t.Errorf("offered to %q and %q", first.Offered, last.Offered)
		}
		if err := ana.Decline(all[0].ID); !fault.Is(err, "not-offered") {
			t.Errorf("error = %v, want not-offered", err)
		}
	},
	"a human agent transfers a conversation to another queue": func(t *testing.T, start Opener) {
		b := Connect(t, start)
		c := b.escalated(map[string]any{"HandoffQueue": "Refunds"})
		ana, _ := b.Hub().Desk(simulation.Ana)
		if err := ana.Accept(c.ID); err != nil {
			t.Fatal(err)
		}
		ben, _ := b.Hub().Desk(simulation.Ben)
		for sentence, err := range map[string]error{
			"says something": ben.Say(c.ID, "x"), "transfers it": ben.Transfer(c.ID, simulation.TestQueue), "ends it": ben.End(c.ID), "closes it": ben.Close(c.ID),
		} {
			if !fault.Is(err, "not-your-conversation") {
				t.Errorf("Ben %s in Ana's conversation: %v", sentence, err)
			}
		}
		if err := ana.Transfer(c.ID, simulation.GeneralQueue); err != nil {
			t.Fatal(err)
		}
		if now, _ := b.Hub().Conversation(c.ID); now.Queue != simulation.GeneralQueue || now.Offered != simulation.Ben || now.Status != hub.Open {
			t.Errorf("%s in %s, offered to %q", now.Status, now.QueueName, now.Offered)
		}
	},
	"a bot that can't be reached is passed by, and it is told why": func(t *testing.T, start Opener) {
		for why, change := range map[string]func(*simulation.Config){
			"disabled":       func(c *simulation.Config) { botUser(c)["isdisabled"] = true },
			"Teams channel":  func(c *simulation.Config) { c.Bots[0].Channels = nil },
			"does not push":  func(c *simulation.Config) { stream(c)["msdyn_workdistributionmode"] = 192350001.0 },
			"no member":      func(c *simulation.Config) { c.Organisations[0].Links["queuemembership_association"] = nil },
			"lacks the role": func(c *simulation.Config) { c.Organisations[0].Links["systemuserroles_association"] = nil },
			"no Azure Bot":   func(c *simulation.Config) { c.Bots = nil },
		} {
			b := start(t, simulation.Connected, change)
			w, err := b.Hub().Open(hub.Chat{AppID: simulation.WidgetAppID})
			if err != nil {
				t.Fatal(err)
			}
			if c := b.State(w); c.Status != hub.Open || len(c.Problems) != 1 || !strings.Contains(c.Problems[0], why) {
				t.Errorf("%s: %s, problems %q", why, c.Status, c.Problems)
			}
		}
	},
	"an administrator closes a record, and other changes of its status are refused": func(t *testing.T, start Opener) {
		b := Connect(t, start)
		ask := b.dataverse(simulation.StoreOrganisation)
		w, _ := b.Open(nil)
		path := "/msdyn_ocliveworkitems(" + w.ID() + ")"
		b.Want(ask("PATCH", path, map[string]any{"statuscode": 3}), 400, "")
		b.Want(ask("PATCH", path, map[string]any{"statecode": 1, "statuscode": 4}), 204, "")
		if c := b.State(w); c.Status != hub.Closed || c.Reason != hub.ClosedByAdministrator {
			t.Errorf("%s %d", c.Status, c.Reason)
		}
		w, _ = b.Open(nil)
		force := "/msdyn_ocliveworkitems(" + w.ID() + ")/Microsoft.Dynamics.CRM.CCaaS_ForceCloseConversation"
		b.Want(ask("POST", force, map[string]any{}), 204, "")
		b.Want(ask("POST", force, map[string]any{}), 400, "")
		if c := b.State(w); c.Reason != hub.ClosedBySupervisor {
			t.Errorf("%s %d", c.Status, c.Reason)
		}
	},
}

// escalated opens a conversation and has the bot escalate it.
func (b *Bot) escalated(variables map[string]any) hub.Conversation {
	b.T.Helper()
	w, first := b.Open(nil)
	b.Want(b.Reply(first, Command("Escalate", "s", variables)), 201, "")
	return b.State(w)
}

// rules changes a ruleset of the shop's.
func (b *Bench) rules(id string, change tables.Row) {
	b.Organisation(simulation.StoreOrganisation).Put("msdyn_decisionrulesets", id, change)
}

// overflowing has a queue use the example's overflow ruleset.
func (b *Bench) overflowing(queue string) {
	b.Organisation(simulation.StoreOrganisation).Put("queues", queue, tables.Row{"_msdyn_prequeueoverflowrulesetid_value": overflowRules})
}

// toQueue is a ruleset that names queues, one a rule.
func toQueue(queues ...string) string {
	var s strings.Builder
	for i, q := range queues {
		fmt.Fprintf(&s, `<rule id="%d" name="to %s"><action><setattribute><lhs>assign_to.queue</lhs><rhs>{%s}</rhs></setattribute></action></rule>`, i, q, q)
	}
	return "<decision><rules>" + s.String() + "</rules></decision>"
}

// overflowWhen is an overflow ruleset with one condition.
func overflowWhen(attribute, operator, value string) string {
	return `<decision><rules><rule id="1"><condition operator="` + operator + `"><lhs>` + attribute + `</lhs><rhs>` + value + `</rhs></condition><action>` +
		`<setattribute><lhs>overflow.queueoverflow</lhs><rhs>true</rhs></setattribute>` +
		`<setattribute><lhs>overflowaction.msdyn_overflowactionconfig.msdyn_overflowactionconfigid</lhs><rhs>` + overflowTo + `</rhs></setattribute></action></rule></rules></decision>`
}

func stream(c *simulation.Config) tables.Row {
	return c.Organisations[0].Rows["msdyn_liveworkstreams"][0]
}

func botUser(c *simulation.Config) tables.Row {
	users := c.Organisations[0].Rows["systemusers"]
	return users[len(users)-1]
}

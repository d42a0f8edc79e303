package simulation

import (
	_ "embed"
	"fmt"
	"slices"
	"time"

	"handoff/infra/microsoft/simulation/clock"
	"handoff/infra/microsoft/simulation/tables"
)

//go:embed rules/classification.xml
var classification string

//go:embed rules/routing.xml
var routing string

//go:embed rules/overflow.xml
var overflow string

// store returns the shop's organisation, in which Omnichannel is set up and no
// bot is connected.
func store(c clock.Clock) tables.Organisation {
	o := empty(StoreOrganisation, "store", StoreURL, "EMEA", false)
	o.Name = "Delft store"
	for _, rows := range []map[string][]tables.Row{people(), queues(), workstream(), rulesets(), bots(c)} {
		for set, more := range rows {
			o.Rows[set] = slices.Concat(o.Rows[set], more)
		}
	}
	for _, person := range []string{Ana, Ben} {
		o.Links["systemuserroles_association"] = append(o.Links["systemuserroles_association"], [2]string{person, OmnichannelAgentRole})
	}
	o.Links["queuemembership_association"] = [][2]string{
		{DefaultQueue, Ben}, {GeneralQueue, Ben}, {BotQueue, Ben}, {TestQueue, Ben}, {RefundsQueue, Ana},
	}
	return o
}

func people() map[string][]tables.Row {
	return map[string][]tables.Row{
		"systemusers": {
			{"systemuserid": Ana, "fullname": "Ana de Wit", "internalemailaddress": "ana@store.example", "isdisabled": false, "islicensed": true, "accessmode": 0.0, "msdyn_capacity": 3.0},
			{"systemuserid": Ben, "fullname": "Ben Smit", "internalemailaddress": "ben@store.example", "isdisabled": false, "islicensed": true, "accessmode": 0.0, "msdyn_capacity": 3.0},
		},
		"contacts": {{"contactid": "0d000000-0000-4000-8000-000000000001", "fullname": "R. Bakker", "emailaddress1": "bakker@home.example"}},
		// The unique names of these solutions are made up: no public source has
		// them.
		"solutions": {
			{"friendlyname": "Omnichannel for Customer Service", "uniquename": "OmnichannelEngagementHub", "version": "9.0.24042.1", "ismanaged": true},
			{"friendlyname": "Omnichannel Power Virtual Agents Extension", "uniquename": "OmnichannelPowerVirtualAgentsExtension", "version": "1.4.0.7", "ismanaged": true},
		},
	}
}

func queues() map[string][]tables.Row {
	queue := func(id, name string, priority float64) tables.Row {
		return tables.Row{
			"queueid": id, "name": name, "msdyn_isomnichannelqueue": true, "msdyn_queuetype": 192350000.0, "msdyn_priority": priority,
			"msdyn_assignmentstrategy": 192350000.0, "msdyn_isdefaultqueue": id == DefaultQueue, "queueviewtype": 0.0,
		}
	}
	return map[string][]tables.Row{"queues": {
		queue(DefaultQueue, "Default messaging queue", 10), queue(RefundsQueue, "Refunds", 1), queue(GeneralQueue, "General", 5),
		queue(BotQueue, "Store bot", 5), queue(TestQueue, "Test", 100),
	}}
}

func workstream() map[string][]tables.Row {
	variable := func(name string, kind float64) tables.Row {
		return tables.Row{
			"msdyn_name": name, "msdyn_displayname": name, "msdyn_datatype": kind, "_msdyn_liveworkstreamid_value": Workstream,
			"msdyn_ismodifiable": true, "msdyn_isdisplayable": true, "msdyn_issystemdefined": false, "msdyn_islist": false,
		}
	}
	return map[string][]tables.Row{
		"msdyn_liveworkstreams": {{
			"msdyn_liveworkstreamid": Workstream, "msdyn_name": "Store chat", "msdyn_streamsource": 192360000.0, "msdyn_mode": 717210000.0,
			"msdyn_workdistributionmode": 192350000.0, "msdyn_capacityrequired": 1.0, "msdyn_conversationmode": 192350000.0,
			"msdyn_autocloseafterinactivity": 30.0, "msdyn_direction": 0.0, "_msdyn_bot_queue_value": BotQueue, "_msdyn_defaultqueue_value": DefaultQueue,
		}},
		"msdyn_ocliveworkstreamcontextvariables": {
			variable("HandoffQueue", 192350000), variable("HandoffEscalationId", 192350000), variable("HandoffContextUrl", 192350000),
			variable("OrderNumber", 192350000), variable("Items", 192350001), variable("va_LastTopic", 192350000), variable("va_Topics", 192350000),
		},
		"msdyn_livechatconfigs": {{
			"msdyn_livechatconfigid": Widget, "msdyn_name": "Store site", "msdyn_widgetappid": WidgetAppID,
			"_msdyn_liveworkstreamid_value": Workstream, "msdyn_widgetsnippet": snippet(),
		}},
	}
}

// snippet returns the embed code of the shop's widget.
func snippet() string {
	return fmt.Sprintf(`<script v2 id="Microsoft_Omnichannel_LCWidget" src="https://oc-cdn-public-eur.azureedge.net/livechatwidget/scripts/LiveChatBootstrapper.js" `+
		`data-app-id="%s" data-lcw-version="prod" data-org-id="%s" data-org-url="https://m-%s.eu.omnichannelengagementhub.com"></script>`,
		WidgetAppID, StoreOrganisation, StoreOrganisation)
}

func rulesets() map[string][]tables.Row {
	const (
		configuration   = "02000000-0000-4000-8000-000000000001"
		classifyRules   = "03000000-0000-4000-8000-000000000001"
		routeRules      = "03000000-0000-4000-8000-000000000002"
		overflowRules   = "03000000-0000-4000-8000-000000000003"
		classifyOutput  = "04000000-0000-4000-8000-000000000001"
		routeOutput     = "04000000-0000-4000-8000-000000000002"
		overflowOutput  = "04000000-0000-4000-8000-000000000003"
		toDefaultAction = "0f000000-0000-4000-8000-000000000001"
	)
	step := func(order, kind float64, ruleset string) tables.Row {
		return tables.Row{"_msdyn_routingconfigurationid_value": configuration, "msdyn_steporder": order, "msdyn_type": kind, "_msdyn_rulesetid_value": ruleset}
	}
	ruleset := func(id, name, definition, output string) tables.Row {
		return tables.Row{"msdyn_decisionrulesetid": id, "msdyn_name": name, "msdyn_rulesetdefinition": definition, "_msdyn_outputcontractid_value": output}
	}
	return map[string][]tables.Row{
		"msdyn_routingconfigurations": {{
			"msdyn_routingconfigurationid": configuration, "msdyn_name": "Store chat", "_msdyn_liveworkstreamid_value": Workstream, "msdyn_isactiveconfiguration": true,
		}},
		"msdyn_routingconfigurationsteps": {step(1, 192350000, classifyRules), step(2, 192350002, routeRules)},
		"msdyn_decisionrulesets": {
			ruleset(classifyRules, "What is urgent", classification, classifyOutput),
			ruleset(routeRules, "Which queue", routing, routeOutput),
			ruleset(overflowRules, "Too many wait", overflow, overflowOutput),
		},
		"msdyn_decisioncontracts": {
			{"msdyn_decisioncontractid": classifyOutput, "msdyn_uniquename": "new_storechat"},
			{"msdyn_decisioncontractid": routeOutput, "msdyn_uniquename": "msdyn_demandqueueidentificationoutput"},
			{"msdyn_decisioncontractid": overflowOutput, "msdyn_uniquename": "msdyn_queueoverflowrulesetoutput"},
		},
		"msdyn_overflowactionconfigs": {{
			"msdyn_overflowactionconfigid": toDefaultAction, "msdyn_name": "To the default queue", "msdyn_overflowactiontype": 192350005.0,
			"msdyn_overflowactiondata": DefaultQueue,
		}},
	}
}

func bots(c clock.Clock) map[string][]tables.Row {
	published := c.Now().Add(-48 * time.Hour)
	return map[string][]tables.Row{"bots": {{
		"botid": StoreBot, "name": "Store bot", "schemaname": StoreBotSchema, "language": 1033.0, "authenticationmode": 1.0,
		"accesscontrolpolicy": 0.0, "statecode": 0.0, "statuscode": 1.0, "componentstate": 0.0, "publishedon": tables.Stamp(published),
		"synchronizationstatus": tables.SynchronizationStatus(4, true, published.Add(-time.Minute), published),
	}}}
}

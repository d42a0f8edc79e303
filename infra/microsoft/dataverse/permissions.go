package dataverse

import "handoff/infra/microsoft/entra/controlplane"

// Permissions returns what the operations of this package need. The security
// roles System Administrator and, but for the bot's publish state, Omnichannel
// administrator have them all. The names of privileges follow the vendor's
// pattern; of each table they are not verified.
func Permissions() []controlplane.Permission {
	var all []controlplane.Permission
	for _, p := range []struct{ name, reason string }{
		{"prvReadbot", "Sees whether the bot is published."},
		{"prvReadSolution", "Sees whether Omnichannel and its extension for bots are installed."},
		{"prvReadBusinessUnit, prvReadRole", "Finds where the application user belongs and which role it needs."},
		{"prvReadUser, prvCreateUser, prvWriteUser, prvAssignRole", "Makes the application user by which Omnichannel reaches the bot, enables it, and disables it when you disconnect."},
		{"prvReadQueue, prvCreateQueue, prvAppendToQueue, prvAppendUser", "Finds or makes the bot's queue and puts the application user into it."},
		{"prvReadmsdyn_liveworkstream, prvReadmsdyn_ocliveworkstreamcontextvariable", "Sees that the workstream pushes work to the bot, and which variables its rules use."},
		{"prvReadmsdyn_routingconfiguration, prvReadmsdyn_routingconfigurationstep, prvReadmsdyn_decisionruleset", "Reads the hub's rules, to tell whether they obey the queue that Handoff chose."},
		{"prvWritemsdyn_decisionruleset, prvCreatemsdyn_ocliveworkstreamcontextvariable, prvAppendTomsdyn_liveworkstream", "Adds rules that obey Handoff, and the variables that they look at; only if you allow it (omnichannel.add_hub_rules)."},
		{"prvReadmsdyn_livechatconfig", "Compares the chat widget's embed code with the one on your page."},
		{"prvReadmsdyn_ocliveworkitem, prvReadmsdyn_ocliveworkitemcontextitem, prvReadmsdyn_ocliveworkitemcontextitemelastic", "Records what became of an escalation in the hub: its queue, its status, when it was accepted and ended."},
	} {
		all = append(all, controlplane.Permission{API: "Dataverse", Name: p.name, Reason: p.reason})
	}
	return all
}

package dataverse

import "handoff/infra/microsoft/entra/controlplane"

// Permissions returns what the operations of this package need: all of them, or
// those for a hub in which the bot was set up by a person. The security roles
// System Administrator and, but for the bot's publish state, Omnichannel
// administrator have them all. The names of privileges follow the vendor's
// pattern; of each table they are not verified.
func Permissions(setUp bool) []controlplane.Permission {
	all := []controlplane.Permission{
		permission("Sees whether the bot is published.", "prvReadbot"),
		permission("Sees whether Omnichannel and its extension for bots are installed.", "prvReadSolution"),
		permission("Finds where the application user belongs and which role it needs.", "prvReadBusinessUnit, prvReadRole"),
	}
	if setUp {
		all = append(all,
			permission("Makes the application user by which Omnichannel reaches the bot, enables it, and disables it when you disconnect.", "prvReadUser, prvCreateUser, prvWriteUser, prvAssignRole"),
			permission("Finds or makes the bot's queue and puts the application user into it.", "prvReadQueue, prvCreateQueue, prvAppendToQueue, prvAppendUser"))
	} else {
		all = append(all, permission("Sees that the bot's application user works in the hub, and who is in its queue.", "prvReadUser, prvReadQueue"))
	}
	return append(all,
		permission("Sees that the workstream pushes work to the bot, and which variables its rules use.", "prvReadmsdyn_liveworkstream, prvReadmsdyn_ocliveworkstreamcontextvariable"),
		permission("Reads the hub's rules, to tell whether they obey the queue that Handoff chose.", "prvReadmsdyn_routingconfiguration, prvReadmsdyn_routingconfigurationstep, prvReadmsdyn_decisionruleset"),
		permission("Adds rules that obey Handoff, and the variables that they look at; only if you allow it (omnichannel.add_hub_rules).",
			"prvWritemsdyn_decisionruleset, prvCreatemsdyn_ocliveworkstreamcontextvariable, prvAppendTomsdyn_liveworkstream"),
		permission("Compares the chat widget's embed code with the one on your page.", "prvReadmsdyn_livechatconfig"),
		permission("Records what became of an escalation in the hub: its queue, its status, when it was accepted and ended.",
			"prvReadmsdyn_ocliveworkitem, prvReadmsdyn_ocliveworkitemcontextitem, prvReadmsdyn_ocliveworkitemcontextitemelastic"))
}

func permission(reason, names string) controlplane.Permission {
	return controlplane.Permission{API: "Dataverse", Name: names, Reason: reason}
}

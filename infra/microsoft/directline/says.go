package directline

import (
	"encoding/json"

	"handoff/infra/microsoft/activity"
)

// Greet asks the bot to begin: an event startConversation (documented; the
// articles also write startsConversation, which bots do not know).
func Greet() activity.Activity { return activity.Event("startConversation", nil) }

// SetContext gives the bot variables, by their names, before Greet: an event
// pvaSetContext (documented for web chat, and community).
func SetContext(variables map[string]json.RawMessage) activity.Activity {
	return activity.Event("pvaSetContext", variables)
}

// End tells the bot that the customer has gone (documented: endOfConversation,
// posted as an activity).
func End() activity.Activity {
	return activity.Activity{}.With("type", activity.TypeEndOfConversation)
}

// Package omnichannel knows how Omnichannel for Customer Service wants to be
// spoken to by a bot, and what it says itself: the commands in a message's tags,
// context variables and their limits, the event with which a conversation
// begins, the chat widget's embed code, and addresses in its pages.
//
// All of it is pure. Nothing is cut silently: what is over one of the hub's
// limits is a Finding, and whoever looks at the conversation sees that it is
// missing and where it can be read.
package omnichannel

import (
	"encoding/json"
	"slices"
	"strings"

	"handoff/domain/intake/strictjson"
	"handoff/infra/microsoft/activity"
)

// The commands of a bot (Microsoft, "Escalate and end a conversation",
// bot-escalate-end-conversation; documented: exact case).
const (
	CommandEscalate = "Escalate"
	CommandEnd      = "EndConversation"
)

// Command is what a bot asks of the hub. The zero value is none.
type Command struct {
	Type string
	// Context has the values of context variables by their names: texts and
	// whole numbers.
	Context map[string]json.RawMessage
}

// ParseTags reads channelData.tags: a command, or else the words between the
// commas, without quotes around them and without empty ones (read from the chat
// SDK).
func ParseTags(tags string) (Command, []string) {
	if c, ok := parseCommand(tags); ok {
		return c, nil
	}
	var words []string
	for word := range strings.SplitSeq(tags, ",") {
		if word = strings.Trim(strings.TrimSpace(word), `"`); word != "" {
			words = append(words, word)
		}
	}
	return Command{}, words
}

func parseCommand(tags string) (Command, bool) {
	if !strings.HasPrefix(strings.TrimSpace(tags), "{") {
		return Command{}, false
	}
	fields, err := strictjson.Members([]byte(tags))
	if err != nil {
		return Command{}, false
	}
	a := activity.Activity(fields)
	return Command{Type: a.Type(), Context: a.Object("context")}, a.Type() != ""
}

// TagsOf returns the tags of an activity. The hub's first event of a
// conversation spells channelData in lower case (documented).
func TagsOf(a activity.Activity) string {
	return channelData(a).Text("tags")
}

func channelData(a activity.Activity) activity.Activity {
	if d := a.Object("channelData"); d != nil {
		return d
	}
	return a.Object("channeldata")
}

// FromCustomer reports whether the customer said it in a message (documented:
// the tag FromCustomer). What the hub's system and human agents say is not.
func FromCustomer(a activity.Activity) bool {
	_, words := ParseTags(TagsOf(a))
	return a.Type() == activity.TypeMessage && slices.Contains(words, "FromCustomer")
}

// Bridged returns a bot's message as the customer is to see it: the hub shows
// its customers only what channelData.deliveryMode calls bridged (documented).
//
// What the bot's own channel put around it stays behind: ids, people, and
// channelData, which has what the bot thought, and would count for the limit of
// a message. Tags stay, for a message may be a command as well.
func Bridged(a activity.Activity) activity.Activity {
	shown := make(activity.Activity)
	for _, name := range [...]string{
		"type", "text", "textFormat", "locale", "speak", "inputHint", "attachments", "attachmentLayout",
		"suggestedActions", "summary", "importance",
	} {
		if raw, ok := a[name]; ok {
			shown[name] = raw
		}
	}
	data := map[string]string{"deliveryMode": "bridged"}
	if tags := TagsOf(a); tags != "" {
		data["tags"] = tags
	}
	return shown.With("channelData", data)
}

// End returns the message that ends the conversation in the hub. The text is
// for the human agents, who find it in the record.
func End(text string) activity.Activity {
	return command(CommandEnd, text, nil)
}

// command returns a message with a command. It is not bridged, so customers
// never see it.
func command(name, text string, context []variable) activity.Activity {
	tags := `{"type":"` + name + `","context":` + object(context) + `}`
	return activity.Message(text).With("channelData", map[string]string{"tags": tags})
}

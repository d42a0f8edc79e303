package virtualbot

import (
	"maps"
	"strings"
	"time"

	"handoff/infra/microsoft/simulation/wire"
)

// transfer sends handoff.initiate in the shape of a recorded payload: no
// serviceUrl and no recipient on the event itself, both on what its transcript
// has, and of the transcript not every activity.
func (c *conversation) transfer(message string) {
	value := c.known()
	value["va_AgentMessage"] = message
	transcript := c.transcript()
	c.transferred = true
	event := wire.Object{
		"type": "event", "name": "handoff.initiate", "value": value,
		"relatesTo": wire.Object{
			"activityId": c.activities[len(c.activities)-1]["id"], "user": wire.Object{"id": c.user["id"], "role": "user"},
			"bot":          wire.Object{"id": c.bot.Schema + "@" + c.bot.ID, "name": c.bot.Name, "role": "bot"},
			"conversation": wire.Object{"id": c.id}, "channelId": "directline", "serviceUrl": "https://directline.botframework.com/",
		},
	}
	c.say(event)
	event["attachments"] = []any{wire.Object{
		"contentType": "application/json", "name": "Transcript", "content": wire.Object{"activities": transcript},
	}}
}

// known returns the bot's own variables and those that topics set.
func (c *conversation) known() wire.Object {
	all := wire.Object{
		"va_Scope": "bot", "va_LastTopic": c.lastTopic, "va_Topics": list(c.topics), "va_LastPhrase": c.lastPhrase, "va_Phrases": list(c.phrases),
		"va_ConversationId": c.id, "va_BotId": c.bot.ID, "va_BotName": c.bot.Name, "va_Language": c.bot.Language,
	}
	maps.Copy(all, c.variables)
	return all
}

func list(l []any) []any {
	if l == nil {
		return []any{}
	}
	return l
}

// transcript returns the messages so far, without the last of the bot's: the
// recorded payload lacks it too.
func (c *conversation) transcript() []any {
	all := []any{}
	for i, a := range c.activities {
		mine := wire.String(wire.Child(a, "from"), "role") == "bot"
		if a["type"] != "message" || mine && i == len(c.activities)-1 {
			continue
		}
		all = append(all, c.recorded(a, mine))
	}
	return all
}

// recorded returns a message as the bot's own record has it.
func (c *conversation) recorded(a wire.Object, mine bool) wire.Object {
	user := wire.Object{"id": c.user["id"], "name": "", "role": "user"}
	r := wire.Object{
		"type": "message", "id": a["id"], "timestamp": a["timestamp"], "channelId": "directline",
		"serviceUrl": "https://directline.botframework.com/", "from": user, "recipient": c.self(), "conversation": wire.Object{"id": c.id},
		"text": a["text"], "textFormat": "plain", "locale": "en-US", "attachments": []any{}, "entities": []any{},
		"cci_bot_id": c.bot.ID, "cci_tenant_id": c.bot.Tenant, "cci_content_version": "4",
	}
	if !mine {
		r["entities"] = []any{wire.Object{"type": "ClientCapabilities", "requiresBotState": true, "supportsListening": true, "supportsTts": true}}
		return r
	}
	r["from"], r["recipient"] = c.self(), user
	if at, err := time.Parse(time.RFC3339Nano, wire.String(a, "timestamp")); err == nil {
		r["timestamp"] = strings.Replace(at.Format("2006-01-02T15:04:05.000000Z"), "Z", "+00:00", 1)
	}
	r["channelData"] = wire.Object{
		"DialogTraceDetail": wire.Object{"currentDialog": c.lastTopic}, "traceHistory": nil,
		"VariableDetail": wire.Object{"Variables": maps.Clone(c.variables)}, "CurrentMessageDetail": wire.Object{},
	}
	return r
}

package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"handoff/domain/fault"
	"handoff/infra/microsoft/simulation/signing"
	"handoff/infra/microsoft/simulation/tables"
	"handoff/infra/microsoft/simulation/tenants"
	"handoff/infra/microsoft/simulation/wire"
)

// bot is the application user that has a conversation first.
type bot struct {
	user        string
	name        string
	application string
}

const push = 192350000.0

// botOf returns the bot of a workstream, or why its bot can't have the
// conversation; without either the workstream has none.
func (h *Hub) botOf(db *tables.Database, stream tables.Row) (*bot, string) {
	id := wire.String(stream, "_msdyn_bot_user_value")
	if id == "" {
		return nil, ""
	}
	user := db.Get("systemusers", id)
	app := wire.String(user, "applicationid")
	azureBot, ok := h.Azure.Of(app)
	c := &conversation{hub: h, db: db}
	queue := wire.String(stream, "_msdyn_bot_queue_value")
	switch {
	case app == "" || user["isdisabled"] == true:
		return nil, "its user is disabled or no application"
	case !c.is(id, "Omnichannel agent"):
		return nil, "its user lacks the role Omnichannel agent"
	case stream["msdyn_workdistributionmode"] != push:
		return nil, "the workstream does not push its work"
	case !slices.Contains(db.Linked("queuemembership_association", queue), id):
		return nil, "its user is no member of the bot's queue"
	case !ok:
		return nil, "no Azure Bot runs as its application"
	case !slices.Contains(azureBot.Channels, "MsTeamsChannel") && !slices.Contains(azureBot.Channels, "Omnichannel"):
		return nil, "the Azure Bot has neither the Teams channel nor Omnichannel's"
	}
	return &bot{id, wire.String(user, "fullname"), app}, ""
}

// botHas reports whether the bot has the conversation now.
func (c *conversation) botHas() bool {
	return c.bot != nil && c.status == Active && c.agent == c.bot.user
}

// activity returns what every activity to the bot has. Roles are numbers and
// times seconds of the epoch here (documented samples).
func (c *conversation) activity(kind string) wire.Object {
	return wire.Object{
		"type": kind, "channelId": "lcw", "timestamp": c.hub.Clock.Now().Unix(), "serviceUrl": c.hub.ServiceURL(),
		"from":      wire.Object{"id": "8:acs:" + c.db.ID + "_" + c.id, "name": c.customer, "role": 1},
		"recipient": wire.Object{"id": "28:" + c.bot.application, "name": c.bot.name, "role": 0}, "conversation": wire.Object{"id": c.thread},
	}
}

// startEvent is the first activity: an event with the context. Its channeldata
// is spelt in lower case.
func (c *conversation) startEvent() wire.Object {
	a := c.activity("event")
	c.said++
	a["name"], a["id"] = "startConversation", fmt.Sprintf("%d%03d", c.hub.Clock.Now().UnixMilli(), c.said)
	a["channeldata"] = wire.Object{"tags": "ChannelId-lcw,OmnichannelContextMessage,Hidden", "sourceChannelId": "omnichannel"}
	value := wire.Object{"msdyn_liveworkitemid": c.id, "msdyn_inbox_threadids": `{"threads":[]}`}
	maps.Copy(value, c.context())
	if c.customerID != "" {
		value["msdyn_contact_msdyn_ocliveworkitem_Customer"] = []any{wire.Object{"RecordId": c.customerID, "PrimaryDisplayValue": c.customer}}
	}
	a["value"] = value
	return a
}

func (c *conversation) customerMessage(id, text string) wire.Object {
	a := c.activity("message")
	a["id"], a["text"], a["textFormat"], a["attachments"] = id, text, "plain", []any{}
	a["channelData"] = wire.Object{
		"tags": "ChannelId-lcw,FromCustomer", "deliveryMode": "bridged", "sourceChannelId": "omnichannel",
		"fromUserId": wire.Child(a, "from")["id"], "amsReferences": []any{}, "amsMetadata": []any{},
	}
	return a
}

// deliver queues an activity for the bot. Activities of one conversation
// arrive in their order, one at a time.
func (c *conversation) deliver(a wire.Object) {
	c.outbox = append(c.outbox, a)
	if c.sending {
		return
	}
	c.sending = true
	ctx := c.hub.ctx
	c.hub.wg.Go(func() {
		for c.deliverNext(ctx) {
		}
	})
}

// deliverNext sends what is first in the outbox, and reports whether there was
// anything.
func (c *conversation) deliverNext(ctx context.Context) bool {
	h := c.hub
	h.mu.Lock()
	if len(c.outbox) == 0 || ctx.Err() != nil {
		c.sending = false
		h.mu.Unlock()
		return false
	}
	a := c.outbox[0]
	c.outbox = c.outbox[1:]
	forgery := signing.Genuine
	if len(h.forgeries) > 0 {
		forgery, h.forgeries = h.forgeries[0], h.forgeries[1:]
	}
	h.mu.Unlock()
	status, err := c.post(ctx, a, forgery)
	h.mu.Lock()
	defer h.mu.Unlock()
	d := Delivery{Activity: a, Status: status}
	if err != nil {
		d.Problem = err.Error()
		c.problem("the bot did not answer: %v", err)
	} else if status >= http.StatusMultipleChoices {
		c.problem("the bot answered %d", status)
	}
	c.deliveries = append(c.deliveries, d)
	h.notify()
	return true
}

// post gives the bot an activity and returns the status of its answer.
func (c *conversation) post(ctx context.Context, a wire.Object, forgery signing.Forgery) (int, error) {
	if c.native != nil {
		c.native.Hear(a)
		return http.StatusOK, nil
	}
	azureBot, _ := c.hub.Azure.Of(c.bot.application) // whose endpoint may have changed
	return c.hub.Directory.Post(ctx, c.hub.client, tenants.Endpoint{Application: c.bot.application, URL: azureBot.Endpoint}, a, forgery)
}

// Redeliver sends an activity of a conversation to its bot once more, with the
// same id: the nth that was sent, counted from 0. It fails with
// delivery-not-found and conversation-not-found.
func (h *Hub) Redeliver(id string, n int) error {
	return h.with(id, func(c *conversation) error {
		if n < 0 || n >= len(c.deliveries) {
			return fault.New(fault.NotFound, "delivery-not-found", "There is no such delivery.")
		}
		c.deliver(c.deliveries[n].Activity)
		return nil
	})
}

// heard takes an activity of the bot's and returns its id.
func (c *conversation) heard(a wire.Object) string {
	c.sent = append(c.sent, a)
	kind := wire.String(a, "type")
	data := wire.Child(a, "channelData")
	if kind != "message" {
		if kind != "typing" {
			c.problem("an activity of type %s does not travel on this channel", kind)
		}
		c.said++
		return fmt.Sprintf("%d%03d", c.hub.Clock.Now().UnixMilli(), c.said)
	}
	attachments, _ := a["attachments"].([]any)
	id := c.add(Message{
		From: Bot, Name: c.bot.name, Text: wire.String(a, "text"), Private: data["deliveryMode"] != "bridged", Attachments: attachments,
	})
	c.watchSilence()
	if tags := wire.String(data, "tags"); strings.HasPrefix(strings.TrimSpace(tags), "{") {
		c.command(tags)
	}
	return id
}

// command carries out what a bot's message orders by its tags.
func (c *conversation) command(tags string) {
	var order wire.Object
	if err := json.Unmarshal([]byte(tags), &order); err != nil {
		c.problem("the tags can't be read: %v", err)
		return
	}
	variables := wire.Child(order, "context")
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		v := variables[name]
		if !fromBot(v) {
			c.problem("context variable %s is dropped: a bot sends texts and whole numbers only", name)
			continue
		}
		c.set(name, v)
	}
	switch wire.String(order, "type") {
	case "Escalate":
		if !c.botHas() {
			c.problem("the bot escalates what it has not")
			return
		}
		c.escalations++
		c.count("msdyn_escalationcount")
		c.stopQuiet()
		c.notice("The conversation is being transferred.")
		c.route()
	case "EndConversation":
		if err := c.close(EndedByBot); err != nil {
			c.problem("the bot ends the conversation: %v", err)
		}
	default:
		c.problem("there is no command %q", wire.String(order, "type"))
	}
}

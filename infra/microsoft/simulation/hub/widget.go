package hub

import (
	"context"

	"handoff/domain/fault"
	"handoff/infra/microsoft/simulation/tables"
	"handoff/infra/microsoft/simulation/wire"
)

// Chat is what a site tells when a customer opens its widget.
type Chat struct {
	// AppID is data-app-id of the widget's embed code.
	AppID string
	// Name is the customer's; a contact of that name is found.
	Name string
	// Context are custom context variables (setContextProvider): texts,
	// numbers and booleans.
	Context map[string]any
}

// Widget is the customer's side of one conversation. It is safe for concurrent
// use; get it from Hub.Open. Every Widget reads from the beginning.
type Widget struct {
	hub  *Hub
	id   string
	read int
}

// Open opens a conversation as the embed code on a site does. It fails with
// widget-not-found and organisation-disabled.
func (h *Hub) Open(chat Chat) (*Widget, error) {
	if chat.Name == "" {
		chat.Name = "Visitor"
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, db := range h.Organisations {
		configs := db.All("msdyn_livechatconfigs", "msdyn_widgetappid", chat.AppID)
		if len(configs) == 0 {
			continue
		}
		if db.Disabled {
			return nil, fault.New(fault.Conflict, "organisation-disabled", "The organisation of this widget is disabled.")
		}
		stream := db.Get("msdyn_liveworkstreams", wire.String(configs[0], "_msdyn_liveworkstreamid_value"))
		if stream == nil {
			return nil, fault.New(fault.Conflict, "widget-not-found", "The widget has no workstream.")
		}
		c := h.begin(db, stream, chat)
		c.first()
		return &Widget{hub: h, id: c.id}, nil
	}
	return nil, fault.New(fault.NotFound, "widget-not-found", "There is no widget with this data-app-id.")
}

// Widget returns another view of a customer's conversation. It fails with
// conversation-not-found.
func (h *Hub) Widget(id string) (*Widget, error) {
	_, err := h.Conversation(id)
	return &Widget{hub: h, id: id}, err
}

// first gives a new conversation to the bot, or else to human agents.
func (c *conversation) first() {
	b, why := c.hub.botOf(c.db, c.stream)
	if b == nil {
		if why != "" {
			c.problem("no bot takes the conversation: %s", why)
		}
		c.route()
		return
	}
	c.bot, c.queue, c.agent = b, wire.String(c.stream, "_msdyn_bot_queue_value"), b.user
	if err := c.move(Active, InConversation); err != nil {
		c.problem("%v", err)
	}
	c.write(tables.Row{"_msdyn_cdsqueueid_value": c.queue, "_msdyn_activeagentid_value": b.user, "msdyn_startedon": c.now()})
	c.connectNative()
	c.deliver(c.startEvent())
	c.watchSilence()
}

// ID returns the id of the conversation's record.
func (w *Widget) ID() string { return w.id }

// Say sends a message of the customer's. It fails with message-too-large, and
// with conversation-ended in wrap-up and after.
func (w *Widget) Say(text string) error {
	return w.hub.with(w.id, func(c *conversation) error {
		if err := sized(text); err != nil {
			return err
		}
		if c.status == Closed || c.status == WrapUp {
			return fault.New(fault.Conflict, "conversation-ended", "The conversation has ended.")
		}
		id := c.add(Message{From: Customer, Name: c.customer, Text: text})
		if c.botHas() {
			c.deliver(c.customerMessage(id, text))
			c.watchSilence()
		}
		return nil
	})
}

// Read waits for the next message that the customer sees: of the bot, a human
// agent, or the system. It fails when ctx ends.
func (w *Widget) Read(ctx context.Context) (Message, error) {
	for {
		w.hub.mu.Lock()
		c, err := w.hub.find(w.id)
		if err != nil {
			w.hub.mu.Unlock()
			return Message{}, err
		}
		changed := w.hub.changed
		for ; w.read < len(c.messages); w.read++ {
			if m := c.messages[w.read]; !m.Private && m.From != Customer {
				w.read++
				w.hub.mu.Unlock()
				return m, nil
			}
		}
		w.hub.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return Message{}, ctx.Err()
		}
	}
}

// Close is the customer leaving. It fails with transition-illegal where the
// conversation has ended before.
func (w *Widget) Close() error {
	return w.hub.with(w.id, (*conversation).leave)
}

func (c *conversation) leave() error {
	switch {
	case c.status == Open:
		return c.close(CustomerLeftOpen)
	case c.botHas():
		return c.close(CustomerLeftActive)
	}
	c.notice("The customer has left.")
	return c.move(WrapUp, CustomerMovedToWrapUp)
}

// watchSilence closes a conversation with a bot after 30 silent minutes.
func (c *conversation) watchSilence() {
	if c.stopQuiet != nil {
		c.stopQuiet()
	}
	c.stopQuiet = c.hub.Clock.AfterFunc(silence, func() {
		c.hub.mu.Lock()
		defer c.hub.mu.Unlock()
		if !c.botHas() {
			return
		}
		c.notice("The conversation was closed because nobody said anything.")
		if err := c.close(ClosedBySystem); err != nil {
			c.problem("%v", err)
		}
	})
}

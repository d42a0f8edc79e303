package hub

import (
	"context"
	"slices"

	"handoff/domain/fault"
	"handoff/infra/microsoft/simulation/tables"
	"handoff/infra/microsoft/simulation/wire"
)

// Desk is what one human agent works at. It is safe for concurrent use; get it
// from Hub.Desk.
type Desk struct {
	hub    *Hub
	person string
	name   string
}

// Desk returns a person's desk. It fails with person-not-found where no
// organisation has that user, or the user is no person.
func (h *Hub) Desk(person string) (*Desk, error) {
	for _, d := range h.Organisations {
		if u := d.Get("systemusers", person); u != nil && u["applicationid"] == nil {
			return &Desk{h, person, wire.String(u, "fullname")}, nil
		}
	}
	return nil, fault.New(fault.NotFound, "person-not-found", "There is no such person.")
}

// Name returns the person's name.
func (d *Desk) Name() string { return d.name }

// Offered waits until a conversation is offered to this person.
func (d *Desk) Offered(ctx context.Context) (Conversation, error) {
	for {
		d.hub.mu.Lock()
		changed := d.hub.changed
		for _, c := range d.hub.conversations {
			if c.offered == d.person {
				defer d.hub.mu.Unlock()
				return c.snapshot(), nil
			}
		}
		d.hub.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return Conversation{}, ctx.Err()
		}
	}
}

// with does something to a conversation under the hub's lock.
func (h *Hub) with(id string, f func(*conversation) error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	c, err := h.find(id)
	if err != nil {
		return err
	}
	return f(c)
}

// mine does something to a conversation that the person has.
func (d *Desk) mine(id string, f func(*conversation) error) error {
	return d.hub.with(id, func(c *conversation) error {
		if c.agent != d.person {
			return fault.New(fault.Forbidden, "not-your-conversation", "Another has this conversation.")
		}
		return f(c)
	})
}

// Accept takes a conversation that waits in one of the person's queues. It
// fails with not-your-queue and transition-illegal.
func (d *Desk) Accept(id string) error {
	return d.hub.with(id, func(c *conversation) error {
		if !c.person(d.person) || !slices.Contains(c.db.Linked("queuemembership_association", c.queue), d.person) {
			return fault.New(fault.Forbidden, "not-your-queue", "The conversation waits in a queue of others.")
		}
		if c.status != Open {
			return fault.Newf(fault.Conflict, "transition-illegal", "The conversation is %s.", c.status)
		}
		if err := c.move(Active, InConversation); err != nil {
			return err
		}
		c.agent, c.offered = d.person, ""
		c.write(tables.Row{"_msdyn_activeagentid_value": d.person, "msdyn_isagentaccepted": true, "msdyn_startedon": c.now()})
		c.notice(d.name + " has joined the conversation.")
		return nil
	})
}

// Decline gives an offer back; it goes to another person of the queue. It
// fails with not-offered.
func (d *Desk) Decline(id string) error {
	return d.hub.with(id, func(c *conversation) error {
		if c.offered != d.person {
			return fault.New(fault.Conflict, "not-offered", "The conversation is not offered to this person.")
		}
		c.offered, c.declined, c.reason = "", append(c.declined, d.person), AwaitingAssignment
		c.write(tables.Row{"msdyn_statuschangereason": float64(AwaitingAssignment)})
		d.hub.assign()
		return nil
	})
}

// Say sends a message to the customer. It fails with message-too-large,
// not-your-conversation, and transition-illegal outside of Active and Waiting.
func (d *Desk) Say(id, text string) error {
	return d.mine(id, func(c *conversation) error {
		if err := sized(text); err != nil {
			return err
		}
		if c.status != Active && c.status != Waiting {
			return fault.Newf(fault.Conflict, "transition-illegal", "The conversation is %s.", c.status)
		}
		c.add(Message{From: Agent, Name: d.name, Text: text})
		return nil
	})
}

// Transfer puts a conversation in another queue.
func (d *Desk) Transfer(id, queue string) error {
	return d.mine(id, func(c *conversation) error {
		if c.db.Get("queues", queue) == nil {
			return fault.New(fault.NotFound, "queue-not-found", "There is no such queue.")
		}
		if !legal(c.status, Open) {
			return fault.Newf(fault.Conflict, "transition-illegal", "The conversation is %s.", c.status)
		}
		c.count("msdyn_transfercount")
		c.enqueue(queue)
		return nil
	})
}

// End ends the talk with the customer; the conversation is in wrap-up.
func (d *Desk) End(id string) error {
	return d.mine(id, func(c *conversation) error {
		if err := c.move(WrapUp, AgentMovedToWrapUp); err != nil {
			return err
		}
		c.notice(d.name + " has ended the conversation.")
		return nil
	})
}

// Close closes a conversation after its wrap-up.
func (d *Desk) Close(id string) error {
	return d.mine(id, func(c *conversation) error { return c.close(EndedByAgent) })
}

func sized(text string) error {
	if len(text) > MaxMessage {
		return fault.Newf(fault.TooLarge, "message-too-large", "A message has at most %d bytes.", MaxMessage)
	}
	return nil
}

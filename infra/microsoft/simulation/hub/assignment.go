package hub

import (
	"cmp"
	"slices"

	"handoff/infra/microsoft/simulation/tables"
	"handoff/infra/microsoft/simulation/wire"
)

// assign offers what waits to the people who may take it: queues of a smaller
// priority first, in a queue the longest wait first, and to whoever has the
// most room. The caller holds mu.
func (h *Hub) assign() {
	var waiting []*conversation
	for _, c := range h.conversations {
		if c.status == Open && c.queue != "" && c.offered == "" {
			waiting = append(waiting, c)
		}
	}
	slices.SortStableFunc(waiting, func(a, b *conversation) int {
		return cmp.Or(cmp.Compare(a.priority(), b.priority()), a.queued.Compare(b.queued))
	})
	for _, c := range waiting {
		if person := c.candidate(); person != "" {
			c.offered, c.reason = person, AwaitingAcceptance
			c.write(tables.Row{"msdyn_statuschangereason": float64(AwaitingAcceptance)})
		}
	}
}

func (c *conversation) priority() float64 {
	n, _ := c.db.Get("queues", c.queue)["msdyn_priority"].(float64)
	return n
}

// candidate returns the person to whom the conversation is offered next, or "".
func (c *conversation) candidate() (best string) {
	most := 0.0
	for _, id := range c.db.Linked("queuemembership_association", c.queue) {
		if !c.person(id) || c.hub.away[id] || slices.Contains(c.declined, id) {
			continue
		}
		if room := c.room(id); room > most {
			best, most = id, room
		}
	}
	return best
}

// person reports whether a user is a person who may take conversations.
func (c *conversation) person(id string) bool {
	u := c.db.Get("systemusers", id)
	return u != nil && u["applicationid"] == nil && u["isdisabled"] != true && c.is(id, "Omnichannel agent")
}

// is reports whether a user has a security role.
func (c *conversation) is(user, role string) bool {
	return slices.ContainsFunc(c.db.Linked("systemuserroles_association", user), func(id string) bool {
		return wire.String(c.db.Get("roles", id), "name") == role
	})
}

// room returns how many more conversations a person can have.
func (c *conversation) room(id string) float64 {
	capacity, _ := c.db.Get("systemusers", id)["msdyn_capacity"].(float64)
	for _, other := range c.hub.conversations {
		if other.status != Closed && (other.agent == id || other.offered == id) {
			capacity--
		}
	}
	return capacity
}

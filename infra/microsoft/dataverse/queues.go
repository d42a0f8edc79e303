package dataverse

import (
	"context"

	"handoff/domain/fault"
	"handoff/infra/microsoft/entra/guid"
)

// Choices of queues (metadata of live organisations; community).
const (
	queueMessaging  = 192350000
	strategyHighest = 192350000 // whoever has most capacity: a bot first
	queuePrivate    = 1
)

// Queue is a queue of Omnichannel.
type Queue struct {
	ID   guid.ID
	Name string
	// Messaging queues take chats; a bot's conversations go into no other.
	Messaging bool
	// Default queues take no bots (documented: configure a bot).
	Default bool
}

func queue(r row) Queue {
	return Queue{ID: r.id("queueid"), Name: r.text("name"), Messaging: r.number("msdyn_queuetype") == queueMessaging, Default: r.truth("msdyn_isdefaultqueue")}
}

// FindQueues returns Omnichannel's queues, of a name where one is given. Names
// are not unique. Needs prvReadQueue.
func (c *Client) FindQueues(ctx context.Context, name string) ([]Queue, error) {
	filter := "msdyn_isomnichannelqueue eq true"
	if name != "" {
		filter += " and name eq " + quoted(name)
	}
	rows, err := c.list(ctx, query{path: "/queues", columns: []string{"queueid", "name", "msdyn_queuetype", "msdyn_isdefaultqueue"}, filter: filter})
	if err != nil {
		return nil, wrap(err, "find queues")
	}
	var all []Queue
	for _, r := range rows {
		all = append(all, queue(r))
	}
	return all, nil
}

// EnsureQueue returns the messaging queue of a name; created says that there
// was none. Several of the name are the fault dataverse-queue-ambiguous, one of
// another kind is dataverse-queue-unfit. Needs prvReadQueue and prvCreateQueue.
func (c *Client) EnsureQueue(ctx context.Context, name string) (q Queue, created bool, err error) {
	found, err := c.FindQueues(ctx, name)
	switch {
	case err != nil:
		return Queue{}, false, err
	case len(found) > 1:
		return Queue{}, false, fault.Newf(fault.Conflict, "dataverse-queue-ambiguous", "There are %d queues named %q. Rename all but one.", len(found), name)
	case len(found) == 1 && (!found[0].Messaging || found[0].Default):
		return Queue{}, false, fault.Newf(fault.Unprocessable, "dataverse-queue-unfit", "The queue %q is a default queue or not for messaging; bots can't be members of it. Choose another one.", name)
	case len(found) == 1:
		return found[0], false, nil
	}
	r, err := c.create(ctx, "queues", map[string]any{
		"name": name, "queueviewtype": queuePrivate, "msdyn_isomnichannelqueue": true,
		"msdyn_queuetype": queueMessaging, "msdyn_assignmentstrategy": strategyHighest,
	})
	if err != nil {
		return Queue{}, false, wrap(err, "create queue %q", name)
	}
	return queue(r), true, nil
}

// Members returns who is in a queue, without names. A queue of only bots would
// strand every conversation that they escalate. Needs prvReadQueue, prvReadUser.
func (c *Client) Members(ctx context.Context, queue guid.ID) ([]User, error) {
	rows, err := c.list(ctx, query{path: at("queues", queue) + "/queuemembership_association", columns: userColumns()})
	if err != nil {
		return nil, wrap(err, "members of queue %s", queue)
	}
	var all []User
	for _, r := range rows {
		all = append(all, user(r))
	}
	return all, nil
}

// Person reports whether the user is somebody who can take over: no
// application, and enabled.
func (u User) Person() bool { return u.AppID == "" && !u.Disabled }

// EnsureMember puts a user into a queue; changed says that the user was not in
// it. Needs prvReadQueue, prvAppendToQueue and prvAppendUser.
func (c *Client) EnsureMember(ctx context.Context, queue, user guid.ID) (changed bool, err error) {
	members, err := c.Members(ctx, queue)
	if err != nil {
		return false, err
	}
	for _, m := range members {
		if m.ID == user {
			return false, nil
		}
	}
	err = c.link(ctx, "queues", queue, "queuemembership_association", "systemusers", user)
	return err == nil, wrap(err, "add user %s to queue %s", user, queue)
}

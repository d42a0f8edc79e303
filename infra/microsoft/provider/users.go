package provider

import (
	"context"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/microsoft/dataverse"
	"handoff/infra/microsoft/entra/guid"
	"handoff/infra/microsoft/omnichannel"
)

// EnableUser sees to the bot's user in the organisation: makes it or enables it,
// with its role and its queue. Of a native connection it finds the user and
// changes nothing.
func (p *Provider) EnableUser(ctx context.Context, c connection.State) (*events.ApplicationUserEnabled, error) {
	hub, err := p.hub(ctx, c)
	if err != nil {
		return nil, err
	}
	who, err := hub.WhoAmI(ctx)
	if err != nil {
		return nil, err
	}
	f := &events.ApplicationUserEnabled{
		HubType: c.Hub.Type, Organisation: c.Hub.Organisation, OrganisationID: string(who.Organisation), ApplicationID: c.ApplicationID,
		Done: events.UserFound, By: connection.ByPerson,
	}
	var u dataverse.User
	if c.Omnichannel.Path == events.PathAdvise {
		u, err = p.native(ctx, c)
	} else {
		u, err = enable(ctx, hub, c, f)
	}
	if err != nil {
		return nil, err
	}
	f.User = string(u.ID)
	return f, place(ctx, hub, c, f)
}

// enable makes the user what it has to be, and notes in the fact what was done.
func enable(ctx context.Context, hub *dataverse.Client, c connection.State, f *events.ApplicationUserEnabled) (dataverse.User, error) {
	unit, err := hub.RootBusinessUnit(ctx)
	if err != nil {
		return dataverse.User{}, err
	}
	u, change, err := hub.EnsureApplicationUser(ctx, guid.ID(c.ApplicationID), unit)
	if err != nil {
		return u, err
	}
	f.By = connection.ByHandoff
	switch change {
	case dataverse.Created:
		f.Done = events.UserCreated
	case dataverse.Enabled:
		f.Done = events.UserEnabled
	case dataverse.Unchanged:
	}
	if !u.Bot {
		return u, fault.New(fault.Conflict, "application-user-no-bot",
			"The application id has a user in the organisation that is no bot's. In the Omnichannel administration, change its user type to Bot application user.")
	}
	if _, err := hub.EnsureRole(ctx, u.ID, unit, dataverse.RoleAgent); err != nil {
		return u, err
	}
	q, err := findQueue(ctx, hub, c.Omnichannel.Queue)
	if err != nil {
		return u, err
	}
	f.Queue = string(q.ID)
	_, err = hub.EnsureMember(ctx, q.ID, u.ID)
	return u, err
}

// place notes whether the workstream gives conversations to the bot, and where a
// person sees to that.
func place(ctx context.Context, hub *dataverse.Client, c connection.State, f *events.ApplicationUserEnabled) error {
	pages := omnichannel.Pages{Organisation: c.Hub.Organisation}
	f.Link = pages.AdminCenter()
	if c.Omnichannel.Workstream == "" {
		return nil
	}
	w, err := hub.Workstream(ctx, guid.ID(c.Omnichannel.Workstream))
	if err != nil {
		return err
	}
	f.Link = pages.Workstream(w.ID)
	if string(w.BotUser) == f.User || f.Queue != "" && string(w.BotQueue) == f.Queue {
		f.Workstream = string(w.ID)
	}
	return nil
}

// native returns the user of a bot that a person connected.
func (p *Provider) native(ctx context.Context, c connection.State) (dataverse.User, error) {
	hub, err := p.hub(ctx, c)
	if err != nil {
		return dataverse.User{}, err
	}
	u, found, err := hub.FindApplicationUser(ctx, guid.ID(connection.NormalID(c.Hub.ApplicationID)))
	if err != nil {
		return u, err
	}
	if !found || u.Disabled {
		return u, notConnected(c, found)
	}
	return u, nil
}

func notConnected(c connection.State, found bool) error {
	saw := "has no user of that application id"
	if found {
		saw = "has the user of that application id, and it is disabled"
	}
	return fault.Newf(fault.Unprocessable, "native-connection-missing",
		"The bot is not connected to Omnichannel: %s %s. Connect it in Copilot Studio (Power Virtual Agents), https://web.powerva.microsoft.com, under agent transfers, and then connect again here.", c.Hub.Organisation, saw)
}

// findQueue returns the one queue with an id or a name.
func findQueue(ctx context.Context, hub *dataverse.Client, idOrName string) (dataverse.Queue, error) {
	id, isID := guid.Parse(idOrName)
	name := idOrName
	if isID {
		name = ""
	}
	all, err := hub.FindQueues(ctx, name)
	if err != nil {
		return dataverse.Queue{}, err
	}
	var found []dataverse.Queue
	for _, q := range all {
		if !isID || q.ID == id {
			found = append(found, q)
		}
	}
	switch len(found) {
	case 0:
		return dataverse.Queue{}, fault.Newf(fault.NotFound, "queue-not-found", "The hub has no queue %q. Make it there, for messaging, with the human agents who take over from the bot.", idOrName)
	case 1:
		return found[0], nil
	}
	return dataverse.Queue{}, fault.Newf(fault.Conflict, "queue-ambiguous", "The hub has %d queues named %q. Give the id of the one that is meant.", len(found), idOrName)
}

// DisableUser disables a user that a connection had; gone says that there is no
// such user any more. Its conversations stay.
func (p *Provider) DisableUser(ctx context.Context, c connection.State, u connection.User) (gone bool, err error) {
	hub, err := p.organisation(ctx, c, u.Organisation)
	if err != nil {
		return false, err
	}
	there, found, err := hub.FindApplicationUser(ctx, guid.ID(u.ApplicationID))
	switch {
	case err != nil:
		return false, err
	case !found:
		return true, nil
	case there.Disabled:
		return false, nil
	}
	return false, hub.SetUserDisabled(ctx, there.ID, true)
}

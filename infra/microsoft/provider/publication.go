package provider

import (
	"context"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/domain/publication"
	"handoff/infra/microsoft/dataverse"
	"handoff/infra/microsoft/entra/guid"
)

// PublishState looks whether the bot of a connection is published. What can't be
// found out is Unknown, with an error that says why.
func (p *Provider) PublishState(ctx context.Context, c connection.State) (publication.Finding, error) {
	row, err := p.row(ctx, c)
	switch {
	case fault.Is(err, "dataverse-bot-missing"):
		return publication.Finding{State: publication.Deleted, Reason: "row-missing", Detail: "The bot is not in its environment any more."}, nil
	case err != nil:
		return publication.Finding{}, err
	}
	return row.Publication(), nil
}

// row returns the bot's row. A bot that is known by its schema name only is
// looked for first.
func (p *Provider) row(ctx context.Context, c connection.State) (dataverse.Bot, error) {
	if c.Omnichannel == nil {
		return dataverse.Bot{}, fault.New(fault.Unprocessable, "omnichannel-incomplete", "The connection has no settings for Omnichannel.")
	}
	organisation := c.Omnichannel.BotOrganisation
	if organisation == "" {
		organisation = c.Hub.Organisation
	}
	d, err := p.organisation(ctx, c, organisation)
	if err != nil {
		return dataverse.Bot{}, err
	}
	if id, ok := guid.Parse(c.Bot.ID); ok {
		return d.Bot(ctx, id)
	}
	all, err := d.Bots(ctx)
	if err != nil {
		return dataverse.Bot{}, err
	}
	for _, b := range all {
		if b.SchemaName == c.Omnichannel.BotSchema {
			return d.Bot(ctx, b.ID)
		}
	}
	return dataverse.Bot{}, fault.New(fault.NotFound, "dataverse-bot-missing", "The organisation has no bot with this schema name.")
}

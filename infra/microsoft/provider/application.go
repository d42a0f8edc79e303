package provider

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/microsoft/botservice"
	"handoff/infra/microsoft/entra"
	"handoff/infra/microsoft/entra/guid"
)

// secretLife is how long a secret is good that Handoff makes: as long as the
// ones that Entra ID makes by itself (documented: addPassword).
const secretLife = 2 * 365 * 24 * time.Hour

// identity is the application that a connection goes by.
type identity struct {
	id     string // empty: it has to be made
	tenant string // of its tokens
}

// identify returns the application id that a connection has or is going to have:
// the one that was wished for, that of its Azure Bot, which runs as it, or the
// one that it had before. It finds a contradiction between the first two. bot is
// nil where there is no Azure Bot.
func identify(c connection.State, bot *botservice.Properties) (identity, *events.Finding) {
	who := identity{id: connection.NormalID(c.Hub.ApplicationID), tenant: c.Omnichannel.Directory}
	if bot != nil {
		if bot.AppType == botservice.MultiTenant {
			who.tenant = entra.TenantBotFramework
		}
		if who.id != "" && who.id != string(bot.AppID) {
			return who, &events.Finding{
				Code: "application-id-differs", Blocking: true,
				Detail: fmt.Sprintf("The Azure Bot runs as application %s, and hub.application_id is %s. Leave the latter out, or name the Azure Bot that belongs to it.", bot.AppID, who.id),
			}
		}
		who.id = string(bot.AppID)
		return who, nil
	}
	for _, h := range c.Held { // the newest is the last
		if c.Hub.ApplicationID == "" && h.HubType == c.Hub.Type && h.Organisation == c.Hub.Organisation {
			who.id = h.ApplicationID
		}
	}
	return who, nil
}

// EnsureApplication returns the application id of a connection; created says
// that Entra ID had none for it. On the relay the application has a service
// principal, and a secret in the secret store that works. A crash between making
// a secret and storing it leaves one behind at the application that nobody knows.
func (p *Provider) EnsureApplication(ctx context.Context, c connection.State) (id string, created bool, err error) {
	if c.Omnichannel == nil || c.Omnichannel.Path == events.PathAdvise {
		return connection.NormalID(c.Hub.ApplicationID), false, nil
	}
	bot, err := p.bot(ctx, c)
	if err != nil {
		return "", false, err
	}
	who, contradiction := identify(c, bot)
	if contradiction != nil {
		return "", false, fault.New(fault.Conflict, contradiction.Code, contradiction.Detail)
	}
	refused := p.tryStored(ctx, c, who)
	if refused == nil {
		return who.id, false, nil
	}
	if !fault.KindOf(refused).Permanent() {
		return "", false, refused
	}
	app, created, err := p.ensure(ctx, c, who, refused)
	return string(app.AppID), created, err
}

// bot returns what the connection's Azure Bot is, nil where it has none.
func (p *Provider) bot(ctx context.Context, c connection.State) (*botservice.Properties, error) {
	if c.Omnichannel.AzureBot == "" {
		return nil, nil
	}
	client, bot, err := p.azure(ctx, c)
	if err != nil {
		return nil, err
	}
	properties, err := client.Get(ctx, bot)
	return &properties, err
}

// tryStored returns why the secret in the store is not the application's: it
// asks for a token with it.
func (p *Provider) tryStored(ctx context.Context, c connection.State, who identity) error {
	missing := fault.New(fault.Unprocessable, "application-secret-missing",
		"The secret of the application id is not known. Make one for it in Entra ID (Azure AD), under Certificates and secrets, and connect again with it: application_secret_file in the file, or when you are asked.")
	if who.id == "" {
		return missing
	}
	secret, err := p.o.Secrets.Secret(ctx, c.Tenant, connection.SecretName(c.ID, connection.SecretApplication))
	if fault.Is(err, "secret-not-found") {
		return missing
	}
	if err != nil {
		return err
	}
	tokens, err := p.source(entra.Credentials{Tenant: who.tenant, ClientID: who.id, Secret: entra.Secret(secret)}, entra.ScopeBotFramework)
	if err != nil {
		return err
	}
	_, err = tokens.Token(ctx)
	return err
}

// ensure finds or makes the application and gives it a secret. Where Graph does
// not allow that, what a person can do is to give the secret.
func (p *Provider) ensure(ctx context.Context, c connection.State, who identity, refused error) (app entra.Application, created bool, err error) {
	graph, err := p.graph(ctx, c)
	if err != nil {
		return app, false, err
	}
	wish := entra.Wish{Name: applicationName(c)}
	if who.id != "" {
		wish = entra.Wish{AppID: guid.ID(who.id)}
	}
	app, created, err = graph.EnsureApplication(ctx, wish)
	if err != nil {
		return app, false, orGiven(who, err, refused)
	}
	password, err := graph.AddPassword(ctx, app.ObjectID, applicationName(c), p.o.Now().Add(secretLife))
	if err != nil {
		return app, false, orGiven(who, err, refused)
	}
	err = p.o.Secrets.PutSecret(ctx, c.Tenant, connection.SecretName(c.ID, connection.SecretApplication), []byte(password.Secret))
	if err != nil {
		return app, false, fmt.Errorf("keep the secret of application %s: %w", app.AppID, err)
	}
	return app, created, nil
}

// orGiven returns what kept the stored secret from being used in place of a
// permission that is missing: an application that is there may stay as it is.
func orGiven(who identity, err, refused error) error {
	if who.id != "" && fault.Is(err, "graph-permission-missing") {
		return refused
	}
	return err
}

// applicationName is the display name of an application that Handoff makes. It
// is the same at each try, and another for each connection of each tenant.
func applicationName(c connection.State) string {
	sum := sha256.Sum256([]byte(c.Tenant + "\x00" + c.ID + "\x00" + c.Hub.Organisation))
	return "Handoff " + c.ID + " " + hex.EncodeToString(sum[:4])
}

// EnsureChannel sees to the channel between the hub and the Azure Bot, and turns
// it on only if it is off. The bot of a native connection is in Microsoft's own
// subscription: there it looks whether the hub has the bot's user, as it does
// after a person has connected it.
func (p *Provider) EnsureChannel(ctx context.Context, c connection.State) (events.ChannelEnabled, error) {
	o := c.Omnichannel
	if o.Path == events.PathAdvise {
		_, err := p.native(ctx, c)
		return events.ChannelEnabled{Channel: o.Channel, AlreadyOn: true, By: connection.ByPerson}, err
	}
	if o.AzureBot == "" {
		return events.ChannelEnabled{}, fault.Newf(fault.Unprocessable, "azure-bot-missing",
			"Make an Azure Bot that runs as application %s (type of app: Single Tenant, Use existing app registration), and connect again with its resource id (omnichannel.azure_bot).", c.ApplicationID)
	}
	client, bot, err := p.azure(ctx, c)
	if err != nil {
		return events.ChannelEnabled{}, err
	}
	changed, err := client.EnsureChannel(ctx, bot, o.Channel)
	return events.ChannelEnabled{Channel: o.Channel, AlreadyOn: !changed, By: connection.ByHandoff}, err
}

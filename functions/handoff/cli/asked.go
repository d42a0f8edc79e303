package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/functions/handoff/cli/botfile"
	"handoff/infra/microsoft/dataverse"
	"handoff/infra/microsoft/entra"
	"handoff/infra/microsoft/provider"
)

// askOmnichannel asks for a connection with Omnichannel, after the notice. Where
// it has the application's secret it looks what there is to choose from, and
// changes nothing.
func (a *app) askOmnichannel(ctx context.Context, f *botfile.File) error {
	if err := a.askNotice(ctx, &f.Notice); err != nil {
		return err
	}
	o := new(connection.OmnichannelPlan)
	f.Omnichannel = o
	err := a.askAll(ctx,
		question{"Path: relay, where Handoff stands between hub and bot, or advise, where the bot's own connection stays", events.PathRelay, &o.Path},
		question{"Who chooses the queue: handoff or hub", events.RoutingHandoff, &o.Routing})
	if err != nil {
		return err
	}
	a.showPermissions(o.Path == events.PathRelay)
	err = a.askAll(ctx,
		question{"Directory: tenant of Entra ID (Azure AD), its id or a domain", "", &o.Directory},
		question{"Application (client) ID by which Handoff calls", "", &o.ClientID})
	if err != nil {
		return err
	}
	secret, err := a.askSecret(ctx, "Its secret (empty: the server has it): ")
	if err != nil {
		return err
	}
	f.ClientSecret = connection.Secret(secret)
	g := guide{app: a, file: f, at: a.microsoft(), who: entra.Credentials{Tenant: o.Directory, ClientID: o.ClientID, Secret: entra.Secret(secret)}}
	return g.ask(ctx)
}

// guide asks what is easier to choose than to type.
type guide struct {
	*app
	file *botfile.File
	at   *provider.Provider
	who  entra.Credentials
	hub  *dataverse.Client // nil: there is nothing to choose from
}

// option is one of several that there are.
type option struct{ name, value string }

// choose asks for one of several by its number, or for something else.
func (g *guide) choose(ctx context.Context, question string, all []option) (string, error) {
	for i, o := range all {
		g.note.Printf("  %2d  %s  %s\n", i+1, o.name, o.value)
	}
	if len(all) > 0 {
		question += fmt.Sprintf(" (1 to %d, or type it)", len(all))
	}
	answer, err := g.app.ask(ctx, question, "")
	if n, number := strconv.Atoi(answer); err == nil && number == nil && n >= 1 && n <= len(all) {
		return all[n-1].value, nil
	}
	return answer, err
}

// look lists what there is, if somebody can be asked. That it can't be listed is
// no reason to stop: then it has to be typed.
func look[T any](g *guide, what string, list func() ([]T, error), name func(T) (option, bool)) (all []option) {
	if g.who.Secret == "" {
		return nil
	}
	rows, err := list()
	if err != nil {
		g.note.Paragraph("  ", fmt.Sprintf("%s can't be listed (%s); type it.", what, fault.CodeOf(err)))
		return nil
	}
	for _, r := range rows {
		if o, ok := name(r); ok {
			all = append(all, o)
		}
	}
	return all
}

func (g *guide) ask(ctx context.Context) error {
	steps := []func(context.Context) error{g.organisation, g.bot, g.relay, g.advise, g.workstream, g.rules, g.region}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (g *guide) organisation(ctx context.Context) (err error) {
	places := make(map[string]string)
	all := look(g, "Environments", func() ([]dataverse.Environment, error) { return g.at.Environments(ctx, g.who) },
		func(e dataverse.Environment) (option, bool) {
			places[e.URL] = string(e.Geography)
			return option{e.Name, e.URL}, !e.Disabled && e.URL != ""
		})
	for g.file.Hub.Organisation == "" && err == nil {
		g.file.Hub.Organisation, err = g.choose(ctx, "Organisation of Omnichannel, by its address", all)
	}
	if place := places[g.file.Hub.Organisation]; place != "" {
		g.file.Regions = &events.Regions{Bot: place, Hub: place}
	}
	if err != nil || g.who.Secret == "" {
		return err
	}
	r, err := g.Microsoft.Normal(g.file.Request(g.Now()))
	if err != nil {
		return asUsage(err)
	}
	g.hub, err = g.at.Organisation(g.who, r.Fact.Hub.Organisation)
	return err
}

func (g *guide) bot(ctx context.Context) error {
	var all []option
	if g.hub != nil {
		all = look(g, "Bots", func() ([]dataverse.Bot, error) { return g.hub.Bots(ctx) },
			func(b dataverse.Bot) (option, bool) { return option{b.Name, string(b.ID)}, true })
	}
	id, err := g.choose(ctx, "Bot, by its id", all)
	g.file.Bot.ID = id
	for _, o := range all {
		if o.value == id {
			g.file.Bot.Name = o.name
		}
	}
	return err
}

// relay asks for what stands between the hub and the bot.
func (g *guide) relay(ctx context.Context) (err error) {
	o := g.file.Omnichannel
	if o.Path != events.PathRelay {
		return nil
	}
	if o.AzureBot, err = g.app.ask(ctx, "Resource id of the Azure Bot (empty: an application is made for one)", ""); err != nil {
		return err
	}
	if o.AzureBot != "" {
		secret, err := g.askSecret(ctx, "Secret of the Azure Bot's application (empty: the server has it, or makes one): ")
		if err != nil {
			return err
		}
		g.file.ApplicationSecret = connection.Secret(secret)
	}
	if o.TokenEndpoint, err = g.app.ask(ctx, "Token endpoint of the bot", ""); err != nil {
		return err
	}
	bot, err := g.askSecret(ctx, "Secret of the bot's web channel (empty: its web channel security is off): ")
	if err != nil {
		return err
	}
	g.file.DirectLineSecret = connection.Secret(bot)
	var all []option
	if g.hub != nil {
		all = look(g, "Queues", func() ([]dataverse.Queue, error) { return g.hub.FindQueues(ctx, "") },
			func(q dataverse.Queue) (option, bool) { return option{q.Name, string(q.ID)}, q.Messaging && !q.Default })
	}
	o.Queue, err = g.choose(ctx, "Queue of the bot and of those who take over", all)
	return err
}

func (g *guide) advise(ctx context.Context) (err error) {
	if g.file.Omnichannel.Path == events.PathAdvise {
		g.file.Hub.ApplicationID, err = g.need(ctx, "Application id of the bot's own connection to the hub", "")
	}
	return err
}

func (g *guide) workstream(ctx context.Context) (err error) {
	var all []option
	if g.hub != nil {
		all = look(g, "Workstreams", func() ([]dataverse.Workstream, error) { return g.hub.Workstreams(ctx) },
			func(w dataverse.Workstream) (option, bool) { return option{w.Name, string(w.ID)}, w.Push })
	}
	g.file.Omnichannel.Workstream, err = g.choose(ctx, "Workstream that pushes conversations to the bot (empty: none is checked)", all)
	return err
}

// rules asks whether Handoff may write into the hub's own rules.
func (g *guide) rules(ctx context.Context) error {
	o := g.file.Omnichannel
	if o.Routing != events.RoutingHandoff || o.Workstream == "" {
		return nil
	}
	answer, err := g.app.ask(ctx, "May Handoff add rules that obey it to the workstream, before the others, which stay? yes or no; it is recorded", "no")
	o.AddHubRules = strings.EqualFold(answer, "yes")
	return err
}

func (g *guide) region(ctx context.Context) error {
	log, err := g.app.ask(ctx, "Geography in which the server keeps its log (empty: it knows)", "")
	if log != "" && g.file.Regions == nil {
		g.file.Regions = new(events.Regions)
	}
	if log != "" {
		g.file.Regions.Log = log
	}
	return err
}

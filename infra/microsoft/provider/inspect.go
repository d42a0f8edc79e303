package provider

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/domain/publication"
	"handoff/events"
	"handoff/infra/microsoft/botservice"
	"handoff/infra/microsoft/dataverse"
	"handoff/infra/microsoft/entra"
	"handoff/infra/microsoft/entra/controlplane"
	"handoff/infra/microsoft/entra/guid"
)

// What is looked for.
const (
	// extension is the solution by which bots of Power Virtual Agents know
	// Omnichannel. Its unique name is not verified, and newer organisations have
	// it built in: not seeing it is no reason to stop.
	extension = "OmnichannelPowerVirtualAgentsExtension"
	// maxBotName is what the hub shows whole of a bot's name: the length of an
	// Azure Bot's handle (general knowledge, not verified for every page).
	maxBotName = 42
)

// roles returns those of which one is enough for Handoff's own user.
func roles() []string { return []string{"System Administrator", "Omnichannel administrator"} }

// look is one inspection.
type look struct {
	*Provider
	c    connection.State
	hub  *dataverse.Client
	seen connection.Inspection
}

// Inspect looks at everything that a connection needs and changes nothing. What
// is missing or refused is a finding, all of them together; an error is what
// keeps it from looking at all, or is worth another try.
func (p *Provider) Inspect(ctx context.Context, c connection.State) (*connection.Inspection, error) {
	hub, err := p.hub(ctx, c)
	if err != nil {
		return nil, err
	}
	l := &look{Provider: p, c: c, hub: hub}
	who, err := hub.WhoAmI(ctx)
	if err != nil {
		return nil, p.explain(ctx, c, err)
	}
	checks := []func(context.Context) error{
		func(ctx context.Context) error { return l.role(ctx, who.User) },
		l.omnichannel, l.bot, l.reach, l.application, l.queue, l.workstream, l.secrets,
	}
	for _, check := range checks {
		err := check(ctx)
		f := fault.Of(err)
		switch {
		case err == nil:
		case f == nil || !f.Kind.Permanent():
			return nil, err
		default:
			l.find(f.Code, true, f.Detail)
		}
	}
	l.find("known-limitations", false, "In the hub's window typing is not shown, customers can't send files to the bot, "+
		"and cards are shown in part; images in Markdown and sign-in cards are not.")
	return &l.seen, nil
}

func (l *look) find(code string, blocking bool, detail string) {
	f := events.Finding{Code: code, Detail: detail, Blocking: blocking}
	if !slices.Contains(l.seen.Findings, f) {
		l.seen.Findings = append(l.seen.Findings, f)
	}
}

// explain says of an organisation that does not answer whether its environment
// is disabled, if that can be found out.
func (p *Provider) explain(ctx context.Context, c connection.State, refused error) error {
	if !fault.KindOf(refused).Permanent() {
		return refused
	}
	who, err := p.credentials(ctx, c)
	if err != nil {
		return refused
	}
	all, err := p.Environments(ctx, who)
	if err != nil {
		return refused
	}
	for _, e := range all {
		if e.Disabled && (e.URL == c.Hub.Organisation || e.URL == p.o.Hosts.Organisation(c.Hub.Organisation)) {
			return fault.Newf(fault.Unprocessable, "environment-disabled", "The environment %s is disabled. Enable it in the Power Platform admin center.", e.Name).Because(refused)
		}
	}
	return refused
}

// Environments lists those in which credentials are a user's. The discovery
// service may not answer applications; then an organisation's address has to be
// known.
func (p *Provider) Environments(ctx context.Context, who entra.Credentials) ([]dataverse.Environment, error) {
	tokens, err := p.source(who, dataverse.Scope(dataverse.DiscoveryBase))
	if err != nil {
		return nil, err
	}
	d, err := dataverse.NewDiscovery(p.options(p.o.Hosts.Discovery, tokens))
	if err != nil {
		return nil, err
	}
	return d.Environments(ctx)
}

// role looks at what Handoff's own user is. Which role is enough is the
// organisation's to say; a privilege that is missing is named where it is needed.
func (l *look) role(ctx context.Context, user guid.ID) error {
	held, err := l.hub.Roles(ctx, user)
	if err != nil {
		return err
	}
	for _, r := range roles() {
		if slices.Contains(held, r) {
			return nil
		}
	}
	l.find("role-not-seen", false, "Handoff's application user has neither the role "+strings.Join(roles(), " nor ")+"; it may lack privileges that later steps need.")
	return nil
}

// omnichannel looks whether the organisation has the product.
func (l *look) omnichannel(ctx context.Context) error {
	_, err := l.hub.Workstreams(ctx)
	if controlplane.Refused(err).Status == http.StatusNotFound {
		return fault.Newf(fault.Unprocessable, "omnichannel-missing", "%s has no Omnichannel for Customer Service. Install it there, or choose another organisation.", l.c.Hub.Organisation).Because(err)
	}
	if err != nil {
		return err
	}
	found, err := l.hub.Solutions(ctx, extension)
	if err == nil && len(found) == 0 {
		l.find("extension-not-seen", false, "The solution Omnichannel Power Virtual Agents extension was not seen. If the bot can't be chosen in the hub, install it in the environments of bot and hub.")
	}
	return err
}

// bot looks at the bot itself. Whether it is published may be unknown; then the
// connection goes on, and the scheduled check looks again.
func (l *look) bot(ctx context.Context) error {
	if l.c.HealthURL != "" { // it is of another maker, and has no row
		return nil
	}
	seen, err := l.PublishState(ctx, l.c)
	l.seen.Bot = seen
	f := fault.Of(err)
	live, known := seen.State.Live()
	switch {
	case err != nil && (f == nil || !f.Kind.Permanent()):
		return err
	case err != nil:
		l.find("bot-state-unknown", false, "Whether the bot is published could not be found out. "+f.Detail)
		return nil //nolint:nilerr // it is a finding
	case !known:
		l.find("bot-state-unknown", false, seen.Detail)
	case seen.State == publication.Deleted:
		l.find("bot-deleted", true, "The bot is not in its environment: it was deleted, or its id is of another one.")
	case !live:
		l.find("bot-unpublished", true, seen.Detail)
	case seen.State == publication.Outdated:
		l.find("bot-publish-failed", false, seen.Detail)
	}
	row, err := l.row(ctx, l.c)
	if err == nil && row.SignsIn {
		l.find("bot-signs-in", false, "The bot asks customers to sign in, and the hub's window does not show the card for that. Let it work without, or know that those customers can't go on.")
	}
	if err == nil && len([]rune(row.Name)) > maxBotName {
		l.find("bot-name-long", false, fmt.Sprintf("The bot's name has %d characters, of which pages of the hub show %d.", len([]rune(row.Name)), maxBotName))
	}
	return nil
}

// application looks whom the connection will be, and that nobody is it already.
func (l *look) application(ctx context.Context) error {
	if l.c.Omnichannel.Path == events.PathAdvise {
		l.seen.ApplicationID = connection.NormalID(l.c.Hub.ApplicationID)
		_, err := l.native(ctx, l.c)
		return err
	}
	bot, err := l.Provider.bot(ctx, l.c)
	if err != nil {
		return err
	}
	who, contradiction := identify(l.c, bot)
	l.seen.ApplicationID, l.seen.TokenTenant = who.id, who.tenant
	if contradiction != nil {
		l.find(contradiction.Code, true, contradiction.Detail)
	}
	if bot != nil {
		l.azureBot(*bot)
	}
	if who.id == "" {
		return nil
	}
	u, found, err := l.hub.FindApplicationUser(ctx, guid.ID(who.id))
	held := connection.Held{HubType: l.c.Hub.Type, Organisation: l.c.Hub.Organisation, ApplicationID: who.id}
	if err == nil && found && !u.Disabled && !slices.Contains(l.c.Held, held) {
		l.find("application-user-exists", true, fmt.Sprintf("Application id %s has a user in %s that works already, for something else. Use another application id, or disable that user first.", who.id, l.c.Hub.Organisation))
	}
	return err
}

// azureBot looks whether the hub can reach Handoff by it.
func (l *look) azureBot(b botservice.Properties) {
	directory, isID := guid.Parse(l.c.Omnichannel.Directory)
	switch {
	case b.AppType == botservice.Identity:
		l.find("azure-bot-managed-identity", true, "The Azure Bot runs as a managed identity, which has no secret that Handoff could use. Make one of type Single Tenant.")
	case b.AppType == botservice.SingleTenant && isID && b.AppTenant != "" && b.AppTenant != directory:
		l.find("azure-bot-other-tenant", true, fmt.Sprintf("The Azure Bot belongs to tenant %s, and omnichannel.directory is %s.", b.AppTenant, directory))
	}
	l.endpoint(b)
}

// queue looks whether somebody is there to take over from the bot.
func (l *look) queue(ctx context.Context) error {
	if l.c.Omnichannel.Queue == "" {
		return nil
	}
	q, err := findQueue(ctx, l.hub, l.c.Omnichannel.Queue)
	if err != nil {
		return err
	}
	if !q.Messaging || q.Default {
		l.find("queue-unfit", true, fmt.Sprintf("The queue %q is a default queue or not for messaging; bots can't be members of it. Choose another one.", q.Name))
	}
	members, err := l.hub.Members(ctx, q.ID)
	licensed := func(u dataverse.User) bool { return u.Person() && !u.Unlicensed }
	switch {
	case err != nil:
		return err
	case !slices.ContainsFunc(members, dataverse.User.Person):
		l.find("queue-without-people", true, fmt.Sprintf("The queue %q has no human agent: what the bot hands over would wait for ever. Add one.", q.Name))
	case !slices.ContainsFunc(members, licensed):
		l.find("queue-without-licence", false, fmt.Sprintf("Nobody in the queue %q has a licence that the organisation knows of. Human agents need one for Omnichannel (Digital Messaging).", q.Name))
	}
	return nil
}

// workstream looks whether the hub hands conversations to the bot and, where it
// is to obey Handoff, whether its rules do.
func (l *look) workstream(ctx context.Context) error {
	if l.c.Omnichannel.Workstream == "" {
		l.find("workstream-not-named", false, "No workstream was named (omnichannel.workstream), so nobody looked whether it pushes conversations to the bot.")
		return nil
	}
	w, err := l.hub.Workstream(ctx, guid.ID(l.c.Omnichannel.Workstream))
	if err != nil {
		return err
	}
	if !w.Push {
		l.find("workstream-not-push", true, fmt.Sprintf("The workstream %q lets people pick their work; a bot gets none of it. Set its work distribution mode to Push.", w.Name))
	}
	if w.Fallback == "" {
		l.find("workstream-without-fallback", false, fmt.Sprintf("The workstream %q has no fallback queue for what no rule fits.", w.Name))
	}
	if err := l.otherBot(ctx, w); err != nil {
		return err
	}
	return l.obeys(ctx)
}

// otherBot looks whether a workstream gives its conversations to another bot.
func (l *look) otherBot(ctx context.Context, w dataverse.Workstream) error {
	if w.BotUser == "" || l.seen.ApplicationID == "" {
		return nil
	}
	own, _, err := l.hub.FindApplicationUser(ctx, guid.ID(l.seen.ApplicationID))
	if err == nil && own.ID != w.BotUser {
		l.find("workstream-other-bot", false, fmt.Sprintf("The workstream %q gives its conversations to another bot, and it has one only. Choose this connection's bot there.", w.Name))
	}
	return err
}

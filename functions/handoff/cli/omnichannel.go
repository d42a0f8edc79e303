package cli

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"handoff/domain/connection"
	"handoff/domain/publication"
	"handoff/events"
	"handoff/functions/handoff/cli/botfile"
	"handoff/functions/handoff/cli/terminal"
	"handoff/infra/apiclient"
	"handoff/infra/microsoft/entra/guid"
	"handoff/infra/microsoft/omnichannel"
	"handoff/infra/microsoft/provider"
)

func (a *app) connectOmnichannelCommand() *cobra.Command {
	o := connectOptions{hub: connection.Omnichannel}
	c := &cobra.Command{
		Use: "omnichannel [-f bot.yaml]", Args: names(), Short: "Connect a Power Virtual Agents (Copilot Studio) bot to Omnichannel",
		Long: `Connects a bot of Power Virtual Agents (Copilot Studio) to Dynamics 365
Omnichannel for Customer Service, from a file or, on a terminal, by asking. What
Handoff's application needs at Microsoft is shown first, with the reason for each.

What may stand in the file, beside what handoff connect takes:

  hub: {type: omnichannel, organisation: https://contoso.crm4.dynamics.com}
  bot: {id: 3f2504e0-…}           # or omnichannel.bot_schema
  omnichannel:
    path: relay                   # or advise: the bot's own connection stays
    routing: handoff              # or hub: rules here only predict the queue
    directory: contoso.onmicrosoft.com   # tenant of Entra ID (Azure AD)
    client_id: b7d3f1aa-…         # the application that calls Microsoft's APIs
    azure_bot: /subscriptions/…   # of the relay; its resource id
    channel: teams                # or omnichannel
    queue: Store bot              # of the bot and of those who take over
    workstream: e4a1d7c2-…
    token_endpoint: https://…     # of the bot; the relay talks to it there
    add_hub_rules: true           # Handoff may add rules that obey it; or you do
    take_over_endpoint: true      # of an Azure Bot that posts elsewhere now
  client_secret_file: client-secret.txt
  application_secret_file: azure-bot-secret.txt
  direct_line_secret_file: bot-secret.txt   # if its web channel security is on
  embed_code_file: widget.html    # of the hub's chat widget: it is checked
  regions: {log: europe}          # where Handoff's log is, if the server can't say
  regions_override: {by: ann@store.example, why: …}   # only where they differ

Secrets are read from these files, from HANDOFF_CLIENT_SECRET,
HANDOFF_APPLICATION_SECRET and HANDOFF_DIRECT_LINE_SECRET, or asked for; they
never stand in the file itself.`,
		Example:     "  handoff connect omnichannel\n  handoff connect omnichannel -f bot.yaml --dry-run\n  handoff connect omnichannel -f bot.yaml",
		Annotations: after("handoff check NAME               look at hub and bot again", "handoff connections show NAME    how far it is"),
		RunE:        func(c *cobra.Command, _ []string) error { return a.connect(c.Context(), o) },
	}
	o.flags(c.Flags())
	return c
}

// normal returns a plan as the server will read it. Where the server keeps its
// log only the server knows: here that is taken to fit.
func (a *app) normal(p connection.Plan) (connection.Request, error) {
	r, err := a.Microsoft.Normal(p.Request(time.Time{}))
	if err != nil || r.Omnichannel == nil {
		return r, err
	}
	regions := *r.Fact.Regions
	if regions.Log == "" {
		regions.Log = regions.Hub
	}
	r.Fact.Regions = &regions
	return r, nil
}

// secret returns the text of a file, or else of a variable.
func (a *app) secret(variable, text string) connection.Secret {
	if text == "" {
		text, _ = a.Env(variable)
	}
	return connection.Secret(strings.TrimSpace(text))
}

// askClientSecret asks for the secret that a file does not lead to. Without an
// answer the server's is used.
func (a *app) askClientSecret(ctx context.Context, f *botfile.File) error {
	secret, err := a.askSecret(ctx, "Secret of application "+f.Omnichannel.ClientID+" (empty: the server has it): ")
	f.ClientSecret = connection.Secret(secret)
	return err
}

// showPermissions says what Handoff's application needs, before anything is
// asked of anybody.
func (a *app) showPermissions(relay bool) {
	if a.quiet || a.json {
		return
	}
	a.note.Printf("\n%s\n", terminal.Bold("What the application of client_id needs. Grant it, or do by hand what it can't do then."))
	for _, p := range provider.Permissions(relay) {
		a.note.Paragraph("  ", p.API+": "+p.Name)
		a.note.Paragraph("      ", terminal.Dim(p.Reason))
	}
	a.note.Printf("\n")
	_ = a.note.Flush() // it is to be read before anything is asked or done; an error is kept for the end
}

// checkEmbedCode refuses an embed code from which nothing can be handed over. An
// empty one is not checked, nor is an empty organisation.
func (a *app) checkEmbedCode(snippet, organisation string) error {
	if strings.TrimSpace(snippet) == "" {
		return nil
	}
	_, findings, err := omnichannel.ParseWidget(snippet, guid.ID(organisation))
	for _, f := range findings {
		a.tell("%s (%s)\n", f.Detail, f.Code)
	}
	return err
}

// showHub says what a person still has to do at the hub.
func (a *app) showHub(c connection.State) {
	if a.quiet || a.json || c.Omnichannel == nil {
		return
	}
	_ = a.out.Flush() // an error is kept for the end
	a.showFindings(c.Findings)
	u, ok := c.User()
	if !ok {
		return
	}
	if u.Workstream == "" && c.Omnichannel.Path == events.PathRelay {
		a.note.Paragraph("  ", "The bot is no workstream's yet: choose it there as its bot. It is the user of application id "+c.ApplicationID+".")
	}
	a.note.Printf("  Omnichannel's administration: %s\n", u.Link)
}

func (a *app) showFindings(all []events.Finding) {
	for _, f := range all {
		mark := terminal.Dim("note  ")
		if f.Blocking {
			mark = terminal.Red("to do ")
		}
		a.note.Printf("  %s", mark)
		a.note.Paragraph("", f.Detail+" ("+f.Code+")")
	}
}

// missingRules reports whether it was seen that rules are missing in the hub.
func missingRules(all []events.Finding) bool {
	return slices.ContainsFunc(all, func(f events.Finding) bool {
		return f.Code == "hub-rules-ignore-handoff" || f.Code == "hub-rules-miss-queue"
	})
}

// showRules shows the rules that the hub needs to obey Handoff, in words and as
// it stores them, where it lacks one.
func (a *app) showRules(r *connection.HubRules) {
	if a.quiet || a.json || r == nil || len(r.Missing) == 0 {
		return
	}
	a.note.Printf("\n%s\n", terminal.Bold("Route-to-queue rules of the workstream, before its others:"))
	for _, words := range r.Words {
		a.note.Paragraph("  ", words)
	}
	a.note.Printf("\n  As the hub stores them (msdyn_rulesetdefinition):\n\n    %s\n\n", r.Source)
}

// lookAtRules shows the hub's rules to somebody whose connection lacks them.
func (a *app) lookAtRules(ctx context.Context, client *apiclient.Client, c connection.State) error {
	if a.quiet || a.json || !missingRules(c.Findings) {
		return nil
	}
	seen, err := client.Check(ctx, c.ID)
	a.showRules(seen.HubRules)
	return err
}

func publishedText(p connection.Publication) any {
	live, known := p.State.Live()
	switch {
	case !known:
		return ""
	case live:
		return joined("yes", p.Detail)
	}
	return terminal.Red(joined("NO:", p.Detail, "("+p.Code+")", "Escalations are taken all the same."))
}

// botStyle shows in a list whether customers reach the bot.
func botStyle(s publication.State) any {
	if live, known := s.Live(); known && !live {
		return terminal.Red(string(s))
	}
	return string(s)
}

// microsoft returns what looks around at Microsoft's for somebody who connects.
func (a *app) microsoft() *provider.Provider {
	return provider.New(provider.Options{HTTP: &http.Client{Timeout: time.Minute}, Now: a.Now, Hosts: a.Microsoft})
}

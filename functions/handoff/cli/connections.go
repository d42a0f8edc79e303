package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"handoff/domain/connection"
	"handoff/domain/listing"
	"handoff/functions/handoff/cli/instant"
	"handoff/functions/handoff/cli/terminal"
)

func (a *app) connectionsCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "connections", Aliases: []string{"connection"}, GroupID: groupConnect, Short: "List connections and see how far they are",
		Long:    "A connection ties one bot to one agent hub. Here you see which there are, how far each is, where it sends and by which rules it routes.",
		Example: "  handoff connections list\n  handoff connections show store-bot",
	}
	c.AddCommand(a.connectionsListCommand(), a.connectionsShowCommand(), a.connectionsRotateCommand())
	return parent(c)
}

func (a *app) connectionsListCommand() *cobra.Command {
	var q listing.ConnectionQuery
	c := &cobra.Command{
		Use: "list", Args: names(), Short: "List connections",
		Long:        "Lists connections by name, with how far each is and how many of its escalations are open.",
		Example:     "  handoff connections list",
		Annotations: after("handoff connections show CONNECTION", "handoff escalations list --connection CONNECTION"),
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := a.client(c.Context())
			if err != nil {
				return err
			}
			page, err := client.Connections(c.Context(), q)
			if err != nil {
				return err
			}
			table := &terminal.Table{Header: []string{"connection", "status", "bot", "open", "hub", "organisation", "requested"}, Fixed: []int{0, 6}}
			for _, row := range page.Items {
				table.Row(row.ID, statusStyle(row.Status), botStyle(row.Bot), row.Open, row.HubType, row.Organisation, a.time(row.RequestedAt))
			}
			return a.printPage(page, table, "connections", page.Next)
		},
	}
	pageFlags(c.Flags(), &q.Page)
	return c
}

func (a *app) connectionsShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show CONNECTION", Args: names("CONNECTION"), Short: "Show one connection and what it waits for",
		Long:        "Shows how far a connection is, and if a step does not succeed, which and why; where it sends routed escalations; and by which rules it routes.",
		Example:     "  handoff connections show store-bot",
		Annotations: after("handoff replay CONNECTION       how it came to be so", "handoff rules show CONNECTION   its rules"),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client(c.Context())
			if err != nil {
				return err
			}
			s, err := client.Connection(c.Context(), args[0])
			if err != nil {
				return err
			}
			return a.print(s, func() { a.showConnection(s) })
		},
	}
}

func (a *app) showConnection(c connection.State) {
	a.out.Printf("%s  %s\n", terminal.Bold(c.ID), statusStyle(string(c.Status)))
	a.pair("bot", joined(c.Bot.Name, c.Bot.ID, c.Bot.Version))
	a.pair("published", publishedText(c.Publication))
	a.pair("hub", fmt.Sprintf("%s, organisation %s", c.Hub.Type, c.Hub.Organisation))
	if o := c.Omnichannel; o != nil {
		a.pair("path", fmt.Sprintf("%s; the queue is chosen by %s", o.Path, o.Routing))
	}
	a.pair("application id", c.ApplicationID)
	a.pair("channel", c.Channel)
	a.showChanges(c)
	if o := c.Override; o != nil {
		a.pair("regions", fmt.Sprintf("bot %s, hub %s, log %s; %s answers for that: %s", o.Regions.Bot, o.Regions.Hub, o.Regions.Log, o.By, o.Why))
	}
	a.pair("health", c.HealthURL)
	a.pair("notice", fmt.Sprintf("text %s, acknowledged by %s on %s", c.Notice.TextVersion, c.Notice.AcceptedBy, a.time(c.Notice.AcceptedAt)))
	if c.Rules.Set != "" {
		a.pair("rules", joined(c.Rules.Name, shortHash(c.Rules.Set)))
	}
	for _, e := range c.Endpoints {
		a.pair("endpoint", endpointText(e))
	}
	if f := c.Failure; f != nil {
		a.pair("waits", terminal.Red(fmt.Sprintf("step %q: %s (%s)", f.Step, f.Detail, f.Code)))
	}
	if c.End != nil {
		a.pair("ended", endText(a, c.End))
	}
}

func endpointText(e connection.Endpoint) any {
	text := fmt.Sprintf("%s  %s  %s", e.ID, e.URL, e.Mode)
	if e.Disabled != "" {
		return terminal.Red(text + "  off: " + e.Disabled)
	}
	return text
}

func endText(a *app, e *connection.End) string {
	text := "open escalations move to " + e.Target
	if e.Deadline != nil {
		text = "open escalations may finish until " + a.time(*e.Deadline)
	}
	if e.Reason != "" {
		text += "; reason: " + e.Reason
	}
	return text
}

// joined joins names that are there with a space between.
func joined(all ...string) string {
	s := ""
	for _, n := range all {
		if n != "" && s != "" {
			s += " "
		}
		s += n
	}
	return s
}

func (a *app) disconnectCommand() *cobra.Command {
	var p connection.DisconnectPlan
	var drain string
	var yes bool
	c := &cobra.Command{
		Use: "disconnect CONNECTION", GroupID: groupConnect, Args: names("CONNECTION"), Short: "End a connection; open escalations finish or move",
		Long: "Ends a connection: from then on it takes no escalations. Open ones may finish for a while and fail after it, or with --to " +
			"they move to another connection, are routed again by its rules and sent to its endpoints. Disconnecting twice is the same as once.",
		Example:     "  handoff disconnect store-bot\n  handoff disconnect store-bot --drain-for 4h --reason \"new bot\"\n  handoff disconnect store-bot --to new-bot --yes",
		Annotations: after("handoff escalations list --connection CONNECTION --status open   what still has to finish"),
		RunE: func(c *cobra.Command, args []string) error {
			if p.To != "" && drain != "" {
				return usage("open escalations move (--to) or finish (--drain-for), not both")
			}
			if drain != "" {
				var err error
				if p.DrainFor, err = instant.ParseSpan(drain); err != nil {
					return asUsage(err)
				}
			}
			return a.disconnect(c.Context(), args[0], p, yes)
		},
	}
	c.Flags().StringVar(&p.To, "to", "", "`connection` that open escalations move to")
	c.Flags().StringVar(&drain, "drain-for", "", "how long open escalations may still finish, such as 4h (default: as the server is set, 1h)")
	c.Flags().StringVar(&p.Reason, "reason", "", "why; it is recorded")
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
}

func (a *app) disconnect(ctx context.Context, id string, p connection.DisconnectPlan, yes bool) error {
	client, err := a.client(ctx)
	if err != nil {
		return err
	}
	if !yes && a.interactive() {
		if err := a.confirm(ctx, fmt.Sprintf("%s will take no more escalations.", id)); err != nil {
			return err
		}
	}
	s, err := client.Disconnect(ctx, id, p)
	if err != nil {
		return err
	}
	return a.print(s, func() {
		a.out.Printf("%s is disconnected", terminal.Bold(s.ID))
		if s.End != nil {
			a.out.Printf("; %s", endText(a, s.End))
		}
		a.out.Printf("\n")
	})
}

func (a *app) endpointsCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "endpoints", Aliases: []string{"endpoint"}, GroupID: groupConnect, Short: "Say where routed escalations are sent",
		Long: "Routed escalations are sent to the endpoints of their connection as signed webhooks. An endpoint is thin, and gets links, or full, " +
			"and gets the whole context.",
		Example: "  handoff endpoints set store-bot https://desk.example/handoff --mode full\n  handoff endpoints remove store-bot desk",
	}
	c.AddCommand(a.endpointsSetCommand(), a.endpointsRotateCommand(), a.endpointsRemoveCommand())
	return parent(c)
}

func (a *app) endpointsSetCommand() *cobra.Command {
	var p connection.EndpointPlan
	c := &cobra.Command{
		Use: "set CONNECTION URL", Args: names("CONNECTION", "URL"), Short: "Add an endpoint, change one, or switch one on again",
		Long:        "Adds an endpoint or changes one. The secret by which the endpoint verifies what arrives is shown once, when it is made. An endpoint that was switched off is on again.",
		Example:     "  handoff endpoints set store-bot https://desk.example/handoff\n  handoff endpoints set store-bot https://archive.example --id archive --mode full",
		Annotations: after("handoff connections show CONNECTION", "handoff deliveries list --connection CONNECTION"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := choice("mode", p.Mode, connection.ModeThin, connection.ModeFull); err != nil {
				return err
			}
			p.URL = args[1]
			client, err := a.client(c.Context())
			if err != nil {
				return err
			}
			e, err := client.SetEndpoint(c.Context(), args[0], p)
			if err != nil {
				return err
			}
			return a.print(e, func() {
				a.out.Printf("%s sends to %s\n", args[0], endpointText(e.Endpoint))
				a.credential("secret", e.Secret, "shown this once; the endpoint verifies by it that what arrives comes from Handoff")
			})
		},
	}
	c.Flags().StringVar(&p.ID, "id", defaultEndpoint, "`name` of the endpoint")
	c.Flags().StringVar(&p.Mode, "mode", connection.ModeThin, "thin for links only, full for the whole context")
	c.Flags().StringSliceVar(&p.Events, "event", nil, "only events of this `type`; may be repeated (default: all)")
	return c
}

func (a *app) endpointsRotateCommand() *cobra.Command {
	return &cobra.Command{
		Use: "rotate CONNECTION [ENDPOINT]", Args: between(1, "CONNECTION", "ENDPOINT"), Short: "Make a new signing secret",
		Long: "Makes a new secret for an endpoint, or without one for the bot's own webhooks. It is shown once. The one before stays valid beside it, " +
			"so nothing is lost while you change over.",
		Example: "  handoff endpoints rotate store-bot desk\n  handoff endpoints rotate store-bot",
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client(c.Context())
			if err != nil {
				return err
			}
			endpoint, use := "", "shown this once; the bot signs its requests with it"
			if len(args) == 2 {
				endpoint, use = args[1], "shown this once; the endpoint verifies by it that what arrives comes from Handoff"
			}
			secret, err := client.RotateSecret(c.Context(), args[0], endpoint)
			if err != nil {
				return err
			}
			return a.print(map[string]string{"secret": secret}, func() { a.credential("secret", secret, use) })
		},
	}
}

func (a *app) endpointsRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use: "remove CONNECTION ENDPOINT", Args: names("CONNECTION", "ENDPOINT"), Short: "Send nothing more to an endpoint",
		Long:        "Ends deliveries to an endpoint. What was not delivered yet is parked and can be sent again when the endpoint is set again.",
		Example:     "  handoff endpoints remove store-bot desk",
		Annotations: after("handoff deliveries list --connection CONNECTION --status parked"),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client(c.Context())
			if err != nil {
				return err
			}
			if err := client.RemoveEndpoint(c.Context(), args[0], args[1]); err != nil {
				return err
			}
			return a.print(map[string]string{"removed": args[1]}, func() { a.out.Printf("%s sends nothing more to %s\n", args[0], args[1]) })
		},
	}
}

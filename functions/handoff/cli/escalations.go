package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"handoff/domain/conversation"
	"handoff/domain/listing"
	"handoff/events"
	"handoff/functions/handoff/cli/chronicle"
	"handoff/functions/handoff/cli/terminal"
	"handoff/infra/httpapi"
)

func (a *app) escalationsCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "escalations", Aliases: []string{"escalation"}, GroupID: groupWork, Short: "Find escalations and see what became of them",
		Long:    "An escalation is one conversation that left the bot. Here you find it, with where it stands and what happened to it.",
		Example: "  handoff escalations list --status open\n  handoff escalations show esc_7zz2m0jx5c",
	}
	c.AddCommand(a.escalationsListCommand(), a.escalationsShowCommand())
	return parent(c)
}

func (a *app) escalationsListCommand() *cobra.Command {
	var q listing.EscalationQuery
	c := &cobra.Command{
		Use: "list", Args: names(), Short: "List escalations, newest first",
		Long:        "Lists escalations, newest first, with where each stands. Nothing that a customer said is shown here.",
		Example:     "  handoff escalations list --connection store-bot --status open\n  handoff escalations list --queue refunds-nl --json",
		Annotations: after("handoff escalations show ESCALATION   what happened to one", "handoff why ESCALATION                why it went where it went"),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := choice("status", q.Status, "open", "raised", "routed", "accepted", "completed", "failed", "expired"); err != nil {
				return err
			}
			return a.listEscalations(c.Context(), q)
		},
	}
	f := c.Flags()
	f.StringVar(&q.Connection, "connection", "", "only those of one `connection`")
	f.StringVar(&q.Status, "status", "", "only those that are open, raised, routed, accepted, completed, failed or expired")
	f.StringVar(&q.Queue, "queue", "", "only those in one `queue`")
	f.StringVar(&q.IDPrefix, "id", "", "only those whose `id` begins like this")
	pageFlags(f, &q.Page)
	return c
}

func pageFlags(f *pflag.FlagSet, p *listing.Page) {
	f.IntVar(&p.Limit, "limit", listing.DefaultPage, fmt.Sprintf("how many at most, up to %d", listing.MaxPage))
	f.StringVar(&p.Cursor, "cursor", "", "go on where an earlier list ended")
}

func (a *app) listEscalations(ctx context.Context, q listing.EscalationQuery) error {
	client, err := a.client(ctx)
	if err != nil {
		return err
	}
	page, err := client.Escalations(ctx, q)
	if err != nil {
		return err
	}
	table := &terminal.Table{Header: []string{"escalation", "status", "queue", "topic", "language", "channel", "connection", "raised"}, Fixed: []int{0, 6, 7}}
	for _, e := range page.Items {
		if e.Reason == events.ReasonCheck {
			e.Topic = joined(e.Topic, "(a check)")
		}
		table.Row(e.ID, statusStyle(e.Status), e.Queue.ID, e.Topic, e.Language, e.Channel, e.Connection, a.time(e.RaisedAt))
	}
	return a.printPage(page, table, "escalations", page.Next)
}

// printPage prints one page of a list and says how to get the rest.
func (a *app) printPage(page any, table *terminal.Table, what, next string) error {
	return a.print(page, func() {
		if table.Len() == 0 {
			a.tell("There are no such %s.\n", what)
			return
		}
		a.out.Table(table)
		if next != "" {
			a.tell("There are more: add --cursor %s\n", next)
		}
	})
}

func statusStyle(status string) any {
	switch status {
	case "accepted", "completed", "delivered", "ready":
		return terminal.Green(status)
	case "failed", "expired", "parked", "disconnected":
		return terminal.Red(status)
	default:
		return terminal.Yellow(status)
	}
}

func (a *app) escalationsShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show ESCALATION", Args: names("ESCALATION"), Short: "Show one escalation and what happened to it",
		Long:        "Shows where an escalation stands, and everything that happened to it with its time. The beginning of an id is enough if no other begins like it.",
		Example:     "  handoff escalations show esc_7zz2m0jx5cq8vb4s9k1d6ehw3r",
		Annotations: after("handoff why ESCALATION   why it went where it went"),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client(c.Context())
			if err != nil {
				return err
			}
			e, err := client.Escalation(c.Context(), args[0])
			if err != nil {
				return err
			}
			return a.print(e, func() { a.showEscalation(e) })
		},
	}
}

func (a *app) showEscalation(e httpapi.EscalationDetail) {
	a.showStanding(e.Escalation)
	a.out.Printf("\n%s\n", terminal.Bold("What happened"))
	for _, entry := range e.Timeline {
		lead := a.time(entry.At) + "  "
		text := humane(entry.Type)
		if by := chronicle.ActorOf(entry.Actor); by != "" {
			text += " (by " + by + ")"
		}
		if entry.Message != "" {
			text += ": " + entry.Message
		}
		a.out.Paragraph("  "+lead, text)
	}
}

// humane returns the name of a type of fact in words: "escalation raised".
func humane(factType string) string {
	var b strings.Builder
	for i, r := range factType {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return strings.ToLower(b.String())
}

// showStanding prints where an escalation stands.
func (a *app) showStanding(e listing.Escalation) {
	a.out.Printf("%s  %s\n", terminal.Bold(e.ID), standing(conversation.Status(e.Status), e.Queue, e.Code))
	about := make([]string, 0, 4)
	for _, s := range []string{e.Topic, e.Channel, e.Language, e.Reason} {
		if s != "" {
			about = append(about, s)
		}
	}
	a.pair("about", strings.Join(about, ", "))
	a.pair("queue", queueName(e.Queue))
	switch {
	case e.Fallback:
		a.pair("because", "no rule matched: the fallback queue")
	case e.Rule != "":
		a.pair("because", fmt.Sprintf("rule %q", e.Rule))
	}
	if e.Priority > 0 {
		a.pair("priority", e.Priority)
	}
	a.pair("connection", e.Connection)
	a.pair("moved to", e.RoutedBy)
	a.pair("hand-off", fmt.Sprintf("number %d of this conversation", e.Number))
	a.pair("raised", a.time(e.RaisedAt))
	if conversation.Status(e.Status).Open() {
		a.pair("ends by itself", a.time(e.Deadline))
	}
	if e.Erased {
		a.pair("context", terminal.Yellow("erased"))
	}
}

// standing says in words where an escalation stands.
func standing(s conversation.Status, q events.Queue, code string) any {
	end := ""
	if code != "" && code != string(s) {
		end = ": " + code
	}
	switch s {
	case conversation.Raised:
		return terminal.Yellow("raised, not routed yet")
	case conversation.Routed:
		return terminal.Yellow("waiting in " + cmp.Or(q.ID, "its queue") + ", nobody assigned")
	case conversation.Accepted:
		return terminal.Green("with a human agent, from " + cmp.Or(q.ID, "its queue"))
	case conversation.Completed:
		return terminal.Green("completed" + end)
	case conversation.Expired:
		return terminal.Red("expired: nobody ended it in time")
	default:
		return terminal.Red(string(s) + end)
	}
}

func queueName(q events.Queue) string {
	if q.Name == "" || q.Name == q.ID {
		return q.ID
	}
	return q.Name + " (" + q.ID + ")"
}

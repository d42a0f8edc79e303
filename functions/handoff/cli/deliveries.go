package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"handoff/domain/listing"
	"handoff/events"
	"handoff/functions/handoff/cli/chronicle"
	"handoff/functions/handoff/cli/terminal"
	"handoff/infra/httpapi"
)

func (a *app) deliveriesCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "deliveries", Aliases: []string{"delivery"}, GroupID: groupWork, Short: "See what was sent where, and send it again",
		Long: "A delivery is one event that is owed to one endpoint. It is pending until the endpoint confirms it, and parked when Handoff gave up after days " +
			"of trying; nothing is lost, and a parked one can be sent again.",
		Example: "  handoff deliveries list --status parked\n  handoff deliveries resend dlv_7zz2m0jx5c",
	}
	c.AddCommand(a.deliveriesListCommand(), a.deliveriesShowCommand(), a.deliveriesResendCommand())
	return parent(c)
}

func (a *app) deliveriesListCommand() *cobra.Command {
	var q listing.DeliveryQuery
	c := &cobra.Command{
		Use: "list", Args: names(), Short: "List deliveries, newest first",
		Long:        "Lists deliveries, newest first, with how often each was tried and how the last try went.",
		Example:     "  handoff deliveries list --status parked\n  handoff deliveries list --escalation esc_7zz2m0jx5cq8vb4s9k1d6ehw3r",
		Annotations: after("handoff deliveries show DELIVERY     every attempt", "handoff deliveries resend DELIVERY"),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := choice("status", q.Status, "pending", "delivered", "parked"); err != nil {
				return err
			}
			client, err := a.client(c.Context())
			if err != nil {
				return err
			}
			page, err := client.Deliveries(c.Context(), q)
			if err != nil {
				return err
			}
			table := &terminal.Table{
				Header: []string{"delivery", "status", "tries", "last", "endpoint", "event", "connection", "next try", "updated"}, Fixed: []int{0, 1, 7, 8},
			}
			for _, d := range page.Items {
				table.Row(d.ID, statusStyle(d.Status), d.Attempts, lastTry(d), d.Endpoint, d.EventType, d.Connection, a.time(d.NextAt), a.time(d.UpdatedAt))
			}
			return a.printPage(page, table, "deliveries", page.Next)
		},
	}
	f := c.Flags()
	f.StringVar(&q.Connection, "connection", "", "only those of one `connection`")
	f.StringVar(&q.Status, "status", "", "only those that are pending, delivered or parked")
	f.StringVar(&q.Escalation, "escalation", "", "only those about one `escalation`")
	pageFlags(f, &q.Page)
	return c
}

// lastTry says how the last attempt went.
func lastTry(d listing.Delivery) string {
	if d.HTTPStatus == 0 {
		return d.Code
	}
	return fmt.Sprintf("%s (%d)", d.Code, d.HTTPStatus)
}

func (a *app) deliveriesShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show DELIVERY", Args: names("DELIVERY"), Short: "Show one delivery and every attempt",
		Long:        "Shows where a delivery stands and how every attempt went.",
		Example:     "  handoff deliveries show dlv_7zz2m0jx5cq8vb4s9k1d6ehw3r",
		Annotations: after("handoff deliveries resend DELIVERY"),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client(c.Context())
			if err != nil {
				return err
			}
			d, err := client.Delivery(c.Context(), args[0])
			if err != nil {
				return err
			}
			return a.print(d, func() { a.showDelivery(d) })
		},
	}
}

func (a *app) showDelivery(d httpapi.DeliveryDetail) {
	a.out.Printf("%s  %s\n", terminal.Bold(d.ID), statusStyle(d.Status))
	a.pair("event", joined(d.EventType, d.Event))
	a.pair("to", d.Endpoint+" of "+d.Connection)
	a.pair("tries", d.Attempts)
	a.pair("last", lastTry(d.Delivery))
	a.pair("next try", a.time(d.NextAt))
	teller := chronicle.New(events.Register(), a.now().Location())
	if len(d.Facts) > 0 {
		a.out.Printf("\n%s\n", terminal.Bold("What happened"))
	}
	for _, f := range d.Facts {
		r, err := f.Record()
		if err != nil {
			continue // a later version; --json shows it as it is
		}
		l := teller.Tell(r)
		a.out.Paragraph("  "+a.time(l.At)+"  ", l.Text)
	}
}

func (a *app) deliveriesResendCommand() *cobra.Command {
	return &cobra.Command{
		Use: "resend DELIVERY", Args: names("DELIVERY"), Short: "Send a delivery again",
		Long:        "Sends a parked or confirmed delivery once more, under the same event id, so that a receiver that has it drops it.",
		Example:     "  handoff deliveries resend dlv_7zz2m0jx5cq8vb4s9k1d6ehw3r",
		Annotations: after("handoff deliveries show DELIVERY   how it went"),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client(c.Context())
			if err != nil {
				return err
			}
			d, err := client.Resend(c.Context(), args[0])
			if err != nil {
				return err
			}
			return a.print(d, func() { a.out.Printf("%s is sent to %s again\n", d.ID, d.Endpoint) })
		},
	}
}

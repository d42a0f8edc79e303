package cli

import (
	"context"

	"github.com/spf13/cobra"

	"handoff/infra/httpapi"
)

func (a *app) eraseCommand() *cobra.Command {
	var e httpapi.Erasure
	var yes bool
	c := &cobra.Command{
		Use: "erase [ESCALATION]", GroupID: groupAudit, Args: between(0, "ESCALATION"), Short: "Erase what a customer said, for ever",
		Long: "Makes everything private unreadable for ever: of one escalation's whole conversation, or of all conversations with one customer. The facts stay, " +
			"and so does the chain over them, so the history can still be replayed and verified. Endpoints that were given the context are told. It can't be undone.",
		Example:     "  handoff erase esc_7zz2m0jx5cq8vb4s9k1d6ehw3r\n  handoff erase --customer c-881 --reason \"asked for it\" --yes",
		Annotations: after("handoff verify   the chain is still whole"),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				e.Escalation = args[0]
			}
			return a.erase(c.Context(), e, yes)
		},
	}
	c.Flags().StringVar(&e.CustomerID, "customer", "", "all conversations with the customer of this `id`")
	c.Flags().StringVar(&e.CustomerEmail, "email", "", "all conversations with the customer of this e-mail `address`")
	c.Flags().StringVar(&e.CustomerPhone, "phone", "", "all conversations with the customer of this phone `number`")
	c.Flags().StringVar(&e.Reason, "reason", "", "why; it is recorded, and must name nobody")
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask; needed where there is no terminal to ask on")
	return c
}

func (a *app) erase(ctx context.Context, e httpapi.Erasure, yes bool) error {
	what, n := "", 0
	for _, part := range []struct{ value, name string }{
		{e.Escalation, "the conversation of " + e.Escalation},
		{e.CustomerID, "all conversations with customer " + e.CustomerID},
		{e.CustomerEmail, "all conversations with " + e.CustomerEmail},
		{e.CustomerPhone, "all conversations with " + e.CustomerPhone},
	} {
		if part.value != "" {
			what, n = part.name, n+1
		}
	}
	if n != 1 {
		return usage("say one thing that is to be erased: an escalation, or one of --customer, --email and --phone")
	}
	if !yes && !a.interactive() {
		return usage("erasing can't be undone, and there is no terminal to ask on: say --yes")
	}
	client, err := a.client(ctx)
	if err != nil {
		return err
	}
	if !yes {
		if err := a.confirm(ctx, "Everything private of "+what+" will be unreadable for ever."); err != nil {
			return err
		}
	}
	done, err := client.Erase(ctx, e)
	if err != nil {
		return err
	}
	return a.print(done, func() {
		a.out.Printf(" erased   the text of %s in %s is gone for ever; the facts themselves stay\n",
			plural(int64(done.Facts), "fact"), plural(int64(done.Conversations), "conversation"))
	})
}

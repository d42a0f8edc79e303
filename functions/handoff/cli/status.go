package cli

import (
	"context"

	"github.com/spf13/cobra"

	"handoff/domain/conversation"
	"handoff/domain/listing"
)

func (a *app) statusCommand() *cobra.Command {
	var code, message string
	c := &cobra.Command{
		Use: "status ESCALATION [accepted|failed|completed]", GroupID: groupWork, Args: between(1, "ESCALATION", "STATE"),
		Short: "Show where an escalation stands, or report what became of it",
		Long: "Without a state it shows where an escalation stands. With one it reports what became of it, as the agent hub does: " +
			"accepted when a human agent took it, completed when they finished, failed when nobody could serve the customer. The same report again changes nothing.",
		Example:     "  handoff status esc_7zz2m0jx5c\n  handoff status esc_7zz2m0jx5c accepted\n  handoff status esc_7zz2m0jx5c failed --code no-agent --message \"Everybody is in a meeting\"",
		Annotations: after("handoff escalations show ESCALATION   everything that happened"),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 && (code != "" || message != "") {
				return usage("--code and --message belong to a report: say accepted, failed or completed as well")
			}
			return a.status(c.Context(), args, code, message)
		},
	}
	c.Flags().StringVar(&code, "code", "", "why, as a short `code` for programs")
	c.Flags().StringVar(&message, "message", "", "why, in words; kept sealed")
	return c
}

func (a *app) status(ctx context.Context, args []string, code, message string) error {
	if len(args) == 2 {
		if err := choice("state", args[1], "accepted", "failed", "completed"); err != nil {
			return usage("the state is accepted, failed or completed, not %q", args[1])
		}
	}
	client, err := a.client(ctx)
	if err != nil {
		return err
	}
	var e listing.Escalation
	if len(args) == 1 {
		e, err = client.Status(ctx, args[0])
	} else {
		e, err = client.Report(ctx, args[0], conversation.Status(args[1]), code, message)
	}
	if err != nil {
		return err
	}
	return a.print(e, func() { a.showStanding(e) })
}

package cli

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"handoff/domain/audit"
	"handoff/domain/conversation"
	"handoff/events"
	"handoff/functions/handoff/cli/terminal"
)

func (a *app) whyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "why ESCALATION", GroupID: groupWork, Args: names("ESCALATION"), Short: "Tell why an escalation went to its queue",
		Long: "Tells in plain words why an escalation went where it went: the rule that decided, and of every other rule what was missing. " +
			"The answer was recorded when it was decided; rules that changed since do not change it.",
		Example:     "  handoff why esc_7zz2m0jx5cq8vb4s9k1d6ehw3r",
		Annotations: after("handoff rules show CONNECTION        the rules in force now", "handoff escalations show ESCALATION   what happened since"),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client(c.Context())
			if err != nil {
				return err
			}
			w, err := client.Why(c.Context(), args[0])
			if err != nil {
				return err
			}
			return a.print(w, func() { a.explain(w) })
		},
	}
}

func (a *app) explain(w audit.Why) {
	a.out.Paragraph("", terminal.Bold(w.EscalationID))
	a.explainOne(w)
	for _, e := range w.Earlier {
		a.out.Printf("\n%s\n", terminal.Bold("Before that"))
		a.explainOne(e)
	}
}

func (a *app) explainOne(w audit.Why) {
	a.out.Paragraph("", w.Sentence)
	if w.Moved {
		a.out.Paragraph("", "It was routed again because the connection it came by was disconnected and its open escalations moved here.")
	}
	if w.Hub != nil {
		a.hubChoice(*w.Hub, w.Queue)
	}
	if w.Erased {
		a.out.Paragraph("", terminal.Yellow("The customer's values were erased and are left out below."))
	}
	if len(w.Lines) > 0 {
		a.out.Printf("\n%s\n", terminal.Bold("How each rule fared, in their order"))
	}
	chosen := fmt.Sprintf("rule %q:", w.Rule)
	for _, line := range w.Lines {
		if w.Rule != "" && strings.HasPrefix(line, chosen) {
			a.out.Paragraph("  → ", terminal.Green(line))
			continue
		}
		a.out.Paragraph("  · ", line)
	}
	a.out.Printf("\n")
	a.out.Paragraph("", terminal.Dim(fmt.Sprintf("Decided %s by the rules of %s as they were then (%s). With --json: what else the decision depended on.",
		a.time(w.DecidedAt), w.Connection, shortHash(w.RuleSet))))
}

// hubChoice says whether the hub did as was decided.
func (a *app) hubChoice(c conversation.HubChoice, decided events.Queue) {
	name := cmp.Or(c.Queue.Name, c.Queue.ID)
	if c.Confirmed {
		a.out.Paragraph("", terminal.Green("CONFIRMED: the hub chose its queue "+name+"."))
		return
	}
	a.out.Paragraph("", terminal.Yellow("OVERRULED: the hub chose its queue "+name+", not "+cmp.Or(decided.Name, decided.ID)+"."))
}

// shortHash returns the beginning of a hash, enough to tell rule sets apart.
func shortHash(hash string) string {
	const digits = len("sha256:") + 12
	if len(hash) > digits {
		return hash[:digits] + "…"
	}
	return hash
}

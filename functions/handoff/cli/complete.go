package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"handoff/domain/listing"
	"handoff/infra/apiclient"
)

// completeTime is how long somebody who pressed Tab is kept waiting.
const completeTime = 2 * time.Second

// complete says what stands where a word is to be completed. What is not known
// is not completed, instead of with the names of files.
func (a *app) complete(c *cobra.Command) {
	if c.ValidArgsFunction == nil {
		c.ValidArgsFunction = a.arguments(c)
	}
	for flag, values := range map[string][]string{
		"role": {"admin", "bot", "hub", "auditor"}, "mode": {"thin", "full"}, "tenant": nil,
		"reason": {"customer_asked", "not_understood", "topic_needs_human", "bot_failed", "policy", "other"},
	} {
		if c.Flags().Lookup(flag) != nil {
			_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // there is such a flag
		}
	}
	for _, flag := range []string{"connection", "to"} {
		if c.Flags().Lookup(flag) != nil {
			_ = c.RegisterFlagCompletionFunc(flag, a.connectionNames) // there is such a flag
		}
	}
	for _, s := range c.Commands() {
		a.complete(s)
	}
}

// arguments returns what completes a command's arguments, by their names.
func (a *app) arguments(c *cobra.Command) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		switch wanted := argument(c, len(args)); wanted {
		case "FILE":
			return nil, cobra.ShellCompDirectiveDefault
		case "CONNECTION":
			return a.connectionNames(c, args, begun)
		case "ESCALATION":
			return a.escalationNames(c, begun)
		case "[accepted|failed|completed]":
			return []string{"accepted", "failed", "completed"}, cobra.ShellCompDirectiveNoFileComp
		default:
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
	}
}

// argument returns what the use line calls the argument with an index.
func argument(c *cobra.Command, i int) string {
	if words := strings.Fields(c.Use)[1:]; i < len(words) {
		if words[i] == "[ESCALATION]" {
			return "ESCALATION"
		}
		return words[i]
	}
	return ""
}

// listed asks a server for what may stand somewhere. Nobody is asked for a key,
// and nothing is said if there is no answer.
func (a *app) listed(c *cobra.Command, list func(context.Context, *apiclient.Client) ([]string, error)) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(c.Context(), completeTime)
	defer cancel()
	a.mute = true
	client, err := a.client(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	all, err := list(ctx, client)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return all, cobra.ShellCompDirectiveNoFileComp
}

func (a *app) connectionNames(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.listed(c, func(ctx context.Context, client *apiclient.Client) (all []string, err error) {
		page, err := client.Connections(ctx, listing.ConnectionQuery{Page: listing.Page{Limit: listing.MaxPage}})
		for _, row := range page.Items {
			all = append(all, row.ID)
		}
		return all, err
	})
}

func (a *app) escalationNames(c *cobra.Command, begun string) ([]string, cobra.ShellCompDirective) {
	return a.listed(c, func(ctx context.Context, client *apiclient.Client) (all []string, err error) {
		page, err := client.Escalations(ctx, listing.EscalationQuery{IDPrefix: begun})
		for _, row := range page.Items {
			all = append(all, cobra.CompletionWithDesc(row.ID, row.Status))
		}
		return all, err
	})
}

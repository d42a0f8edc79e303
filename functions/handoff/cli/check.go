package cli

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"handoff/domain/connection"
	"handoff/events"
	"handoff/functions/handoff/cli/botfile"
	"handoff/functions/handoff/cli/terminal"
)

func (a *app) checkCommand() *cobra.Command {
	var embed string
	c := &cobra.Command{
		Use: "check CONNECTION", GroupID: groupConnect, Args: names("CONNECTION"), Short: "Look whether hub and bot are as a connection needs them",
		Long: "Looks at the hub and the bot of a connection as they are now: roles, queue, workstream, channel, application user, whether the bot is " +
			"published. It changes nothing there and says what to do about each thing that is not as it should be. With --embed-code it also checks " +
			"the embed code of the chat widget on your page.",
		Example:     "  handoff check store-bot\n  handoff check store-bot --embed-code widget.html",
		Annotations: after("handoff connections show CONNECTION", "handoff replay CONNECTION       what happened to it"),
		RunE:        func(c *cobra.Command, args []string) error { return a.check(c.Context(), args[0], embed) },
	}
	c.Flags().StringVar(&embed, "embed-code", "", "a `file` with the chat widget's embed code, - for standard input")
	return c
}

func (a *app) check(ctx context.Context, id, embed string) error {
	var snippet []byte
	if embed != "" {
		var err error
		if snippet, err = a.readFile(embed, botfile.MaxSize); err != nil {
			return err
		}
	}
	client, err := a.client(ctx)
	if err != nil {
		return err
	}
	var got connection.Checked
	err = a.patiently(ctx, "looking at the hub", func(ctx context.Context) error {
		got, err = client.Check(ctx, id)
		return err
	})
	if err != nil {
		return err
	}
	if err := a.print(got, func() { a.showChecked(got) }); err != nil {
		return err
	}
	organisation := ""
	if u, ok := got.Connection.User(); ok {
		organisation = u.OrganisationID
	}
	if err := a.checkEmbedCode(string(snippet), organisation); err != nil {
		return &checkError{err.Error()}
	}
	if slices.ContainsFunc(got.Seen, func(f events.Finding) bool { return f.Blocking }) {
		return &checkError{"something has to be set right"}
	}
	return nil
}

func (a *app) showChecked(c connection.Checked) {
	a.out.Printf("%s  %s\n", terminal.Bold(c.Connection.ID), statusStyle(string(c.Connection.Status)))
	a.pair("published", publishedText(c.Connection.Publication))
	if len(c.Seen) == 0 {
		a.out.Printf("  %s\n", terminal.Green("Everything is as it should be."))
	}
	_ = a.out.Flush() // an error is kept for the end
	a.showFindings(c.Seen)
}

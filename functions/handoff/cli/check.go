package cli

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"handoff/domain/connection"
	"handoff/events"
	"handoff/functions/handoff/cli/botfile"
	"handoff/functions/handoff/cli/terminal"
	"handoff/infra/apiclient"
)

// checkOptions say what is checked.
type checkOptions struct {
	embed string // file
	whole bool   // end to end
	chat  chatOptions
}

func (a *app) checkCommand() *cobra.Command {
	var o checkOptions
	c := &cobra.Command{
		Use: "check CONNECTION", GroupID: groupConnect, Args: names("CONNECTION"), Short: "Look whether hub and bot are as a connection needs them",
		Long: "Looks at the hub and the bot of a connection as they are now: roles, queue, workstream, channel, application user, whether the bot is " +
			"published. It changes nothing there and says what to do about each thing that is not as it should be. With --embed-code it also checks " +
			"the embed code of the chat widget on your page.\n\n" +
			"With --end-to-end it then opens a chat in the hub as if a customer had, says a phrase to the bot, and shows every hop with its time until the " +
			"conversation stands in the queue for checks, and closes it. No human agent is needed, and none gets it: it goes to the queue check.queue " +
			"of the rules, or else to the queue test. Beside a bot that is connected to its hub without Handoff only what the hub does is seen.",
		Example: "  handoff check store-bot\n  handoff check store-bot --embed-code widget.html\n" +
			"  handoff check store-bot --end-to-end\n  handoff check store-bot --end-to-end --say \"speak to somebody\" --wait 5m",
		Annotations: after("handoff connections show CONNECTION", "handoff replay CONNECTION       what happened to it"),
		RunE: func(c *cobra.Command, args []string) error {
			if !o.whole && (o.chat.plan.Say != "" || o.chat.plan.Queue != "" || o.chat.plan.ToPeople) {
				return usage("--say, --queue and --to-people go with --end-to-end")
			}
			return a.check(c.Context(), args[0], o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.embed, "embed-code", "", "a `file` with the chat widget's embed code, - for standard input")
	f.BoolVar(&o.whole, "end-to-end", false, "open a chat in the hub and follow it")
	f.StringVar(&o.chat.plan.Say, "say", "", "a `phrase` at which the bot hands over")
	f.StringVar(&o.chat.plan.Queue, "queue", "", "another `queue` of the rules than the one for checks")
	f.BoolVar(&o.chat.plan.ToPeople, "to-people", false, "allow a queue in which human agents wait for customers")
	f.DurationVar(&o.chat.wait, "wait", 2*time.Minute, "how long to wait for the queue, and then for the end")
	return c
}

func (a *app) check(ctx context.Context, id string, o checkOptions) error {
	var snippet []byte
	if o.embed != "" {
		var err error
		if snippet, err = a.readFile(o.embed, botfile.MaxSize); err != nil {
			return err
		}
	}
	client, err := a.client(ctx)
	if err != nil {
		return err
	}
	got, err := a.look(ctx, client, id)
	if err != nil {
		return err
	}
	bad := a.judge(got, string(snippet))
	if !o.whole || bad != nil {
		if err := a.print(got, func() { a.showChecked(got) }); err != nil {
			return err
		}
		return bad
	}
	return a.checkWhole(ctx, client, got, o.chat)
}

// look looks at the hub and the bot.
func (a *app) look(ctx context.Context, client *apiclient.Client, id string) (got connection.Checked, err error) {
	err = a.patiently(ctx, "looking at the hub", func(ctx context.Context) error {
		got, err = client.Check(ctx, id)
		return err
	})
	return got, err
}

// judge returns why what was seen is not good enough.
func (a *app) judge(got connection.Checked, snippet string) error {
	organisation := ""
	if u, ok := got.Connection.User(); ok {
		organisation = u.OrganisationID
	}
	if err := a.checkEmbedCode(snippet, organisation); err != nil {
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
	a.showRules(c.HubRules)
}

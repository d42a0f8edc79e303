package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Groups of commands, in the order in which help shows them.
const (
	groupRun     = "run"
	groupConnect = "connect"
	groupWork    = "work"
	groupAudit   = "audit"
)

// keyNext marks what to do after a command, in its annotations.
const keyNext = "next"

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "handoff",
		Short: "A recorded switchboard between a bot and human agents",
		Long: "Handoff takes the conversations that a bot gives up, keeps all that the bot knew, routes each by your rules " +
			"to a queue of human agents, and records every step so that it can be replayed, explained and verified.",
		Example: "  handoff demo                          # see the whole story in a minute\n" +
			"  handoff serve                         # run it on this machine\n" +
			"  handoff connect                       # tie your bot to your agent hub",
		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.AddGroup(&cobra.Group{ID: groupRun, Title: "Run it"}, &cobra.Group{ID: groupConnect, Title: "Connect a bot"},
		&cobra.Group{ID: groupWork, Title: "Escalations and deliveries"}, &cobra.Group{ID: groupAudit, Title: "Look back, check, erase"})
	root.AddCommand(a.serveCommand(), a.demoCommand(), a.simulateCommand(), a.versionCommand(),
		a.connectCommand(), a.checkCommand(), a.disconnectCommand(), a.connectionsCommand(), a.endpointsCommand(), a.rulesCommand(), a.keysCommand(),
		a.raiseCommand(), a.escalationsCommand(), a.whyCommand(), a.statusCommand(), a.deliveriesCommand(),
		a.replayCommand(), a.verifyCommand(), a.eraseCommand(), a.exportCommand(), a.importCommand(), a.reindexCommand(), exitCodesTopic(), environmentTopic(), noticeTopic())
	a.globalFlags(root.PersistentFlags())
	root.SetHelpFunc(a.help)
	root.SetHelpCommand(a.helpCommand())
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return asUsage(err) })
	root.SetOut(a.out)
	root.SetErr(a.note)
	inOrder(root)
	a.complete(root)
	return parent(root)
}

// inOrder keeps flags in the order in which they are declared: the important
// ones first.
func inOrder(c *cobra.Command) {
	c.Flags().SortFlags, c.PersistentFlags().SortFlags = false, false
	for _, s := range c.Commands() {
		inOrder(s)
	}
}

func (a *app) globalFlags(f *pflag.FlagSet) {
	f.StringVar(&a.url, "url", "", "`URL` of the server (default: HANDOFF_URL, else that of this machine)")
	f.StringVar(&a.keyFile, "api-key-file", "", "`file` that holds the API key, - for standard input (default: HANDOFF_API_KEY)")
	f.BoolVar(&a.json, "json", false, "print JSON, for programs")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "print results only: no progress and no hints")
	f.BoolVar(&a.utc, "utc", false, "show and read times in UTC")
}

// parent makes a command that only has others below it: by itself it shows its
// help, and it says what is near where a name is wrong.
func parent(c *cobra.Command) *cobra.Command {
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return c.Help()
		}
		c.SuggestionsMinimumDistance = 2
		if near := c.SuggestionsFor(args[0]); len(near) > 0 {
			return usage("there is no command %q; did you mean %s?", args[0], strings.Join(near, " or "))
		}
		return usage("there is no command %q", args[0])
	}
	return c
}

// names demands exactly the arguments that have these names.
func names(names ...string) cobra.PositionalArgs { return between(len(names), names...) }

// between demands at least so many of the arguments that have these names.
func between(least int, names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usage("%s is missing", names[len(args)])
		case len(args) > len(names):
			return usage("%q is too much here", args[len(names)])
		}
		for i, arg := range args {
			if strings.TrimSpace(arg) == "" {
				return usage("%s is empty", names[i])
			}
		}
		return nil
	}
}

// after says what to do after a command.
func after(commands ...string) map[string]string {
	return map[string]string{keyNext: "  " + strings.Join(commands, "\n  ")}
}

// choice reports a flag whose value is none of those that there are.
func choice(flag, value string, values ...string) error {
	if slices.Contains(append(values, ""), value) {
		return nil
	}
	last := len(values) - 1
	return usage("--%s is %s or %s, not %q", flag, strings.Join(values[:last], ", "), values[last], value)
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", GroupID: groupRun, Args: names(),
		Short:   "Show the version of this program",
		Long:    "Shows the version of this program. That of a server is at /v1/version.",
		Example: "  handoff version",
		RunE: func(*cobra.Command, []string) error {
			return a.print(map[string]string{"version": a.Version}, func() { a.out.Printf("handoff %s\n", a.Version) })
		},
	}
}

func exitCodesTopic() *cobra.Command {
	var b strings.Builder
	b.WriteString("Every command ends with one of these codes. They never change.\n")
	for _, c := range []struct {
		code int
		text string
	}{
		{ExitOK, "it worked"},
		{ExitFailed, "a check failed (verify found a break, rules do not pass), or something on this machine did"},
		{ExitUsage, "the command line, or a file that it names, is wrong"},
		{ExitRefused, "the server refused, or failed; the code in brackets is stable and says why"},
		{ExitUnreachable, "no server answered, or not in time"},
		{ExitNotAllowed, "the key is missing, wrong, or may not do this"},
		{ExitNotFound, "there is no such thing, or it is not for this key"},
		{ExitInterrupted, "interrupted by Ctrl-C"},
	} {
		fmt.Fprintf(&b, "\n  %3d  %s", c.code, c.text)
	}
	return &cobra.Command{Use: "exit-codes", Short: "Exit codes and what they mean", Long: b.String()}
}

func environmentTopic() *cobra.Command {
	return &cobra.Command{Use: "environment", Short: "Variables of the environment", Long: `A command finds its server and key in this order:

  --url                       HANDOFF_URL
  --api-key-file              HANDOFF_API_KEY_FILE, HANDOFF_API_KEY

and else in client.json, which handoff serve writes beside its master key for
whoever runs it. The key in that file is sent to no other server. A key is never
a flag or an argument: those stand in the shell's history and in process lists.

  HANDOFF_CLIENT_SECRET       of the application that calls Microsoft's APIs,
  HANDOFF_APPLICATION_SECRET  of the Azure Bot's, and
  HANDOFF_DIRECT_LINE_SECRET  of the bot's web channel, for handoff connect omnichannel

  HANDOFF_MICROSOFT_SIMULATION  control address of handoff simulate microsoft,
                              for serve and connect: used in place of Microsoft

  NO_COLOR                    no colours, whatever the terminal can do
  HANDOFF_KEY_FILE            the server's master key, for serve; client.json is beside it

What else serve reads is told by: handoff serve --help`}
}

package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"handoff/domain/connection"
	"handoff/infra/clientfile"
	"handoff/infra/keyring"
	"handoff/infra/settings"
)

// Commands are those that run the system itself. They are handed in, so that
// this package needs to know nothing of it.
type Commands struct {
	// Serve runs until ctx is cancelled, which is no error.
	Serve func(ctx context.Context, s settings.Settings, stdout, stderr io.Writer) error
	Demo  func(ctx context.Context, o DemoOptions, stdout, stderr io.Writer) error
}

// DemoOptions say how to tell the demo's story.
type DemoOptions struct {
	Hub    string // that the bot is connected to: generic or omnichannel
	Exit   bool   // end after the story
	Colour bool
	Width  int // of the screen in columns; 0: as wide as the lines are
}

func (a *app) serveCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "serve", GroupID: groupRun, Args: names(), Short: "Run Handoff on this machine",
		Long: "Runs Handoff on this machine until Ctrl-C, on a data directory that survives. The first start makes the directory, a master key " +
			"outside of it, and one administrator's key, which is shown once and kept in a file that only you may read, so that the other commands find it.\n\n" +
			"Every flag is a variable too: --data-dir is HANDOFF_DATA_DIR.",
		Example:     "  handoff serve\n  handoff serve --listen 127.0.0.1:9000 --data-dir ./data\n  HANDOFF_LOG_FORMAT=json handoff serve",
		Annotations: after("handoff connect        tie a bot to an agent hub, from another terminal", "handoff connections list"),
	}
	values := make(map[string]*string)
	for _, s := range settings.Table() {
		if !s.Client && s.Flag != "" {
			values[s.Name] = c.Flags().String(s.Flag, "", fmt.Sprintf("%s (default: %s)", s.Doc, s.Default))
		}
	}
	flags := func(name string) (string, bool) {
		if v, ok := values[name]; ok {
			return *v, true
		}
		return "", false
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		s, err := settings.Load(settings.Any(flags, a.Env), a.Home)
		if err != nil {
			return asUsage(err)
		}
		return a.Commands.Serve(c.Context(), s, a.Stdout, a.Stderr)
	}
	return c
}

func (a *app) demoCommand() *cobra.Command {
	o := DemoOptions{Colour: a.out.Colour, Width: a.out.Width}
	c := &cobra.Command{
		Use: "demo", GroupID: groupRun, Args: names(), Short: "See the whole story in a minute, on this machine only",
		Long: "Starts the whole system on this machine with a data directory that is thrown away, connects a demo bot to a demo agent desk, " +
			"hands conversations over, kills and restarts itself, and tells what happens. Nothing leaves this machine.\n\n" +
			"With --hub omnichannel it connects a Power Virtual Agents (Copilot Studio) bot to Omnichannel instead, in a simulation of Microsoft's cloud, and " +
			"opens a web chat to type in and a desk to answer at; what happens between the two is told hop by hop.",
		Example:     "  handoff demo\n  handoff demo --hub omnichannel\n  handoff demo --exit   # for scripts: ends after the story",
		Annotations: after("handoff serve                the same without the demo, on data that stays", "handoff simulate microsoft   Microsoft's cloud for that"),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := choice("hub", o.Hub, "generic", connection.Omnichannel); err != nil {
				return err
			}
			return a.Commands.Demo(c.Context(), o, a.Stdout, a.Stderr)
		},
	}
	c.Flags().StringVar(&o.Hub, "hub", "generic", "the `hub`: generic, or omnichannel")
	c.Flags().BoolVar(&o.Exit, "exit", false, "end after the story instead of staying up")
	return c
}

// clientFilePath returns where serve leaves the URL and key for this user, empty
// where the user has no home.
func (a *app) clientFilePath() string {
	if keyFile, _ := a.Env("HANDOFF_KEY_FILE"); keyFile != "" {
		return clientfile.Path(keyFile)
	}
	if a.Home.Config == "" {
		return ""
	}
	return clientfile.Path(keyring.DefaultMasterKeyPath(a.Home.Config))
}

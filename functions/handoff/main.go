// Command handoff is the single program: every function of Handoff in one
// process, and the command line around it.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"handoff/functions/handoff/cli"
	"handoff/functions/handoff/demo"
	"handoff/functions/handoff/system"
	"handoff/infra/settings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Main(ctx, cli.Process{
		Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Env: os.LookupEnv, Home: home(), Now: time.Now, Version: version(),
		Commands: cli.Commands{Serve: serve, Demo: tell},
	})
	stop()
	os.Exit(code)
}

func serve(ctx context.Context, s settings.Settings, stdout, stderr io.Writer) error {
	if v, _ := os.LookupEnv("HANDOFF_STOP_WITH_STDIN"); v == "true" {
		ctx = system.UntilClosed(ctx, os.Stdin)
	}
	return system.Program{Settings: s, Version: version(), Out: stdout, Log: stderr, Now: time.Now}.Serve(ctx)
}

func tell(ctx context.Context, o cli.DemoOptions, stdout, _ io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	run := demo.Run
	if o.Hub == demo.HubOmnichannel {
		run = demo.RunOmnichannel
	}
	return run(ctx, demo.Options{Out: stdout, Executable: self, Exit: o.Exit, Now: time.Now})
}

func home() settings.Home {
	config, _ := os.UserConfigDir() // none is reported where it is needed
	user, _ := os.UserHomeDir()
	return settings.Home{Config: config, Data: settings.DataHome(runtime.GOOS, user, os.LookupEnv)}
}

// version is that of the module, or of the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12]
		}
	}
	return "devel"
}

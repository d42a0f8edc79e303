package cli_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"handoff/functions/handoff/cli"
	"handoff/infra/settings"
)

var update = flag.Bool("update", false, "rewrite the expected output in testdata")

// TestMain makes this test binary the program itself where a script runs it.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"handoff": func() { os.Exit(run()) }})
}

func zone() *time.Location { return time.FixedZone("CET", 3600) }

// today is when every script runs.
func today() time.Time { return time.Date(2026, 11, 22, 11, 0, 0, 0, zone()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return cli.Main(ctx, process(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func process(args []string, in io.Reader, out, errs io.Writer) cli.Process {
	config, _ := os.LookupEnv("CONFIG")
	return cli.Process{
		Args: args, Stdin: in, Stdout: out, Stderr: errs, Env: os.LookupEnv, Now: today, Version: "v1.2.3",
		Home: settings.Home{Config: config, Data: filepath.Join(config, "data")},
		Commands: cli.Commands{
			Serve: func(_ context.Context, s settings.Settings, stdout, _ io.Writer) error {
				_, err := fmt.Fprintf(stdout, "serving %s on %s\n", filepath.Base(s.DataDir), s.Listen)
				return err
			},
			Demo: func(ctx context.Context, o cli.DemoOptions, stdout, _ io.Writer) error {
				_, err := fmt.Fprintf(stdout, "demo, exit %v\n", o.Exit)
				if !o.Exit {
					<-ctx.Done()
					return ctx.Err()
				}
				return err
			},
		},
	}
}

// TestScripts runs each script against a server of its own, whose operations are
// fakes over a real log; the same log is in the directory $DATA.
func TestScripts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	past := record(t, filepath.Join(dir, "data"))
	broken := breakFact(t, filepath.Join(dir, "data"), filepath.Join(dir, "broken"))
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true, UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			server := httptest.NewServer(newFake(past).handler())
			env.Defer(server.Close)
			for name, value := range map[string]string{
				"HANDOFF_URL": server.URL, "HANDOFF_API_KEY": "admin", "DATA": filepath.Join(dir, "data"), "BROKEN": broken,
				"CONFIG": filepath.Join(env.WorkDir, "config"), "ESC": escalationID(), "DLV": deliveryID(), "TERM": "xterm",
			} {
				env.Setenv(name, value)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// exits runs a command and demands its exit code: exits 3 handoff …
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARGUMENT…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		failed, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = failed.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code = %d, want %d", got, want)
	}
}

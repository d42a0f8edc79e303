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
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"handoff/functions/handoff/cli"
	"handoff/infra/settings"
)

var update = flag.Bool("update", false, "rewrite the expected output in testdata")

// TestMain makes this test binary the program itself where a script runs it by
// that name.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "handoff" {
		os.Exit(run())
	}
	os.Exit(m.Run())
}

// program returns a directory with the program in it, for scripts' PATH.
func program(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, "handoff")); err != nil {
		t.Fatalf("scripts can't run the program: %v", err)
	}
	return dir
}

func zone() *time.Location { return time.FixedZone("CET", 3600) }

// today is when every script runs.
func today() time.Time { return time.Date(2026, 11, 22, 11, 0, 0, 0, zone()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return cli.Main(ctx, process(os.LookupEnv, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func process(env settings.Lookup, args []string, in io.Reader, out, errs io.Writer) cli.Process {
	config, _ := env("CONFIG")
	return cli.Process{
		Args: args, Stdin: in, Stdout: out, Stderr: errs, Env: env, Now: today, Version: "v1.2.3",
		Microsoft: microsoft(env),
		Home:      settings.Home{Config: config, Data: filepath.Join(config, "data")},
		Commands: cli.Commands{
			Serve: func(_ context.Context, s settings.Settings, stdout, _ io.Writer) error {
				_, err := fmt.Fprintf(stdout, "serving %s on %s\n", filepath.Base(s.DataDir), s.Listen)
				return err
			},
			Demo: func(ctx context.Context, o cli.DemoOptions, stdout, _ io.Writer) error {
				_, err := fmt.Fprintf(stdout, "demo with %s, exit %v\n", o.Hub, o.Exit)
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
	dir, bin := t.TempDir(), program(t)
	past := record(t, filepath.Join(dir, "data"))
	simulated := simulate(t)
	broken := breakFact(t, filepath.Join(dir, "data"), filepath.Join(dir, "broken"))
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireUniqueNames: true, UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			server := httptest.NewServer(newFake(past).handler())
			env.Defer(server.Close)
			for name, value := range map[string]string{
				"HANDOFF_URL": server.URL, "HANDOFF_API_KEY": "admin", "DATA": filepath.Join(dir, "data"), "BROKEN": broken,
				"PATH":   bin + string(filepath.ListSeparator) + env.Getenv("PATH"),
				"GORACE": "atexit_sleep_ms=0", // a program under the race detector waits a second at its end
				"CONFIG": filepath.Join(env.WorkDir, "config"), "ESC": escalationID(), "DLV": deliveryID(), "TERM": "xterm",
			} {
				env.Setenv(name, value)
			}
			simulated(env)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"handoff": inProcess, "exits": exits},
	})
}

// inProcess is the command "handoff …" of scripts. It runs in the process of the
// test, which is much faster than the "exec handoff …" that a terminal needs; the
// files that it is given have whole paths.
func inProcess(ts *testscript.TestScript, neg bool, args []string) {
	if code := call(ts, args); (code == 0) == neg {
		ts.Fatalf("exit code = %d", code)
	}
}

func call(ts *testscript.TestScript, args []string) int {
	env := func(name string) (string, bool) {
		v := ts.Getenv(name)
		return v, v != ""
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	return cli.Main(ctx, process(env, args, strings.NewReader(""), ts.Stdout(), ts.Stderr()))
}

// exits is the command "exits 3 handoff …" of scripts, or "exits 3 exec …", that
// demands an exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE handoff|exec ARGUMENT…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if args[1] == "handoff" {
		got = call(ts, args[2:])
	} else if err := ts.Exec(args[2], args[3:]...); err != nil {
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

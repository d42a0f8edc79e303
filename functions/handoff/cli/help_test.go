package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"handoff/functions/handoff/cli"
)

// commands are all that there are: help must tell of each how it is used.
func commands() []string {
	return []string{
		"", "serve", "demo", "simulate", "simulate microsoft", "version", "connect", "connect omnichannel", "check", "disconnect", "connections", "connections list", "connections show",
		"connections rotate-application-secret",
		"endpoints", "endpoints set", "endpoints rotate", "endpoints remove", "rules", "rules check", "rules test", "rules adopt", "rules show",
		"keys", "keys list", "keys create", "keys revoke", "raise", "escalations", "escalations list", "escalations show", "why", "status",
		"deliveries", "deliveries list", "deliveries show", "deliveries resend", "replay", "verify", "erase", "export", "import", "reindex", "exit-codes", "environment", "notice",
	}
}

// bare is an environment without variables.
func bare(string) (string, bool) { return "", false }

func runInProcess(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	return cli.Main(t.Context(), process(bare, args, strings.NewReader(""), &stdout, &stderr)), stdout.String(), stderr.String()
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, command := range commands() {
		name := strings.ReplaceAll("handoff "+command, " ", "-")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, got, errs := runInProcess(t, append([]string{"help"}, strings.Fields(command)...)...)
			if code != 0 || errs != "" {
				t.Fatalf("exit code = %d, stderr %q", code, errs)
			}
			golden := filepath.Join("testdata", "help", strings.TrimSuffix(name, "-")+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("help differs from %s (rewrite it with -update):\n%s", golden, got)
			}
		})
	}
}

// TestHelpIsWhole holds every command to an example, and every file of testdata
// to a command.
func TestHelpIsWhole(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "help", "*.txt"))
	if err != nil || len(files) != len(commands()) {
		t.Errorf("there are %d help texts (%v) for %d commands", len(files), err, len(commands()))
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		topic := strings.Contains(file, "exit-codes") || strings.Contains(file, "environment") || strings.Contains(file, "notice")
		if !topic && !strings.Contains(string(b), "\nExamples\n") {
			t.Errorf("%s has no example", file)
		}
		for line := range strings.Lines(string(b)) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > 100 {
				t.Errorf("%s has a line of %d columns: %s", file, n, line)
			}
		}
	}
}

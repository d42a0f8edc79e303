package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"handoff/domain/connection"
	"handoff/functions/handoff/cli"
	"handoff/functions/handoff/cli/botfile"
	"handoff/infra/microsoft/hosts"
	"handoff/infra/microsoft/provider"
	"handoff/infra/microsoft/simulation"
)

// simulated is what the command prints for programs.
type simulated struct {
	URLs        simulation.URLs              `json:"urls"`
	Widgets     []struct{ Name, URL string } `json:"widgets"`
	Desks       []struct{ Name, URL string } `json:"desks"`
	Environment map[string]string            `json:"environment"`
	Plan        string                       `json:"plan"`
}

// startSimulation runs the command until the test ends, and returns what it
// printed.
func startSimulation(t *testing.T, args ...string) simulated {
	t.Helper()
	ctx, interrupt := context.WithCancel(t.Context())
	in, out := io.Pipe()
	var stderr bytes.Buffer
	ended := make(chan int, 1)
	p := process(bare, append([]string{"simulate", "microsoft", "--port", "0", "--json"}, args...), strings.NewReader(""), out, &stderr)
	p.Now = time.Now
	go func() { ended <- cli.Main(ctx, p) }()
	t.Cleanup(func() {
		interrupt()
		if code := <-ended; code != cli.ExitOK {
			t.Errorf("exit code = %d, stderr %q, want 0 after Ctrl-C", code, &stderr)
		}
	})
	var s simulated
	if err := json.NewDecoder(bufio.NewReader(in)).Decode(&s); err != nil {
		t.Fatalf("it printed no JSON: %v", err)
	}
	go func() { _, _ = io.Copy(io.Discard, in) }()
	return s
}

func TestSimulateSaysWhereEverythingIs(t *testing.T) {
	t.Parallel()
	s := startSimulation(t, "--messages", "http://127.0.0.1:1/messages")
	if len(s.Widgets) != 1 || len(s.Desks) != 2 || s.Environment["HANDOFF_MICROSOFT_SIMULATION"] != s.URLs.Control || s.Plan != "" {
		t.Errorf("it says %+v", s)
	}
	for _, url := range []string{s.Widgets[0].URL, s.Desks[0].URL, s.Desks[1].URL, s.URLs.Control + "/urls"} {
		r, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
		if r.StatusCode != http.StatusOK {
			t.Errorf("%s answers %s", url, r.Status)
		}
	}
}

func TestSimulateWritesAFileToConnectWith(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "my shop.yaml")
	s := startSimulation(t, "--write-plan", path)
	source, err := os.ReadFile(path)
	if err != nil || s.Plan != path {
		t.Fatalf("plan %q: %v", s.Plan, err)
	}
	f, err := botfile.Parse(source)
	if err != nil {
		t.Fatalf("%v\n%s", err, source)
	}
	fake, err := hosts.Simulated(t.Context(), http.DefaultClient, s.URLs.Control)
	if err != nil {
		t.Fatal(err)
	}
	request, err := fake.Connecting.Normal(f.Request(today()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := connection.Decider.Decide(connection.State{}, request); err != nil {
		t.Errorf("it can't be connected: %v", err)
	}
	for name, want := range map[string]string{f.ClientSecretFile: simulation.InstallerSecret, f.ApplicationSecretFile: simulation.RelaySecret} {
		beside := filepath.Join(filepath.Dir(path), name)
		got, err := os.ReadFile(beside)
		info, statErr := os.Stat(beside)
		if err != nil || statErr != nil || strings.TrimSpace(string(got)) != want {
			t.Fatalf("%s = %q, %v, %v", name, got, err, statErr)
		}
		if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s is %v, want 0600", name, info.Mode())
		}
	}
}

func TestSimulateOverwritesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(path, []byte("name: mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, errs := runInProcess(t, "simulate", "microsoft", "--port", "0", "--write-plan", path)
	if code != cli.ExitUsage || !strings.Contains(errs, "is there already") {
		t.Errorf("exit code = %d, stderr %q", code, errs)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "name: mine\n" {
		t.Errorf("the file is %q now, %v", got, err)
	}
}

func TestSimulateSaysThatAPortIsTaken(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	code, _, errs := runInProcess(t, "simulate", "microsoft", "--port", strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	if code != cli.ExitRefused || !strings.Contains(errs, "simulation-port-busy") {
		t.Errorf("exit code = %d, stderr %q", code, errs)
	}
}

func TestSimulateEndsWithItsStandardInput(t *testing.T) {
	t.Parallel()
	env := func(name string) (string, bool) { return "true", name == "HANDOFF_STOP_WITH_STDIN" }
	p := process(env, []string{"simulate", "microsoft", "--port", "0"}, strings.NewReader("hello\n"), io.Discard, io.Discard)
	p.Now = time.Now
	if code := cli.Main(t.Context(), p); code != cli.ExitOK {
		t.Errorf("exit code = %d, want 0", code)
	}
}

func TestConnectLooksAtTheSimulation(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.yaml")
	s := startSimulation(t, "--write-plan", path)
	dry := func(control string) (int, string) {
		var stderr bytes.Buffer
		env := func(name string) (string, bool) { return control, name == "HANDOFF_MICROSOFT_SIMULATION" }
		p := process(env, []string{"connect", "omnichannel", "-f", path, "--dry-run"}, strings.NewReader(""), io.Discard, &stderr)
		p.Microsoft = provider.Hosts{}
		return cli.Main(t.Context(), p), stderr.String()
	}
	for sentence, c := range map[string]struct {
		control string
		code    int
		says    string
	}{
		"its addresses are taken":           {s.URLs.Control, cli.ExitOK, ""},
		"those of this machine are not":     {"", cli.ExitUsage, "token-endpoint-invalid"},
		"one that is not there is missed":   {"http://127.0.0.1:1", cli.ExitUnreachable, "simulation-unreachable"},
		"one of another machine is refused": {"http://store.example", cli.ExitRefused, "simulation-url-invalid"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if code, errs := dry(c.control); code != c.code || !strings.Contains(errs, c.says) {
				t.Errorf("exit code = %d, stderr %q, want %d and %q", code, errs, c.code, c.says)
			}
		})
	}
}

func TestSimulateTellsPeopleWhatToType(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	in, out := io.Pipe()
	ended := make(chan int, 1)
	p := process(bare, []string{"simulate", "microsoft", "--port", "0", "--connected"}, strings.NewReader(""), out, io.Discard)
	p.Now = time.Now
	go func() {
		ended <- cli.Main(ctx, p)
		_ = out.Close()
	}()
	lines := bufio.NewScanner(in)
	var said strings.Builder
	for lines.Scan() {
		said.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "/calls") { // the last line
			interrupt()
		}
	}
	if code := <-ended; code != cli.ExitOK {
		t.Errorf("exit code = %d, want 0", code)
	}
	for _, want := range []string{
		"nothing leaves this machine", "/widgets/" + simulation.WidgetAppID, "/desks/" + simulation.Ana, "handoff serve", "handoff connect omnichannel -f ",
		"/assign -d", "/faults -d",
	} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, &said)
		}
	}
}

// Package vendor_test runs Handoff against the vendor's own libraries, as they
// are published: a bot written with the Bot Framework SDK, the Direct Line
// client of web chats, and the SDK's check of tokens. It also opens the pages of
// the fake in a browser.
//
// The libraries are installed by .ci/engines; HANDOFF_TEST_NODE names the folder.
// Without it the tests skip and say so; in CI that is a failure.
package vendor_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Variables of the environment that say where the engines are.
const (
	nodeEnv    = "HANDOFF_TEST_NODE"    // a folder with node and node_modules
	browserEnv = "HANDOFF_TEST_BROWSER" // a Chromium
)

// engine returns what a variable names, or skips the test.
func engine(t *testing.T, variable string) string {
	t.Helper()
	at := os.Getenv(variable)
	switch {
	case at != "":
	case os.Getenv("CI") != "":
		t.Fatalf("%s is not set; .ci/engines installs what it names", variable)
	default:
		t.Skipf("%s is not set; .ci/engines installs what it names", variable)
	}
	return at
}

// object is a line of JSON.
type object = map[string]any

// program is a Node program of this folder while it runs.
type program struct {
	t     *testing.T
	in    io.Writer
	lines chan object
}

// patience is how long anything may take.
const patience = 60 * time.Second

// run starts a program with its settings, and ends it with the test.
func run(t *testing.T, name string, settings any) *program {
	t.Helper()
	folder := engine(t, nodeEnv)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := exec.CommandContext(ctx, filepath.Join(folder, "node"), name)
	cmd.Env = append(os.Environ(), nodeEnv+"="+folder, "NODE_ENV=production")
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, in: in, lines: make(chan object, 1000)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		p.read(out)
	}()
	t.Cleanup(func() {
		cancel()
		<-read
		_ = cmd.Wait() // it was killed
	})
	p.tell(settings)
	return p
}

// read takes what a program tells until it ends. A line that is no JSON is for
// people.
func (p *program) read(out io.Reader) {
	defer close(p.lines)
	for s := bufio.NewScanner(out); s.Scan(); {
		var line object
		if json.Unmarshal(s.Bytes(), &line) != nil {
			p.t.Logf("%s", s.Bytes())
			continue
		}
		for _, wrong := range []string{"failed", "left", "refused"} {
			if line[wrong] != nil {
				p.t.Errorf("%s: %v", wrong, line[wrong])
			}
		}
		p.lines <- line
	}
}

// tell writes a line for the program.
func (p *program) tell(what any) {
	p.t.Helper()
	if err := json.NewEncoder(p.in).Encode(what); err != nil {
		p.t.Fatal(err)
	}
}

// next returns the next line that has a member, and what that is.
func (p *program) next(member string) any {
	p.t.Helper()
	over := time.NewTimer(patience)
	defer over.Stop()
	for {
		select {
		case line, open := <-p.lines:
			if !open {
				p.t.Fatalf("the program ended and told nothing of %q", member)
			}
			if v := line[member]; v != nil {
				return v
			}
		case <-over.C:
			p.t.Fatalf("the program tells nothing of %q", member)
		}
	}
}

// Package harness runs the real program for tests that need one: it builds
// `handoff`, starts it on a loopback port with a data directory and a key file
// that are thrown away, kills it, starts it again, and speaks to it from
// outside, by HTTP only. What a test started is stopped when the test ends,
// and shortly before its deadline too.
package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Program is the package of the program itself.
const Program = "handoff/functions/handoff"

// Build builds a main package of this module for the time of the test and
// returns the path of the executable. Flags are those of go build, such as
// -race.
func Build(t testing.TB, pkg string, flags ...string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "handoff")
	args := append([]string{"build", "-o", program}, flags...)
	cmd := exec.CommandContext(t.Context(), "go", append(args, pkg)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", pkg, err, out)
	}
	return program
}

// Site is a place where the program runs, with data that outlives its
// processes. It has one address for all of them, as a server has, so clients
// need not hear of a restart. It is safe for concurrent use.
type Site struct {
	URL     string // http://127.0.0.1:port
	Dir     string // data directory
	KeyFile string // master key
	Log     string // file with what the processes wrote

	command []string
	address string
	ends    context.Context //nolint:containedctx // of every process, shortly before the test's deadline
	now     func() time.Time

	mu      sync.Mutex
	env     []string
	running []*Process
}

// NewSite returns a site at which nothing runs yet. The command is the program
// with its arguments; serve is added where there is the program only. It may
// begin with another program that runs it, such as strace.
func NewSite(t testing.TB, command ...string) *Site {
	t.Helper()
	address, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	if len(command) == 1 {
		command = append(command, "serve")
	}
	root := t.TempDir()
	s := &Site{
		URL: "http://" + address, Dir: filepath.Join(root, "data"), KeyFile: filepath.Join(root, "key", "master.key"),
		Log: filepath.Join(root, "log"), command: command, address: address, ends: t.Context(), now: time.Now,
	}
	if d, ok := deadline(t); ok {
		ctx, cancel := context.WithDeadline(s.ends, d)
		t.Cleanup(cancel)
		s.ends = ctx
	}
	s.env = append(os.Environ(),
		"HANDOFF_DATA_DIR="+s.Dir, "HANDOFF_KEY_FILE="+s.KeyFile, "HANDOFF_LISTEN="+address, "HANDOFF_ALLOW_PRIVATE=127.0.0.0/8",
		"HANDOFF_URL=", "HANDOFF_API_KEY=", "HANDOFF_STOP_WITH_STDIN=true")
	t.Cleanup(func() { s.clear(t) })
	return s
}

// clear ends whatever still runs, before its data directory is removed, and
// fails the test if a process ended by itself in a way that none ever should.
func (s *Site) clear(t testing.TB) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.running {
		p.Kill()
	}
	b, err := os.ReadFile(s.Log)
	if err != nil {
		return // nothing was launched
	}
	for _, sign := range []string{"\npanic: ", "\nfatal error: ", "WARNING: DATA RACE", " panicked"} {
		if _, after, found := bytes.Cut(b, []byte(sign)); found {
			t.Errorf("a process said:%s%s", sign, after[:min(len(after), 8<<10)])
		}
	}
}

// grace is how long before the test's deadline everything is stopped.
const grace = 5 * time.Second

func deadline(t testing.TB) (time.Time, bool) {
	d, ok := t.(interface{ Deadline() (time.Time, bool) })
	if !ok {
		return time.Time{}, false
	}
	at, ok := d.Deadline()
	return at.Add(-grace), ok
}

// freeAddress returns a loopback address on which nobody listens. Its port is
// none that an operating system gives to outgoing connections, so that none of
// the test's own takes it while the program is down.
func freeAddress() (string, error) {
	const lowest, count, tries = 20_000, 12_000, 100
	for range tries {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(lowest+rand.N(count)))
		if l, err := net.Listen("tcp", address); err == nil {
			return address, l.Close()
		}
	}
	return "", errors.New("harness: no free port on 127.0.0.1")
}

// Setenv sets a variable for processes that are launched from now on.
func (s *Site) Setenv(name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.env = append(s.env, name+"="+value) // of two the last one counts
}

// Launch starts a process and does not wait until it answers.
func (s *Site) Launch() (*Process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	log, err := os.OpenFile(s.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("launch: %w", err)
	}
	defer func() { _ = log.Close() }() // the process has a handle of its own
	cmd := exec.CommandContext(s.ends, s.command[0], s.command[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr = s.env, log, log
	// Nothing is written to it. It closes when the test ends, however it ends.
	if _, err := cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("launch: %w", err)
	}
	p := &Process{site: s, cmd: cmd, began: s.now(), ended: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("launch: %w", err)
	}
	s.running = append(slices.DeleteFunc(s.running, (*Process).over), p)
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// Start launches a process and waits until it answers.
func (s *Site) Start(t testing.TB) *Process {
	t.Helper()
	p, err := s.Launch()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Ready(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, s.Tail())
	}
	return p
}

// Tail returns the end of what the processes wrote.
func (s *Site) Tail() string {
	const most = 8 << 10
	b, err := os.ReadFile(s.Log)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-most):])
}
